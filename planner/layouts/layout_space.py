"""All valid layouts of a phase, and those of them that some machine may be fastest with.

Validity and memory hardly depend on the machine, so rows are made once per phase and shared by all machines.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, reduce
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts.caching import Kept, numbers
from planner.layouts.cuts import CutRules, count_layouts, cuts, expert_degrees
from planner.layouts.degrees import UNSTATED_DEVICES, Degrees
from planner.layouts.device_memory import Contents, least_activation_bytes, models_held
from planner.layouts.disk_cache import digest_of, store, stored
from planner.layouts.dominated import MemoryChoices, has_needless_context, memory_classes, undominated_choices
from planner.layouts.evaluator import LayerGrid
from planner.layouts.families import Families
from planner.layouts.rows import Index, Ints, LayoutRows, joined, places, symbols
from planner.layouts.workload import PhaseWork, Workload
from planner.performance.symbols import Array, Job, Layout
from planner.tolerances import SUM_ORDER

Columns = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outline:
    """What is asked of all layouts of a phase when their fastest ones are known; little enough to be kept on disk."""

    leanest: LayoutRows
    """The row that needs least memory, for each number of devices and tensor degree."""
    tightest_bytes: float
    """What the valid layout needs that fills least memory, fitting or not; infinite when no layout is valid at all."""
    grid: LayerGrid
    """The degrees of the rows that the time of a layer depends on."""


@dataclass(frozen=True)
class LayoutSpace:
    """All valid layouts of one phase, enumerated when they are first asked for."""

    made_for: tuple[Workload, PhaseWork]
    """What they were made for; jobs with the same numbers share them."""
    degrees: Degrees
    memories: tuple[float, ...]
    """The machines' memory sizes in bytes, ascending."""
    max_devices: int
    numbers: Hashable
    """All that the rows depend on."""
    part: tuple[LayoutSpace, tuple[int, ...]] | None = None
    """The space of which it has the rows on some numbers of devices alone."""

    def on(self, devices: Iterable[int]) -> LayoutSpace:
        """Its part on some numbers of devices."""
        some = tuple(sorted(set(devices)))
        return replace(self, numbers=(self.numbers, some), part=(self, some))

    @cached_property
    def digest(self) -> bytes:
        """The same as 32 bytes."""
        return digest_of(self.numbers)

    @property
    def rows(self) -> LayoutRows:
        """Those that fit the largest memory and that no other one provably beats, in the order of their devices."""
        return self._found[0]

    @cached_property
    def _found(self) -> tuple[LayoutRows, float]:
        """The rows, and what the layout needs that fills least memory."""
        if self.part:
            whole, devices = self.part
            return whole.rows.take(np.flatnonzero(np.isin(whole.rows.devices, devices))), whole.outline.tightest_bytes
        rows, least = [], [inf]
        for block in _blocks(*self.made_for, self._rules, self.memories):
            rows.append(block.undominated_rows())
            least.append(float(block.needed.min()))
        if not any(len(one) for one in rows):
            least += [float(block.needed.min()) for block in _blocks(*self.made_for, self._rules, (inf,))]
        return joined(rows), min(least)

    @cached_property
    def outline(self) -> Outline:
        """What is kept on disk of it."""
        key = digest_of(self.digest, "outline")
        arrays = None if self.part else stored(key)
        if arrays is None:
            rows, tightest_bytes = self._found
            arrays = _outlined(self.degrees, rows) | {"tightest_bytes": np.asarray(tightest_bytes)}
            if not self.part:
                store(key, arrays)
        context, micro_batch = (tuple(arrays[f"grid {name}"].tolist()) for name in ("context", "micro_batch"))
        return Outline(
            LayoutRows(**{one.name: arrays[f"leanest {one.name}"] for one in fields(LayoutRows)}),
            float(arrays["tightest_bytes"]),
            LayerGrid(self.degrees.tensor, self.degrees.expert, context, micro_batch),
        )

    def let_go(self) -> None:
        """Forgets the rows, of which there are many: they are enumerated again if anybody asks."""
        _ = self.outline
        for name in ("_found", "families"):
            self.__dict__.pop(name, None)

    @cached_property
    def counts(self) -> Mapping[int, npt.NDArray[np.int64]]:
        """Valid layouts, fitting and beaten or not, by tensor degree and number of devices."""
        return {tensor: count_layouts(self._rules, tensor) for tensor in self.degrees.tensor}

    @cached_property
    def _rules(self) -> CutRules:
        return CutRules.of(*self.made_for, self.degrees, self.max_devices)

    @property
    def grid(self) -> LayerGrid:
        """The degrees of the rows that the time of a layer depends on."""
        return self.outline.grid

    @cached_property
    def families(self) -> Families:
        """The rows in families that differ in expert degree and ZeRO alone."""
        return Families.of(*self.made_for, self.degrees.recompute, self.grid, self.rows)

    def cells(self, place: Index) -> Index:
        """Where some of the rows stand in the grid."""
        expert = places(self.grid.expert, self.rows.expert[place])
        cells: Index = self.families.cells[self.families.of_row[place]] + expert * len(self.grid.context)
        return cells


