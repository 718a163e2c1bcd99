"""The page of a frontier: the curve to point at, and behind each point its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from planner.catalog.offers import load_offers
from planner.explore.frontier import Axis, Frontier, Point
from planner.explore.per_accelerator import Rival
from planner.report.bill import spot_share
from planner.report.dates import dated
from planner.report.document.plan import plan_figures
from planner.report.frontier import (
    amount,
    axis_name,
    changes,
    extent,
    is_within_request,
    name_of,
    request_parts,
)
from planner.report.page.frontier_chart import frontier_chart
from planner.report.page.parts import Badge, Card, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.summary import gpus_text
from planner.units import SECONDS_PER_DAY, format_count, format_money, format_share

TITLES: Final[dict[frozenset[Axis], str]] = {
    frozenset({"cost", "time"}): "what time costs",
    frozenset({"cost", "gpus"}): "cost within so many GPUs",
    frozenset({"time", "gpus"}): "time within so many GPUs",
    frozenset({"cost", "tokens"}): "what the money trains",
    frozenset({"time", "tokens"}): "what the time trains",
}
"""What the page of two axes is called."""


def frontier_page(found: Frontier, others: Sequence[Rival]) -> Page:
    """The whole page of a frontier that has points."""
    title = f"{name_of(found.problem)}: {TITLES[frozenset(found.axes)]}"
    return Page(
        title=title,
        lead=tuple(_lead(found)),
        cards=tuple(_cards(found)),
        chosen=_chosen(found),
        chart=frontier_chart(found, others, title),
        tables=(_points(found), *_rivals(others)),
        beside=0,
        notes=tuple(_notes(found)),
    )


def _lead(found: Frontier) -> Iterator[str]:
    """What the frontier spans, and what of it the request allows."""
    first, last = found.points[0], found.points[-1]
    ends = " to ".join(
        " for ".join(amount(axis, value) for axis, value in _both(found, one)) for one in (last, first)[::-1]
    )
    yield f"From {ends}. {extent(found)[0].upper()}{extent(found)[1:]}; every plan is verified by the equations alone."
    asked = request_parts(found)
    if asked:
        kept = sum(is_within_request(found, point) for point in found.points)
        where = {0: "no point keeps it", 1: "one point keeps it"}.get(kept, f"{kept} of the points keep it")
        yield f"The request: {' and '.join(asked)}; {where}."


def _both(found: Frontier, point: Point) -> Iterator[tuple[Axis, float]]:
    """The better-known figure last: so much time for so much money."""
    yield found.axes[1], point.y
    yield found.axes[0], point.x


def _chosen(found: Frontier) -> int:
    """The point that is open at first: the first that keeps the request, else the knee, else the first."""
    inside = [index for index, point in enumerate(found.points) if is_within_request(found, point)]
    knees = [index for index, point in enumerate(found.points) if point.is_knee]
    return [*(inside if request_parts(found) else []), *knees, 0][0]


def _cards(found: Frontier) -> Iterator[Card]:
    """The plan behind each point, and how it differs from the point before."""
    before: Point | None = None
    for point, change in zip(found.points, changes(found.points), strict=True):
        yield plan_card(
            plan_figures(point.plan, found.problem),
            badges=tuple(_badges(found, point)),
            change=tuple(_change(found, before, point, change)),
        )
        before = point


def _badges(found: Frontier, point: Point) -> Iterator[Badge]:
    """What is special about a point."""
    if point.is_knee:
        yield Badge("knee" if not found.most_is_best else f"most tokens per {_per(found)}")
    if not request_parts(found):
        return
    if is_within_request(found, point):
        yield Badge("✓ keeps the request", "good")
    for axis, value, bound in zip(found.axes, (point.x, point.y), found.request, strict=True):
        short = axis == "tokens"
        if bound is not None and (value < bound if short else value > bound):
            yield Badge(f"✗ {amount(axis, abs(value - bound))} {'short' if short else 'over'}", "bad")


def _per(found: Frontier) -> str:
    return "dollar" if found.axes[0] == "cost" else "day"


def _change(found: Frontier, before: Point | None, point: Point, change: str) -> Iterator[str]:
    """What a point gives and takes beside the one before it."""
    if before is None:
        return
    dx, dy = point.x - before.x, point.y - before.y
    x, y = found.axes
    sentence = f"Against the point before: {_signed(x, dx)}, {_signed(y, dy)}"
    if {x, y} == {"cost", "time"}:
        usd, seconds = (abs(dx), abs(dy)) if x == "cost" else (abs(dy), abs(dx))
        sentence += f"; {format_money(usd / (seconds / SECONDS_PER_DAY))} for each day"
    elif found.most_is_best and x == "cost":
        sentence += f"; {format_money(dx / (dy / 1e12))} for each further trillion tokens"
    yield f"{sentence}."
    if change:
        yield f"What changes: {change}."


def _signed(axis: Axis, change: float) -> str:
    return f"{'+' if change >= 0 else '−'}{amount(axis, abs(change))}"


def _points(found: Frontier) -> Table:
    """Every point in a row."""
    asked = request_parts(found)
    columns = {
        "cost": [format_money(one.plan.cost_usd) for one in found.points],
        "time": [dated(one.plan.wall_seconds, one.plan.start) for one in found.points],
        **({"tokens": [format_count(one.plan.tokens) for one in found.points]} if found.most_is_best else {}),
        "GPUs": [gpus_text(one.plan) for one in found.points],
        "spot": [format_share(spot_share(one.plan.purchases)) for one in found.points],
        "accelerator": [one.plan.accelerator for one in found.points],
        **({"kept": ["✓" if is_within_request(found, one) else "–" for one in found.points]} if asked else {}),
        "what changes": changes(found.points),
    }
    numbers = [f"{index + 1}{' ◆' if one.is_knee else ''}" for index, one in enumerate(found.points)]
    rows = tuple(zip(numbers, *columns.values(), strict=True))
    figures = frozenset(index for index, name in enumerate(columns, 1) if name in FIGURES)
    texts = frozenset({len(columns)})
    table = Table("All points", ("point", *columns), rows, figures, texts, tuple(range(len(rows))))
    return table.varying("spot", "accelerator")


FIGURES: Final = {"cost", "time", "tokens", "GPUs", "spot"}


def _rivals(others: Sequence[Rival]) -> Iterator[Table]:
    """The best plan of each accelerator within every limit."""
    plans = [one.best for one in others if one.best]
    if len(plans) < 2:
        return
    best = plans[0]
    rows = tuple(
        (
            one.accelerator,
            format_money(one.cost_usd),
            f"{float(one.cost_usd) / max(float(best.cost_usd), 0.01) - 1:+.1%}",
            dated(one.wall_seconds, one.start),
            gpus_text(one),
            format_share(spot_share(one.purchases)),
            one.placement.title,
        )
        for one in plans
    )
    headings = ("accelerator", "cost", "difference", "time", "GPUs", "spot", "where")
    yield Table(
        "The best plan of each accelerator within all limits",
        headings,
        rows,
        frozenset({1, 2, 3, 4, 5}),
        frozenset({6}),
    ).varying("spot")


def _notes(found: Frontier) -> Iterator[str]:
    """What the figures rest on."""
    if found.most_is_best:
        yield "Tokens are whole steps of the first phase. Between two points there are as many more as there are steps."
    date = max(one.date for one in load_offers())
    yield f"Times are expected values, with failures and waiting. Prices: catalog of {date} and the problem's offers."
    if "time" in found.axes and found.confidence is not None:
        yield f"The chart shows the {axis_name(found, 'time')}, which is what the deadline bounds."
