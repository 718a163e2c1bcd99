"""The price on which a plan rests, and what its rise would change, for people."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plans.document_parts import DecidingPricePart
from planner.units import counted, format_share


def deciding_lines(found: DecidingPricePart | None) -> Iterator[str]:
    """Which price it is, and how far it may rise until the plan changes."""
    if found is None:
        return
    kind, part = found.kind.replace("_", " "), f"{format_share(found.share)} of the bill"
    alike = f" and {counted(found.others, 'other place')}" if found.others else ""
    price = f"${found.usd_per_gpu_hour:.2f}/GPU-h {kind} at {found.place}{alike}"
    yield f"The price that decides: {price}{_dated(found)}, {part}."
    if found.rise is None or found.rises_to_usd_per_gpu_hour is None:
        return
    raised = f"At ${found.rises_to_usd_per_gpu_hour:.2f} ({found.rise:+.1%})"
    if found.then:
        yield f"{raised} the cheapest plan without it would cost as much: {found.then}."
    else:
        yield f"{raised} the budget is spent, and no plan without it keeps the limits."


def _dated(found: DecidingPricePart) -> str:
    return "" if found.date is None else f", of {found.date}"


def old_price_line(found: DecidingPricePart | None) -> str:
    """What is said of a price that should be looked up again; empty where there is nothing to say."""
    if found is None or not found.is_old:
        return ""
    rise = f"; {found.rise:+.1%} on it, and {found.then} would be as cheap" if found.rise and found.then else ""
    about = f"{found.place} of {found.date}, is {found.days} days old{rise}"
    return f"the price that decides, {about}: look it up again (plan prices)"
