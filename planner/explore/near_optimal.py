"""Where the optimum is a knife's edge: plans hardly worse than the best one and much better otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Final, Literal

from planner.explore.job_modes import Bounds, cheapest, fastest, plan_of_mode
from planner.explore.least import affordable
from planner.explore.relaxations import best_plan
from planner.explore.room import Room, with_bounds
from planner.plans.choices import evaluated_again
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_HOUR

WITHIN: Final = 0.01
"""Share by which a plan may be beyond the optimum to be as good as it."""
BETTER: Final = 0.1
"""Share by which it must be better in time or cost to be worth a line."""
SMALLER: Final = (0.25, 0.5, 0.75)
"""Shares of the devices that are tried."""
SURE: Final = 0.95
"""Probability of keeping the deadline that is tried."""

Gain = Literal["time", "cost", "gpus", "certainty"]


@dataclass(frozen=True)
class NearOptimal:
    """A plan within a share of the optimum that is much better in one respect."""

    gain: Gain
    plan: Plan
    sets: tuple[str, ...]
    """The `--set` that makes it the answer."""


def near_optimal(room: Room, best: Plan, within: float = WITHIN) -> tuple[NearOptimal, ...]:
    """What is much better than the best plan in time, cost, size or certainty for so little more of the objective.

    Nothing under `objective: tokens`. What there is no time for is named by the room's budget.
    """
    if room.problem.objective == "tokens":
        return ()
    near = _near(room, best, within)
    asked = {
        "a plan near the optimum": partial(_quicker_or_cheaper, room, near, best),
        "a smaller plan near the optimum": partial(_smaller, room, near, best),
        "a surer plan near the optimum": partial(_surer, room, near, best),
    }
    return tuple(_distinct(one for one in (room.time_budget.ask(*each) for each in asked.items()) if one))


def _distinct(found: Iterator[NearOptimal]) -> Iterator[NearOptimal]:
    """Each plan once."""
    known: list[Plan] = []
    for one in found:
        if one.plan not in known:
            known.append(one.plan)
            yield one


def _near(room: Room, best: Plan, within: float) -> Bounds:
    """The bounds within which a plan is as good as the best one."""
    bounds = room.bounds
    if room.problem.objective == "time":
        return replace(bounds, wall_seconds=min(bounds.wall_seconds, (1 + within) * best.wall_seconds))
    return replace(bounds, cost_usd=min(bounds.cost_usd, (1 + within) * float(best.cost_usd)))


def _quicker_or_cheaper(room: Room, near: Bounds, best: Plan) -> NearOptimal | None:
    """The fastest plan for hardly more money, or the cheapest for hardly more time."""
    is_time = room.problem.objective == "time"
    modes = [one for one in room.modes(near) if near.keeps(one)]
    mode = (cheapest if is_time else fastest)(tuple(modes), near)
    if mode is None:
        return None
    choices = room.choices(near.wall_seconds, near.gpus)
    plan = plan_of_mode(choices, with_bounds(choices.problem, near), mode)
    if is_time:
        hours = ceil(plan.wall_seconds / SECONDS_PER_HOUR)
        sets = ("objective=cost", f"limits.deadline={hours}h")
        is_better = float(plan.cost_usd) <= (1 - BETTER) * float(best.cost_usd)
        return NearOptimal("cost", plan, sets) if is_better else None
    sets = ("objective=time", f"limits.budget=${ceil(plan.cost_usd)}")
    return NearOptimal("time", plan, sets) if plan.wall_seconds <= (1 - BETTER) * best.wall_seconds else None


def _smaller(room: Room, near: Bounds, best: Plan) -> NearOptimal | None:
    """The best plan on a part of the devices."""
    for share in SMALLER:
        gpus = int(share * best.gpus)
        plan = best_plan(room, replace(near, gpus=float(gpus))) if gpus >= 1 else None
        if plan is not None:
            return NearOptimal("gpus", plan, (f"limits.gpus={plan.gpus}",))
    return None


def _sure(room: Room, near: Bounds) -> Room:
    """The same room with a high probability of keeping the deadline: of the machines that a plan within bounds may use.

    A probability only adds to what a deadline bounds, so whatever is too slow or too dear without it stays so.
    """
    known = room.choices(near.wall_seconds, near.gpus)
    problem, wider = (_surely(one) for one in (room.problem, known.problem))
    near_ones = affordable(known, near.wall_seconds, near.left.cents)
    choices = evaluated_again(known, wider, near_ones)
    return Room(problem, {(near.wall_seconds, near.gpus): choices}, room.time_budget)


def _surely(problem: Problem) -> Problem:
    """The problem with a high probability of keeping the deadline."""
    return problem.model_copy(update={"risk": problem.risk.model_copy(update={"confidence": SURE})})


def _surer(room: Room, near: Bounds, best: Plan) -> NearOptimal | None:
    """The best plan that keeps the deadline with a high probability, where the best one does not."""
    problem = room.problem
    if problem.limits.deadline is None or problem.risk.confidence is not None or problem.market.is_dated:
        return None
    plan = best_plan(_sure(room, near), near)
    if plan is None or plan == best:
        return None
    return NearOptimal("certainty", plan, (f"risk.confidence={SURE:.0%}",))
