"""Valid layouts of a phase in blocks of cuts, with the memory of each and the choices of a cut that none beats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf

import numpy as np
import numpy.typing as npt

from planner.layouts.cuts import CutRules, Groups, cuts, groups_of
from planner.layouts.device_memory import Contents, least_activation_bytes, models_held
from planner.layouts.dominated import MemoryChoices, has_needless_context, memory_classes, undominated_choices
from planner.layouts.rows import Index, Ints, LayoutRows, symbols
from planner.layouts.workload import PhaseWork, Workload
from planner.performance.symbols import Array, Job, Layout
from planner.tolerances import SUM_ORDER

Columns = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Some cuts with every ZeRO stage and recompute choice."""

    workload: Workload
    job: Job
    columns: Mapping[str, Columns]
    """Every degree but those of the groups, for cuts alike in all of these; shape (alike,) each."""
    groups: Groups
    """Groups of each cut."""
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
        columns["expert"] = self.groups.expert[cut].astype(np.int32)
        columns["shard"] = self.groups.shard[cut].astype(np.int32)
        columns["zero"] = np.asarray(self.choices.zero, dtype=np.int32)[zero]
        columns["recompute"] = recompute.astype(np.int32)
        return columns

    def undominated_rows(self) -> LayoutRows:
        """The layouts that fit some memory and that no other choice of the same cut beats."""
        return self.rows(self.fits & undominated_choices(self.workload, self.job, self.choices))

    def least_bytes(self, least: Array) -> None:
        """Lowers what is known of the least memory on each number of devices, fitting or not."""
        columns = self.columns
        devices = columns["tensor"] * columns["pipeline"] * columns["context"] * columns["data"]
        np.minimum.at(least, devices[self.choices.alike], self.needed.min(axis=(0, 1)))


def blocks(
    workload: Workload,
    phase: PhaseWork,
    rules: CutRules,
    memories: tuple[float, ...],
    *,
    keeps_beaten: bool = False,
) -> Iterator[Block]:
    """All valid layouts whose activations alone fit the largest memory, by tensor degree, without and with a pipeline.

    `keeps_beaten`: with more context parallelism than is of use, too.
    """
    for tensor, pairs in pairs_held(workload, phase, rules, memories[-1], keeps_beaten=keeps_beaten):
        for some in rules.by_pipelining():
            for columns in cuts(some, tensor, *pairs) if some.zero_stages() else ():
                block = _block(workload, phase, some, columns, memories)
                if block.needed.size:
                    yield block


def pairs_held(
    workload: Workload, phase: PhaseWork, rules: CutRules, memory_bytes: float, *, keeps_beaten: bool = False
) -> Iterator[tuple[int, tuple[Columns, Columns]]]:
    """Each tensor degree with the pairs of context degree and micro-batch that are of use and may fit a memory."""
    context, micro_batch = (
        np.asarray(one, dtype=np.int64).ravel()
        for one in np.meshgrid(rules.degrees.context, rules.degrees.micro_batch, indexing="ij")
    )
    of_use = context <= rules.max_devices
    if not keeps_beaten:
        of_use &= ~has_needless_context(workload.pins, context, micro_batch)
    pairs = context[of_use], micro_batch[of_use]
    for tensor in rules.degrees.tensor:
        held = _may_fit(workload, phase, rules, tensor, pairs, memory_bytes)
        yield tensor, (pairs[0][held], pairs[1][held])


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
        "expert_tensor": np.asarray(1),
        "shard": np.asarray(1),
        "recompute": np.arange(len(rules.degrees.recompute)),
    }
    layout = symbols(alone, workload.model.num_hidden_layers, rules.degrees.recompute)
    least = least_activation_bytes(workload, workload.job(phase), layout).min(axis=1, initial=inf)
    fits: npt.NDArray[np.bool_] = least <= memory_bytes
    return fits


def _block(
    workload: Workload, phase: PhaseWork, rules: CutRules, found: Mapping[str, Columns], memories: tuple[float, ...]
) -> Block:
    """Some cuts with the memory of all groups, ZeRO stages and recompute choices, where any of them may fit."""
    zero, recompute, job = rules.zero_stages(), rules.degrees.recompute, workload.job(phase)
    groups, one = groups_of(rules, found), np.asarray(1)
    of_alike = _layout(workload, rules, found, expert=one, shard=one, zero=np.asarray(0))
    cuts_found = {name: values[groups.place] for name, values in found.items()}
    stages = np.asarray(zero)[:, None, None]
    of_states = _layout(workload, rules, cuts_found, expert=groups.expert, shard=groups.shard, zero=stages)
    contents = [Contents.of(workload, job, model, of_states, of_alike, groups.place) for model in models_held(workload)]
    least = reduce(np.maximum, [one.least_needed_bytes() for one in contents])
    may_fit = np.flatnonzero(least <= memories[-1] * (1 + SUM_ORDER))
    needed = reduce(np.maximum, [one.take(may_fit).needed_bytes() for one in contents])
    groups = groups.take(may_fit)
    if groups.part.any():
        needed = np.where(groups.part & ~np.isin(stages, rules.hybrid_stages()), inf, needed)
    classes = memory_classes(needed, memories)
    choices = MemoryChoices(zero, recompute, of_alike, groups.place, classes)
    return Block(workload, job, found, groups, choices, needed, np.isfinite(needed) & (classes < len(memories)))


def _layout(workload: Workload, rules: CutRules, found: Mapping[str, Columns], **others: Columns) -> Layout:
    """Cuts as the equations take them: shapes (cuts,), and the recompute choices on an axis before."""
    recompute = rules.degrees.recompute
    degrees = {**found, **others, "recompute": np.arange(len(recompute))[:, None]}
    return symbols(degrees, workload.model.num_hidden_layers, recompute)
