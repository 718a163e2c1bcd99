"""Rows of a phase in families that differ in groups of experts and sharding alone: what is bounded before rows are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np

from planner.layouts.evaluator import LayerGrid, StageShape
from planner.layouts.rows import Index, Ints, LayoutRows, renumbered
from planner.layouts.workload import PhaseWork, Workload
from planner.performance.symbols import Array
from planner.problem.run import Recompute


@dataclass(frozen=True)
class Families:
    """Families of rows, fewest devices first; shape (families,) each, but for `of_row`."""

    of_row: Index
    """The family of each row."""
    begins: Index
    """The first row of those that are alike but for experts, ZeRO and recompute, which stand one after another."""
    ends: Index
    """The row after the last one of those."""
    least_bytes: Array
    """Device memory that its leanest row needs."""
    most_bytes: Array
    """The same of its largest row."""
    least_plain_bytes: Array
    """The same of its leanest row that keeps weights whole; infinite where there is none."""
    devices: Ints
    tensor: Ints
    data: Ints
    recompute: Ints
    cells: Index
    """Cell in the grid of layer times with the first degrees of experts."""
    shape: StageShape

    def __len__(self) -> int:
        return len(self.devices)

    @classmethod
    def of(
        cls, workload: Workload, phase: PhaseWork, recompute: tuple[Recompute, ...], grid: LayerGrid, rows: LayoutRows
    ) -> Families:
        """The families of rows in the order of their devices; the rows of one come one after another."""
        apart = np.ones(len(rows), dtype=np.bool_)
        apart[1:] = False
        for name in ("tensor", "pipeline", "virtual_pipeline", "context", "micro_batch", "data"):
            column = getattr(rows, name)
            apart[1:] |= column[1:] != column[:-1]
        cut = np.cumsum(apart) - 1
        of_row, heads = renumbered(cut * len(recompute) + rows.recompute)
        some, bounds = rows.take(heads), np.append(np.flatnonzero(apart), len(rows))
        least, plain = np.full((2, len(heads)), inf)
        most = np.zeros(len(heads))
        np.minimum.at(least, of_row, rows.needed_bytes)
        np.maximum.at(most, of_row, rows.needed_bytes)
        np.minimum.at(plain, of_row, np.where(rows.zero < SHARDED_WEIGHTS, rows.needed_bytes, inf))
        first = {name: min(getattr(grid, name), default=1) for name in ("expert", "expert_tensor")}
        alike = replace(some, **{name: np.full_like(getattr(some, name), value) for name, value in first.items()})
        return cls(
            of_row=of_row,
            begins=bounds[cut[heads]],
            ends=bounds[cut[heads] + 1],
            least_bytes=least,
            most_bytes=most,
            least_plain_bytes=plain,
            devices=some.devices,
            tensor=some.tensor,
            data=some.data,
            recompute=some.recompute,
            cells=grid.cells(alike),
            shape=StageShape.of(workload, phase, recompute, some),
        )


SHARDED_WEIGHTS: Final = 3
"""The ZeRO stage that shards weights too."""
