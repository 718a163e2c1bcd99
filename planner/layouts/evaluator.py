"""Step times of rows on one machine, and a lower bound of them that costs next to nothing.

The time of a layer depends on few degrees, so it is computed on their grid and taken from there for each row. The
passes of all micro-batches, which the layer's time gives, bound the step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.layouts.caching import Kept, numbers
from planner.layouts.degrees import Degrees
from planner.layouts.pace import PaceTable
from planner.layouts.rows import Index, Ints, LayoutRows, distinct_pairs, places, symbols
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.performance.layer import LayerTime, recompute_seconds
from planner.performance.pipeline import (
    mean_stage_seconds,
    microbatches,
    schedule_seconds,
    slowest_stage_seconds,
    stage_layers,
)
from planner.performance.stacking import stack, take
from planner.performance.step import StepTime, assemble_step, logits_seconds, mean_layer_time, one_layer_seconds
from planner.performance.symbols import Architecture, Array, Device, Job, Layout, Software
from planner.problem.run import Recompute

Subject = tuple[Architecture, Device, Software, Job]
"""What the equations of time take besides a layout."""


@dataclass(frozen=True)
class LayerGrid:
    """What the time of a layer and of the logits depends on.

    Tensor degree × pair of expert and expert-tensor degree × pair of context degree and micro-batch; cells are numbered
    in this order.
    """

    tensor: tuple[int, ...]
    expert: tuple[int, ...]
    """Expert degree of each pair."""
    expert_tensor: tuple[int, ...]
    """Tensor degree inside an expert of each pair."""
    context: tuple[int, ...]
    """Context degree of each pair."""
    micro_batch: tuple[int, ...]
    """Micro-batch of each pair."""

    @classmethod
    def of(cls, degrees: Degrees, rows: LayoutRows) -> LayerGrid:
        """The grid that holds rows with some degrees, and no pair that none of them has."""
        here = np.zeros((len(degrees.context), len(degrees.micro_batch)), dtype=np.bool_)
        here[places(degrees.context, rows.context), places(degrees.micro_batch, rows.micro_batch)] = True
        return cls.among(degrees, here)

    @classmethod
    def among(cls, degrees: Degrees, here: npt.NDArray[np.bool_]) -> LayerGrid:
        """The grid with some pairs of context degree and micro-batch; shape (context degrees, micro-batches)."""
        context, micro_batch = (
            tuple(values[one] for one in found)
            for values, found in zip((degrees.context, degrees.micro_batch), np.nonzero(here), strict=True)
        )
        of_experts = [(expert, inside) for expert in degrees.expert for inside in degrees.expert_tensor]
        expert, expert_tensor = (tuple(one[place] for one in of_experts) for place in (0, 1))
        return cls(degrees.tensor, expert, expert_tensor, context, micro_batch)

    def within(self, domain: int) -> LayerGrid:
        """The first part of the grid: the tensor degrees inside a scale-up domain. Cells keep their numbers."""
        return replace(self, tensor=tuple(one for one in self.tensor if one <= domain))

    def cells(self, rows: LayoutRows) -> Index:
        """The number of each row's cell, shape (rows,)."""
        pair = _places_of_pairs((self.context, self.micro_batch), (rows.context, rows.micro_batch))
        tensor, expert = places(self.tensor, rows.tensor), self.expert_places(rows.expert, rows.expert_tensor)
        cells: Index = (tensor * len(self.expert) + expert) * len(self.context) + pair
        return cells

    def expert_places(self, expert: Ints, expert_tensor: Ints) -> Index:
        """Where each pair of an expert and an expert-tensor degree stands."""
        return _places_of_pairs((self.expert, self.expert_tensor), (expert, expert_tensor))

    def layout(self, recompute: tuple[Recompute, ...], layers: int) -> Layout:
        """One device of one stage in every cell, with every recompute choice: shapes (t, 1, 1, 1) … (1, 1, 1, r)."""
        pair = (1, 1, -1, 1)
        degrees = {
            "tensor": np.asarray(self.tensor).reshape(-1, 1, 1, 1),
            "expert": np.asarray(self.expert).reshape(1, -1, 1, 1),
            "expert_tensor": np.asarray(self.expert_tensor).reshape(1, -1, 1, 1),
            "context": np.asarray(self.context).reshape(pair),
            "micro_batch": np.asarray(self.micro_batch).reshape(pair),
            "recompute": np.arange(len(recompute)),
        }
        return symbols(degrees | dict.fromkeys(ALONE, np.asarray(1)), layers, recompute)


ALONE: Final = ("pipeline", "virtual_pipeline", "data", "zero", "shard")
"""Degrees that the time of a layer does not depend on."""


