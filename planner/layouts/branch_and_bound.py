"""Finding the fastest rows of many groups at once, on all machines, while evaluating few of them in full.

Best bound first: rows whose bound exceeds a time that was reached in their group, or that is asked for at most, are
never evaluated, and a family of rows whose bound does is not even looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.layouts.evaluator import Evaluator, Evaluators
from planner.layouts.families import Families
from planner.layouts.layout_space import LayoutSpace
from planner.layouts.rows import Index, narrow
from planner.layouts.tables import Reach
from planner.performance.step import StepTime
from planner.performance.symbols import Array
from planner.tolerances import SUM_ORDER

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FittingFamilies:
    """Families of a space with rows that a machine can hold."""

    families: Index
    """Fewest devices first."""
    keys: Index
    """The group of each family: rows of a group compete."""
    plain: Flags
    """Which families have a row that keeps its weights whole, which is the quicker one."""
    least_bytes: float
    """A row must need more device memory."""
    most_bytes: float
    """A row may need no more device memory."""

    def rows(self, space: LayoutSpace, some: Index) -> Index:
        """The rows of some of the space's families that it can hold, ascending."""
        families, chosen = space.families, np.zeros(len(space.families), dtype=np.bool_)
        chosen[some] = True
        begins, which = np.unique(families.begins[some], return_index=True)
        rows = ranges(begins, families.ends[some][which])
        needed = space.rows.needed_bytes[rows]
        return rows[chosen[families.of_row[rows]] & (needed > self.least_bytes) & (needed <= self.most_bytes)]


@dataclass(frozen=True)
class Runner:
    """A machine in the race."""

    evaluator: Evaluator
    held: FittingFamilies
    reach: Reach
    to_beat: Array
    """Seconds that are reached already in the group of each held family: slower rows are of no interest either."""

    def contenders(self, families: Families) -> tuple[Index, Array]:
        """Which of the held families may be fast enough, group by group, and their bounds.

        Too few devices never are, which leaves out most of them at no cost.
        """
        held, per_node = self.held.families, float(self.evaluator.subject[1].node)
        devices = families.devices[held]
        most = np.minimum(self.reach.on(np.ceil(devices / per_node)), self.to_beat) * (1 + SUM_ORDER)
        enough = np.flatnonzero(self.evaluator.least_device_seconds() <= devices * most)
        some, most = held[enough], most[enough]
        bound = self.evaluator.family_bound(families.cells[some], families.recompute[some], families.shape.take(some))
        fast = np.flatnonzero(bound <= most)
        fast = fast[np.argsort(narrow(self.held.keys[enough[fast]]), kind="stable")]
        return enough[fast], bound[fast]


@dataclass(frozen=True)
class Contenders:
    """Families on machines that may have the fastest row of their group; shape (families,) each, group by group."""

    machine: Index
    family: Index
    """Index among the families of the space."""
    group: Index
    bound: Array
    """What none of its rows stays below; seconds."""
    plain: Flags
    """See `FittingFamilies`."""

    @classmethod
    def of(cls, families: Families, runners: Sequence[Runner]) -> Contenders:
        """Those of all machines; groups are numbered from 0."""
        found = [one.contenders(families) for one in runners]
        machine = np.repeat(np.arange(len(found)), [len(bound) for _, bound in found])
        family, keys, plain = (
            np.concatenate([getattr(one.held, name)[which] for one, (which, _) in zip(runners, found, strict=True)])
            for name in ("families", "keys", "plain")
        )
        keys += machine * (keys.max(initial=0) + 1)
        return cls(machine, family, groups(keys)[1], np.concatenate([bound for _, bound in found]), plain)

    def likely(self) -> Flags:
        """Those with the least bound of each group: of all, and of those that keep their weights whole."""
        starts, _ = groups(self.group)
        chosen = np.zeros(len(self.group), dtype=np.bool_)
        for values in (self.bound, np.where(self.plain, self.bound, inf)):
            chosen[first_least(values, starts, self.group)] = True
        return chosen


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

    def __init__(self, space: LayoutSpace, runners: Sequence[Runner]) -> None:
        self._space, self._runners = space, runners
        self._evaluators = Evaluators([one.evaluator for one in runners])
        self._contenders = Contenders.of(space.families, runners)
        self._reached, self._scale = np.full((2, self._contenders.group.max(initial=-1) + 1), inf)
        self._is_by_equations = all(one.evaluator.pace is None for one in runners)

    def winners(self) -> tuple[Index, Index, StepTime]:
        """The fastest row of each group that may be fast enough: its machine, its place in the space, its step time."""
        likely = self._rows(self._contenders.likely())
        evaluated = [likely.take(first_least(self._bound(likely), *groups(likely.group)))]
        seconds = [self._seconds(evaluated[0])]
        left = self._rows(self._contenders.bound <= self._most()[self._contenders.group])
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

    def _rows(self, chosen: Flags) -> Entrants:
        """The rows of some contenders, group by group."""
        contenders, begins = self._contenders, self._begins(self._contenders.machine)
        group_of, found = np.zeros(len(self._space.families), dtype=np.int64), []
        for number, one in enumerate(self._runners):
            here = begins[number] + np.flatnonzero(chosen[slice(*begins[number : number + 2])])
            group_of[contenders.family[here]] = contenders.group[here]
            rows = one.held.rows(self._space, contenders.family[here])
            found.append(Entrants(np.full(len(rows), number), rows, group_of[self._space.families.of_row[rows]]))
        whole = joined(found)
        return whole.take(np.argsort(narrow(whole.group), kind="stable"))

    def _begins(self, machine: Index) -> Index:
        """Where each machine begins in an ascending column of machines, and where the last one ends."""
        begins: Index = np.searchsorted(machine, np.arange(len(self._runners) + 1))
        return begins

    def _bound(self, rows: Entrants) -> Array:
        """What rows take at least."""
        families, begins = self._space.families, self._begins(rows.machine)
        found = []
        for number, one in enumerate(self._runners):
            place = rows.place[slice(*begins[number : number + 2])]
            family = families.of_row[place]
            cells, shape = self._space.cells(place), families.shape.take(family)
            found.append(one.evaluator.bound(cells, families.recompute[family], shape))
        return np.concatenate(found)

    def _most(self) -> Array:
        """The bound up to which a row may be faster than what was reached, by group."""
        scale = np.where(self._reached < inf, self._scale, 1.0)
        most: Array = self._reached * (1 + SUM_ORDER) / scale
        return most

    def _steps(self, rows: Entrants) -> StepTime:
        cells = self._space.cells(rows.place)
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


def ranges(begins: Index, ends: Index) -> Index:
    """All numbers from each begin to before its end, one range after the other."""
    lengths = ends - begins
    starts = np.cumsum(lengths) - lengths
    return np.repeat(begins - starts, lengths) + np.arange(lengths.sum())


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
