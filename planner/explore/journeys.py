"""Every undominated way to run a job whose phases may each run elsewhere: stays, one after another, and moves between.

A stay is a place, an accelerator and a way to buy for some phases in a row. Its sums are those of `job_sums`; a move
adds its time and its price. Stays are put together from the first phase to the last, and in each place only sums that
none with the same way on beats are kept. `picks` of sums are the layout of each phase, and behind each its stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Final

import numpy as np

from planner.explore.cost_time_cut import Cut, PhaseTimes, cut_of
from planner.explore.job_sums import (
    CENTS,
    KEPT,
    SUMS,
    WALL,
    Counts,
    Left,
    Sums,
    goals_of,
    in_time,
    least_kept,
    phase_sums,
    reservations,
    seen_at_last,
    seen_beside,
    seen_so_far,
    sums_of_phase,
    with_reservation,
    within,
)
from planner.explore.least import Least, least_cents, steps_of, usd_per_device_hour
from planner.layouts.dominance import not_beaten, undominated
from planner.layouts.wall_time import interruption_rates
from planner.market.placements import Placement
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices
from planner.plans.moves import BYTES_PER_GB, Move, carried_bytes, move_between, usd_per_gb
from planner.plans.plan_error import counts_error
from planner.plans.solution import Stay

LEAST_SUM: Final = SUMS.index("least")
WALL_AND_CENTS: Final = 2


def undominated_journeys(choices: Choices, left: Left) -> tuple[tuple[tuple[Stay, ...], Sums], ...]:
    """All ways to run the job within what is left that none beats, fastest first: their stays, and one row of sums."""
    if not choices.purchase_options:
        return ()
    journeys = _Journeys(choices, left)
    ended: list[dict[_Place, Sums]] = []
    for last in range(len(choices.phases)):
        ended.append(journeys.ending_with(last, ended))
    return journeys.best(list(ended[-1].values()))


def _dearest_move(choices: Choices, phase: int) -> Move:
    """No move before a phase takes longer or costs more."""
    placements = [one.placement for one in choices.purchase_options]
    size = carried_bytes(choices.workload, phase)
    restart = max(interruption_rates(one.machine.accelerator.name).restart_seconds for one in placements)
    usd = max(size / BYTES_PER_GB * float(usd_per_gb(choices.problem, one)) for one in placements)
    return Move(restart + size / choices.problem.market.moving.bandwidth, size, ceil(100 * usd))


def _cut(choices: Choices, left: Left) -> Cut | None:
    """The bound on cost and time together, wherever each phase runs; of luck alone, where it is of use."""
    risk = choices.problem.risk
    if risk.confidence is None or counts_error(risk):
        return None
    phases = [_times(choices, phase) for phase in range(len(choices.phases))]
    return cut_of(phases, left.kept_seconds, risk.confidence, left.cents)


def _times(choices: Choices, phase: int) -> PhaseTimes:
    """A phase on all layouts of all sites, bought in the cheapest way of each."""
    steps, found = steps_of(choices, phase), []
    for numbers, modes in choices.modes_by_site(phase):
        cents = least_cents(choices.prices[numbers], modes, steps).min(axis=0)
        found.append((*(one.after(steps) for one in modes.run.figures[:3]), cents))
    return PhaseTimes(*(np.concatenate(one) for one in zip(*found, strict=True)))


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

    def __init__(self, choices: Choices, left: Left) -> None:
        self.options = tuple(sorted(choices.purchase_options, key=usd_per_device_hour))
        self.choices, self.left = replace(choices, purchase_options=self.options), left
        self.least = Least.of(self.choices, left.wall_seconds)
        self.least_walls, self.least_cents = self.least.wall.min(axis=0), self.least.cents.min(axis=0)
        self.stays: list[Stay] = []
        self.known: dict[tuple[int, int], Array] = {}
        """Sums of stays by their phases, each with moves to it and from it; unbeaten, in order of wall time."""
        self.dearest = [_dearest_move(choices, phase) for phase in range(len(choices.phases))]
        self.least_kept = np.asarray([least_kept(choices, phase) for phase in range(len(choices.phases))])
        risk = choices.problem.risk
        if left.cheapest and (cut := _cut(self.choices, left)):
            self.left = replace(left, cut=cut, combined=cut.bound)
        self.least_combined = self.left.cut.least if self.left.cut else np.zeros(len(choices.phases))
        self.seen, self.seen_at_last = seen_so_far(risk, 0.0 if left.cheapest else None), seen_at_last(risk)
        self.sums: dict[tuple[int, range, int, bool], Sums] = {}
        """Sums of stays by purchase option, phases, reserved nodes and whether they are bought in the cheapest way."""
        self.left_beside: dict[range, Left] = {}
        """What is left for some phases when all others take their least."""

    def ending_with(self, last: int, ended: list[dict[_Place, Sums]]) -> dict[_Place, Sums]:
        """The ways through all phases up to one, by the placement of its stay."""
        found: dict[_Place, list[Sums]] = {}
        for first in range(last + 1):
            arrivals: dict[_Place, Sums] = {}
            span = range(first, last + 1)
            for purchase_option in self._affordable(span):
                pieces = list(self._pieces(purchase_option, span))
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
        if not len(self._useful(span, self._sums(purchase_option, span, 0, optimistic=True)).values):
            return
        if len(span) == 1:
            yield from self._pieces_of_phase(purchase_option, span, left)
            return
        for reserved in reservations(self.choices, purchase_option, span, left):
            if steady and not reserved:
                continue
            sums = self._sums(purchase_option, span, reserved)
            sums = self._useful(span, with_reservation(purchase_option, reserved, sums, left))
            if len(sums.values):
                self._learn(span, sums)
                yield Stay(purchase_option, span.start, span.stop - 1, reserved), sums

    def _sums(self, purchase_option: PurchaseOption, span: range, reserved: int, *, optimistic: bool = False) -> Sums:
        """A stay with so many reserved nodes, which are not counted: that of the phases before, which is kept, and one.

        `optimistic`: in the cheapest way.
        """
        key = (id(purchase_option), span, reserved, optimistic)
        if key not in self.sums:
            last, single = span.stop - 1, len(span) == 1
            left, alone = self._left_beside(span), self._left_beside(range(last, span.stop))
            sums = phase_sums(
                self.choices, purchase_option, last, alone, reserved, arrives=single, optimistic=optimistic
            )
            if not single:
                before = self._sums(purchase_option, span[:-1], reserved, optimistic=optimistic)
                whole = len(span) == len(self.choices.phases)
                so_far = seen_beside(self.choices.problem.risk, purchase_option, reserved, left)
                sums = before.joined(sums, left, self.seen_at_last if whole else so_far)
            self.sums[key] = sums
        return self.sums[key]

    def _pieces_of_phase(self, purchase_option: PurchaseOption, span: range, left: Left) -> Iterator[tuple[Stay, Sums]]:
        """A stay for one phase: of each layout, with the number of reserved nodes that is best for it."""
        sums, reserved = sums_of_phase(self.choices, purchase_option, span.start, left)
        useful = self._useful(span, sums)
        if not len(useful.values):
            return
        counts = reserved[np.isin(sums.picks[:, 0], useful.picks[:, 0])]
        self._learn(span, useful)
        for count in sorted(set(counts.tolist())):
            yield Stay(purchase_option, span.start, span.start, count), useful.take(np.flatnonzero(counts == count))

    def _useful(self, span: range, sums: Sums) -> Sums:
        """The sums of a stay that no known one for the same phases beats, even where that takes a move and back."""
        known, seen = self.known.get((span.start, span.stop)), self.seen(sums.values)
        if known is None or not len(seen):
            return sums
        if seen.shape[1] > WALL_AND_CENTS:
            return sums.take(np.flatnonzero(not_beaten(seen, known)))
        faster = np.searchsorted(known[:, 0], seen[:, 0], side="right") - 1
        least = np.concatenate((known[:, 1], [inf]))[faster]
        return sums.take(np.flatnonzero(seen[:, 1] < least))

    def _learn(self, span: range, sums: Sums) -> None:
        """Takes a stay's sums, with the dearest moves to it and from it, into account for those that follow."""
        values = sums.values.copy()
        for phase in (span.start, span.stop):
            if 0 < phase < len(self.choices.phases):
                values[:, [WALL, LEAST_SUM, KEPT]] += self.dearest[phase].seconds
                values[:, CENTS] += self.dearest[phase].cents
        seen, key = self.seen(values), (span.start, span.stop)
        both = np.concatenate((self.known[key], seen)) if key in self.known else seen
        self.known[key] = both[undominated(both)]

    def _left_beside(self, span: range) -> Left:
        """What is left for some phases when all others take their least."""
        if span not in self.left_beside:
            others = np.ones(len(self.choices.phases), dtype=np.bool_)
            others[span.start : span.stop] = False
            least = (self.least_walls, self.least_cents, self.least_kept, self.least_combined)
            self.left_beside[span] = self.left.less(*(float(one[others].sum()) for one in least))
        return self.left_beside[span]

    def _affordable(self, span: range) -> list[PurchaseOption]:
        """The purchase options with which some phases can be within what is left for them, the cheapest first."""
        left = self._left_beside(span)
        walls, cents = (one[:, span.start : span.stop].sum(axis=1) for one in (self.least.wall, self.least.cents))
        fits = np.isfinite(walls) & (walls <= left.wall_seconds) & (cents <= left.cents)
        return [self.options[number] for number in np.flatnonzero(fits)]

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
            values[:, [WALL, LEAST_SUM, KEPT]] += move.seconds
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
        """Those of several sums over so many phases that none beats."""
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
