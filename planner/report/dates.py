"""Days beside durations: when something ends that takes so long, where the schedule says from when on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from planner.plans.plan_part import SchedulePart
from planner.problem.calendar import last_day
from planner.units import format_amount, format_duration


def ends_on(seconds: float, start: date | None) -> str:
    """The last day of what takes so long; empty without a start."""
    return "" if start is None else str(last_day(start, seconds))


def dated(seconds: float, start: date | None) -> str:
    """A duration with its last day: `54.2 d (2027-02-27)`."""
    return format_duration(seconds) + (f" ({ends_on(seconds, start)})" if start else "")


def dated_amount(unit: str, value: Decimal | float, start: date | None) -> str:
    """An amount for people, a time with its last day."""
    return dated(float(value), start) if unit == "s" else format_amount(unit, value)


def day_range(first: date | None, last: date | None) -> str:
    """From one day to another; one day where both are the same."""
    return f"{first}" if first == last else f"{first} to {last}"


def schedule_lines(schedule: SchedulePart | None) -> Iterator[str]:
    """When the job runs, and which deadline binds."""
    if schedule is None:
        return
    line = f"runs {day_range(schedule.begin, schedule.end)}"
    yield line + (f"; {schedule.deadline_by} allows until {schedule.deadline}" if schedule.deadline else "")
    for one in schedule.idle:
        waits = "pauses while its nodes are away" if one.is_pause else "waits"
        yield f"{one.phase} {waits}, {one.start} until {one.until} ({format_duration(one.seconds)})"
    if schedule.other_deadline is None:
        return
    other = "limits.deadline" if schedule.deadline_by == "schedule.deadline" else "schedule.deadline"
    yield f"Two deadlines are stated: {other} would allow until {schedule.other_deadline}; the earlier one binds."
