"""The smallest relaxations that allow a plan, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from rich.table import Table

from planner.plans.document import PlanDocument
from planner.plans.document_parts import LimitPart, RelaxationPart
from planner.report.console import wide_console
from planner.report.dates import ends_on
from planner.report.tables import text_table
from planner.units import format_amount, format_share

Value = float | str | None


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


def from_and_to(one: RelaxationPart, start: date | None) -> Iterator[str]:
    """What is stated and what it would have to be, a deadline with its day."""
    for text, value in zip(told_apart(one.unit, *one.amounts), one.amounts, strict=True):
        day = ends_on(value, start) if one.unit == "s" and isinstance(value, float) else ""
        yield f"{text} ({day})" if day else text


def reason_of(document: PlanDocument) -> str:
    """Why a problem has no plan, in a sentence."""
    risk = document.problem["risk"]
    shares = {"s": risk.get("confidence"), "USD": risk.get("budget_confidence")}
    return reason(document.limits, document.relaxations, shares)


def reason(
    limits: Sequence[LimitPart], found: Sequence[RelaxationPart], shares: Mapping[str, float | None] | None = None
) -> str:
    """Why there is no plan, in a sentence: what it would need, within the other limits.

    `shares`: the probability with which limits in a unit must hold.
    """
    helps = {one.limit: after for one in found if (after := one.amounts[1]) is not None}
    for limit in limits:
        if limit.name in helps:
            others = " and ".join(f"{one.name} {format_amount(one.unit, one.bound)}" for one in limits if one != limit)
            within = f" within {others}" if others else ""
            share = (shares or {}).get(limit.unit)
            surely = f" with {format_share(share)} confidence" if share else ""
            stated, least = told_apart(limit.unit, float(limit.bound), helps[limit.name])
            return f"The job needs {limit.name} {least}{surely}{within}, more than {stated}."
    if not limits:
        return "No limit is binding; change one of the causes listed above: other devices, pins or phases."
    if not {limit.name for limit in limits} <= {one.limit for one in found}:
        return "Which single limit is binding was not found in time."
    return "No single limit is binding: whichever one is dropped, the others still rule out every plan."


def print_relaxations(document: PlanDocument) -> None:
    """Prints why there is no plan and what would allow one."""
    console = wide_console()
    console.print()
    console.print(reason_of(document))
    console.print()
    console.print(_table(document))
    possible = [one for one in document.relaxations if one.sets]
    if possible:
        console.print()
        console.print("each alone, with:")
        for one in possible:
            console.print(f"  {set_arguments(one.sets)}", soft_wrap=True)


def set_arguments(sets: Sequence[str]) -> str:
    """Changes as arguments of a command."""
    return " ".join(f"--set {quoted(text)}" for text in sets)


def quoted(text: str) -> str:
    """An argument as a shell takes it."""
    return f"'{text}'" if set(text) & set("$[]{} ,") else text


def _table(document: PlanDocument) -> Table:
    first, *figures, last = "smallest relaxations", "from", "to", "change", "then"
    table = text_table(first, *figures, last, left=(first, last), wrap=(last,))
    for one in document.relaxations:
        table.add_row(one.limit, *from_and_to(one, document.start), change_words(one), one.then or "")
    return table


def change_words(one: RelaxationPart) -> str:
    """How much more, or less, of an amount; empty for factors and texts."""
    change = one.change
    if change is None or one.unit == "×":
        return ""
    return f"{'+' if change > 0 else '−'}{amount(one.unit, abs(change))}"