def _places_of_pairs(known: tuple[Sequence[int], Sequence[int]], columns: tuple[Ints, Ints]) -> Index:
    """Where each row's pair of numbers stands among known pairs, which hold them all."""
    values = [sorted(set(one)) for one in known]
    table = np.zeros([len(one) for one in values], dtype=np.int64)
    arrays = (np.asarray(one, dtype=np.int64) for one in known)
    table[tuple(map(places, values, arrays))] = np.arange(len(known[0]))
    found: Index = table[tuple(map(places, values, columns))]
    return found


@dataclass(frozen=True)
class StageShape:
    """What a bound takes of rows, whatever machine they run on; shape (rows,) each."""

    microbatches: Array
    full: Array
    """Layers of the fullest stage."""
    last: Array
    """Layers beside the logits."""
    pipeline: Array
    virtual_pipeline: Array

    @classmethod
    def of(cls, workload: Workload, phase: PhaseWork, recompute: tuple[Recompute, ...], rows: LayoutRows) -> StageShape:
        """The shape of some rows."""
        names = ("pipeline", "virtual_pipeline", "micro_batch", "data")
        columns = {name: getattr(rows, name).astype(np.float64) for name in names}
        pairs, pair = distinct_pairs(rows.pipeline, rows.virtual_pipeline)
        of_pairs = layout_of(workload, recompute, rows.take(pairs))
        full, last = stage_layers(workload.architecture, workload.software, of_pairs)
        shared = replace(layout_of(workload, recompute, rows.take(pairs[:1])), **columns)
        m = microbatches(workload.job(phase), shared)
        return cls(m, full[pair], last[pair], columns["pipeline"], columns["virtual_pipeline"])

    def take(self, index: Index) -> StageShape:
        """The shapes of some of the rows."""
        return StageShape(*(getattr(self, one.name).take(index) for one in fields(self)))


@dataclass(frozen=True)
class Evaluator:
    """One phase on one machine, with everything that many rows share."""

    subject: Subject
    workload: Workload
    recompute: tuple[Recompute, ...]
    grid: LayerGrid
    layer: LayerTime
    """One value per cell of the grid."""
    logits: Array
    """One value per cell of the grid."""
    whole_layer: Array
    """Both passes of a layer with what runs again; shape (cells, recompute choices)."""
    pace: PaceTable | None = None
    """What own runs say of single layouts."""

    def steps(self, rows: LayoutRows) -> StepTime:
        """Step times by the equations and own runs, every part of shape (rows,)."""
        cells = self.grid.cells(rows)
        layer = LayerTime(**{part.name: getattr(self.layer, part.name)[cells] for part in fields(LayerTime)})
        layout = layout_of(self.workload, self.recompute, rows)
        time = assemble_step(layer, self.logits[cells], *self.subject, layout, self.workload.constants)
        return time if self.pace is None else time.slowed(self.pace.at(cells, rows.recompute, rows.pipeline))

    def bound(self, cells: Index, recompute: npt.NDArray[np.int32], shape: StageShape) -> Array:
        """A lower bound of step times: the passes of all micro-batches under the pipeline schedule."""
        architecture, _, software, _ = self.subject
        layer = self.whole_layer.ravel().take(cells * len(self.recompute) + recompute)
        head = self.logits.take(cells)
        slowest = slowest_stage_seconds(layer, head, shape.full, shape.last)
        mean = mean_stage_seconds(layer, head, architecture.layers, shape.pipeline)
        least = schedule_seconds(shape.microbatches, slowest, mean, software, shape.pipeline, shape.virtual_pipeline)
        return least if self.pace is None else least * self.pace.at(cells, recompute, shape.pipeline)

    def family_bound(self, cells: Index, recompute: npt.NDArray[np.int32], shape: StageShape) -> Array:
        """The least bound of rows that differ from these in how experts are shared out, alone."""
        return self._least_of_experts.bound(cells, recompute, shape)

    @cached_property
    def _least_of_experts(self) -> Evaluator:
        """The same with the least time of all expert degrees in every cell."""

        def least(values: Array) -> Array:
            """The least over expert degrees, in the shape of all."""
            shape = (len(self.grid.tensor), len(self.grid.expert), len(self.grid.context), *values.shape[1:])
            by_expert = values.reshape(shape)
            return np.broadcast_to(by_expert.min(axis=1, keepdims=True, initial=np.inf), by_expert.shape).reshape(
                values.shape
            )

        return replace(self, whole_layer=least(self.whole_layer), logits=least(self.logits))

    def bound_of(self, phase: PhaseWork, rows: LayoutRows) -> Array:
        """The lower bound of some rows."""
        shape = StageShape.of(self.workload, phase, self.recompute, rows)
        return self.bound(self.grid.cells(rows), rows.recompute, shape)

    def least_device_seconds(self) -> float:
        """No layout takes fewer device-seconds a step; infinite where the grid is empty.

        A micro-batch of b sequences passes all layers and the logits on t·c devices at a time, on however many stages.
        """
        architecture, _, _, job = self.subject
        devices = np.multiply.outer(self.grid.tensor, self.grid.context) / np.asarray(self.grid.micro_batch)
        shape = (len(self.grid.tensor), len(self.grid.expert), len(self.grid.context))
        passes = architecture.layers * self.whole_layer + self.logits[:, None]
        passes = passes.reshape(*shape, len(self.recompute)) * (1.0 if self.pace is None else self.pace.least)
        return float(job.global_batch * (devices[:, None, :, None] * passes).min(initial=np.inf))


