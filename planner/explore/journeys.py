"""Every undominated way to run a job whose phases may each run elsewhere: stays, one after another, and moves between.

A stay is a place, an accelerator and a way to buy for some phases in a row. Its sums are those of `job_sums`; a move
adds its time and its price. Stays are put together from the first phase to the last, and in each place only sums that
none with the same way on beats are kept. `picks` of sums are the layout of each phase, and behind each its stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from planner.explore.job_sums import (
    CENTS,
    SUMS,
    WALL,
    Counts,
    Left,
    Sums,
    goals_of,
    in_time,
    reservations,
    seen_so_far,
    sums_of,
    with_reservation,
    within,
)
from planner.layouts.dominance import undominated
from planner.market.placements import Placement
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices
from planner.plans.moves import move_between
from planner.plans.node_cost import node_cost
from planner.plans.solution import Stay

LEAST_SUM = SUMS.index("least")


def undominated_journeys(choices: Choices, left: Left) -> tuple[tuple[tuple[Stay, ...], Sums], ...]:
    """All ways to run the job within what is left that none beats, fastest first: their stays, and one row of sums."""
    if not choices.purchase_options:
        return ()
    journeys = _Journeys(choices, left, _least(choices))
    ended: list[dict[_Place, Sums]] = []
    for last in range(len(choices.phases)):
        ended.append(journeys.ending_with(last, ended))
    return journeys.best(list(ended[-1].values()))


def _least(choices: Choices) -> list[tuple[float, float]]:
    """Seconds and cents of each phase that no purchase option beats."""
    found = []
    for index, work in enumerate(choices.phases):
        wall = cents = inf
        for purchase_option, columns in choices.bought_modes(index):
            wall = min(wall, float(columns.wall_seconds(work.steps).min()))
            usd = columns.bought * node_cost(purchase_option, columns, work.steps).least
            cents = min(cents, float(np.floor(100 * usd.min())) - 2)
        found.append((wall, max(cents, 0.0)))
    return found


@dataclass(frozen=True, eq=False)
class _Place:
    """A placement, by what tells it apart."""

    placement: Placement

    @property
    def key(self) -> tuple[object, ...]:
        """Where it is and what runs there."""
        return (self.placement.key, self.placement.machine.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class _Journeys:
    """One job's stays, numbered as they are met."""

    def __init__(self, choices: Choices, left: Left, least: list[tuple[float, float]]) -> None:
        self.choices, self.left, self.least = choices, left, least
        self.stays: list[Stay] = []
        self.seen = seen_so_far(choices.problem.risk.confidence)

    def ending_with(self, last: int, ended: list[dict[_Place, Sums]]) -> dict[_Place, Sums]:
        """The ways through all phases up to one, by the placement of its stay."""
        found: dict[_Place, list[Sums]] = {}
        for first in range(last + 1):
            arrivals: dict[_Place, Sums] = {}
            for purchase_option in self.choices.purchase_options:
                pieces = list(self._pieces(purchase_option, range(first, last + 1)))
                if not pieces:
                    continue
                place = _Place(purchase_option.placement)
                if place not in arrivals:
                    arrivals[place] = self._arriving(place.placement, first, ended[first - 1] if first else {})
                for stay, sums in pieces:
                    if len((whole := self._joined(arrivals[place], stay, sums)).values):
                        found.setdefault(place, []).append(whole)
        return {place: self._undominated(some, last + 1) for place, some in found.items()}

    def _pieces(self, purchase_option: PurchaseOption, span: range) -> Iterator[tuple[Stay, Sums]]:
        """A stay with one purchase option for some phases, with every number of reserved nodes that can be best.

        Without spot and reservation longer stays are put together from those of one phase.
        """
        if any(self.choices.modes(index, purchase_option, arrives=index == span.start) is None for index in span):
            return
        left, steady = self._left_beside(span), purchase_option.spot_policy.policy == "steady"
        if not len(sums_of(self.choices, purchase_option, span, left, 0, optimistic=True).values):
            return
        for reserved in reservations(self.choices, purchase_option, span, left):
            if len(span) > 1 and steady and not reserved:
                continue
            sums = sums_of(self.choices, purchase_option, span, left, reserved)
            sums = with_reservation(purchase_option, reserved, sums, left)
            if len(sums.values):
                yield Stay(purchase_option, span.start, span.stop - 1, reserved), sums

    def _left_beside(self, span: range) -> Left:
        """What is left for some phases when all others take their least."""
        others = [least for index, least in enumerate(self.least) if index not in span]
        return self.left.less(sum(one[0] for one in others), sum(one[1] for one in others))

    def _left_until(self, end: int) -> Left:
        """What is left for all phases before one when the others take their least."""
        return self._left_beside(range(end))

    def _arriving(self, target: Placement, first: int, ended: dict[_Place, Sums]) -> Sums:
        """All ways to come to a placement before a phase; before the first there is one, which takes nothing."""
        if first == 0:
            return Sums(np.zeros((1, len(SUMS))), np.empty((1, 0), dtype=np.int64))
        problem, workload = self.choices.problem, self.choices.workload
        moved = []
        for origin, sums in ended.items():
            move = move_between(problem, workload, first, origin.placement, target)
            values = sums.values.copy()
            values[:, [WALL, LEAST_SUM]] += move.seconds
            values[:, CENTS] += move.cents
            moved.append(replace(sums, values=values))
        return self._undominated(moved, first)

    def _joined(self, arriving: Sums, stay: Stay, sums: Sums) -> Sums:
        """Ways that a stay goes on."""
        if not len(arriving.values):
            return arriving
        self.stays.append(stay)
        picks = np.full((len(sums.picks), 2 * sums.picks.shape[1]), len(self.stays) - 1, dtype=np.int64)
        picks[:, ::2] = sums.picks
        return arriving.joined(Sums(sums.values, picks), self._left_until(stay.last + 1), self.seen)

    def _undominated(self, some: list[Sums], phases: int) -> Sums:
        """Of several sums over so many phases, those that none beats."""
        if not some:
            return Sums(np.empty((0, len(SUMS))), np.empty((0, 2 * phases), dtype=np.int64))
        values = np.concatenate([one.values for one in some])
        kept = within(values, self._left_until(phases), self.seen)
        return Sums(values[kept], np.concatenate([one.picks for one in some])[kept])

    def best(self, some: list[Sums]) -> tuple[tuple[tuple[Stay, ...], Sums], ...]:
        """The whole jobs that keep the deadline and that none beats, fastest first."""
        sums = in_time(self.choices, self._undominated(some, len(self.choices.phases)), self.left)
        goals = goals_of(self.choices, sums)
        kept = undominated(goals).tolist()
        return tuple((self._stays(sums.picks[one, 1::2]), self._row(sums, one)) for one in kept)

    def _row(self, sums: Sums, one: int) -> Sums:
        """One way with the layouts of its phases alone."""
        return Sums(sums.values[[one]], sums.picks[[one], ::2])

    def _stays(self, numbers: Counts) -> tuple[Stay, ...]:
        """The stays of one way, those in a row that are bought phase by phase from one offer as one."""
        found: list[Stay] = []
        for number in dict.fromkeys(numbers.tolist()):
            stay, before = self.stays[number], found[-1] if found else None
            if before and _goes_on(before, stay):
                found[-1] = replace(before, last=stay.last)
            else:
                found.append(stay)
        return tuple(found)


def _goes_on(before: Stay, stay: Stay) -> bool:
    """Whether two stays are one: nothing is reserved, and no spot node has to be waited for."""
    same = before.purchase_option == stay.purchase_option
    return same and not before.reserved and not stay.reserved and stay.purchase_option.spot_policy.policy == "steady"
