"""The fastest layout per number of nodes on one machine: the only ones that the rest of the model can tell apart.

Evaluating all rows in full costs seconds, so those whose lower bound shows that they cannot win are never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.equations.step import StepTime
from planner.equations.symbols import Array
from planner.layouts.evaluator import Evaluator, Evaluators, evaluators
from planner.layouts.kept import Kept, numbers
from planner.layouts.rows import Index, LayoutRows
from planner.layouts.space import LayoutSpace
from planner.layouts.wall import replicas_left
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine


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

    def take(self, index: Index) -> BestLayouts:
        """Some of them."""
        parts = {name: values[index] for name, values in self.time.items()}
        return BestLayouts(self.rows.take(index), self.nodes[index], self.step_seconds[index], parts)

    def within(self, max_step_seconds: float) -> BestLayouts:
        """Those that take at most so many seconds a step."""
        return self.take(np.flatnonzero(self.step_seconds <= max_step_seconds))


def rows_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> LayoutRows:
    """The rows that at most so many nodes of a machine can hold."""
    return rows.take(held_on(machine, rows, max_nodes))


def held_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> Index:
    """Which rows at most so many nodes can hold: memory, whole nodes (or part of one), tensor groups in the fabric."""
    small = rows.devices <= max_nodes * machine.per_node
    return np.flatnonzero(small & (rows.needed_bytes <= machine.memory_bytes) & is_placeable(machine, rows))


def is_placeable(machine: Machine, rows: LayoutRows) -> npt.NDArray[np.bool_]:
    """Whether rows can be laid on a machine's nodes, whatever memory they need; shape (rows,).

    Looked up by devices and by tensor degree, of which there are far fewer than rows.
    """
    per_node = machine.per_node
    devices = np.arange(rows.devices.max(initial=0) + 1)
    whole = (devices % per_node == 0) | (devices < per_node)
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
    asked = Asked(machine, max_nodes, loses_replicas=loses_replicas)
    return _kept_tables(workload, phase, space, [asked])[0].within(max_step_seconds)


@dataclass(frozen=True)
class Asked:
    """Which fastest layouts are wanted: see `best_layouts`."""

    machine: Machine
    max_nodes: int
    loses_replicas: bool


def prepare(workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]) -> None:
    """Finds fastest layouts on several machines together, which is quicker; `best_layouts` then has them at hand."""
    _kept_tables(workload, phase, space, asked)


KEPT: Final = 1024
"""Tables of fastest layouts that are kept: of one phase on one machine, up to some 100 kB each."""

kept_tables: Kept[BestLayouts] = Kept(KEPT)


def _kept_tables(
    workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]
) -> list[BestLayouts]:
    """The fastest layouts on several machines, however long their steps."""
    keys = [_key(workload, space, one) for one in asked]
    found = {key: table for key in keys if (table := kept_tables.get(key)) is not None}
    new = {key: one for key, one in zip(keys, asked, strict=True) if key not in found}
    found |= zip(new, _tables(workload, phase, space, list(new.values())), strict=True)
    for key in new:
        kept_tables.put(key, found[key])
    return [found[key] for key in keys]


def _key(workload: Workload, space: LayoutSpace, asked: Asked) -> Hashable:
    """All that the fastest layouts on a machine depend on."""
    device = numbers(workload.device(asked.machine))
    return space.numbers, device, asked.machine.accelerator.name, asked.max_nodes, asked.loses_replicas


TOGETHER: Final = 1_000_000
"""Rows on machines whose bounds are held at a time: what limits the memory that they take."""


def _tables(workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]) -> Iterator[BestLayouts]:
    """The fastest layouts on several machines; as many are evaluated together as memory is meant for."""
    grouped, some, rows = _Grouped(space), list[Asked](), 0
    for one in asked:
        count = len(grouped.of(one).place)
        if rows + count > TOGETHER:
            yield from _tables_together(workload, phase, some, grouped)
            some, rows = [], 0
        some.append(one)
        rows += count
    yield from _tables_together(workload, phase, some, grouped)


@dataclass(frozen=True)
class _Rows:
    """Rows that a machine can hold, by what they are alike in for the rest of the model."""

    place: Index
    keys: npt.NDArray[np.int64]
    """Ascending."""


class _Grouped:
    """The rows that machines hold, found once for all that are alike but for their speed."""

    def __init__(self, space: LayoutSpace) -> None:
        self.space = space
        self._known: dict[Hashable, _Rows] = {}

    def of(self, asked: Asked) -> _Rows:
        """Those of one machine."""
        machine = asked.machine
        key = (machine.per_node, machine.domain, machine.memory_bytes, asked.max_nodes, asked.loses_replicas)
        if key not in self._known:
            few = np.searchsorted(self.space.rows.devices, asked.max_nodes * machine.per_node, side="right")
            held = held_on(machine, self.space.rows.take(slice(few)), asked.max_nodes)
            keys = _group_keys(machine, self.space.rows, held, loses_replicas=asked.loses_replicas)
            order = np.argsort(keys, kind="stable") if asked.loses_replicas else slice(None)
            self._known[key] = _Rows(held[order], keys[order])
        return self._known[key]


def _tables_together(
    workload: Workload, phase: PhaseWork, asked: Sequence[Asked], grouped: _Grouped
) -> list[BestLayouts]:
    """The fastest layouts on some machines, which follow one another in all arrays."""
    if not asked:
        return []
    space, held = grouped.space, [grouped.of(one) for one in asked]
    machines = [one.machine for one in asked]
    subjects = evaluators(workload, phase, machines, space.degrees.recompute, space.grid)
    machine = np.repeat(np.arange(len(asked)), [len(one.place) for one in held])
    place, keys = (np.concatenate([getattr(one, name) for one in held]) for name in ("place", "keys"))
    keys += machine * (keys.max(initial=0) + 1)
    bound = np.concatenate([_bound(one, space, some.place) for one, some in zip(subjects, held, strict=True)])
    together, rows = Evaluators(subjects), space.rows

    def steps(some: Index) -> StepTime:
        """Of rows on machines."""
        return together.steps(machine[some], space.cells[place[some]], rows.take(place[some]))

    best, time = _least_per_group(rows.zero[place], bound, keys, steps)
    kept = rows.take(place[best])
    parts = {part.name: np.broadcast_to(getattr(time, part.name), len(best)) for part in fields(StepTime)}
    per_node = np.asarray([one.per_node for one in machines])[machine[best]]
    whole = BestLayouts(kept, -(-kept.devices // per_node), time.total, parts)
    ends = np.searchsorted(machine[best], np.arange(len(asked) + 1))
    return [whole.take(np.arange(*ends[one : one + 2])) for one in range(len(asked))]


def _bound(subject: Evaluator, space: LayoutSpace, place: Index) -> Array:
    """What the steps of rows on a machine take at least."""
    return subject.bound(space.cells[place], space.rows.recompute[place], space.stage_shape.take(place))


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
) -> tuple[Index, StepTime]:
    """The fastest row of each group, and its step time.

    Best bound first: rows whose bound exceeds a time that was reached in their group are never evaluated. Overhead
    per busy second depends on the nodes alone and falls with the busy time, so the least ratio seen scales the bound.
    """
    starts, group = groups(keys)
    seconds = np.full(len(bound), np.inf)
    reached, scale = np.full(len(starts), np.inf), np.full(len(starts), np.inf)

    def evaluate(batch: Index) -> None:
        time = steps(batch)
        seconds[batch] = time.total
        np.minimum.at(reached, group[batch], time.total)
        np.minimum.at(scale, group[batch], time.total / (time.total - time.overhead))

    sharded_weights = np.where(zero < 3, bound, np.inf)
    evaluate(np.union1d(_first_least(bound, starts, group), _first_least(sharded_weights, starts, group)))
    left = np.flatnonzero((bound <= (reached * (1 + ROUNDING) / scale)[group]) & np.isinf(seconds))
    left = left[np.lexsort((bound[left], group[left]))]
    size = FIRST_BATCH
    while len(left):
        first, member = groups(group[left])
        rank = np.arange(len(left)) - first[member]
        evaluate(left[rank < size])
        left, size = left[rank >= size], size * BATCH_GROWTH
        left = left[bound[left] <= (reached * (1 + ROUNDING) / scale)[group[left]]]
    best = _first_least(seconds, starts, group)
    return best, steps(best)


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
