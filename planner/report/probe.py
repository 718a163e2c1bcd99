"""`plan probe` for people: the tests, the most worth first, and whether any is worth its money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType

from planner.learning.probe import Probe
from planner.learning.short_runs import ShortRun
from planner.report.tables import text_table
from planner.units import format_money, format_number, format_share

MOST_ROWS: Final = 8


def probe_report(found: Sequence[Probe]) -> Iterator[RenderableType]:
    """A line per test, then the advice."""
    table = text_table(
        "run on", "GPUs", "layers", "hours", "costs", "range", "changes", "right", "saves", wrap=("run on",)
    )
    for one in found[:MOST_ROWS]:
        table.add_row(
            " and ".join(one.accelerators),
            f"{one.gpus:,}",
            " and ".join(dict.fromkeys(_depth(run) for run in one.runs)),
            format_number(one.hours),
            format_money(one.usd),
            f"×{one.width:.2f}",
            format_share(one.change_probability),
            format_share(one.right_probability),
            format_money(one.saved_usd),
        )
    if found:
        yield table
        yield (
            "range: of the plan after the test, over now; changes: chance that another accelerator is chosen then; "
            "right: chance that the accelerator chosen then is the better one."
        )
        yield ""
    yield advice(found)


def _depth(run: ShortRun) -> str:
    """How much of the model's depth a test has."""
    return "all" if run.layers == run.all_layers else f"{run.layers} of {run.all_layers}"


def advice(found: Sequence[Probe]) -> str:
    """What to do."""
    if not found or found[0].worth_usd <= 0:
        return "No test is worth its money: the decision is clear enough, or a test would not make it clearer."
    best = found[0]
    where = " and ".join(best.accelerators)
    return (
        f"{format_number(best.hours)} hours on {best.gpus:,} GPUs of {where} for {format_money(best.usd)} are worth "
        f"{format_money(best.saved_usd)} by expectation, and decide it rightly with "
        f"{format_share(best.right_probability)}. Measure some dozens of steps, then plan learn."
    )
