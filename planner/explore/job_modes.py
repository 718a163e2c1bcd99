"""Every undominated way to run a whole job: exact, from the columns that the model chooses from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, inf
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.explore.job_sums import (
    WALL,
    Left,
    Sums,
    columns_of,
    goals_of,
    in_time,
    reservations,
    spot_nodes_of,
    sums_of,
    with_reservation,
)
from planner.explore.journeys import undominated_journeys
from planner.explore.least import affordable, steps_of
from planner.explore.timetable import Timed, undominated_timetables
from planner.layouts.dominance import not_beaten, undominated
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices
from planner.plans.node_cost import node_cost
from planner.plans.plan import Plan, plan_of
from planner.plans.solution import Decision, PhaseDecision, Stay
from planner.problem.problem import Problem
from planner.verify.check import FaultyPlanError, violations


@dataclass(frozen=True)
class Bounds:
    """What a plan must not exceed; the names are those of `Limit.quantity`."""

    wall_seconds: float = inf
    cost_usd: float = inf
    gpus: float = inf
    expected_seconds: float = inf
    """On the expected wall time alone: `wall_seconds` bounds the one that is kept."""

    @property
    def left(self) -> Left:
        """What is left for the whole job."""
        return Left(min(self.wall_seconds, self.expected_seconds), self.cents, self.gpus, self.wall_seconds)

    @property
    def cents(self) -> float:
        """Most whole cents that keep the budget."""
        return self.cost_usd if self.cost_usd == inf else floor(round(100 * self.cost_usd, CENT_DIGITS))

    def keeps(self, mode: JobMode) -> bool:
        """Whether a mode is within time and money; modes are made within a number of devices."""
        in_time = mode.kept_seconds <= self.wall_seconds and mode.wall_seconds <= self.expected_seconds
        return in_time and mode.cost_usd <= self.cost_usd


CENT_DIGITS: Final = 3
"""Digits of a cent to which a budget as a float is exact."""


def bounds_of(problem: Problem) -> Bounds:
    """The limits that a problem states."""
    limits = problem.limits
    return Bounds(
        limits.deadline if limits.deadline is not None else inf,
        float(limits.budget) if limits.budget is not None else inf,
        limits.gpus if limits.gpus is not None else inf,
    )


@dataclass(frozen=True)
class JobMode:
    """One way to run the whole job."""

    stays: tuple[Stay, ...]
    """Where its phases run, one after another."""
    options: tuple[int, ...]
    """The layout of each phase, among the columns of its stay's site."""
    wall_seconds: float
    """Expected."""
    kept_seconds: float
    """What a deadline bounds: the expected wall time, or the time that is kept with `risk.confidence`."""
    cost_usd: float
    """US dollars, in whole cents."""
    decision: Decision | None = None
    """What was decided, where offers change in time: when each phase begins too."""

    @property
    def purchase_option(self) -> PurchaseOption:
        """What the first stay is bought with."""
        return self.stays[0].purchase_option


def undominated_job_modes(
    choices: Choices, bounds: Bounds, clock: Clock | None = None, *, cheapest: bool = False
) -> tuple[JobMode, ...]:
    """All ways to run the job within the bounds that none beats in time and cost, fastest first.

    Once there is one and the clock is over no further purchase option is looked at; the cheapest go first. Under
    `risk.confidence` the time that is kept counts beside the expected one. Under `objective: tokens` the first phase
    has one step. `cheapest`: the one of the least cost is surely among them, others may be left out.
    """
    if choices.is_dated:
        return tuple(_dated(one) for one in undominated_timetables(choices, bounds.left))
    left = bounds.left
    if choices.problem.risk.confidence is not None and bounds.expected_seconds == inf:  # what is kept is never less
        left = replace(left, cheapest=cheapest)
    if choices.together:
        return _together(choices, left, clock)
    journeys = undominated_journeys(choices, left)
    return tuple(_mode(choices, stays, sums) for stays, sums in journeys)


