"""Predicting published cases: many at once, and the best layout that fits where the source leaves gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.performance.memory import Memory, memory
from planner.performance.stacking import stack, take
from planner.performance.step import StepTime, step_time
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software
from planner.validation.cases import Case

Index = npt.NDArray[np.intp]
"""Row numbers."""
Mask = npt.NDArray[np.bool_]
"""Which rows."""
Labels = npt.NDArray[np.str_]
"""A word per row."""
FITS_WITHIN = 1.3
"""A published run did fit: a gap is filled with more recompute only when the prediction is this far over."""


@dataclass(frozen=True)
class SymbolTable:
    """Cases as arrays of shape (rows,), one layout each."""

    architecture: Architecture
    device: Device
    software: Software
    job: Job
    layout: Layout

    def rows(self, index: Index | Mask) -> SymbolTable:
        """The rows of an index or mask."""
        return SymbolTable(
            take(self.architecture, index),
            take(self.device, index),
            take(self.software, index),
            take(self.job, index),
            take(self.layout, index),
        )

    def scaled(self, efficiency: Array) -> SymbolTable:
        """The same with matrix products faster by a factor per row."""
        faster = replace(
            self.device,
            matmul_flops_s=self.device.matmul_flops_s * efficiency,
            low_matmul_flops_s=self.device.low_matmul_flops_s * efficiency,
        )
        return replace(self, device=faster)


def table_of(cases: Sequence[Case]) -> SymbolTable:
    """The cases' first layouts as a table."""
    return SymbolTable(
        stack([case.architecture for case in cases]),
        stack([case.device for case in cases]),
        stack([case.software for case in cases]),
        stack([case.job for case in cases]),
        stack([case.layouts[0] for case in cases]),
    )


def times(table: SymbolTable, constants: Constants) -> StepTime:
    """Step times of all rows."""
    return step_time(table.architecture, table.device, table.software, table.job, table.layout, constants)


def memories(table: SymbolTable, constants: Constants) -> Memory:
    """Peak memory of all rows."""
    return memory(table.architecture, table.software, table.job, table.layout, constants)


def settle(case: Case, constants: Constants) -> Case:
    """The case with its gaps filled by the fastest layout that fits the device, or the smallest when none does."""
    if len(case.layouts) == 1:
        return case
    layouts = stack(case.layouts)
    seconds = step_time(case.architecture, case.device, case.software, case.job, layouts, constants).total
    used = memory(case.architecture, case.software, case.job, layouts, constants).expected
    fits = used <= FITS_WITHIN * case.device.memory_bytes
    best = int(np.argmin(np.where(fits, seconds, np.inf) if fits.any() else used))
    return replace(case, layouts=(case.layouts[best],))
