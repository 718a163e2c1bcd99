"""The limits of a problem as named objects, so that each can be relaxed, priced and explained on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from planner.problem.calendar import last_day
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Unit = Literal["s", "USD", "GPUs"]


@dataclass(frozen=True)
class Limit:
    """One quantity that the plan must not exceed."""

    name: str
    """The user's own key, such as `limits.deadline`; `schedule.deadline` where a day is what binds."""
    quantity: Literal["wall_seconds", "cost_usd", "gpus"]
    """The figure of the plan that it bounds."""
    bound: float
    unit: Unit
    relaxable: bool = True
    start: date | None = None
    """The day from which a time counts, where the problem states it."""

    @property
    def unit_seconds(self) -> int:
        """Steps in which a time is stated: whole days or whole hours."""
        return SECONDS_PER_DAY if self.is_day else SECONDS_PER_HOUR

    @property
    def is_day(self) -> bool:
        """Whether the user states it as a day."""
        return self.name == DAY


DAY: Final = "schedule.deadline"
"""The key of a deadline that is a day."""


def limits_of(problem: Problem) -> Mapping[str, Limit]:
    """The stated limits on the plan as a whole, by quantity."""
    stated = problem.limits
    found: list[Limit] = []
    if stated.deadline is not None:
        name, schedule = DAY if problem.is_bound_by_day else "limits.deadline", problem.schedule
        start = schedule.start if schedule else None
        found.append(Limit(name, "wall_seconds", stated.deadline, "s", start=start))
    if stated.budget is not None:
        found.append(Limit("limits.budget", "cost_usd", float(stated.budget), "USD"))
    if stated.gpus is not None:
        found.append(Limit("limits.gpus", "gpus", float(stated.gpus), "GPUs"))
    return {limit.quantity: limit for limit in found}


def settings(problem: Problem, limit: Limit, value: float) -> tuple[str, ...]:
    """The `--set` arguments that give a limit a value; a time takes both ways to state a deadline along."""
    match limit.unit:
        case "s":
            return tuple(_deadlines(problem, limit, value))
        case "USD":
            return (f"{limit.name}=${value:.0f}",)
        case "GPUs":
            return (f"{limit.name}={value:.0f}",)


def _deadlines(problem: Problem, limit: Limit, seconds: float) -> Iterator[str]:
    """The deadline that binds, and the other one where it would be the tighter one then."""
    schedule, stated = problem.schedule, problem.stated_deadline
    if limit.name == "limits.deadline" or (stated is not None and stated < seconds):
        yield f"limits.deadline={seconds / SECONDS_PER_HOUR:.0f}h"
    until = schedule.seconds if schedule else None
    if schedule and until is not None and (limit.is_day or until < seconds):
        yield f"{DAY}={last_day(schedule.start, seconds)}"
