"""The fastest layout per number of nodes on one machine: the only ones that the rest of the model can tell apart.

Evaluating all rows in full costs seconds, so those whose lower bound shows that they cannot win are never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts.evaluator import evaluator
from planner.layouts.layout_space import LayoutSpace
from planner.layouts.rows import Index, LayoutRows
from planner.layouts.wall_time import replicas_left
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.market.slices import is_sold
from planner.performance.step import StepTime
from planner.performance.symbols import Array


@dataclass(frozen=True)
class BestLayouts:
    """The fastest layouts of one phase on one machine with their step times, fewest nodes first."""

    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    step_seconds: Array
    time: dict[str, Array]
    """What a step is spent on, by part; seconds."""

    def __len__(self) -> int:
        return len(self.nodes)


def rows_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> LayoutRows:
    """The rows that at most so many nodes of a machine can hold."""
    return rows.take(held_on(machine, rows, max_nodes))


def held_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> Index:
    """Which rows at most so many nodes can hold: memory, whole nodes (or part of one), tensor groups in the fabric."""
    small = rows.devices <= max_nodes * machine.per_node
    return np.flatnonzero(small & (rows.needed_bytes <= machine.memory_bytes) & is_placeable(machine, rows))


def is_placeable(machine: Machine, rows: LayoutRows) -> npt.NDArray[np.bool_]:
    """Whether rows can be laid on nodes that a machine is sold with, whatever memory they need; shape (rows,).

    Looked up by devices and by tensor degree, of which there are far fewer than rows.
    """
    per_node = machine.per_node
    devices = np.arange(rows.devices.max(initial=0) + 1)
    whole = is_sold(machine.accelerator.name, per_node, devices)
    tensor = np.maximum(np.arange(rows.tensor.max(initial=0) + 1), 1)
    inside = (tensor <= machine.domain) & ((per_node % tensor == 0) | (tensor % per_node == 0))
    placeable: npt.NDArray[np.bool_] = whole[rows.devices] & inside[rows.tensor]
    return placeable


def best_layouts(
    workload: Workload,
    phase: PhaseWork,
    machine: Machine,
    space: LayoutSpace,
    *,
    max_nodes: int,
    max_step_seconds: float = np.inf,
    loses_replicas: bool = False,
) -> BestLayouts:
    """The fastest layout for each number of nodes, among those that take at most so many nodes and seconds a step.

    `loses_replicas`: for each share of the replicas that goes on when nodes are lost, too.
    """
    rows = space.rows
    held = held_on(machine, rows, max_nodes)
    if not len(held):
        return BestLayouts(rows.take(held), np.empty(0, dtype=np.int64), np.empty(0), {})
    subject = evaluator(workload, phase, machine, space.degrees.recompute, space.grid)
    bound = subject.bound(space.cells[held], rows.recompute[held], space.stage_shape.take(held))
    quick = np.flatnonzero(bound <= max_step_seconds)
    held, bound = held[quick], bound[quick]
    keys = _group_keys(machine, rows, held, loses_replicas=loses_replicas)
    order = np.argsort(keys, kind="stable")
    held, bound, keys = held[order], bound[order], keys[order]

    def steps(places: Index) -> StepTime:
        return subject.steps(rows.take(held[places]))

    seconds = _least_per_group(rows.zero[held], bound, keys, steps)
    best = _first_least(seconds, *groups(keys))
    best = best[seconds[best] <= max_step_seconds]
    time = steps(best)
    parts = {part.name: np.broadcast_to(getattr(time, part.name), len(best)) for part in fields(StepTime)}
    kept = rows.take(held[best])
    nodes = -(-kept.devices // machine.per_node).astype(np.int64)
    return BestLayouts(kept, nodes, seconds[best], parts)


def _group_keys(machine: Machine, rows: LayoutRows, held: Index, *, loses_replicas: bool) -> npt.NDArray[np.int64]:
    """What rows are alike in for the rest of the model: nodes, and if asked the share of replicas that goes on."""
    nodes = -(-rows.devices[held] // machine.per_node).astype(np.int64)
    if not loses_replicas:
        return nodes
    shares, share = np.unique(replicas_left(rows.data[held]), return_inverse=True)
    return nodes * len(shares) + share.astype(np.int64)


FIRST_BATCH, BATCH_GROWTH = 2, 4
"""Rows per number of nodes that are evaluated at first, and how many times more in each next round."""


def _least_per_group(
    zero: npt.NDArray[np.int32], bound: Array, keys: npt.NDArray[np.int64], steps: Callable[[Index], StepTime]
) -> Array:
    """Step seconds of the rows that may be the fastest of their group, infinite for those that provably are not.

    Best bound first: rows whose bound exceeds a time that was reached in their group are never evaluated. Overhead
    per busy second depends on the nodes alone and falls with the busy time, so the least ratio seen scales the bound.
    """
    seconds = np.full(len(bound), np.inf)
    if not len(bound):
        return seconds
    starts, group = groups(keys)
    reached, scale = np.full(len(starts), np.inf), np.full(len(starts), np.inf)
    batch = np.union1d(
        _first_least(bound, starts, group), _first_least(np.where(zero < 3, bound, np.inf), starts, group)
    )
    left = np.setdiff1d(np.arange(len(bound)), batch, assume_unique=True)
    size = FIRST_BATCH
    while len(batch):
        time = steps(batch)
        seconds[batch] = time.total
        np.minimum.at(reached, group[batch], time.total)
        np.minimum.at(scale, group[batch], time.total / (time.total - time.overhead))
        left = left[bound[left] * scale[group[left]] <= reached[group[left]] * (1 + ROUNDING)]
        left = left[np.lexsort((bound[left], group[left]))]
        first, member = groups(group[left])
        rank = np.arange(len(left)) - first[member]
        batch, left, size = left[rank < size], left[rank >= size], size * BATCH_GROWTH
    return seconds


ROUNDING: Final = 1e-9
"""Relative slack of comparisons between sums of floats that were added in another order."""


def groups(keys: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each run of equal keys starts, and the run that each key belongs to; keys ascend."""
    first = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.empty(0, dtype=np.bool_)
    return np.flatnonzero(first), np.cumsum(first) - 1


def _first_least(values: Array, starts: npt.NDArray[np.int64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Index of the first least value of each group."""
    if not len(values):
        return np.empty(0, dtype=np.int64)
    least = np.flatnonzero(values == np.minimum.reduceat(values, starts)[group])
    return least[groups(group[least])[0]]
