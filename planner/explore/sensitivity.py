"""What a little more of each limit would change, by solving again rather than by derivative."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import floor, inf, log2, log10
from typing import Final, Literal

from planner.explore.enumeration import best_mode
from planner.explore.job_modes import Bounds, bounds_of
from planner.explore.max_tokens import PhaseLengths, most_steps
from planner.explore.room import Room, within
from planner.explore.rule_worth import MORE_MEMORY
from planner.plans.choices import Choices
from planner.plans.limits import limits_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem

QUANTITIES: Final = ("wall_seconds", "cost_usd", "gpus")
"""What more is asked of."""
TIMES: Final = (60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
"""Steps of a deadline, in seconds: 1 and 10 minutes, 1 and 6 hours, a day, a week."""
SHARE: Final = 0.05
"""Of a limit on time or of what is spent, about which a step is."""
PART: Final = 16
"""A step of devices is a power of two that goes at least so many times into the limit."""
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
    """The limit's quantity: `wall_seconds`, `cost_usd` or `gpus`."""
    more: float
    gain: float
    """Never negative."""
    unit: Literal["USD", "s", "tokens"]
    """Dollars saved, seconds sooner, or tokens more."""
    next_point: NextPoint | None = None
    """Where money buys time; None where no amount does."""


def step_of(problem: Problem, quantity: str, spent_usd: float) -> float:
    """How much more of a quantity is asked for: a round amount in proportion to the limit, or to what is spent."""
    bounds = bounds_of(problem)
    match quantity:
        case "wall_seconds":
            return max((one for one in TIMES if one <= SHARE * bounds.wall_seconds), default=TIMES[0])
        case "cost_usd":
            return _round_amount(SHARE * (bounds.cost_usd if bounds.cost_usd < inf else spent_usd))
        case _:
            return 2.0 ** floor(log2(max(bounds.gpus / PART, 1.0))) if bounds.gpus < inf else 1.0


def _round_amount(usd: float) -> float:
    """The amount of 1, 2 or 5 times a power of ten that is nearest by ratio, at least a dollar."""
    if usd <= 1:
        return 1.0
    scale = 10.0 ** floor(log10(usd))
    return min((one * scale for one in (1.0, 2.0, 5.0, 10.0)), key=lambda one: abs(log10(one / usd)))


def prepared(room: Room) -> Choices:
    """What the limits leave of the layouts for a little more of each, which are evaluated once for both.

    As many of them as can be evaluated before the room's time is over. Unless that ends, the spaces have what fits a
    little more memory too.
    """
    bounds = room.bounds
    more_seconds, more_gpus = (step_of(room.problem, one, inf) for one in ("wall_seconds", "gpus"))
    memory = MORE_MEMORY if room.time_budget.clock.until is None else 0.0
    more = room.evaluated(bounds.wall_seconds + more_seconds, bounds.gpus + more_gpus, memory)
    return within(more, room.problem)


def sensitivities(room: Room, plan: Plan) -> tuple[Sensitivity, ...]:
    """What more of each stated limit changes in the objective; more money than the cheapest plan needs buys time.

    What the room's patience is too short for is named there.
    """
    problem, spent = room.problem, float(plan.cost_usd)
    asked = [(one, step_of(problem, one, spent)) for one in QUANTITIES if is_asked(problem, one)]
    found = (room.time_budget.ask(NAMES[one], partial(_worth, room, plan, one, more)) for one, more in asked)
    return tuple(one for one in found if one)


def is_asked(problem: Problem, quantity: str) -> bool:
    """Whether more of a quantity is of interest: of what is limited, and of money where the plan costs the least."""
    return quantity in limits_of(problem) or (quantity == "cost_usd" and problem.objective == "cost")


def _worth(room: Room, plan: Plan, quantity: str, more: float) -> Sensitivity:
    """The worth of a limit, by solving at it and with more of it."""
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
    within = replace(bounds, cost_usd=inf, expected_seconds=reached - NOTICED)
    mode = best_mode(replace(room.choices(bounds.wall_seconds, bounds.gpus), objective="cost"), within)
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
    lengths = PhaseLengths.among(room.choices(bounds.wall_seconds, bounds.gpus))
    steps = most_steps(lengths, bounds, known, clock=room.time_budget.clock)
    room.time_budget.check()
    return float((steps - known) * lengths.phase.tokens_per_step)
