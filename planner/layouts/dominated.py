"""Layouts that another one on the same devices provably beats on every machine.

Each function says what is compared and why, by the equations, the other layout takes no more time and no more memory.
Both take the same devices, so they run on the same nodes, bought in the same ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from planner.layouts.rows import recomputed_shares
from planner.layouts.workload import Workload
from planner.performance.data_parallel import WEIGHT_BYTES
from planner.performance.pipeline import last_stage_layers
from planner.performance.symbols import Array, Job, Layout, Software
from planner.problem.problem import LayoutPins
from planner.problem.run import Recompute

Columns = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Classes = npt.NDArray[np.int16]


def has_needless_context(pins: LayoutPins, context: Columns, micro_batch: Columns) -> Flags:
    """Pairs of context degree and micro-batch with a common divisor k: c/k, b/k and k times the replicas are no worse.

    A device holds the same tokens, a step has the same micro-batches, and the same k·d·c/k ranks share states and
    gradients; the ring of keys and values has fewer members and moves fewer bytes. It takes all three degrees, so where
    one of them is pinned nothing is dropped.
    """
    if pins.context or pins.micro_batch or pins.data:
        return np.zeros(len(context), dtype=np.bool_)
    return np.gcd(context, micro_batch) > 1


@dataclass(frozen=True)
class MemoryChoices:
    """What saves memory at the price of time: every ZeRO stage with every recompute choice, for some cuts."""

    zero: tuple[int, ...]
    recompute: tuple[Recompute, ...]
    layout: Layout
    """The cuts that differ in more than the expert degree, each once: degrees of shape (alike,)."""
    alike: Columns
    """The place there of each cut."""
    memory_class: Classes
    """How many of the machines' memory sizes are too small, of shape (stages, recompute choices, cuts)."""


def undominated_choices(workload: Workload, job: Job, choices: MemoryChoices) -> Flags:
    """Choices that no other one of the same cut beats: never slower, and held by the same memory sizes."""
    kept = np.ones(choices.memory_class.shape, dtype=np.bool_)
    _drop_slower_recompute(kept, workload, job, choices)
    _drop_slower_zero(kept, workload.software, job, choices)
    return kept


def _drop_slower_recompute(kept: Flags, workload: Workload, job: Job, choices: MemoryChoices) -> None:
    """Running less again is never slower, and hides no less where it counts.

    Recompute adds its time to every micro-batch of the slowest stage, and could hide at most as much exchange as it
    adds to the average stage, once a step (once a micro-batch under ZeRO-3, without a pipeline). The former is at least
    the latter without a pipeline, or when micro-batches times the layers beside the logits are as many as a stage has.
    Where activations are on the host, running less again moves more of them: nothing is dropped.
    """
    if np.any(np.asarray(job.offloads_activations) > 0):
        return
    layout, memory_class = choices.layout, choices.memory_class
    last = last_stage_layers(workload.architecture, workload.software, layout)
    microbatches = job.global_batch / (layout.data * layout.micro_batch)
    adds = (layout.pipeline <= 1) | (microbatches * last * layout.pipeline >= workload.architecture.layers)
    per_stage = workload.architecture.layers / layout.pipeline
    shares = [recomputed_shares(one, per_stage) for one in choices.recompute]
    for quick, slow in permutations(range(len(shares)), 2):
        (full, selective), (more_full, more_selective) = shares[quick], shares[slow]
        less = adds & (full <= more_full) & (full + selective <= more_full + more_selective)
        alike = (full == more_full) & (selective == more_selective) & (quick > slow)
        fits_alike = memory_class[:, quick] <= memory_class[:, slow]
        kept[:, slow] &= ~((less & ~alike)[choices.alike] & fits_alike)


def _drop_slower_zero(kept: Flags, software: Software, job: Job, choices: MemoryChoices) -> None:
    """A stage is dropped where one that is never slower fits the same memory.

    One replica has nothing to shard: the lowest stage is never slower. Otherwise stages 1 and 2 exchange the same.
    Stage 0 reduces gradients twice where stage 1 reduces them once and gathers parameters, which is no more unless
    gradients are compressed or the gather waits for the end of the step. Stage 3 gathers the parameters twice where
    stage 2 gathers once what changed, and neither hides more.
    """
    zero, layout, memory_class = choices.zero, choices.layout, choices.memory_class
    alone = (layout.data * layout.context == 1)[choices.alike]
    never_slower = never_slower_stages(software, job)
    for quick, slow in permutations(range(len(zero)), 2):
        if zero[quick] < zero[slow]:
            kept[slow, :, alone] &= memory_class[quick, :, alone] > memory_class[slow, :, alone]
        if (zero[quick], zero[slow]) in never_slower:
            kept[slow] &= ~((memory_class[quick] <= memory_class[slow]) & ~alone)


def never_slower_stages(software: Software, job: Job) -> set[tuple[int, int]]:
    """Pairs of ZeRO stages of which the first is never slower than the second."""
    found = {(1, 2)}
    waits = bool(np.any(np.asarray(software.parameter_gather_exposed) > 0))
    wire = np.where(np.asarray(job.compressed_gradients) > 0, 0.0, software.gradient_wire_bytes)
    if not waits and bool(np.all(wire >= WEIGHT_BYTES)):
        found |= {(1, 0), (2, 0)}
    if not waits and bool(np.all(software.data_overlap > 0)):
        found |= {(1, 3), (2, 3)}
    return found


def memory_classes(needed: Array, memories: tuple[float, ...]) -> Classes:
    """How many of the ascending memory sizes are too small for each layout."""
    return np.searchsorted(np.asarray(memories), needed, side="left").astype(np.int16)
