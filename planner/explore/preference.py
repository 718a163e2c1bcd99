"""What decides among plans that are as good: a second objective within a share of the first, or the worth of a day."""

from __future__ import annotations

from decimal import Decimal

from planner.explore.job_modes import JobMode
from planner.explore.room import Room
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_DAY, round_usd


def preferred(room: Room, best: Plan) -> Problem | None:
    """The problem whose optimum a preference picks, given the best plan by the objective alone; None without one.

    It is solved and proven like any other: the second objective, within what the first may grow to.
    """
    problem, preference = room.problem, room.problem.preference
    if preference is None:
        return None
    if preference.value_of_day is not None:
        mode = min(room.modes(room.bounds), key=lambda one: _worth(one, preference.value_of_day), default=None)
        budget = best.cost_usd if mode is None else round_usd(mode.cost_usd)
        return _changed(problem, {"budget": budget}, "time")
    share = 1 + Decimal(repr(preference.within))
    if problem.objective == "cost":
        most = round_usd(best.cost_usd * share)
        budget = most if problem.limits.budget is None else min(most, problem.limits.budget)
        return _changed(problem, {"budget": budget}, "time")
    longest = best.wall_seconds * float(share)
    deadline = longest if problem.limits.deadline is None else min(longest, problem.limits.deadline)
    return _changed(problem, {"deadline": deadline}, "cost")


def _worth(mode: JobMode, value_of_day: Decimal | None) -> float:
    """US dollars of a way to run the job, with what its days are worth."""
    return mode.cost_usd + float(value_of_day or 0) * mode.wall_seconds / SECONDS_PER_DAY


def _changed(problem: Problem, limits: dict[str, object], objective: str) -> Problem:
    """The problem with other limits and another objective."""
    return problem.model_copy(
        update={"limits": problem.limits.model_copy(update=limits), "objective": objective, "preference": None}
    )
