"""Step times of rows on one machine, and a lower bound of them that costs next to nothing.

The time of a layer depends on few degrees, so it is computed on their grid and taken from there for each row. The
passes of all micro-batches, known per micro-batch from a grid without the data-parallel axis, bound the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.equations.layer import LayerTime
from planner.equations.step import StepTime, assemble_step, logits_seconds, mean_layer_time
from planner.equations.symbols import Architecture, Array, Constants, Device, Job, Layout, Software
from planner.layouts.kept import Keyed, numbers
from planner.layouts.rows import LayoutRows, LayoutSpace, on_axes, symbols
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.problem.run import Recompute

LAYER: Final = ("tensor", "context", "expert", "micro_batch")
"""Degrees that the time of a layer and of the logits depend on."""
COARSE: Final = ("tensor", "pipeline", "virtual", "context", "expert", "micro_batch", "recompute")
"""Degrees that the passes of one micro-batch depend on."""


Subject = tuple[Architecture, Device, Software, Job]
"""What the equations of time take besides a layout."""


@dataclass(frozen=True)
class Evaluator:
    """One phase on one machine, with everything that many rows share."""

    subject: Subject
    workload: Workload
    global_batch: int
    space: LayoutSpace
    values: dict[str, tuple[int, ...]]
    """Of each coarse degree, those that the machine can have."""
    layer: LayerTime
    """Flat over the grid of `LAYER` degrees."""
    logits: Array
    per_microbatch: Array
    """Seconds of a micro-batch on the slowest stage, flat over the grid of `COARSE` degrees."""
    bubble: Array

    def steps(self, rows: LayoutRows) -> StepTime:
        """Step times by the equations, every part of shape (rows,)."""
        index = self._index(LAYER, rows)
        layer = LayerTime(**{part.name: getattr(self.layer, part.name)[index] for part in fields(LayerTime)})
        layout = layout_of(self.workload, self.space, rows)
        return assemble_step(layer, self.logits[index], *self.subject, layout, self.workload.constants)

    def bound(self, rows: LayoutRows) -> Array:
        """A lower bound of each row's step time: m·(passes of a micro-batch on the slowest stage) + bubble."""
        index = self._index(COARSE, rows)
        m = self.global_batch // (rows.data * rows.micro_batch)
        bound: Array = m * self.per_microbatch[index] + self.bubble[index]
        return bound

    def least_device_seconds(self) -> float:
        """No layout takes fewer device-seconds a step, on however many devices.

        A sequence passes t·p·c devices in the time of a micro-batch, which holds b sequences: the least t·p·c/b times
        that over the grid, for the whole batch; infinite when there is no layout.
        """
        degrees = on_axes({name: self.values[name] for name in COARSE})
        devices = degrees["tensor"] * degrees["pipeline"] * degrees["context"] / degrees["micro_batch"]
        of_sequence = devices * self.per_microbatch.reshape([len(self.values[name]) for name in COARSE])
        return float(self.global_batch * of_sequence.min(initial=np.inf))

    def _index(self, names: Iterable[str], rows: LayoutRows) -> npt.NDArray[np.int64]:
        """Where each row stands in the flat grid of some degrees."""
        index = np.zeros(len(rows), dtype=np.int64)
        for name in names:
            values = np.asarray(self.values[name])
            place = np.zeros(values[-1] + 1, dtype=np.int64)
            place[values] = np.arange(len(values))
            index = index * len(values) + place[getattr(rows, name)]
        return index


@dataclass(frozen=True)
class _Grids:
    """What an evaluator holds on its grids, see there."""

    layer: LayerTime
    logits: Array
    per_microbatch: Array
    bubble: Array


KEPT: Final = 128
"""Grids that are kept, since a problem with other limits or prices asks for the same; one takes about 2 MB."""


@lru_cache(KEPT)
def _grids(
    known: Keyed[tuple[Subject, Constants]],
    layers: int,
    recompute: tuple[Recompute, ...],
    degrees: tuple[tuple[str, tuple[int, ...]], ...],
) -> _Grids:
    """The grids of a phase on a machine over some values of each degree."""
    subject, constants = known.value
    architecture, device, _, job = subject
    values = dict(degrees)
    axes = on_axes(values)
    alone = axes | {"data": np.asarray(1), "zero": np.asarray(0)}
    layout = symbols(alone, layers, recompute)
    layer = mean_layer_time(*subject, layout, constants)
    logits = logits_seconds(architecture, device, job, layout, constants)
    time = assemble_step(layer, logits, *subject, layout, constants)
    passes = time.compute + time.recompute + time.tensor + time.context + time.expert
    m = job.global_batch / axes["micro_batch"]
    small = tuple(len(values[name]) if name in LAYER else 1 for name in COARSE)
    whole = tuple(len(values[name]) for name in COARSE)
    return _Grids(
        layer=LayerTime(**{part.name: _flat(getattr(layer, part.name), small) for part in fields(LayerTime)}),
        logits=_flat(logits, small),
        per_microbatch=_flat(passes / m, whole),
        bubble=_flat(time.pipeline_bubble, whole),
    )


def evaluator(workload: Workload, phase: PhaseWork, machine: Machine, space: LayoutSpace) -> Evaluator:
    """Everything that rows of one phase on one machine share, computed once."""
    degrees = space.degrees
    values = {
        "tensor": tuple(value for value in degrees.tensor if value <= machine.domain),
        "pipeline": degrees.pipeline,
        "virtual": space.virtual,
        "context": degrees.context,
        "expert": degrees.expert,
        "micro_batch": degrees.micro_batch,
        "recompute": tuple(range(len(degrees.recompute))),
    }
    subject = (workload.architecture, workload.device(machine), workload.software, workload.job(phase))
    known = Keyed(numbers(*subject, workload.constants), (subject, workload.constants))
    grids = _grids(known, workload.model.num_hidden_layers, degrees.recompute, tuple(values.items()))
    return Evaluator(
        subject=subject,
        workload=workload,
        global_batch=phase.global_batch,
        space=space,
        values=values,
        layer=grids.layer,
        logits=grids.logits,
        per_microbatch=grids.per_microbatch,
        bubble=grids.bubble,
    )


def _flat(values: Array, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(values, shape).ravel()


def layout_of(workload: Workload, space: LayoutSpace, rows: LayoutRows) -> Layout:
    """Rows as the equations take them, every field of shape (rows,)."""
    return symbols(rows.degrees, workload.model.num_hidden_layers, space.degrees.recompute)
