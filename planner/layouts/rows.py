"""Every valid layout of a phase as rows of integers, with the memory that it fills.

Validity and memory hardly depend on the machine, so rows are made once per phase and shared by all machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.equations.memory import memory
from planner.equations.symbols import Array, Job, Layout
from planner.layouts.degrees import MAX_DEVICES, Degrees, virtual_degrees
from planner.layouts.kept import Keyed, numbers
from planner.layouts.workload import PhaseWork, Workload
from planner.problem.run import Recompute

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class LayoutRows:
    """Layouts as columns of shape (rows,), sorted by devices."""

    tensor: Ints
    pipeline: Ints
    virtual: Ints
    context: Ints
    expert: Ints
    micro_batch: Ints
    data: Ints
    zero: Ints
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
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "needed_bytes"}

    def head(self, most_devices: int) -> LayoutRows:
        """The rows of at most so many devices, without a copy."""
        end = int(np.searchsorted(self.devices, most_devices, side="right"))
        return LayoutRows(**{f.name: getattr(self, f.name)[:end] for f in fields(self)})

    def take(self, index: npt.NDArray[np.int64]) -> LayoutRows:
        """Some of the rows."""
        return LayoutRows(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True)
class Tightest:
    """The valid layout that fills least memory: what to show when nothing fits."""

    needed_bytes: float
    layout: Layout


@dataclass(frozen=True)
class LayoutSpace:
    """All valid layouts of one phase."""

    degrees: Degrees
    virtual: tuple[int, ...]
    rows: LayoutRows
    """Those that fit the largest memory."""
    counts: Mapping[int, npt.NDArray[np.int64]]
    """Valid layouts, fitting or not, by tensor degree and number of devices."""
    tightest: Tightest | None
    """None when no layout is valid at all."""


def layout_space(
    workload: Workload, phase: PhaseWork, degrees: Degrees, memory_bytes: float, max_devices: int = MAX_DEVICES
) -> LayoutSpace:
    """Every valid layout of a phase with at most `max_devices` devices, and the rows among them that fit the memory."""
    known = (workload.architecture, workload.software, workload.job(phase), workload.constants)
    pinned = workload.pins.virtual_pipeline
    key = (numbers(*known), workload.stack.counts_embedding, pinned, workload.headroom, workload.growth)
    return _space(Keyed(key, (workload, phase)), degrees, memory_bytes, max_devices)


KEPT: Final = 8
"""Spaces that are kept, since a problem with other offers, prices or budgets asks for the same; up to 30 MB each."""


@lru_cache(KEPT)
def _space(
    known: Keyed[tuple[Workload, PhaseWork]], degrees: Degrees, memory_bytes: float, max_devices: int
) -> LayoutSpace:
    """Every valid layout, in the order of its devices."""
    workload, phase = known.value
    job, layers = workload.job(phase), workload.model.num_hidden_layers
    found: list[LayoutRows] = []
    counts: dict[int, npt.NDArray[np.int64]] = {}
    tightest: Tightest | None = None
    for chunk in _chunks(workload, phase, degrees, max_devices):
        t = int(chunk["tensor"])
        counts[t] = counts.get(t, 0) + _by_devices(chunk, max_devices)
        needed = needed_bytes(workload, job, symbols(chunk, layers, degrees.recompute))
        needed = np.broadcast_to(needed, np.broadcast_shapes(*(one.shape for one in chunk.values())))
        tightest = _tighter(tightest, needed, chunk, layers, degrees)
        found.append(_rows(chunk, needed, memory_bytes))
    rows = _joined(found)
    order = np.argsort(rows.devices, kind="stable")
    virtual = sorted({value for stages in degrees.pipeline for value in virtual_degrees(workload, stages)})
    return LayoutSpace(degrees, tuple(virtual), rows.take(order), counts, tightest)


Chunk = Mapping[str, npt.NDArray[np.int64]]
"""Valid cuts of one tensor degree on the first axis, ZeRO stages on the second, recompute choices on the third."""


def _chunks(workload: Workload, phase: PhaseWork, degrees: Degrees, max_devices: int) -> Iterator[Chunk]:
    """All valid layouts, by tensor degree, without and with a pipeline.

    ZeRO stages 2 and 3 go without a pipeline: gradients and weights of all micro-batches would have to be exchanged
    one by one (DeepSpeed refuses the combination).
    """
    without = [stages for stages in degrees.pipeline if stages == 1]
    staged = [stages for stages in degrees.pipeline if stages > 1]
    for t in degrees.tensor:
        for pipeline, zero in ((without, degrees.zero), (staged, [stage for stage in degrees.zero if stage < 2])):
            cuts = _cuts(workload, phase, degrees, t, pipeline, max_devices)
            if len(cuts["data"]) and zero:
                columns = {name: values[:, None, None] for name, values in cuts.items()}
                choices = np.arange(len(degrees.recompute))
                stages = np.asarray(zero, dtype=np.int64)[None, :, None]
                yield {"tensor": np.asarray(t), **columns, "zero": stages, "recompute": choices[None, None, :]}


def _cuts(
    workload: Workload, phase: PhaseWork, degrees: Degrees, tensor: int, pipeline: list[int], max_devices: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Valid combinations of the other degrees with one tensor degree, as columns of shape (cuts,).

    The batch is whole micro-batches on every replica; an expert group divides the devices of a stage; chunks cut the
    layers evenly, and interleaving runs whole rounds of micro-batches (Narayanan et al. 2021, section 2.2).
    """
    chunks = {stages: virtual_degrees(workload, stages) for stages in pipeline}
    virtual = sorted({value for values in chunks.values() for value in values})
    values = {
        "pipeline": pipeline,
        "virtual": virtual,
        "context": degrees.context,
        "expert": degrees.expert,
        "micro_batch": degrees.micro_batch,
        "data": [value for value in degrees.data if tensor * value <= max_devices],
    }
    axes = on_axes(values)
    stage = tensor * axes["context"] * axes["data"]
    even = np.asarray([[value in chunks[stages] for value in virtual] for stages in pipeline], dtype=np.bool_)
    batch = phase.global_batch // axes["data"]
    rounds = (axes["virtual"] == 1) | (batch // axes["micro_batch"] % np.maximum(axes["pipeline"], 1) == 0)
    whole = (batch % axes["micro_batch"] == 0) & (stage % axes["expert"] == 0)
    small = stage * axes["pipeline"] <= max_devices
    valid = whole & rounds & small & even.reshape(len(pipeline), len(virtual), 1, 1, 1, 1)
    places = np.nonzero(valid)
    return {name: one.ravel()[place] for (name, one), place in zip(axes.items(), places, strict=True)}


def on_axes(values: Mapping[str, Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """Each list of values on an axis of its own, in the order given."""
    shape = [1] * len(values)
    return {
        name: np.asarray(one, dtype=np.int64).reshape([*shape[:axis], len(one), *shape[axis + 1 :]])
        for axis, (name, one) in enumerate(values.items())
    }


def _by_devices(chunk: Chunk, max_devices: int) -> npt.NDArray[np.int64]:
    """How many layouts of a chunk take so many devices, for 0 to `max_devices`."""
    devices = chunk["tensor"] * chunk["pipeline"] * chunk["context"] * chunk["data"]
    each = chunk["zero"].size * chunk["recompute"].size
    return np.bincount(devices.ravel(), minlength=max_devices + 1) * each


def symbols(degrees: Mapping[str, npt.NDArray[Any]], layers: float, recompute: tuple[Recompute, ...]) -> Layout:
    """Degrees as the equations take them; shapes as they come."""
    values = {name: np.asarray(one, dtype=np.float64) for name, one in degrees.items() if name != "recompute"}
    per_stage = layers / values["pipeline"]
    shares = [recomputed_shares(one, per_stage) for one in recompute]
    chosen = [degrees["recompute"] == index for index in range(len(recompute))]
    full = sum((here * share[0] for here, share in zip(chosen, shares, strict=True)), start=np.asarray(0.0))
    selective = sum((here * share[1] for here, share in zip(chosen, shares, strict=True)), start=np.asarray(0.0))
    return Layout(
        **values,
        expert_tensor=np.asarray(1.0),
        recompute_full=full,
        recompute_selective=selective,
        shard=values["data"] * values["context"],
    )


def recomputed_shares(recompute: Recompute, layers_per_stage: Array) -> tuple[Array, float]:
    """Shares of the layers under full and under selective recompute."""
    if recompute.full_layers:
        return np.minimum(recompute.full_layers / layers_per_stage, 1.0), 0.0
    return np.asarray(float(recompute.kind == "full")), float(recompute.kind == "selective")


def needed_bytes(workload: Workload, job: Job, layout: Layout) -> Array:
    """Smallest device memory that holds a layout.

    The peak with everything that is reserved fits the device, what the framework allocates leaves the headroom free,
    and where there must be room to grow, the same holds for the larger model.
    """
    models = [workload.architecture] if workload.growth == 1 else [workload.architecture, workload.grown()]
    used = [memory(model, workload.software, job, layout, workload.constants) for model in models]
    needs = [np.maximum(one.reserved, one.allocated / (1 - workload.headroom)) for one in used]
    return needs[0] if len(needs) == 1 else np.maximum(*needs)


def headroom_kept_anyway(workload: Workload) -> float:
    """Share of memory that stays free of what the framework allocates anyway: a headroom below it changes nothing.

    What is set aside, (1 + fragmentation)·(1 + margin)·allocated and more, is then at least allocated/(1 − headroom).
    """
    constants = workload.constants
    return float(1 - 1 / ((1 + constants.fragmentation) * (1 + constants.memory_margin)))


def _tighter(best: Tightest | None, needed: Array, chunk: Chunk, layers: float, degrees: Degrees) -> Tightest:
    """The layout that fills least memory, of those seen so far and a chunk's."""
    least = int(np.argmin(needed))
    if best is not None and best.needed_bytes <= needed.flat[least]:
        return best
    where = {name: np.asarray(np.broadcast_to(one, needed.shape).flat[least]) for name, one in chunk.items()}
    return Tightest(float(needed.flat[least]), symbols(where, layers, degrees.recompute))


def _rows(chunk: Chunk, needed: Array, limit: float) -> LayoutRows:
    """The layouts of a chunk that fit, as rows."""
    fits = np.nonzero(needed <= limit)
    columns: dict[str, Ints] = {
        name: np.broadcast_to(one, needed.shape)[fits].astype(np.int32) for name, one in chunk.items()
    }
    return LayoutRows(**columns, needed_bytes=needed[fits])


def _joined(parts: list[LayoutRows]) -> LayoutRows:
    """All rows of all chunks."""
    names = [f.name for f in fields(LayoutRows)]
    if not parts:
        none = np.empty(0, dtype=np.int32)
        return LayoutRows(**dict.fromkeys(names[:-1], none), needed_bytes=np.empty(0))
    return LayoutRows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
