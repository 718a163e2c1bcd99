"""What an answer takes for granted, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.clock import today
from planner.plans.document_parts import AssumptionPart
from planner.prices.book import days_since


def assumed_rows(assumed: Sequence[AssumptionPart]) -> Iterator[tuple[str, str]]:
    """The name of each and its value, with whether the problem states it and how old prices are today."""
    for one in assumed:
        ages = [f"{days_since(date, today()):,}" for date in one.dates]
        match ages:
            case [age]:
                old = f", {age} days old"
            case [newest, middle, oldest]:
                old = f", {newest} to {oldest} days old, half of them over {middle}"
            case _:
                old = ""
        yield one.name, f"{one.value}{old}{' (stated)' if one.stated else ''}"
