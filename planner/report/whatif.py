"""A what-if table for people, as JSON and as comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Literal

from rich.console import Group
from rich.measure import Measurement
from rich.table import Table

from planner.explore.sweep_option import Varied
from planner.explore.whatif import Cell, WhatIf
from planner.plans.document import FORMAT_VERSION
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.report.bill import spot_share
from planner.report.console import wide_console
from planner.report.dates import dated
from planner.report.document.plan import bill_document, place_document, totals_document
from planner.report.frontier import differences, name_of
from planner.report.summary import gpus_text
from planner.report.tables import text_table
from planner.units import figure_in_document, format_count, format_duration, format_money, format_share

Shown = Literal["cost", "time", "tokens", "gpus", "accelerator"]
"""What a cell of a table of two quantities shows."""
NO_PLAN: Final = "–"
"""A cell that is proven to have no plan."""
NOT_REACHED: Final = "?"
"""A cell that is not known."""


def whatif_document(found: WhatIf) -> dict[str, Any]:
    """The document of `--json`: the cells row by row, each with the `--set` arguments that give it and its plan."""
    return {
        "format_version": FORMAT_VERSION,
        "vary": [{"key": axis.key, "values": list(axis.values)} for axis in found.axes],
        "stopped": found.stopped or None,
        "cells": [
            {
                "set": list(cell.sets),
                "status": cell.status.value,
                "objective": {"name": cell.problem.objective, "value": _value(cell)},
                "plan": None if cell.plan is None else short_plan(cell.plan) | bill_document(cell.plan),
            }
            for cell in found.flat
        ],
    }


def _value(cell: Cell) -> str | float | None:
    """The objective's value; money as text."""
    return figure_in_document(cell.value, is_usd=cell.problem.objective == "cost")


def short_plan(plan: Plan) -> dict[str, Any]:
    """What is bought and what comes of it, without the layout; money is decimal strings."""
    return {
        "accelerator": plan.accelerator,
        **place_document(plan.placement),
        **totals_document(plan),
        "tokens": plan.tokens,
        "spot_share": spot_share(plan.purchases),
    }


def csv_rows(found: WhatIf) -> Iterator[list[object]]:
    """A row per cell under its headings, its values first."""
    yield list(headings(found.axes))
    yield from map(row_of, found.flat)


FIGURES: Final = (
    "accelerator",
    "cloud",
    "region",
    "zone",
    "instance_type",
    "gpus",
    "wall_seconds",
    "cost_usd",
    "tokens",
)
"""What a row says of a plan, before its share of spot nodes."""


def headings(axes: Sequence[Varied]) -> list[str]:
    """The names of a row's columns: the varied keys first."""
    return [*(axis.key for axis in axes), "status", "objective", "value", *FIGURES, "spot_share"]


def row_of(cell: Cell) -> list[object]:
    """A cell as a row; without a plan its figures are empty."""
    plan = short_plan(cell.plan) if cell.plan else None
    row = [plan[name] for name in FIGURES] + [f"{plan['spot_share']:.4f}"] if plan else [""] * (len(FIGURES) + 1)
    return [*_values(cell), cell.status.value, cell.problem.objective, _value(cell), *row]


def _values(cell: Cell) -> list[str]:
    """The varied values of a cell."""
    return [one.partition("=")[2] for one in cell.sets]


def print_whatif(found: WhatIf, shown: Shown | None) -> None:
    """Prints a line per value of one quantity, or a table of two whose cells show the objective or what is asked."""
    console = wide_console()
    console.print(title(found, shown), soft_wrap=True)
    console.print()
    table = _lines(found) if len(found.axes) == 1 else _table(found, shown)
    if not console.is_terminal:  # where it is one, columns that have no room go on below
        widest = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
        console.width = max(console.width, widest)
    console.print(table)
    for line in _legend(found):
        console.print(line, soft_wrap=True)


WIDEST: Final = 100_000
"""Characters of a line beyond which even a hundred columns do not reach."""


