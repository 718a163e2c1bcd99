"""Layouts as rows of integers, and the same as the symbols of the equations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.performance.symbols import Array, Layout
from planner.problem.parallelism import DEGREES
from planner.problem.run import Recompute

Ints = npt.NDArray[np.int32]
Index = npt.NDArray[np.int64]

COLUMNS: Final = (*DEGREES, "recompute")
"""The columns of a layout's degrees; `recompute` is an index into `Degrees.recompute`."""


@dataclass(frozen=True)
class LayoutRows:
    """Layouts as columns of shape (rows,)."""

    tensor: Ints
    pipeline: Ints
    virtual_pipeline: Ints
    context: Ints
    expert: Ints
    micro_batch: Ints
    data: Ints
    zero: Ints
    expert_tensor: Ints
    shard: Ints
    """Devices that states are sharded over: c·d, or a part of them that holds whole context groups."""
    recompute: Ints
    """Index into `Degrees.recompute`."""
    needed_bytes: Array
    """Smallest device memory that holds the layout, headroom and room to grow included."""

    def __len__(self) -> int:
        return len(self.tensor)

    @cached_property
    def devices(self) -> Ints:
        """t·p·c·d."""
        return self.tensor * self.pipeline * self.context * self.data

    @property
    def degrees(self) -> dict[str, Ints]:
        """The columns of degrees by name."""
        return {name: getattr(self, name) for name in COLUMNS}

    def joined(self, other: LayoutRows) -> LayoutRows:
        """These rows and others."""
        return LayoutRows(
            **{f.name: np.concatenate((getattr(self, f.name), getattr(other, f.name))) for f in fields(self)}
        )

    def take(self, index: Index | slice) -> LayoutRows:
        """Some of the rows."""
        taken = LayoutRows(**{f.name: getattr(self, f.name)[index] for f in fields(self)})
        if "devices" in vars(self):  # known, so not to be multiplied again
            vars(taken)["devices"] = self.devices[index]
        return taken


def joined(parts: Iterable[LayoutRows]) -> LayoutRows:
    """The rows of all parts, in the order of their devices."""
    known = list(parts)
    if not known:
        none = np.empty(0, dtype=np.int32)
        return LayoutRows(**dict.fromkeys(COLUMNS, none), needed_bytes=np.empty(0))
    rows = LayoutRows(**{f.name: np.concatenate([getattr(one, f.name) for one in known]) for f in fields(LayoutRows)})
    return rows.take(np.argsort(narrow(rows.devices - 1), kind="stable"))


def narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers from 0 on in 16 bit where that holds them all, which NumPy sorts many times faster."""
    return values.astype(np.uint16) if values.max(initial=0) < 1 << 16 else values


def symbols(degrees: Mapping[str, npt.NDArray[Any]], layers: float, recompute: tuple[Recompute, ...]) -> Layout:
    """Degrees as the equations take them; shapes as they come."""
    values = {name: np.asarray(one, dtype=np.float64) for name, one in degrees.items() if name != "recompute"}
    per_stage = layers / values["pipeline"]
    shares = [recomputed_shares(one, per_stage) for one in recompute]
    chosen = [degrees["recompute"] == index for index in range(len(recompute))]
    full = sum((here * share[0] for here, share in zip(chosen, shares, strict=True)), start=np.asarray(0.0))
    selective = sum((here * share[1] for here, share in zip(chosen, shares, strict=True)), start=np.asarray(0.0))
    return Layout(**values, recompute_full=full, recompute_selective=selective)


def recomputed_shares(recompute: Recompute, layers_per_stage: Array) -> tuple[Array, float]:
    """Shares of the layers under full and under selective recompute."""
    if recompute.full_layers:
        return np.minimum(recompute.full_layers / layers_per_stage, 1.0), 0.0
    return np.asarray(float(recompute.kind == "full")), float(recompute.kind == "selective")


def places(values: Sequence[int], column: npt.NDArray[np.integer[Any]]) -> Index:
    """Where each number of a column stands among some values, which hold them all; by a table, so values are small."""
    table = np.zeros(max(values, default=0) + 1, dtype=np.int64)
    table[np.asarray(values, dtype=np.int64)] = np.arange(len(values))
    found: Index = table[column]
    return found


def renumbered(numbers: npt.NDArray[np.integer[Any]]) -> tuple[Index, Index]:
    """Small numbers counted from 0 without gaps, in their order, and where each stands first or again."""
    row_of = np.full(int(numbers.max(initial=-1)) + 1, -1, dtype=np.int64)
    row_of[numbers] = np.arange(len(numbers))
    known = np.flatnonzero(row_of >= 0)
    place = np.zeros(len(row_of), dtype=np.int64)
    place[known] = np.arange(len(known))
    return place[numbers], row_of[known]


def distinct_pairs(first: Ints, second: Ints) -> tuple[Index, Index]:
    """Rows in which each pair of small numbers stands once, and the place among them of each row's pair."""
    place, row_of = renumbered(first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second)
    return row_of, place
