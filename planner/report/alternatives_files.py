"""Alternatives as comma-separated values and as a workbook, made from their document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planner.report.bill_sheet import bill_sheet, cost_of
from planner.report.frontier_files import place_of
from planner.report.sheets import MONEY, NUMBER, PER_CENT, Cell, Formula, Sheet
from planner.units import SECONDS_PER_DAY

COLUMNS: Final = ("worse", "cost_usd", "wall_seconds", "gpus", "accelerator", "bought", "placement")
"""Columns of the comma-separated values."""
HEADINGS: Final = ("plan", "worse", "USD", "days", "GPUs", "accelerator", "bought", "place")


def alternatives_rows(document: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """A row per plan under its headings, best first."""
    yield COLUMNS
    for one in document["alternatives"]:
        plan = one["plan"]
        figures = (f"{one['worse']:.6f}", plan["cost_usd"], plan["wall_seconds"], plan["gpus"])
        yield (*figures, *_names(plan))


def bought(plan: Mapping[str, Any]) -> str:
    """The ways to buy of a plan's document."""
    return ", ".join(sorted({one["kind"].replace("_", "-") for one in plan["purchases"]}))


def _names(plan: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a plan is bought as, and where."""
    return plan["accelerator"], bought(plan), place_of(plan)


def alternatives_sheets(document: Mapping[str, Any]) -> tuple[Sheet, ...]:
    """The sheets of `plan alternatives --json`: what each plan is worse by follows from its bill or its days."""
    plans = [one["plan"] for one in document["alternatives"]]
    column = "days" if document["objective"] == "time" else "USD"
    worse = Formula(f"=[{column}]/INDEX([:{column}],1)-1")
    rows: list[tuple[Cell, ...]] = [
        (number, worse, cost_of("plan"), plan["wall_seconds"] / SECONDS_PER_DAY, plan["gpus"], *_names(plan))
        for number, plan in enumerate(plans, start=1)
    ]
    formats = {"worse": PER_CENT, "USD": MONEY, "days": NUMBER}
    return Sheet("Alternatives", HEADINGS, rows, formats), bill_sheet(plans)
