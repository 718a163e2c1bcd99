"""A frontier for people, as JSON and as comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import Any, Final

from rich.console import Group

from planner.explore.frontier import Axis, Frontier, Point
from planner.plans.document import FORMAT_VERSION
from planner.plans.plan import PhasePlan, Plan
from planner.problem.problem import Problem
from planner.report.bill import spot_share
from planner.report.console import wide_console
from planner.report.dates import dated, ends_on
from planner.report.document.plan import plan_document
from planner.report.outliers import end_of
from planner.report.summary import gpus_text
from planner.report.tables import text_table
from planner.units import figure_in_document, format_count, format_duration, format_money, format_share

COLUMNS, ROWS = 64, 16
"""Characters of the picture."""
TINY: Final = 1e-6
"""What stands for nothing on a logarithmic axis."""


def frontier_document(found: Frontier) -> dict[str, Any]:
    """The document of `--json`; money is decimal strings."""
    return {
        "format_version": FORMAT_VERSION,
        "x": found.axes[0],
        "y": found.axes[1],
        "total": found.total,
        "request": [_plain(axis, value) for axis, value in zip(found.axes, found.request, strict=True)],
        "points": [
            {
                "x": _plain(found.axes[0], point.x),
                "y": _plain(found.axes[1], point.y),
                "knee": point.is_knee,
                "change": change,
                "plan": plan_document(point.plan, found.problem),
            }
            for point, change in zip(found.points, changes(found.points), strict=True)
        ],
    }


def _plain(axis: Axis, value: float | None) -> str | float | None:
    return figure_in_document(value, is_usd=axis == "cost")


COLUMNS_OF_ROWS: Final = (
    *("cost_usd", "wall_seconds", "gpus", "tokens", "accelerator", "placement"),
    *("spot_share", "knee", "within_request", "end"),
)
"""Columns of the comma-separated values."""


def csv_rows(found: Frontier) -> Iterator[tuple[object, ...]]:
    """A row per point under its headings."""
    yield COLUMNS_OF_ROWS
    for point in found.points:
        plan = point.plan
        figures = (plan.cost_usd, plan.wall_seconds, plan.gpus, plan.tokens, plan.accelerator, plan.placement.title)
        marks = (f"{spot_share(plan.purchases):.4f}", int(point.is_knee), int(is_within_request(found, point)))
        yield (*figures, *marks, ends_on(plan.wall_seconds, plan.start))


def is_within_request(found: Frontier, point: Point) -> bool:
    """Whether a point keeps what the problem states for both axes."""
    return found.keeps_request(point.x, point.y)


def changes(points: Sequence[Point]) -> list[str]:
    """What differs from the point before: accelerator, number, place, share of spot."""
    before = (None, *(point.plan for point in points))[: len(points)]
    return [", ".join(differences(old, new.plan)) if old else "" for old, new in zip(before, points, strict=True)]


def differences(old: Plan, new: Plan) -> Iterator[str]:
    """What another plan has otherwise: accelerator, number, place, share of spot."""
    if old.accelerator != new.accelerator:
        yield f"{old.accelerator} → {new.accelerator}"
    if old.gpus != new.gpus:
        yield f"{old.gpus:,} → {new.gpus:,} GPUs"
    if old.accelerator == new.accelerator and old.placement.title != new.placement.title:
        yield f"to {new.placement.title}"
    shares = [format_share(spot_share(one.purchases)) for one in (old, new)]
    if shares[0] != shares[1]:
        yield f"spot {shares[0]} → {shares[1]}"
    if old.accelerator == new.accelerator:
        for before, after in zip(old.phases, new.phases, strict=True):
            yield from _in_phase(before, after, alone=len(new.phases) == 1)


def _in_phase(before: PhasePlan, after: PhasePlan, *, alone: bool) -> Iterator[str]:
    """What another layout of a phase has otherwise: its GPUs where other phases hide them, else its degrees."""
    if before.gpus != after.gpus:
        if not alone:
            yield f"{after.name} {before.gpus:,} → {after.gpus:,} GPUs"
        return
    for name, value in after.degrees.items():
        if before.degrees[name] != value:
            yield f"{'' if alone else after.name + ' '}{name.replace('_', ' ')} {before.degrees[name]} → {value}"
    if before.recompute != after.recompute:
        yield f"{'' if alone else after.name + ' '}recompute {after.recompute.kind}"


def print_frontier(found: Frontier) -> None:
    """Prints the picture and a line per point."""
    console = wide_console()
    if not found.points:
        console.print(f"{name_of(found.problem)}: no plan exists; plan solve shows the smallest relaxations")
        return
    x, y = (axis_name(found, axis) for axis in found.axes)
    console.print(f"{name_of(found.problem)}: {extent(found)}, {x} to the right, {y} up")
    console.print()
    for line in picture(found):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(_table(found))
    console.print()
    console.print(_request(found))


def name_of(problem: Problem) -> str:
    """What a problem's job is called."""
    return problem.name or (problem.model if isinstance(problem.model, str) else "the model")


