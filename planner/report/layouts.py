"""Layouts as comma-separated values or as a table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from planner.explore.layout_table import LayoutTable
from planner.prices.table import as_text
from planner.problem.parallelism import LETTERS
from planner.problem.problem import Problem
from planner.problem.run import recompute_as_written
from planner.report.console import wide_console
from planner.report.letters import LETTERS_LINE
from planner.report.tables import text_table
from planner.units import SECONDS_PER_DAY, counted, format_duration, format_money, format_number, round_usd

COLUMNS: Final = (
    "phase",
    "accelerator",
    "placement",
    "network_gbit_s",
    "gpus",
    "nodes",
    *LETTERS,
    "micro_batch",
    "recompute",
    "zero",
    "step_seconds",
    "memory_gib",
    "wall_days",
    "cost_usd",
    "sold_nodes",
    "expert_tensor",
    "shard",
)
"""Columns of the comma-separated values."""


def without_limits(problem: Problem) -> Problem:
    """The problem without deadline and budget."""
    return problem.model_copy(update={"limits": problem.limits.model_copy(update={"deadline": None, "budget": None})})


def cheapest(tables: Iterable[LayoutTable], top: int) -> tuple[list[LayoutTable], int]:
    """The cheapest layouts of each phase, on whatever machine, and of how many layouts in all.

    The fastest comes first among equals.
    """
    by_phase: dict[str, list[LayoutTable]] = {}
    count = 0
    for table in tables:
        count += len(table)
        order = np.lexsort((table.wall_days, table.cost_usd))[:top]
        by_phase.setdefault(table.phase, []).append(table.take(order))
    return [one for some in by_phase.values() for one in _cheapest_of(some, top)], count


def _cheapest_of(tables: list[LayoutTable], top: int) -> Iterator[LayoutTable]:
    """The cheapest layouts of several tables, one table each, in order."""
    places = [(cost, days, t, i) for t, one in enumerate(tables) for i, (cost, days) in enumerate(_figures(one))]
    for _, _, table, index in sorted(places)[:top]:
        yield tables[table].take(np.asarray([index]))


def _figures(table: LayoutTable) -> Iterator[tuple[float, float]]:
    return zip(table.cost_usd.tolist(), table.wall_days.tolist(), strict=True)


def print_csv(tables: Iterable[LayoutTable]) -> int:
    """All layouts on stdout, a row each; how many."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for table in tables:
        writer.writerows(_values(table))
        count += len(table)
    return count


def _values(table: LayoutTable) -> Iterator[tuple[object, ...]]:
    """The cells of each layout."""
    rows, machine = table.rows, table.machine
    names = [str(recompute_as_written(one)) for one in table.recompute]
    columns = [getattr(rows, name).tolist() for name in LETTERS]
    for place, degrees in enumerate(zip(*columns, strict=True)):
        offer = int(table.offer[place])
        sold = offer < len(table.offers)
        yield (
            as_text(table.phase),
            machine.accelerator.name,
            as_text(table.offers[offer].title) if sold else "",
            f"{machine.network_gbit_s:g}",
            int(rows.devices[place]),
            int(table.nodes[place]),
            *degrees,
            int(rows.micro_batch[place]),
            names[rows.recompute[place]],
            int(rows.zero[place]),
            f"{table.step_seconds[place]:.9g}",
            f"{table.memory_gib[place]:.6g}",
            f"{table.wall_days[place]:.9g}",
            round_usd(float(table.cost_usd[place])) if sold else "",
            int(table.sold[place]) or "",
            int(rows.expert_tensor[place]),
            int(rows.shard[place]),
        )


def print_table(tables: Iterable[LayoutTable]) -> int:
    """Layouts for people; how many. What all of them have in common stands below them, once."""
    shown = text_table(*HEADINGS, left=WORDS, wrap=("placement",))
    for table in tables:
        for row in _rows(table):
            shown.add_row(*row)
    if shown.row_count:
        wide_console().print(shown.said_once(*WORDS), LETTERS_LINE, sep="\n")
    return shown.row_count


_DEGREES: Final = ("GPUs", "nodes", *LETTERS.values(), "b", "recompute", "ZeRO")
HEADINGS: Final = ("phase", "accelerator", *_DEGREES, "step", "GiB", "wall", "cost", "placement")
WORDS: Final = ("phase", "accelerator", "placement")
"""Columns of words, which go where every row has the same."""


def _rows(table: LayoutTable) -> Iterator[tuple[str, ...]]:
    """The cells of each layout as people read them; nodes that nobody sells without a contract are marked."""
    for place, cells in enumerate(_values(table)):
        cost, sold = float(table.cost_usd[place]), int(table.sold[place])
        named = dict(zip(COLUMNS, map(str, cells), strict=True))
        if table.rows.expert_tensor[place] > 1:
            named["expert"] += f"×{named['expert_tensor']}"
        if table.rows.shard[place] < table.rows.data[place] * table.rows.context[place]:
            named["zero"] += f" in groups of {named['shard']}"
        yield (
            *(named[name] for name in (*COLUMNS[:2], *COLUMNS[4:15])),
            format_duration(float(table.step_seconds[place])),
            format_number(float(table.memory_gib[place])),
            format_duration(float(table.wall_days[place]) * SECONDS_PER_DAY),
            format_money(cost) if np.isfinite(cost) else "–",
            f"{cells[2]}" + (f" (ask first: {counted(sold, 'node')} can be had)" if sold else ""),
        )
