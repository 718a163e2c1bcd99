"""All valid layouts of a phase, and those of them that some machine may be fastest with.

Validity and memory hardly depend on the machine, so rows are made once per phase and shared by all machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.equations.symbols import Array, Job, Layout
from planner.layouts.cuts import CutRules, count_layouts, cuts
from planner.layouts.degrees import MAX_DEVICES, Degrees
from planner.layouts.device_memory import least_activation_bytes, needed_bytes
from planner.layouts.dominated import MemoryChoices, has_needless_context, memory_classes, undominated_choices
from planner.layouts.evaluator import LayerGrid, StageShape
from planner.layouts.kept import Keyed, numbers
from planner.layouts.rows import DEGREES, Index, LayoutRows, joined, symbols
from planner.layouts.workload import PhaseWork, Workload

Columns = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tightest:
    """The valid layout that fills least memory: what to show when nothing fits."""

    needed_bytes: float
    layout: Layout


@dataclass(frozen=True)
class LayoutSpace:
    """All valid layouts of one phase."""

    made_for: tuple[Workload, PhaseWork]
    """What they were made for; jobs with the same numbers share them."""
    degrees: Degrees
    rows: LayoutRows
    """Those that fit the largest memory and that no other one provably beats, in the order of their devices."""
    counts: Mapping[int, npt.NDArray[np.int64]]
    """Valid layouts, fitting and beaten or not, by tensor degree and number of devices."""
    tightest: Tightest | None
    """None when no layout is valid at all."""

    @cached_property
    def grid(self) -> LayerGrid:
        """The degrees of the rows that the time of a layer depends on."""
        return LayerGrid.of(self.degrees, self.rows)

    @cached_property
    def cells(self) -> Index:
        """Where the rows stand in that grid."""
        return self.grid.cells(self.rows)

    @cached_property
    def stage_shape(self) -> StageShape:
        """What a bound takes of the rows."""
        return StageShape.of(*self.made_for, self.degrees.recompute, self.rows)


def layout_space(
    workload: Workload,
    phase: PhaseWork,
    degrees: Degrees,
    memories: Sequence[float],
    max_devices: int = MAX_DEVICES,
) -> LayoutSpace:
    """Every valid layout of a phase with at most `max_devices` devices, and the rows that may be best.

    `memories`: the machines' memory sizes in bytes; a layout that fits none of them is no row.
    """
    known = (workload.architecture, workload.software, workload.job(phase), workload.constants)
    room = (workload.headroom, workload.memory_deviations, workload.growth)
    key = (numbers(*known), workload.stack.counts_embedding, repr(workload.pins), room)
    return _space(Keyed(key, (workload, phase)), degrees, tuple(sorted(set(memories))), max_devices)


KEPT: Final = 8
"""Spaces that are kept, since a problem with other offers, prices or budgets asks for the same; up to 30 MB each."""


@lru_cache(KEPT)
def _space(
    known: Keyed[tuple[Workload, PhaseWork]], degrees: Degrees, memories: tuple[float, ...], max_devices: int
) -> LayoutSpace:
    """Every valid layout, in the order of its devices."""
    workload, phase = known.value
    rules = CutRules.of(workload, phase, degrees, max_devices)
    rows, tightest = [], list[Tightest]()
    for block in _blocks(workload, phase, rules, memories):
        rows.append(block.undominated_rows())
        tightest.append(block.tightest())
    if not any(len(one) for one in rows):
        tightest = [block.tightest() for block in _blocks(workload, phase, rules, (inf,))]
    return LayoutSpace(
        known.value,
        degrees,
        joined(rows),
        {tensor: count_layouts(rules, tensor) for tensor in degrees.tensor},
        min(tightest, key=lambda one: one.needed_bytes, default=None),
    )


def valid_rows(
    workload: Workload, phase: PhaseWork, degrees: Degrees, memory_bytes: float, max_devices: int
) -> Iterator[LayoutRows]:
    """Every valid layout that fits a memory, in pieces of bounded size: none is left out because it is beaten."""
    rules = CutRules.of(workload, phase, degrees, max_devices)
    for block in _blocks(workload, phase, rules, (memory_bytes,), keeps_beaten=True):
        yield block.rows(block.fits)


@dataclass(frozen=True)
class _Block:
    """Some cuts with every ZeRO stage and recompute choice."""

    workload: Workload
    job: Job
    columns: Mapping[str, Columns]
    """By degree, of shapes that broadcast to (cuts, stages, recompute choices)."""
    choices: MemoryChoices
    needed: Array
    """Smallest device memory that holds a layout, of that shape."""
    fits: npt.NDArray[np.bool_]
    """Whether it is no more than the largest memory, of that shape."""

    def rows(self, chosen: npt.NDArray[np.bool_]) -> LayoutRows:
        """Some of the layouts as rows."""
        places = np.nonzero(chosen)
        shape = self.needed.shape
        columns = {name: np.broadcast_to(self.columns[name], shape)[places].astype(np.int32) for name in DEGREES}
        return LayoutRows(**columns, needed_bytes=self.needed[places])

    def undominated_rows(self) -> LayoutRows:
        """The layouts that fit some memory and that no other choice of the same cut beats."""
        return self.rows(self.fits & undominated_choices(self.workload, self.job, self.choices))

    def tightest(self) -> Tightest:
        """The layout that fills least memory."""
        least = int(np.argmin(self.needed))
        where = {n: np.asarray(np.broadcast_to(v, self.needed.shape).flat[least]) for n, v in self.columns.items()}
        layers = self.workload.model.num_hidden_layers
        return Tightest(float(self.needed.flat[least]), symbols(where, layers, self.choices.recompute))


def _blocks(
    workload: Workload,
    phase: PhaseWork,
    rules: CutRules,
    memories: tuple[float, ...],
    *,
    keeps_beaten: bool = False,
) -> Iterator[_Block]:
    """All valid layouts whose activations alone fit the largest memory, by tensor degree, without and with a pipeline.

    `keeps_beaten`: with more context parallelism than is of use, too.
    """
    pairs = [
        np.asarray(one, dtype=np.int64).ravel()
        for one in np.meshgrid(rules.degrees.context, rules.degrees.micro_batch, indexing="ij")
    ]
    if not keeps_beaten:
        of_use = ~has_needless_context(workload.pins, *pairs)
        pairs = [one[of_use] for one in pairs]
    for tensor in rules.degrees.tensor:
        held = _may_fit(workload, phase, rules, tensor, pairs, memories[-1])
        for some in rules.by_pipelining():
            for columns in cuts(some, tensor, *(one[held] for one in pairs)) if some.zero_stages() else ():
                if len(columns["data"]):
                    yield _block(workload, phase, some, columns, memories)


def _may_fit(
    workload: Workload, phase: PhaseWork, rules: CutRules, tensor: int, pairs: Sequence[Columns], memory_bytes: float
) -> npt.NDArray[np.bool_]:
    """Pairs of context degree and micro-batch of which one micro-batch on a stage of one layer fits a memory."""
    context, micro_batch = (one[:, None] for one in pairs)
    alone = {
        "tensor": np.asarray(tensor),
        "pipeline": np.asarray(workload.model.num_hidden_layers),
        "virtual": np.asarray(1),
        "context": context,
        "expert": np.asarray(1),
        "micro_batch": micro_batch,
        "data": phase.global_batch // micro_batch,
        "zero": np.asarray(0),
        "recompute": np.arange(len(rules.degrees.recompute)),
    }
    layout = symbols(alone, workload.model.num_hidden_layers, rules.degrees.recompute)
    least = least_activation_bytes(workload, workload.job(phase), layout).min(axis=1, initial=inf)
    fits: npt.NDArray[np.bool_] = least <= memory_bytes
    return fits


def _block(
    workload: Workload, phase: PhaseWork, rules: CutRules, found: Mapping[str, Columns], memories: tuple[float, ...]
) -> _Block:
    """Some cuts with the memory of every ZeRO stage and recompute choice."""
    job, zero, recompute = workload.job(phase), rules.zero_stages(), rules.degrees.recompute
    columns = {name: values[:, None, None] for name, values in found.items()}
    columns["zero"] = np.asarray(zero, dtype=np.int64)[None, :, None]
    columns["recompute"] = np.arange(len(recompute))[None, None, :]
    layout = symbols(columns, workload.model.num_hidden_layers, recompute)
    shape = (len(found["data"]), len(zero), len(recompute))
    needed = np.broadcast_to(needed_bytes(workload, job, layout), shape)
    classes = memory_classes(needed, memories)
    choices = MemoryChoices(zero, recompute, layout, classes)
    return _Block(workload, job, columns, choices, needed, classes < len(memories))
