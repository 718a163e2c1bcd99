"""The days of a plan and its bill by month and quarter, as they stand in documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from planner.market.money import Span, usd_by_month, usd_by_quarter
from planner.plans.limits import DAY
from planner.plans.plan import PhasePlan, Plan
from planner.plans.purchases import Purchase
from planner.problem.calendar import day_of, last_day
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_YEAR, usd_text


def schedule_document(plan: Plan, problem: Problem) -> dict[str, Any] | None:
    """The `schedule` of a plan; None where the problem has none."""
    schedule = problem.schedule
    if schedule is None or plan.start is None:
        return None
    document = {
        "start": plan.start,
        "begin": day_of(plan.start, plan.phases[0].spans[0][0]),
        "end": last_day(plan.start, plan.wall_seconds),
        "idle": list(_idle(plan, plan.start)),
    }
    return document | _deadlines(problem, plan.start)


def _idle(plan: Plan, start: date) -> Iterator[dict[str, Any]]:
    """When phases wait for their begin, and when they pause."""
    for phase in plan.phases:
        ready = (phase.ready_seconds, *(ends for _, ends in phase.spans))
        for number, (before, (begins, _)) in enumerate(zip(ready, phase.spans, strict=False)):
            if begins - before >= NOTICED:
                days = {"start": day_of(start, before), "until": day_of(start, begins), "seconds": begins - before}
                yield {"phase": phase.name, "is_pause": number > 0, **days}


NOTICED: Final = 1.0
"""Seconds from which on a wait is told."""


def _deadlines(problem: Problem, start: date) -> dict[str, Any]:
    """The deadline that binds, and the other one."""
    bound, by_day = problem.limits.deadline, problem.is_bound_by_day
    other = problem.stated_deadline
    stated = problem.schedule.deadline if problem.schedule else None
    return {
        "deadline": None if bound is None else last_day(start, bound),
        "deadline_by": None if bound is None else DAY if by_day else "limits.deadline",
        "other_deadline": stated if not by_day else None if other is None else last_day(start, other),
    }


def phase_days(plan: Plan, phase: PhasePlan) -> dict[str, Any]:
    """The first and the last day of a phase."""
    return _days(plan, phase.spans)


def purchase_days(plan: Plan, purchase: Purchase) -> dict[str, Any]:
    """The first and the last day for which a line of the bill is paid."""
    return _days(plan, purchase.spans)


def _days(plan: Plan, spans: Sequence[Span]) -> dict[str, Any]:
    """The first and the last day of some spans."""
    if plan.start is None:
        return {"start": None, "end": None}
    return {"start": str(day_of(plan.start, spans[0][0])), "end": str(last_day(plan.start, spans[-1][1]))}


def spend_document(plan: Plan, problem: Problem) -> dict[str, Any]:
    """The bill by when it is due, and what stands beside it."""
    months = usd_by_month(plan.payments, plan.start) if plan.start and has_dates(plan) else {}
    return {
        "months": [{"month": f"{year}-{month:02}", "usd": usd_text(usd)} for (year, month), usd in months.items()],
        "quarters": [
            {"quarter": f"{year}-Q{quarter}", "usd": usd_text(usd)}
            for (year, quarter), usd in usd_by_quarter(months).items()
        ],
        "idle_usd": usd_text(plan.idle_usd),
        "committed": [{"name": name, "usd": usd_text(usd)} for name, usd in (problem.market.committed or {}).items()],
    }


def has_dates(plan: Plan) -> bool:
    """Whether the plan has a start, and ends within a time in which months are of use."""
    return plan.start is not None and plan.wall_seconds < LONGEST


LONGEST: Final = 100 * SECONDS_PER_YEAR
"""Seconds of a plan up to which its bill is told by month."""