def axis_name(found: Frontier, axis: Axis) -> str:
    """What an axis shows: time as expected, or as it is kept with a confidence."""
    sure = axis == "time" and found.confidence is not None
    return f"time kept with {format_share(found.confidence or 0)}" if sure else axis


def extent(found: Frontier) -> str:
    """Which points of how many are shown, and how they were chosen."""
    if found.most_is_best:
        return f"{len(found.points)} points of the exact frontier, each the proven most tokens for its {found.axes[0]}"
    shown = "all" if len(found.points) == found.total else f"{len(found.points)} of the"
    return f"{shown} {found.total:,} points of the exact frontier"


def _table(found: Frontier) -> Group:
    sure, is_timed = found.problem.risk.confidence, "time" in found.axes
    kept = [f"kept with {format_share(sure)}"] if sure is not None and is_timed else []
    headings = ["", *(["tokens"] if found.most_is_best else []), "cost", "time", *kept, "GPUs"]
    words = ("accelerator", "what changes")
    table = text_table(*headings, *words, left=words, wrap=words[1:])
    for point, change in zip(found.points, changes(found.points), strict=True):
        plan = point.plan
        mark = "◆" if point.is_knee else "●"
        times = [plan.wall_seconds, *((point.x if found.axes[0] == "time" else point.y,) if kept else ())]
        figures = [format_money(plan.cost_usd), *(dated(one, plan.start) for one in times), gpus_text(plan)]
        figures = [format_count(plan.tokens), *figures] if found.most_is_best else figures
        table.add_row(mark, *figures, plan.accelerator, change)
    return table.said_once("accelerator")


def amount(axis: Axis, value: float) -> str:
    """A value of an axis for people."""
    match axis:
        case "cost":
            return format_money(value)
        case "time":
            return format_duration(value)
        case "gpus":
            return f"{value:,.0f} GPUs"
        case "tokens":
            return f"{format_count(value)} tokens"


def _request(found: Frontier) -> str:
    """Where the request lies."""
    asked = request_parts(found)
    if not asked:
        return "The problem states no limit on either axis."
    inside = sum(is_within_request(found, point) for point in found.points)
    where = f"{inside} of these points keep it" if inside else "no point keeps it"
    return f"The request, {' and '.join(asked)} (dotted): {where}."


def request_parts(found: Frontier) -> list[str]:
    """What the problem asks for on each axis."""
    return [
        f"{axis} {amount(axis, value)}" if axis in {"cost", "time"} else amount(axis, value)
        for axis, value in zip(found.axes, found.request, strict=True)
        if value is not None
    ]


def picture(found: Frontier) -> Iterator[str]:
    """The points in logarithmic axes; ◆ the knee, dotted lines the request."""
    if not found.points:
        yield "no plan at all"
        return
    end = end_of([one.x for one in found.points])
    xs, ys = ([one.x for one in found.points if one.x <= end], [one.y for one in found.points])
    x, y = found.request
    column = None if x is None else _place(x, xs, COLUMNS)
    row = None if y is None else _place(y, ys, ROWS)
    grid = [["·" if column == c or row == r else " " for c in range(COLUMNS)] for r in range(ROWS)]
    for point in sorted(found.points, key=lambda one: one.is_knee):
        up, along = _place(point.y, ys, ROWS), _place(min(point.x, end), xs, COLUMNS)
        if up is not None and along is not None:
            grid[up][along] = "▸" if point.x > end else "◆" if point.is_knee else "●"
    high, low = (amount(found.axes[1], value) for value in (max(ys), min(ys)))
    margin = max(len(high), len(low))
    for line, cells in enumerate(reversed(grid)):
        label = high if line == 0 else low if line == ROWS - 1 else ""
        yield f"{label:>{margin}} │{''.join(cells).rstrip()}"
    left, right = (amount(found.axes[0], value) for value in (min(xs), max(xs)))
    yield f"{'':>{margin}} └{'─' * COLUMNS}"
    yield f"{'':>{margin}}  {left}{right:>{COLUMNS - len(left)}}"
    if far := [amount(found.axes[0], one.x) for one in found.points if one.x > end]:
        yield f"{'':>{margin}}  {'▸ beyond the picture: ' + ', '.join(far):>{COLUMNS}}"


def _place(value: float, values: Sequence[float], cells: int) -> int | None:
    """The cell of a value on a logarithmic axis over the values; None outside."""
    low, high, here = (log(max(one, TINY)) for one in (min(values), max(values), value))
    place = (here - low) / max(high - low, 1e-12) * (cells - 1)
    return round(place) if -0.5 <= place <= cells - 0.5 else None
