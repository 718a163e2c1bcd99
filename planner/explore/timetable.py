"""Every undominated way to run a job whose offers change in time: what runs where, and when each phase begins.

From the first phase to the last the ways to have run so far are listed, by the place that they end in; of two that end
in one place the later one that costs no less is dropped, since whoever is earlier can wait. A phase begins at once or
at a midnight, pauses while its nodes are away, and keeps its layout. Nodes that are paid whole, for a term or in
blocks, carry one or more phases in a row without a wait, and are not mixed with others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from planner.explore.job_sums import Left
from planner.explore.timed_phase import TimedPhase, timed_phase, whole_stay
from planner.explore.ways import Begins, Leg, Way
from planner.layouts.dominance import undominated
from planner.market.placements import Placement
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices
from planner.plans.lower_bounds import least_of_phases
from planner.plans.moves import move_between
from planner.plans.solution import Decision, PhaseDecision, Stay

Place = tuple[object, ...]


@dataclass(frozen=True)
class Timed:
    """A whole job: what is decided, when it ends, and what it costs."""

    seconds: float
    usd: float
    decision: Decision


def undominated_timetables(choices: Choices, left: Left) -> tuple[Timed, ...]:
    """All ways to run the job within what is left that none beats in time and cost, the earliest first."""
    if not choices.purchase_options:
        return ()
    options = [choices.purchase_options] if not choices.together else [(one,) for one in choices.purchase_options]
    ways = [way for some in options for way in _Timetables(choices, some, left).ways()]
    return tuple(Timed(way.seconds, way.cents / 100, _decision(way)) for way in _unbeaten(ways))


def _unbeaten(ways: Iterable[Way]) -> list[Way]:
    """The ways that none beats, the earliest first."""
    some = list(ways)
    figures = np.asarray([(way.seconds, way.cents) for way in some]).reshape(-1, 2)
    return [some[one] for one in undominated(figures)]


def _decision(way: Way) -> Decision:
    """What was decided: legs in a row that are bought as one are one stay."""
    stays, phases = list[Stay](), list[PhaseDecision]()
    for leg in way.legs():
        phases += leg.phases
        before = stays[-1] if stays else None
        if before and before.purchase_option is leg.purchase_option and not before.reserved and _joins(leg):
            stays[-1] = Stay(leg.purchase_option, before.first, leg.last, 0)
        else:
            stays.append(Stay(leg.purchase_option, leg.first, leg.last, leg.held))
    return Decision(tuple(stays), tuple(phases))


def _joins(leg: Leg) -> bool:
    """Whether a leg goes on with what the one before has: nothing is reserved, and no spot node is waited for."""
    return not leg.held and (leg.goes_on or leg.purchase_option.spot_policy.policy == "steady")


class _Timetables:
    """The ways through a job with some purchase options."""

    def __init__(self, choices: Choices, options: tuple[PurchaseOption, ...], left: Left) -> None:
        self.choices, self.options, self.left = choices, options, left
        self.least = least_of_phases(choices)
        self.known: dict[tuple[int, int, bool], TimedPhase | None] = {}

    def ways(self) -> list[Way]:
        """The ways that none beats through all phases."""
        ended: list[dict[Place, list[Way]]] = [{("begin",): [Way(0.0, 0.0)]}]
        for last in range(len(self.choices.phases)):
            found: dict[Place, list[Way]] = {}
            for number, option in enumerate(self.options):
                for place, way in self._ending(number, option, last, ended):
                    found.setdefault(place, []).append(way)
            ended.append({place: _unbeaten(ways) for place, ways in found.items()})
        return [way for ways in ended[-1].values() for way in ways]

    def _ending(
        self, number: int, option: PurchaseOption, last: int, ended: list[dict[Place, list[Way]]]
    ) -> Iterator[tuple[Place, Way]]:
        """The ways whose last leg is bought with one option and ends with one phase."""
        left = self._left_until(last + 1)
        place = self._place(number, option)
        reservation = option.reservation
        if (timed := self._timed(number, last, arrives=True)) is not None:
            begins = self._begins(option, last, ended[last])
            yield from ((place, way) for way in self._legs(timed, begins, left, goes_on=False))
        if last and option.spot_policy.policy != "steady" and (timed := self._timed(number, last, arrives=False)):
            begins = Begins.at_once([way for way in ended[last].get(place, ()) if self._has_spot(way)])
            yield from ((place, way) for way in self._legs(timed, begins, left, goes_on=True))
        if reservation is None or not reservation.is_whole or option.spot_policy.policy != "steady":
            return
        for first in range(last + 1):
            yield from ((place, way) for way in self._whole(number, option, range(first, last + 1), ended[first], left))

    def _place(self, number: int, option: PurchaseOption) -> Place:
        """What ways that end there have in common for all that follows: the place, and which spot nodes they have."""
        placement, policy = option.placement, option.spot_policy.policy
        return (placement.key, placement.machine.key, None if policy == "steady" else number)

    def _has_spot(self, way: Way) -> bool:
        """Whether spot nodes are left from the phase before."""
        return way.leg is not None and way.leg.purchase_option.spot_policy.policy != "steady"

    def _timed(self, number: int, phase: int, *, arrives: bool) -> TimedPhase | None:
        """A phase on every layout of an option; None where there is none."""
        key = (number, phase, arrives)
        if key not in self.known:
            option = self.options[number]
            found = self.choices.modes(phase, option, arrives=arrives)
            self.known[key] = None if found is None else timed_phase(self.choices, option, phase, self.left, found)
        return self.known[key]

    def _left_until(self, end: int) -> Left:
        """What is left for all phases before one when the others take their least."""
        others = self.least[end:]
        return self.left.less(sum(one.seconds for one in others), sum(one.cents for one in others))

    def _begins(self, option: PurchaseOption, first: int, ended: dict[Place, list[Way]]) -> Begins:
        """When a phase may begin at an option's place, and what is spent by then."""
        target, arrived = option.placement, list[tuple[float, float, Way]]()
        for ways in ended.values():
            move_seconds, move_cents = self._move(ways[0], first, target)
            arrived += [(way.seconds + move_seconds, way.cents + move_cents, way) for way in ways]
        return Begins.of(arrived, target, self.left.wall_seconds)

    def _move(self, way: Way, first: int, target: Placement) -> tuple[float, float]:
        """Seconds and cents until what a phase needs is at its place."""
        if way.leg is None:
            return 0.0, 0.0
        origin = way.leg.purchase_option.placement
        found = move_between(self.choices.problem, self.choices.workload, first, origin, target)
        return found.seconds, found.cents

    def _legs(self, timed: TimedPhase, begins: Begins, left: Left, *, goes_on: bool) -> Iterator[Way]:
        """A phase on every layout from every begin, without those that another beats."""
        if not len(begins):
            return
        ends, cents, nodes = timed.after(begins)
        rows, columns = np.nonzero((ends <= left.wall_seconds) & (cents <= left.cents))
        kept = undominated(np.column_stack((ends[rows, columns], cents[rows, columns])))
        for row, column in zip(rows[kept].tolist(), columns[kept].tolist(), strict=True):
            on_demand, spot, reserved = (int(one[row, column]) for one in nodes)
            decided = timed.decided(column, begins.days[row], (on_demand, spot, reserved))
            leg = Leg(timed.purchase_option, timed.phase, timed.phase, reserved, (decided,), goes_on)
            yield Way(float(ends[row, column]), float(cents[row, column]), leg, begins.ways[row])

    def _whole(
        self, number: int, option: PurchaseOption, span: range, ended: dict[Place, list[Way]], left: Left
    ) -> Iterator[Way]:
        """Some phases in a row on nodes that are paid whole."""
        phases = [self._timed(number, index, arrives=index == span.start) for index in span]
        begins = self._begins(option, span.start, ended)
        if not len(begins) or any(one is None for one in phases):
            return
        for stay in whole_stay([one for one in phases if one], option, begins, left):
            for row in undominated(np.column_stack((stay.ends, stay.cents))).tolist():
                if stay.ends[row] < inf and stay.ends[row] <= left.wall_seconds and stay.cents[row] <= left.cents:
                    leg = Leg(option, span.start, span.stop - 1, stay.nodes, stay.decided(row, begins), goes_on=False)
                    yield Way(float(stay.ends[row]), float(stay.cents[row]), leg, begins.ways[row])