def title(found: WhatIf, shown: Shown | None) -> str:
    """What is shown, and along what."""
    problem = found.flat[0].problem
    name = name_of(problem)
    best = {"cost": "cheapest", "time": "fastest", "tokens": "largest"}
    kinds = list(dict.fromkeys(best[cell.problem.objective] for cell in found.flat))
    of = f"the {' or '.join(kinds)} plan"
    if len(found.axes) == 1:
        return f"{name}: {of} for each {found.axes[0].key}"
    what = {"cost": "cost", "time": "time", "tokens": "tokens", "gpus": "GPUs", "accelerator": "accelerator"}
    figure = what[shown or problem.objective]
    return f"{name}: {figure} of {of}; {found.axes[0].key} down, {found.axes[1].key} across"


def _legend(found: WhatIf) -> Iterator[str]:
    """What the marks mean, and how many cells have them."""
    none = sum(cell.status is Status.INFEASIBLE for cell in found.flat)
    if none or found.missing:
        yield ""
    if none and len(found.axes) > 1:
        yield f"{NO_PLAN} proven: no plan within the limits ({none} of {len(found.flat)} cells)"
    if found.missing:
        yield f"{NOT_REACHED} not reached ({len(found.missing)} of {len(found.flat)} cells)"


def _lines(found: WhatIf) -> Group:
    """One quantity: a line per value, with what changes from the plan before."""
    counted = any(cell.problem.objective == "tokens" for cell in found.flat)
    figures = [found.axes[0].key, "cost", "time", *(["tokens"] if counted else []), "GPUs"]
    words = ("accelerator", "spot", "what changes")
    table = text_table(*figures, *words, left=words)
    for cell, change in zip(found.flat, changes_of(found), strict=True):
        value, plan = _values(cell)[0], cell.plan
        if plan is None:
            mark = NO_PLAN if cell.status is Status.INFEASIBLE else NOT_REACHED
            table.add_row(value, *[mark] * (4 if counted else 3), mark, "", change)
            continue
        figures = [format_money(plan.cost_usd), dated(plan.wall_seconds, plan.start)]
        figures += [format_count(plan.tokens)] if counted else []
        share = format_share(spot_share(plan.purchases))
        table.add_row(value, *figures, gpus_text(plan), plan.accelerator, share, change)
    return table.said_once("accelerator", "spot")


def changes_of(found: WhatIf) -> Iterator[str]:
    """Per cell what differs from the one before."""
    first, *_ = found.flat
    yield "" if first.plan else why(first)
    for before, here in pairwise(found.flat):
        if here.plan is None:
            yield why(here)
        elif before.plan is None:
            yield ""
        else:
            yield ", ".join(differences(before.plan, here.plan))


def why(cell: Cell) -> str:
    """Why a cell has no plan."""
    return "no plan within the limits" if cell.status is Status.INFEASIBLE else "not reached"


def _table(found: WhatIf, shown: Shown | None) -> Table:
    """Two quantities: a cell per combination."""
    rows, columns = found.axes
    table = text_table("", *columns.values, left=())
    names = short_names({cell.plan.accelerator for cell in found.flat if cell.plan})
    for value, cells in zip(rows.values, found.cells, strict=True):
        table.add_row(value, *(_text(cell, shown, names) for cell in cells))
    return table


def _text(cell: Cell, shown: Shown | None, names: dict[str, str]) -> str:
    """A cell in few characters."""
    plan = cell.plan
    if plan is None:
        return NO_PLAN if cell.status is Status.INFEASIBLE else NOT_REACHED
    counted = shown or cell.problem.objective
    if counted == "accelerator":
        return plan.accelerator
    return f"{figure(plan, counted)} {names[plan.accelerator]}"


def figure(plan: Plan, shown: Literal["cost", "time", "tokens", "gpus"]) -> str:
    """One figure of a plan in few characters."""
    match shown:
        case "cost":
            return f"${format_count(float(plan.cost_usd))}"
        case "time":
            return format_duration(plan.wall_seconds)
        case "tokens":
            return format_count(plan.tokens)
        case "gpus":
            return f"{plan.gpus:,}"


def short_names(accelerators: set[str]) -> dict[str, str]:
    """Each name up to its first hyphen, or in full where others begin alike."""
    starts = [name.partition("-")[0] for name in accelerators]
    return {name: start if starts.count(start) == 1 else name for name, start in zip(accelerators, starts, strict=True)}
