"""The robust choice for people: bill and cost of being late, accelerator by accelerator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from planner.plans.plan_part import ExpectedCostPart
from planner.report.tables import text_table
from planner.units import format_duration, format_money, format_probability


def expected_cost_parts(found: Sequence[ExpectedCostPart]) -> Iterator[RenderableType]:
    """A line of the table for each accelerator's best plan; nothing under another objective."""
    if not found:
        return
    table = text_table("expected cost", "GPUs", "wall", "bill", "late", "by", "costs", "together")
    for one in found:
        table.add_row(
            one.accelerator,
            f"{one.gpus:,}",
            format_duration(one.wall_seconds),
            format_money(one.cost_usd),
            format_probability(one.late_probability),
            format_duration(one.late_seconds),
            format_money(one.late_usd),
            format_money(one.expected_usd),
        )
    yield table
    yield "late: its probability; by: days late by expectation, over all outcomes, and what they cost."
    yield ""
