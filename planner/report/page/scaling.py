"""The page of a scaling curve: efficiency and time over the number of GPUs, and behind each point its layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from planner.explore.scaling import Curve, Scaling, ScalingPoint
from planner.plans.plan import PhasePlan, Plan
from planner.report.document.plan import plan_figures
from planner.report.frontier import name_of
from planner.report.page.axes import time_unit
from planner.report.page.marks import POINTS, kinds, points_layer
from planner.report.page.parts import Badge, Card, Chart, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.scaling import HEADINGS, in_words, meanings, scaling_cells
from planner.units import format_duration, format_share

Shown = tuple[Curve, ScalingPoint, Plan, PhasePlan]
"""A number of GPUs that has a layout."""


def scaling_page(found: Scaling) -> Page:
    """The whole page of curves of which at least one has a layout."""
    shown = list(_shown(found))
    title = f"{name_of(found.problem)}: what more GPUs bring"
    return Page(
        title=title,
        lead=tuple(_lead(found, shown)),
        cards=tuple(_card(found, *one[:3]) for one in shown),
        chart=_chart(found, shown, title),
        tables=tuple(_tables(found, shown)),
        beside=0,
        notes=tuple(meanings(found)),
    )


def _shown(found: Scaling) -> Iterator[Shown]:
    """The points that have a layout, curve by curve."""
    for curve in found.curves:
        for point in curve.points:
            if point.plan is not None and point.phase is not None:
                yield curve, point, point.plan, point.phase


def _lead(found: Scaling, shown: Sequence[Shown]) -> Iterator[str]:
    """How much is lost between the ends of the first curve, and what stays the same."""
    first = [one for one in shown if one[0] is shown[0][0]]
    (_, few, _, least), (curve, many, _, most) = first[0], first[-1]
    if many is not few:
        sooner = f"{format_duration(least.wall_seconds)} to {format_duration(most.wall_seconds)}"
        yield (
            f"On {curve.machine.accelerator.name}, from {few.gpus:,} to {many.gpus:,} GPUs, {found.phase.name} "
            f"goes from {sooner}; each GPU then does {format_share(many.efficiency or 0)} of the work."
        )
    batch = f"{found.phase.global_batch:,} sequences a step"
    held = "on any number of GPUs" if found.kind == "strong" else "on the fewest GPUs, as many more on more"
    yield f"Every point is the fastest layout on exactly so many GPUs, verified; {batch} {held}."


def _card(found: Scaling, curve: Curve, point: ScalingPoint, plan: Plan) -> Card:
    """One number of GPUs: what it costs where an offer has room, and its layout."""
    efficiency = Badge(f"{format_share(point.efficiency or 0)} efficiency")
    card = plan_card(plan_figures(plan, found.problem), badges=(efficiency,))
    if point.cost_usd is not None:
        return card
    facts = tuple(one for one in card.facts if one.name != "cost")
    return replace(card, facts=facts, bill=(), subtitle=f"{in_words(curve)}: no on-demand offer has room")


def _chart(found: Scaling, shown: Sequence[Shown], title: str) -> Chart:
    """Efficiency above time, both over the number of GPUs in doublings."""
    names = tuple(in_words(curve) for curve in found.curves)
    unit, unit_name = time_unit(max(phase.wall_seconds for *_, phase in shown))
    values = [
        {
            "gpus": point.gpus,
            "efficiency": point.efficiency,
            "time": phase.wall_seconds / unit,
            "machine": in_words(curve),
        }
        for curve, point, _, phase in shown
    ]

    def spec(width: int, columns: int) -> dict[str, Any]:
        """The chart at a width, its legend in so many columns."""
        encodings = kinds("machine", names, columns)
        log = {"type": "log", "nice": False}
        x = {"field": "gpus", "type": "quantitative", "axis": _doublings(shown), "scale": log}
        efficiency = {"field": "efficiency", "type": "quantitative", "scale": {"zero": False}}
        efficiency |= {"axis": {"title": "efficiency", "format": "%", "tickCount": 5}}
        time = {"field": "time", "type": "quantitative", "scale": log}
        time |= {"axis": {"title": f"time, {unit_name}", "tickCount": 5}}
        panels = [
            {
                "width": width,
                "height": 210,
                "layer": [
                    _lines(values, {"x": x, "y": y}, encodings),
                    {**points_layer(values, {"x": x, "y": y}, encodings, 110), **name},
                ],
            }
            for y, name in ((efficiency, {}), (time, {"name": "times"}))
        ]
        return {"vconcat": panels, "spacing": 18, "padding": 4}

    return Chart(title, spec(600, 1), spec(250, 1), POINTS)


def _lines(values: Sequence[dict[str, Any]], scales: dict[str, Any], encodings: dict[str, Any]) -> dict[str, Any]:
    """The points of each machine joined."""
    mark = {"type": "line", "strokeWidth": 1.6, "aria": False}
    return {"data": {"values": list(values)}, "mark": mark, "encoding": {**scales, "color": encodings["color"]}}


def _doublings(shown: Sequence[Shown]) -> dict[str, Any]:
    """An axis with a tick at each number that is shown, or at few of very many."""
    counts = sorted({point.gpus for _, point, *_ in shown})
    step = -(-len(counts) // MOST_TICKS)
    return {"title": "GPUs", "values": counts[::step], "format": ",d", "labelOverlap": True}


MOST_TICKS: Final = 8
"""Most numbers of GPUs that are written under a chart."""


def _tables(found: Scaling, shown: Sequence[Shown]) -> Iterator[Table]:
    """A table per machine; numbers without a layout say why."""
    places = {id(point): place for place, (_, point, *_) in enumerate(shown)}
    for curve in found.curves:
        rows = tuple((f"{point.gpus:,}", *scaling_cells(point, "–")) for point in curve.points)
        cards = tuple(places.get(id(point)) for point in curve.points)
        yield Table(in_words(curve), HEADINGS, rows, frozenset(range(8)), frozenset({8}), cards)