def _dated(timed: Timed) -> JobMode:
    """A way to run the job by days."""
    options = tuple(phase.index for phase in timed.decision.phases)
    return JobMode(timed.decision.stays, options, timed.seconds, timed.seconds, timed.usd, timed.decision)


def _together(choices: Choices, left: Left, clock: Clock | None) -> tuple[JobMode, ...]:
    """Those that stay in one place, with one accelerator, bought in one way."""
    span = range(len(choices.phases))
    known, found = np.empty((0, 2 if choices.problem.risk.confidence is None else 3)), list[JobMode]()
    for purchase_option in affordable(choices, left.wall_seconds, left.cents):
        if found and clock and clock.is_over:
            break
        if purchase_option.reservation and not _may_add(
            known, goals_of(choices, sums_of(choices, purchase_option, span, left, 0, optimistic=True))
        ):
            continue
        for reserved in reservations(choices, purchase_option, span, left):
            sums = with_reservation(
                purchase_option, reserved, sums_of(choices, purchase_option, span, left, reserved), left
            )
            sums = in_time(choices, sums, left)
            goals = goals_of(choices, sums)
            if not _may_add(known, goals):
                continue
            both = np.concatenate((known, goals))
            kept = undominated(both)
            before = len(known)
            found = [
                found[one]
                if one < before
                else _mode(
                    choices,
                    (Stay(purchase_option, 0, span.stop - 1, reserved),),
                    sums.take(np.asarray([one - before])),
                )
                for one in kept.tolist()
            ]
            known = both[kept]
    return tuple(found)


def _may_add(known: Array, goals: Array) -> bool:
    """Whether some goals are not beaten by what is known, which is in order of wall time."""
    if known.shape[1] > 2:
        return bool(not_beaten(goals, known).any())
    faster = np.searchsorted(known[:, 0], goals[:, 0], side="right") - 1
    least = np.concatenate((known[:, 1], [np.inf]))[faster]
    return bool((goals[:, 1] < least).any())


def _mode(choices: Choices, stays: tuple[Stay, ...], only: Sums) -> JobMode:
    """The mode of one sum."""
    options = tuple(int(one) for one in only.picks[0])
    kept = float(only.kept(choices.problem.risk)[0])
    return JobMode(stays, options, float(only.values[0, WALL]), kept, float(only.usd[0]))


def plan_of_mode(choices: Choices, problem: Problem, mode: JobMode) -> Plan:
    """The plan of a mode, verified against a problem. Raises FaultyPlanError when it does not hold."""
    plan = plan_of(choices, decision_of(choices, mode))
    faults = violations(problem, plan)
    if faults:
        raise FaultyPlanError(faults)
    return plan


def decision_of(choices: Choices, mode: JobMode) -> Decision:
    """A mode as what the search would have decided."""
    if mode.decision is not None:
        return mode.decision
    of_phases = [(stay, index) for stay in mode.stays for index in stay.phases]
    phases = tuple(_phase(choices, stay, index, mode.options[index]) for stay, index in of_phases)
    return Decision(mode.stays, phases)


def _phase(choices: Choices, stay: Stay, index: int, option: int) -> PhaseDecision:
    """One phase with the cheapest purchases beside what is reserved."""
    purchase_option, steps = stay.purchase_option, steps_of(choices, index)
    columns = columns_of(choices, purchase_option, index, arrives=index == stay.first)
    reserved = min(stay.reserved, int(columns.bought[option]))
    bill = node_cost(purchase_option, columns.take(np.asarray([option])), steps)
    left = int(columns.bought[option]) - reserved
    spot = int(spot_nodes_of(purchase_option, bill, np.asarray([float(left)]))[0])
    return PhaseDecision(columns, option, steps, left - spot, spot, reserved)


def cheapest(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The least cost within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.cost_usd, default=None)


def fastest(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The least wall time within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.wall_seconds, default=None)


def soonest_kept(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The mode whose deadline can be the earliest, within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.kept_seconds, default=None)