def _outlined(degrees: Degrees, rows: LayoutRows) -> dict[str, npt.NDArray[Any]]:
    """The leanest rows and the grid of some rows as arrays."""
    pair = rows.devices.astype(np.int64) * len(degrees.tensor) + places(degrees.tensor, rows.tensor)
    least = np.full(int(pair.max(initial=-1)) + 1, inf)
    np.minimum.at(least, pair, rows.needed_bytes)
    as_lean = np.flatnonzero(rows.needed_bytes == least[pair])
    leanest = rows.take(as_lean[np.unique(pair[as_lean], return_index=True)[1]])
    grid = LayerGrid.of(degrees, rows)
    of_rows = {f"leanest {one.name}": getattr(leanest, one.name) for one in fields(LayoutRows)}
    of_grid = {f"grid {name}": np.asarray(getattr(grid, name), dtype=np.int64) for name in ("context", "micro_batch")}
    return of_rows | of_grid


KEPT: Final = 8
"""Spaces that are kept, since a problem with other offers, prices or budgets asks for the same; up to 30 MB each."""

kept_spaces: Kept[LayoutSpace] = Kept(KEPT)


def layout_space(
    workload: Workload,
    phase: PhaseWork,
    degrees: Degrees,
    memories: Sequence[float],
    max_devices: int = UNSTATED_DEVICES,
) -> LayoutSpace:
    """Every valid layout of a phase with at most `max_devices` devices, and the rows that may be best.

    `memories`: the machines' memory sizes in bytes; a layout that fits none of them is no row.
    """
    sizes = tuple(sorted(set(memories)))
    known = (workload.architecture, workload.software, workload.job(phase), workload.constants)
    room = (workload.headroom, workload.memory_deviations, workload.growth)
    key = ((numbers(*known), workload.stack.counts_embedding, repr(workload.pins), room), degrees, sizes, max_devices)
    space = kept_spaces.get(key)
    return space or kept_spaces.put(key, LayoutSpace((workload, phase), degrees, sizes, max_devices, key))


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
    """Every degree but the expert degree, for cuts alike in all of these; shape (alike,) each."""
    expert: Columns
    """Expert degree of each cut."""
    choices: MemoryChoices
    needed: Array
    """Smallest device memory that holds a layout, of shape (stages, recompute choices, cuts)."""
    fits: npt.NDArray[np.bool_]
    """Whether it is no more than the largest memory, of that shape."""

    def rows(self, chosen: npt.NDArray[np.bool_]) -> LayoutRows:
        """Some of the layouts as rows, cut by cut."""
        cut, zero, recompute = np.nonzero(np.ascontiguousarray(np.moveaxis(chosen, -1, 0)))
        needed = self.needed[zero, recompute, cut]
        return LayoutRows(**self._degrees(zero, recompute, cut), needed_bytes=needed)

    def _degrees(self, zero: Index, recompute: Index, cut: Index) -> dict[str, Ints]:
        """The degrees of layouts at some places of the shape."""
        alike = self.choices.alike[cut]
        columns = {name: values.astype(np.int32)[alike] for name, values in self.columns.items()}
        columns["expert"] = self.expert[cut].astype(np.int32)
        columns["zero"] = np.asarray(self.choices.zero, dtype=np.int32)[zero]
        columns["recompute"] = recompute.astype(np.int32)
        return columns

    def undominated_rows(self) -> LayoutRows:
        """The layouts that fit some memory and that no other choice of the same cut beats."""
        return self.rows(self.fits & undominated_choices(self.workload, self.job, self.choices))


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
                block = _block(workload, phase, some, columns, memories)
                if block.needed.size:
                    yield block


def _may_fit(
    workload: Workload, phase: PhaseWork, rules: CutRules, tensor: int, pairs: Sequence[Columns], memory_bytes: float
) -> npt.NDArray[np.bool_]:
    """Pairs of context degree and micro-batch of which one micro-batch on a stage of one layer fits a memory."""
    context, micro_batch = (one[:, None] for one in pairs)
    alone = {
        "tensor": np.asarray(tensor),
        "pipeline": np.asarray(workload.model.num_hidden_layers),
        "virtual_pipeline": np.asarray(1),
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
    """Some cuts with the memory of every expert degree, ZeRO stage and recompute choice, where any of them may fit."""
    zero, recompute = rules.zero_stages(), rules.degrees.recompute
    alike, expert = expert_degrees(rules, found)
    of_alike = _layout(workload, rules, found, expert=np.asarray(1), zero=np.asarray(0))
    cuts_found = {name: values[alike] for name, values in found.items()}
    of_states = _layout(workload, rules, cuts_found, expert=expert, zero=np.asarray(zero)[:, None, None])
    contents = [
        Contents.of(workload, workload.job(phase), model, of_states, of_alike, alike) for model in models_held(workload)
    ]
    least = reduce(np.maximum, [one.least_needed_bytes() for one in contents])
    may_fit = np.flatnonzero(least <= memories[-1] * (1 + SUM_ORDER))
    needed = reduce(np.maximum, [one.take(may_fit).needed_bytes() for one in contents])
    classes = memory_classes(needed, memories)
    choices = MemoryChoices(zero, recompute, of_alike, alike[may_fit], classes)
    return _Block(workload, workload.job(phase), found, expert[may_fit], choices, needed, classes < len(memories))


def _layout(
    workload: Workload, rules: CutRules, found: Mapping[str, Columns], *, expert: Columns, zero: Columns
) -> Layout:
    """Cuts as the equations take them: shapes (cuts,), and the recompute choices on an axis before."""
    recompute = rules.degrees.recompute
    degrees = {**found, "expert": expert, "zero": zero, "recompute": np.arange(len(recompute))[:, None]}
    return symbols(degrees, workload.model.num_hidden_layers, recompute)
