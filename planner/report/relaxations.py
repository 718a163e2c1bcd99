"""The smallest relaxations that allow a plan, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from planner.explore.relaxations import Relaxation
from planner.plans.limits import limits_of
from planner.plans.plan import Plan
from planner.problem.calendar import Schedule
from planner.problem.problem import Problem
from planner.report.console import wide_console
from planner.report.dates import dated, ends_on
from planner.report.tables import text_table
from planner.units import format_amount, format_money, format_share, usd_text

Value = float | str | None


def relaxation_documents(found: Sequence[Relaxation]) -> list[dict[str, Any]]:
    """The `relaxations` of the JSON document; money is decimal strings, `to` null when no amount helps."""
    return [
        {
            "limit": one.limit,
            "unit": one.unit,
            "from": _plain(one.unit, one.before),
            "to": _plain(one.unit, one.after),
            "delta": _plain(one.unit, delta(one)),
            "then": in_words(one.plan) if one.plan else None,
            "set": list(one.sets),
        }
        for one in found
    ]


def delta(one: Relaxation) -> float | None:
    """How much more, or less, of a quantity."""
    return one.after - one.before if isinstance(one.after, float) and isinstance(one.before, float) else None


def _plain(unit: str, value: Value) -> Value:
    return usd_text(value) if unit == "USD" and isinstance(value, float) else value


def in_words(plan: Plan) -> str:
    """A plan in a few words."""
    return (
        f"{plan.gpus:,} × {plan.accelerator}, {dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
        f" ({plan.placement.title})"
    )


def amount(unit: str, value: Value) -> str:
    """A quantity for people."""
    if value is None:
        return "no amount helps"
    return value if isinstance(value, str) else format_amount(unit, value)


def told_apart(unit: str, before: Value, after: Value) -> tuple[str, str]:
    """Two amounts for people, with as many digits as tell them apart."""
    shown = amount(unit, before), amount(unit, after)
    if shown[0] != shown[1] or not isinstance(before, float) or not isinstance(after, float):
        return shown
    exact = {"USD": "${:,.2f}", "s": "{:,.10g} s", "×": "×{:.6g}"}.get(unit, "{:,.0f}")
    return exact.format(before), exact.format(after)


def from_and_to(one: Relaxation, schedule: Schedule | None) -> Iterator[str]:
    """What is stated and what it would have to be, a deadline with its day."""
    both = zip(told_apart(one.unit, one.before, one.after), (one.before, one.after), strict=True)
    for text, value in both:
        day = ends_on(value, schedule.start) if schedule and one.unit == "s" and isinstance(value, float) else ""
        yield f"{text} ({day})" if day else text


def reason(problem: Problem, found: Sequence[Relaxation]) -> str:
    """Why there is no plan, in a sentence: what it would need, within the other limits."""
    limits = limits_of(problem).values()
    for limit in limits:
        helps = next((one for one in found if one.limit == limit.name and one.after is not None), None)
        if helps:
            others = " and ".join(f"{one.name} {amount(one.unit, one.bound)}" for one in limits if one != limit)
            stated, needed = told_apart(limit.unit, limit.bound, helps.after)
            sure = problem.risk.confidence
            surely = f" with {format_share(sure)} confidence" if sure is not None and limit.unit == "s" else ""
            return (
                f"The job needs {limit.name} {needed}{surely}{f' within {others}' if others else ''}, "
                f"more than {stated}."
            )
    if not limits:
        return "No limit is binding; change one of the causes listed above: other devices, pins or phases."
    if not {limit.name for limit in limits} <= {one.limit for one in found}:
        return "Which single limit is binding was not found in time."
    return "No single limit is binding: whichever one is dropped, the others still rule out every plan."


def print_relaxations(problem: Problem, found: Sequence[Relaxation]) -> None:
    """Prints why there is no plan and what would allow one."""
    console = wide_console()
    console.print()
    console.print(reason(problem, found))
    console.print()
    console.print(_table(found, problem.schedule))
    possible = [one for one in found if one.sets]
    if possible:
        console.print()
        console.print("each alone, with:")
        for one in possible:
            console.print(f"  {' '.join(f'--set {quoted(text)}' for text in one.sets)}", soft_wrap=True)


def quoted(text: str) -> str:
    """An argument as a shell takes it."""
    return f"'{text}'" if set(text) & set("$[]{} ,") else text


def _table(found: Sequence[Relaxation], schedule: Schedule | None) -> Table:
    first, *figures, last = "smallest relaxations", "from", "to", "change", "then"
    table = text_table(first, *figures, last, left=(first, last), wrap=(last,))
    for row in _rows(found, schedule):
        table.add_row(*row)
    return table


def _rows(found: Sequence[Relaxation], schedule: Schedule | None) -> Iterator[Sequence[str]]:
    for one in found:
        change = delta(one)
        sign = "+" if change is not None and change > 0 else "−"
        shown = "" if change is None or one.unit == "×" else f"{sign}{amount(one.unit, abs(change))}"
        yield one.limit, *from_and_to(one, schedule), shown, _then(one)


def _then(one: Relaxation) -> str:
    return in_words(one.plan) if one.plan else ""
