"""Finding the fastest rows of many groups at once, on all machines, while evaluating few of them in full.

Best bound first: rows whose bound exceeds a time that was reached in their group are never evaluated, and a family of
rows whose bound does is not even looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts.evaluator import Evaluators, StageShape
from planner.layouts.layout_space import LayoutSpace
from planner.layouts.rows import Index, narrow, renumbered
from planner.performance.step import StepTime
from planner.performance.symbols import Array
from planner.tolerances import SUM_ORDER

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HeldRows:
    """Rows that a machine can hold, in families that differ in expert degree and ZeRO alone."""

    place: Index
    """Index of the rows in the space."""
    family: Index
    """Family of each of them."""
    keys: Index
    """The group of each family, ascending: rows of a group compete."""
    plain: Flags
    """Families with a row that keeps its weights whole, which is the quicker one."""
    cells: Index
    """Cell of one row per family in the space's grid, see `LayoutSpace.cells`."""
    recompute: npt.NDArray[np.int32]
    """Recompute choice of each family."""
    shape: StageShape
    """Stage shape of each family."""

    @classmethod
    def of(cls, space: LayoutSpace, place: Index, keys: Index) -> HeldRows:
        """Rows of a space in their groups; rows of a family are of one group."""
        family, first = renumbered(space.family[place])
        order = np.argsort(narrow(keys[first]), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        family, first = rank[family], first[order]
        plain = np.zeros(len(first), dtype=np.bool_)
        plain[family[space.rows.zero[place] < SHARDED_WEIGHTS]] = True
        rows = place[first]
        shape = space.stage_shape.take(rows)
        return cls(place, family, keys[first], plain, space.cells[rows], space.rows.recompute[rows], shape)


SHARDED_WEIGHTS: Final = 3
"""The ZeRO stage that shards weights too."""


@dataclass(frozen=True)
class Entrants:
    """Rows on machines, with the group that each competes in; shape (rows,) each."""

    machine: Index
    place: Index
    """Index in the space."""
    group: Index

    def __len__(self) -> int:
        return len(self.place)

    def take(self, index: Index | Flags) -> Entrants:
        """Some of them."""
        return Entrants(self.machine[index], self.place[index], self.group[index])


FIRST_BATCH, BATCH_GROWTH = 2, 4
"""Rows of a group that are evaluated after the first, and how many times more in each next round."""


class Race:
    """The rows that several machines hold, in a phase.

    Overhead per busy second depends on the nodes alone and falls with the busy time, so the least ratio seen in a group
    scales its bounds, unless own runs say that some layouts take longer than by the equations.
    """

    def __init__(self, space: LayoutSpace, evaluators: Evaluators, held: Sequence[HeldRows]) -> None:
        self._space, self._evaluators, self._held = space, evaluators, held
        counts = [len(one.keys) for one in held]
        self._begins = np.cumsum([0, *counts])
        keys = np.concatenate([one.keys for one in held])
        keys += np.repeat(np.arange(len(held)), counts) * (keys.max(initial=0) + 1)
        self._starts, self._group = groups(keys)
        self._reached, self._scale = np.full((2, len(self._starts)), np.inf)
        self._is_by_equations = all(one.pace is None for one in evaluators.machines)

    def winners(self) -> tuple[Index, Index, StepTime]:
        """The fastest row of each group: its machine, its place in the space, and its step time."""
        bound = np.concatenate(
            [
                one.family_bound(held.cells, held.recompute, held.shape)
                for one, held in zip(self._evaluators.machines, self._held, strict=True)
            ]
        )
        likely = self._rows(self._likely(bound))
        evaluated = [likely.take(first_least(self._bound(likely), *groups(likely.group)))]
        seconds = [self._seconds(evaluated[0])]
        left = self._rows(bound <= self._most()[self._group])
        for some in self._rounds(left, self._bound(left)):
            evaluated.append(some)
            seconds.append(self._seconds(some))
        return self._quickest(evaluated, np.concatenate(seconds))

    def _rounds(self, left: Entrants, bound: Array) -> Iterator[Entrants]:
        """Rows that may still win, the least bounds of each group first."""
        may_win = bound <= self._most()[left.group]
        left, bound, size = left.take(may_win), bound[may_win], FIRST_BATCH
        order = np.argsort(bound)
        order = order[np.argsort(narrow(left.group[order]), kind="stable")]
        left, bound = left.take(order), bound[order]
        while len(left):
            first, member = groups(left.group)
            now = np.arange(len(left)) - first[member] < size
            yield left.take(now)
            may_win = ~now & (bound <= self._most()[left.group])
            left, bound, size = left.take(may_win), bound[may_win], size * BATCH_GROWTH

    def _likely(self, bound: Array) -> Flags:
        """The families with the least bound of each group: of all, and of those that keep their weights whole."""
        plain = np.concatenate([one.plain for one in self._held])
        chosen = np.zeros(len(bound), dtype=np.bool_)
        for values in (bound, np.where(plain, bound, np.inf)):
            chosen[first_least(values, self._starts, self._group)] = True
        return chosen

    def _rows(self, families: Flags) -> Entrants:
        """The rows of some families, group by group."""
        found = []
        for number, held in enumerate(self._held):
            begin, end = self._begins[number : number + 2]
            rows = np.flatnonzero(families[begin:end][held.family])
            group = self._group[begin:end][held.family[rows]]
            found.append(Entrants(np.full(len(rows), number), held.place[rows], group))
        whole = joined(found)
        return whole.take(np.argsort(narrow(whole.group), kind="stable"))

    def _bound(self, rows: Entrants) -> Array:
        """What rows take at least."""
        space, begins = self._space, np.searchsorted(rows.machine, np.arange(len(self._held) + 1))
        found = []
        for number, one in enumerate(self._evaluators.machines):
            place = rows.place[slice(*begins[number : number + 2])]
            found.append(one.bound(space.cells[place], space.rows.recompute[place], space.stage_shape.take(place)))
        return np.concatenate(found)

    def _most(self) -> Array:
        """The bound up to which a row may be faster than what was reached, by group."""
        most: Array = self._reached * (1 + SUM_ORDER) / self._scale
        return most

    def _steps(self, rows: Entrants) -> StepTime:
        cells = self._space.cells[rows.place]
        return self._evaluators.steps(rows.machine, cells, self._space.rows.take(rows.place))

    def _seconds(self, rows: Entrants) -> Array:
        """Step times of rows, which are taken note of."""
        time = self._steps(rows)
        np.minimum.at(self._reached, rows.group, time.total)
        scale = time.total / (time.total - time.overhead) if self._is_by_equations else np.ones(len(rows))
        np.minimum.at(self._scale, rows.group, scale)
        return time.total

    def _quickest(self, evaluated: Sequence[Entrants], seconds: Array) -> tuple[Index, Index, StepTime]:
        """The fastest row of each group, the first among equals."""
        rows = joined(evaluated)
        rows = rows.take(np.lexsort((rows.place, seconds, rows.group)))
        best = rows.take(groups(rows.group)[0])
        return best.machine, best.place, self._steps(best)


def joined(parts: Sequence[Entrants]) -> Entrants:
    """All of them."""
    return Entrants(*(np.concatenate([getattr(one, name.name) for one in parts]) for name in fields(Entrants)))


def groups(keys: npt.NDArray[Any]) -> tuple[Index, Index]:
    """Where each run of equal keys starts, and the run that each key belongs to; keys ascend."""
    first = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.empty(0, dtype=np.bool_)
    return np.flatnonzero(first), np.cumsum(first) - 1


def first_least(values: Array, starts: Index, group: Index) -> Index:
    """Index of the first least value of each group."""
    if not len(values):
        return np.empty(0, dtype=np.int64)
    least = np.flatnonzero(values == np.minimum.reduceat(values, starts)[group])
    return least[groups(group[least])[0]]
