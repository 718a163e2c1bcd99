"""What a little more of each limit would change, by solving again rather than by derivative."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final, Literal

from planner.explore.enumeration import best_mode
from planner.explore.job_modes import Bounds, cheapest
from planner.explore.max_tokens import Lengths, most_steps
from planner.explore.room import Room, within
from planner.plans.choices import Choices
from planner.plans.limits import limits_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_DAY

MORE: Final = {"wall_seconds": float(SECONDS_PER_DAY), "cost_usd": 100_000.0, "gpus": 64.0}
"""How much more is asked for: one day, $100,000, 64 devices."""
NAMES: Final = {"wall_seconds": "limits.deadline", "cost_usd": "limits.budget", "gpus": "limits.gpus"}
"""The user's keys."""


@dataclass(frozen=True)
class NextPoint:
    """The next plan on the frontier: the least more money that ends the job sooner."""

    more_usd: float
    seconds_sooner: float


@dataclass(frozen=True)
class Sensitivity:
    """What more of one quantity buys."""

    quantity: str
    """That of the limit: `wall_seconds`, `cost_usd` or `gpus`."""
    more: float
    gain: float
    """Never negative."""
    unit: Literal["USD", "s", "tokens"]
    """Dollars saved, seconds sooner, or tokens more."""
    next_point: NextPoint | None = None
    """Where money buys time; None where no amount does."""


def prepared(room: Room) -> Choices:
    """What the limits leave of the layouts for a little more of each, which are evaluated once for both.

    As many of them as can be evaluated before the room's time is over.
    """
    more = room.evaluated(room.bounds.wall_seconds + MORE["wall_seconds"], room.bounds.gpus + MORE["gpus"])
    return within(more, room.problem)


def sensitivities(room: Room, plan: Plan) -> tuple[Sensitivity, ...]:
    """What more of each stated limit changes in the objective; more money than the cheapest plan needs buys time.

    What the room's patience is too short for is named there.
    """
    asked = [quantity for quantity in MORE if is_asked(room.problem, quantity)]
    found = (room.time_budget.ask(NAMES[one], partial(_worth, room, plan, one, MORE[one])) for one in asked)
    return tuple(one for one in found if one)


def is_asked(problem: Problem, quantity: str) -> bool:
    """Whether more of a quantity is of interest: of what is limited, and of money where the plan costs the least."""
    return quantity in limits_of(problem) or (quantity == "cost_usd" and problem.objective == "cost")


def _worth(room: Room, plan: Plan, quantity: str, more: float) -> Sensitivity:
    """By solving at the limit and with more of it."""
    if quantity == "cost_usd" and room.problem.objective != "tokens":
        return _of_money(room, plan, more)
    bounds = room.bounds
    wider = replace(bounds, **{quantity: getattr(bounds, quantity) + more})
    match room.problem.objective:
        case "cost":
            return Sensitivity(quantity, more, _usd(room, bounds) - _usd(room, wider), "USD")
        case "time":
            return Sensitivity(quantity, more, _seconds(room, bounds) - _seconds(room, wider), "s")
        case "tokens":
            return Sensitivity(quantity, more, _more_tokens(room, wider, plan.phases[0].steps), "tokens")


def _of_money(room: Room, plan: Plan, more: float) -> Sensitivity:
    """What money buys beyond the budget, or beyond what the cheapest plan costs."""
    bounds = room.bounds
    if room.problem.objective == "cost":
        bounds = replace(bounds, cost_usd=float(plan.cost_usd))
        reached = plan.wall_seconds
    else:
        reached = _seconds(room, bounds)
    wider = replace(bounds, cost_usd=bounds.cost_usd + more)
    gain = max(0.0, reached - _seconds(room, wider))
    return Sensitivity("cost_usd", more, gain, "s", _next_point(room, bounds, reached))


NOTICED: Final = 1.0
"""Seconds that a plan must be sooner for money to buy time."""


def _next_point(room: Room, bounds: Bounds, reached: float) -> NextPoint | None:
    """The cheapest way beyond a cost to end sooner than what is reached."""
    if room.problem.risk.confidence is None:
        within = replace(bounds, cost_usd=inf, wall_seconds=min(bounds.wall_seconds, reached - NOTICED))
        mode = best_mode(replace(room.choices(bounds.wall_seconds, bounds.gpus), objective="cost"), within)
        return NextPoint(mode.cost_usd - bounds.cost_usd, reached - mode.wall_seconds) if mode else None
    sooner = [
        mode
        for mode in room.modes(replace(bounds, cost_usd=inf))
        if mode.cost_usd > bounds.cost_usd and mode.wall_seconds <= reached - NOTICED
    ]
    mode = cheapest(tuple(sooner), Bounds())
    return NextPoint(mode.cost_usd - bounds.cost_usd, reached - mode.wall_seconds) if mode else None


def _usd(room: Room, bounds: Bounds) -> float:
    """The least cost within bounds that some plan keeps."""
    mode = best_mode(replace(room.choices(bounds.wall_seconds, bounds.gpus), objective="cost"), bounds)
    return mode.cost_usd if mode else 0.0


def _seconds(room: Room, bounds: Bounds) -> float:
    """The least wall time within bounds that some plan keeps."""
    mode = best_mode(replace(room.choices(bounds.wall_seconds, bounds.gpus), objective="time"), bounds)
    return mode.wall_seconds if mode else 0.0


def _more_tokens(room: Room, bounds: Bounds, known: int) -> float:
    """Tokens that wider bounds allow beyond the steps that are known to be within them."""
    lengths = Lengths.among(room.choices(bounds.wall_seconds, bounds.gpus))
    steps = most_steps(lengths, bounds, known, clock=room.time_budget.clock)
    room.time_budget.check()
    return float((steps - known) * lengths.phase.tokens_per_step)