@dataclass(frozen=True)
class Evaluators:
    """One phase on several machines, of which each row names one."""

    machines: Sequence[Evaluator]

    @cached_property
    def _starts(self) -> Index:
        """Where each machine's cells begin when all stand in one row."""
        return np.cumsum([0, *(len(one.logits) for one in self.machines[:-1])])

    @cached_property
    def _cells(self) -> tuple[LayerTime, Array]:
        """The layer and the logits by cell, machine by machine."""
        layer = {
            part.name: np.concatenate([getattr(one.layer, part.name) for one in self.machines])
            for part in fields(LayerTime)
        }
        return LayerTime(**layer), np.concatenate([one.logits for one in self.machines])

    @cached_property
    def _devices(self) -> Device:
        return stack([one.subject[1] for one in self.machines])

    def steps(self, machine: Index, cells: Index, rows: LayoutRows) -> StepTime:
        """Step times of rows in some cells, each on one of the machines."""
        first = self.machines[0]
        architecture, _, software, job = first.subject
        place = self._starts[machine] + cells
        layer, logits = take(self._cells[0], place), self._cells[1][place]
        device, layout = take(self._devices, machine), layout_of(first.workload, first.recompute, rows)
        time = assemble_step(layer, logits, architecture, device, software, job, layout, first.workload.constants)
        return time if first.pace is None else time.slowed(self._paces(machine, cells, rows))

    def _paces(self, machine: Index, cells: Index, rows: LayoutRows) -> Array:
        """What own runs say of rows."""
        found = np.ones(len(rows))
        for number, one in enumerate(self.machines):
            here = np.flatnonzero(machine == number)
            if one.pace is not None:
                found[here] = one.pace.at(cells[here], rows.recompute[here], rows.pipeline[here])
        return found


@dataclass(frozen=True)
class _Grids:
    """What an evaluator holds by cell, see there."""

    layer: LayerTime
    logits: Array
    whole_layer: Array

    def of(self, place: int) -> _Grids:
        """One machine's, where several stand on the first axis."""
        return _Grids(take(self.layer, np.asarray(place)), self.logits[place], self.whole_layer[place])


KEPT: Final = 128
"""Grids that are kept, since a problem with other limits or prices asks for the same; one takes about 1 MB."""
TOGETHER: Final = 1 << 17
"""Cells that are evaluated together: few enough for a processor's cache, so many that calls of NumPy cost little."""

kept_grids: Kept[_Grids] = Kept(KEPT)
kept_least: Kept[float] = Kept(64 * KEPT)


def evaluator(
    workload: Workload, phase: PhaseWork, machine: Machine, recompute: tuple[Recompute, ...], grid: LayerGrid
) -> Evaluator:
    """Everything that rows of one phase on one machine share, computed once; rows stay inside its scale-up domain."""
    return evaluators(workload, phase, [machine], recompute, grid)[0]


def evaluators(
    workload: Workload,
    phase: PhaseWork,
    machines: Sequence[Machine],
    recompute: tuple[Recompute, ...],
    grid: LayerGrid,
) -> list[Evaluator]:
    """The same of several machines, whose grids are computed together."""
    here = [grid.within(machine.domain) for machine in machines]
    subjects = [_subject(workload, phase, machine) for machine in machines]
    keys = [_key(workload, *one) for one in zip(subjects, repeat(recompute), here)]
    grids = {key: found for key in keys if (found := kept_grids.get(key)) is not None}
    new = {key: (one, subject[1]) for key, one, subject in zip(keys, here, subjects, strict=True) if key not in grids}
    for one in dict.fromkeys(one for one, _ in new.values()):
        alike = {key: device for key, (its, device) in new.items() if its == one}
        grids |= zip(alike, _grids(workload, phase, list(alike.values()), recompute, one), strict=True)
    for key in new:
        kept_grids.put(key, grids[key])
    paces = [pace_table(workload, phase, machine, recompute, one) for machine, one in zip(machines, here, strict=True)]
    return [
        Evaluator(subject, workload, recompute, one, grids[key].layer, grids[key].logits, grids[key].whole_layer, pace)
        for key, subject, one, pace in zip(keys, subjects, here, paces, strict=True)
    ]


