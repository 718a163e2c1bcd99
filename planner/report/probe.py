"""`plan probe` for people: the tests, the most worth first, and whether any is worth its money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType

from planner.learning.probe import Probe
from planner.report.tables import text_table
from planner.units import format_money, format_number, format_share

MOST_ROWS: Final = 8


def probe_report(found: Sequence[Probe]) -> Iterator[RenderableType]:
    """A line per test, then the advice."""
    table = text_table("run on", "GPUs", "hours", "costs", "range", "changes", "saves", wrap=("run on",))
    for one in found[:MOST_ROWS]:
        table.add_row(
            " and ".join(one.accelerators),
            f"{one.gpus:,}",
            format_number(one.hours),
            format_money(one.usd),
            f"×{one.width:.2f}",
            format_share(one.change_probability),
            format_money(one.saved_usd),
        )
    if found:
        yield table
        yield "range: of the plan after the test, over now; changes: chance that another accelerator is chosen then."
        yield ""
    yield advice(found)


def advice(found: Sequence[Probe]) -> str:
    """What to do."""
    if not found or found[0].worth_usd <= 0:
        return "No test is worth its money: the decision is clear enough, or a test would not make it clearer."
    best = found[0]
    where = " and ".join(best.accelerators)
    return (
        f"{format_number(best.hours)} hours on {best.gpus:,} GPUs of {where} for {format_money(best.usd)} are worth "
        f"{format_money(best.saved_usd)} by expectation. Measure some dozens of steps, then plan learn."
    )
