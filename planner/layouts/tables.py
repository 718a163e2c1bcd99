"""Tables of the fastest layouts: one phase on one machine, by number of nodes; and how they are kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts import disk_cache
from planner.layouts.rows import Index, LayoutRows
from planner.performance.step import StepTime
from planner.performance.symbols import Array


@dataclass(frozen=True)
class BestLayouts:
    """The fastest layouts of one phase on one machine with their step times, fewest nodes first."""

    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    step_seconds: Array
    time: Mapping[str, Array]
    """What a step is spent on, by part; seconds."""

    def __len__(self) -> int:
        return len(self.nodes)

    def take(self, index: Index | slice) -> BestLayouts:
        """Some of them."""
        parts = {name: values[index] for name, values in self.time.items()}
        return BestLayouts(self.rows.take(index), self.nodes[index], self.step_seconds[index], parts)

    def joined(self, other: BestLayouts) -> BestLayouts:
        """These and then others."""
        rows = {name: np.concatenate([getattr(one.rows, name) for one in (self, other)]) for name in ROWS}
        parts = {name: np.concatenate([one.time[name] for one in (self, other)]) for name in self.time}
        nodes, seconds = (
            np.concatenate([getattr(one, name) for one in (self, other)]) for name in ("nodes", "step_seconds")
        )
        return BestLayouts(LayoutRows(**rows), nodes, seconds, parts)

    def within(self, max_step_seconds: float) -> BestLayouts:
        """Those that take at most so many seconds a step."""
        return self.take(np.flatnonzero(self.step_seconds <= max_step_seconds))


TIME: Final = tuple(part.name for part in fields(StepTime))
ROWS: Final = tuple(column.name for column in fields(LayoutRows))

MOST: Final = 512
"""Tables of one space that are kept on disk."""


def read_tables(space: bytes) -> dict[bytes, BestLayouts]:
    """The tables on disk of a space, by what they were made for."""
    arrays = disk_cache.stored(space)
    return {} if arrays is None else dict(_unpacked(arrays))


def write_tables(space: bytes, tables: Mapping[bytes, BestLayouts]) -> None:
    """Puts tables of a space on disk in place of those that are there; the first of them, where there are many."""
    disk_cache.store(space, _packed(dict(list(tables.items())[:MOST])))


def _packed(tables: Mapping[bytes, BestLayouts]) -> disk_cache.Arrays:
    """Tables as arrays, one after the other in each."""
    all_of = list(tables.values())
    return {
        "made_for": np.frombuffer(b"".join(tables), dtype=np.uint8).reshape(-1, disk_cache.DIGEST),
        "ends": np.cumsum([len(one) for one in all_of]),
        "nodes": np.concatenate([one.nodes for one in all_of]),
        "step_seconds": np.concatenate([one.step_seconds for one in all_of]),
        **{f"time {name}": np.concatenate([one.time[name] for one in all_of]) for name in TIME},
        **{f"rows {name}": np.concatenate([getattr(one.rows, name) for one in all_of]) for name in ROWS},
    }


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterator[tuple[bytes, BestLayouts]]:
    """The tables, by what they were made for."""
    rows = LayoutRows(**{name: arrays[f"rows {name}"] for name in ROWS})
    time = {name: arrays[f"time {name}"] for name in TIME}
    whole, begin = BestLayouts(rows, arrays["nodes"], arrays["step_seconds"], time), 0
    for made_for, end in zip(arrays["made_for"], arrays["ends"].tolist(), strict=True):
        yield made_for.tobytes(), whole.take(slice(begin, end))
        begin = end