def pace_table(
    workload: Workload, phase: PhaseWork, machine: Machine, recompute: tuple[Recompute, ...], grid: LayerGrid
) -> PaceTable | None:
    """What own runs say of each layout of a phase on a machine; None without own runs."""
    own = workload.layout_pace(machine)
    if own is None:
        return None
    degrees = (grid.tensor, grid.expert, grid.context, grid.micro_batch)
    sequence = np.asarray(phase.sequence_length)
    return PaceTable.of(own, degrees, recompute, workload.model.num_hidden_layers, sequence)


def _subject(workload: Workload, phase: PhaseWork, machine: Machine) -> Subject:
    """A phase on a machine as the equations take it."""
    return workload.architecture, workload.device(machine), workload.software, workload.job(phase)


def _key(workload: Workload, subject: Subject, recompute: tuple[Recompute, ...], grid: LayerGrid) -> Hashable:
    """All that the times of a grid depend on."""
    return numbers(*subject, workload.constants), workload.model.num_hidden_layers, recompute, grid


def least_device_seconds(
    workload: Workload,
    phase: PhaseWork,
    machines: Sequence[Machine],
    recompute: tuple[Recompute, ...],
    grid: LayerGrid,
) -> list[float]:
    """`Evaluator.least_device_seconds` on several machines: it is kept longer than the times that it is read off."""
    keys = [
        (_key(workload, _subject(workload, phase, one), recompute, grid.within(one.domain)), workload.pace_key(one))
        for one in machines
    ]
    found = {key: seconds for key in keys if (seconds := kept_least.get(key)) is not None}
    new = {key: machine for key, machine in zip(keys, machines, strict=True) if key not in found}
    for key, one in zip(new, evaluators(workload, phase, list(new.values()), recompute, grid), strict=True):
        found[key] = kept_least.put(key, one.least_device_seconds())
    return [found[key] for key in keys]


def _grids(
    workload: Workload, phase: PhaseWork, devices: Sequence[Device], recompute: tuple[Recompute, ...], grid: LayerGrid
) -> Iterator[_Grids]:
    """The times of a phase on some devices, cell by cell; so many at a time that they stay in the cache."""
    cells = len(grid.tensor) * len(grid.expert) * len(grid.context)
    most = max(TOGETHER // max(cells, 1), 1)
    for start in range(0, len(devices), most):
        some = devices[start : start + most]
        on_axis = take(stack(some), np.arange(len(some)).reshape(-1, 1, 1, 1, 1))
        found = _grids_together(workload, phase, on_axis, recompute, grid)
        yield from (found.of(place) for place in range(len(some)))


def _grids_together(
    workload: Workload, phase: PhaseWork, devices: Device, recompute: tuple[Recompute, ...], grid: LayerGrid
) -> _Grids:
    """The times of a phase on some devices, which stand on the first axis of all results."""
    architecture, software, job = workload.architecture, workload.software, workload.job(phase)
    layout = grid.layout(recompute, workload.model.num_hidden_layers)
    layer = mean_layer_time(architecture, devices, software, job, layout, workload.constants)
    logits = logits_seconds(architecture, devices, job, layout, workload.constants)
    whole = one_layer_seconds(layer, recompute_seconds(layer, software, layout))
    count = devices.node.size
    cells = (count, len(grid.tensor), len(grid.expert), len(grid.context))

    def by_cell(values: Array) -> Array:
        """Values with one row per cell."""
        return np.broadcast_to(values, (*cells, 1)).reshape(count, -1)

    return _Grids(
        layer=LayerTime(**{part.name: by_cell(getattr(layer, part.name)) for part in fields(LayerTime)}),
        logits=by_cell(logits),
        whole_layer=np.broadcast_to(whole, (*cells, len(recompute))).reshape(count, -1, len(recompute)),
    )


def layout_of(workload: Workload, recompute: tuple[Recompute, ...], rows: LayoutRows) -> Layout:
    """Rows as the equations take them, every field of shape (rows,)."""
    return symbols(rows.degrees, workload.model.num_hidden_layers, recompute)
