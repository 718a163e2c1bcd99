"""The page of a what-if table: a heat map to point at, and behind each cell its plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from planner.explore.whatif import Cell, WhatIf
from planner.plans.solution import Status
from planner.report.bill import spot_share
from planner.report.document.plan import plan_figures
from planner.report.page.heat_map import HeatCell, HeatMap, heat_map_chart
from planner.report.page.parts import Badge, Card, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.summary import gpus_text
from planner.report.whatif import NO_PLAN, NOT_REACHED, Shown, changes_of, figure, short_names, title, why
from planner.units import format_duration, format_money, format_share

MOST_WHOLE: Final = 200
"""Cells from which on cards hold the bill alone: a page of 2,500 would be too large otherwise."""


def whatif_page(found: WhatIf, shown: Shown | None) -> Page:
    """The whole page of a table."""
    heading = title(found, shown)
    name, _, what = heading.partition(": ")
    kept = [index for index, cell in enumerate(found.flat) if cell.plan]
    return Page(
        title=f"{name}: what if",
        lead=(f"{what[:1].upper()}{what[1:]}.", *_span(found, shown), "Each is the proven best plan for its values."),
        cards=tuple(_cards(found)),
        chosen=kept[0] if kept else 0,
        noun="cell",
        chart=heat_map_chart(_heat_map(found, shown, heading)),
        columns=len(found.axes[-1].values),
        tables=tuple(_cell_table(found)) if len(found.flat) <= MOST_WHOLE else (),
    )


def _span(found: WhatIf, shown: Shown | None) -> Iterator[str]:
    """The least and the most of what is shown, with the values that give them."""
    counted = _counted(found.flat[0], shown)
    ranked = sorted(
        ((value, cell) for cell in found.flat if (value := _cell(cell, shown, {}).value) is not None),
        key=lambda one: one[0],
    )
    none = len(found.flat) - len(ranked)
    if ranked:
        ends = [
            f"{figure(one.plan, counted)} ({', '.join(one.sets)})" for _, one in (ranked[0], ranked[-1]) if one.plan
        ]
        missing = f"; {none} of {len(found.flat)} have no plan" if none else ""
        yield f"From {' to '.join(dict.fromkeys(ends))}{missing}."


def _cell_table(found: WhatIf) -> Iterator[Table]:
    """Every cell in a row, where any has a plan."""
    rows = tuple((*(one.partition("=")[2] for one in cell.sets), *_cell_figures(cell)) for cell in found.flat)
    keys, figures = tuple(axis.key for axis in found.axes), ("cost", "time", "GPUs")
    headings = (*keys, *figures, "accelerator", "spot", "where")
    numbers = frozenset(range(len(keys), len(headings) - 3)) | {len(headings) - 2}
    cards = tuple(range(len(rows)))
    table = Table("Every cell", headings, rows, numbers, frozenset({len(headings) - 1}), cards)
    yield table.varying("spot", "accelerator", "where")


def _cell_figures(cell: Cell) -> tuple[str, ...]:
    """What a row says of a cell's plan, or why it has none."""
    plan = cell.plan
    if plan is None:
        return (*["–"] * 5, why(cell))
    figures = (format_money(plan.cost_usd), format_duration(plan.wall_seconds), gpus_text(plan))
    return (*figures, plan.accelerator, format_share(spot_share(plan.purchases)), plan.placement.title)


def _heat_map(found: WhatIf, shown: Shown | None, heading: str) -> HeatMap:
    """The table as a heat map: rows and columns, or a single row where one key varies."""
    names = short_names({cell.plan.accelerator for cell in found.flat if cell.plan})
    across = found.axes[-1]
    down = found.axes[0] if len(found.axes) > 1 else None
    width = len(across.values)
    cells = [_cell(cell, shown, names) for cell in found.flat]
    return HeatMap(
        title=heading,
        value=_counted(found.flat[0], shown),
        across=across.key,
        columns=across.values,
        down=down.key if down else "",
        rows=down.values if down else ("",),
        cells=tuple(tuple(cells[start : start + width]) for start in range(0, len(cells), width)),
    )


def _cell(cell: Cell, shown: Shown | None, names: dict[str, str]) -> HeatCell:
    """One cell: its figure, shaded by it, with the accelerator below."""
    plan = cell.plan
    if plan is None:
        return HeatCell(NO_PLAN if cell.status is Status.INFEASIBLE else NOT_REACHED, None)
    counted = _counted(cell, shown)
    values = {"cost": float(plan.cost_usd), "time": plan.wall_seconds, "tokens": float(plan.tokens), "gpus": plan.gpus}
    return HeatCell(figure(plan, counted), values[counted], names.get(plan.accelerator, plan.accelerator))


def _counted(cell: Cell, shown: Shown | None) -> Literal["cost", "time", "tokens", "gpus"]:
    """The figure that a cell is shaded by: what is shown, or the objective."""
    return cell.problem.objective if shown is None or shown == "accelerator" else shown


def _cards(found: WhatIf) -> Iterator[Card]:
    """The plan of every cell, or why it has none."""
    for cell, change in zip(found.flat, changes_of(found), strict=True):
        values = tuple(Badge(text) for text in cell.sets)
        if cell.plan is None:
            yield Card(why(cell).capitalize(), " and ".join(cell.sets), f"{', '.join(cell.sets)}: {why(cell)}", values)
            continue
        words = (f"Against the cell before: {change}.",) if change else ()
        card = plan_card(plan_figures(cell.plan, cell.problem), badges=values, change=words)
        yield card if len(found.flat) <= MOST_WHOLE else replace(card, tables=(), bars=())
