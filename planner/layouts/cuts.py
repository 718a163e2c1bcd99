"""Every valid combination of degrees: what `planner.problem.layout_rules` allows, generated without trying all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.layouts.degrees import Degrees, virtual_degrees
from planner.layouts.workload import PhaseWork, Workload
from planner.problem.layout_rules import divides, divides_batch, runs_whole_rounds

Columns = npt.NDArray[np.int64]

SLAB: Final = 4_000_000
"""Combinations that are looked at together: what bounds the memory that they take."""
PIECE: Final = 8_000
"""Valid ones whose memory is evaluated together: few enough for a processor's cache."""


@dataclass(frozen=True)
class CutRules:
    """What one phase of a job allows; which values each degree may take is in `degrees`."""

    degrees: Degrees
    global_batch: int
    stages: Columns
    """Pipeline degrees of all pairs with a number of chunks per device, ascending."""
    chunks: Columns
    """Chunks per device of the same pairs."""
    max_devices: int
    beyond_devices: int = 0
    """Layouts take more devices than that."""

    @classmethod
    def of(cls, workload: Workload, phase: PhaseWork, degrees: Degrees, max_devices: int) -> CutRules:
        """The rules of a phase; chunks cut the layers of a stage evenly."""
        pairs = [
            (stages, chunks)
            for stages in degrees.pipeline
            if stages <= max_devices
            for chunks in virtual_degrees(workload, stages)
        ]
        stages, chunks = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
        return cls(degrees, phase.global_batch, stages, chunks, max_devices)

    def of_stages(self, chosen: npt.NDArray[np.bool_]) -> CutRules:
        """The rules with some of the pairs of stages and chunks."""
        return replace(self, stages=self.stages[chosen], chunks=self.chunks[chosen])

    def zero_stages(self) -> tuple[int, ...]:
        """ZeRO stages that all pairs allow.

        Stages 2 and 3 go without a pipeline: gradients and weights of all micro-batches would have to be exchanged one
        by one (DeepSpeed refuses the combination).
        """
        staged = bool((self.stages > 1).any())
        return tuple(one for one in self.degrees.zero if one < 2 or not staged)

    def by_pipelining(self) -> Iterator[CutRules]:
        """The pairs without and those with a pipeline, where there are any."""
        for chosen in (self.stages == 1, self.stages > 1):
            if chosen.any():
                yield self.of_stages(chosen)


def cuts(rules: CutRules, tensor: int, context: Columns, micro_batch: Columns) -> Iterator[Mapping[str, Columns]]:
    """Valid combinations of all degrees but experts', with one tensor degree and some pairs of context and micro-batch.

    In pieces; each column has the shape (cuts,).
    """
    data = np.asarray([one for one in rules.degrees.data if tensor * one <= rules.max_devices], dtype=np.int64)
    each = max(len(context) * len(data), 1)
    for start in range(0, len(rules.stages), max(SLAB // each, 1)):
        part = slice(start, start + max(SLAB // each, 1))
        found = _cuts(rules, part, tensor, context, micro_batch, data)
        for first in range(0, len(found["data"]), PIECE):
            yield {name: values[first : first + PIECE] for name, values in found.items()}


def _cuts(
    rules: CutRules, part: slice, tensor: int, context: Columns, micro_batch: Columns, data: Columns
) -> dict[str, Columns]:
    """Those with some of the pairs of stages and chunks."""
    pipeline, virtual = rules.stages[part, None, None], rules.chunks[part, None, None]
    whole = divides_batch(rules.global_batch, data, micro_batch[:, None])
    rounds = runs_whole_rounds(rules.global_batch // (data * micro_batch[:, None]), pipeline, virtual)
    devices = tensor * context[:, None] * data * pipeline
    right = (devices > rules.beyond_devices) & (devices <= rules.max_devices)
    stage, pair, replicas = np.nonzero(np.asarray(whole & rounds & right))
    return {
        "tensor": np.full(len(stage), tensor),
        "pipeline": pipeline[stage, 0, 0],
        "virtual_pipeline": virtual[stage, 0, 0],
        "context": context[pair],
        "micro_batch": micro_batch[pair],
        "data": data[replicas],
    }


def expert_degrees(rules: CutRules, found: Mapping[str, Columns]) -> tuple[Columns, Columns]:
    """Every expert degree whose groups divide the devices of a stage: the place of the cut, and the degree."""
    degrees = np.asarray(rules.degrees.expert, dtype=np.int64)
    stage = found["tensor"] * found["context"] * found["data"]
    place, expert = np.nonzero(np.asarray(divides(degrees, stage[:, None])))
    return place, degrees[expert]


def count_layouts(rules: CutRules, tensor: int) -> npt.NDArray[np.int64]:
    """How many layouts with one tensor degree take so many devices, for 0 to `max_devices`."""
    found = np.zeros(rules.max_devices + 1, dtype=np.int64)
    data, context, micro_batch, expert = (
        np.asarray(values, dtype=np.int64)
        for values in (rules.degrees.data, rules.degrees.context, rules.degrees.micro_batch, rules.degrees.expert)
    )
    for some in rules.by_pipelining():
        whole = divides_batch(some.global_batch, data, micro_batch[:, None])
        microbatches = some.global_batch // (data * micro_batch[:, None])
        stage = tensor * context[:, None] * data
        groups = sum(np.asarray(divides(one, stage), dtype=np.int64) for one in expert)
        each = groups * len(some.zero_stages()) * len(some.degrees.recompute)
        for pipeline, virtual in zip(some.stages.tolist(), some.chunks.tolist(), strict=True):
            rounds = np.asarray(whole & runs_whole_rounds(microbatches, pipeline, virtual))
            layouts, devices = each * rounds.sum(axis=0), stage * pipeline
            small = devices <= some.max_devices
            np.add.at(found, devices[small], layouts[small])
    return found
