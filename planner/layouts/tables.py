"""Tables of the fastest layouts: one phase on one machine, by number of nodes; and how they are kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts import disk_cache
from planner.layouts.rows import COLUMNS, Index, LayoutRows
from planner.performance.step import StepTime
from planner.performance.symbols import Array


@dataclass(frozen=True)
class Reach:
    """Beyond which step times layouts are of no interest."""

    step_seconds: float = inf
    node_seconds: float = inf
    """Nodes times seconds of a step: what a step costs."""

    def on(self, nodes: npt.NDArray[np.integer[Any]]) -> Array:
        """The longest step of interest on some numbers of nodes."""
        seconds: Array = np.minimum(self.step_seconds, self.node_seconds / np.maximum(nodes, 1))
        return seconds

    def holds(self, other: Reach) -> bool:
        """Whether it goes as far as another one."""
        return self.step_seconds >= other.step_seconds and self.node_seconds >= other.node_seconds


EVERYTHING: Final = Reach()
"""Layouts are of interest however long their steps."""


@dataclass(frozen=True)
class BestLayouts:
    """The fastest layouts of one phase on one machine with their step times, fewest nodes first."""

    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    step_seconds: Array
    time: Mapping[str, Array]
    """What a step is spent on, by part; seconds."""
    reach: Reach = EVERYTHING
    """Layouts beyond it may be missing."""

    def __len__(self) -> int:
        return len(self.nodes)

    def take(self, index: Index | slice) -> BestLayouts:
        """Some of them."""
        parts = {name: values[index] for name, values in self.time.items()}
        seconds = self.step_seconds[index]
        return BestLayouts(self.rows.take(index), self.nodes[index], seconds, parts, self.reach)

    def joined(self, other: BestLayouts) -> BestLayouts:
        """These and then others, of the same reach."""
        rows = {name: np.concatenate([getattr(one.rows, name) for one in (self, other)]) for name in ROWS}
        parts = {name: np.concatenate([one.time[name] for one in (self, other)]) for name in self.time}
        nodes, seconds = (
            np.concatenate([getattr(one, name) for one in (self, other)]) for name in ("nodes", "step_seconds")
        )
        return BestLayouts(LayoutRows(**rows), nodes, seconds, parts, self.reach)

    def fastest_by_nodes(self) -> BestLayouts:
        """The fastest of each number of nodes, the first among equals: where it does not matter what else they are."""
        order = np.lexsort((self.step_seconds, self.nodes))
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = np.diff(self.nodes[order]) != 0
        return self if first.all() else self.take(order[first])

    def within(self, reach: Reach) -> BestLayouts:
        """Those within a reach."""
        inside = self.step_seconds <= reach.on(self.nodes)
        return replace(self if inside.all() else self.take(np.flatnonzero(inside)), reach=reach)


TIME: Final = tuple(part.name for part in fields(StepTime))
ROWS: Final = tuple(column.name for column in fields(LayoutRows))


def nothing(reach: Reach) -> BestLayouts:
    """No layouts within a reach."""
    none = np.empty(0)
    rows = LayoutRows(**dict.fromkeys(COLUMNS, np.empty(0, dtype=np.int32)), needed_bytes=none)
    return BestLayouts(rows, np.empty(0, dtype=np.int64), none, dict.fromkeys(TIME, none), reach)


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
        "reach": np.asarray([(one.reach.step_seconds, one.reach.node_seconds) for one in all_of]),
        **{f"time {name}": np.concatenate([one.time[name] for one in all_of]) for name in TIME},
        **{f"rows {name}": np.concatenate([getattr(one.rows, name) for one in all_of]) for name in ROWS},
    }


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterator[tuple[bytes, BestLayouts]]:
    """The tables, by what they were made for."""
    rows = LayoutRows(**{name: arrays[f"rows {name}"] for name in ROWS})
    time = {name: arrays[f"time {name}"] for name in TIME}
    whole, begin = BestLayouts(rows, arrays["nodes"], arrays["step_seconds"], time), 0
    parts = (arrays["made_for"], arrays["ends"].tolist(), arrays["reach"].tolist())
    for made_for, end, reach in zip(*parts, strict=True):
        yield made_for.tobytes(), replace(whole.take(slice(begin, end)), reach=Reach(*reach))
        begin = end
