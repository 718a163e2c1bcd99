"""The board's charts as Vega-Lite specifications; the browser draws them, with its own colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

import numpy as np

from planner.explore.job_modes import Bounds, bounds_of
from planner.explore.lookup import CostCurve, CurvePoint
from planner.layouts.workload import workload_of
from planner.market.money import usd_by_month
from planner.plans.plan import Plan
from planner.plans.plan_error import error_of
from planner.plans.plan_part import PlanFigures
from planner.problem.problem import Problem
from planner.report.page.axes import Ruler, time_unit
from planner.simulate.planned import plan_distribution
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, format_duration, format_money

Spec = dict[str, Any]
MOST_POINTS: Final = 300
"""Points of a curve that are drawn."""
MOST_NAMES: Final = 8
"""Accelerators that are told apart by colour."""
NEAR: Final = 6.0
"""Times the request or the plan up to which a frontier is shown: one far point would squash all others."""
DAYS_PER_MONTH: Final = 30


def frontier_spec(curve: CostCurve, problem: Problem, plan: PlanFigures | None) -> Spec | None:
    """Cost to the right and time up: the frontier, each accelerator's own, the request and the chosen plan."""
    if not curve.points:
        return None
    bounds = bounds_of(problem)
    shown = _near(curve, bounds, plan)
    x = Ruler.of("x", "cost", [one.cost_usd for one in shown], [bounds.cost_usd])
    y = Ruler.of("y", "time", [one.seconds for one in shown], [bounds.wall_seconds])
    scales = {"x": x.channel(7), "y": y.channel(6)}
    names = list(dict.fromkeys(one.accelerator for one in shown))[:MOST_NAMES]
    colour: Spec = {"field": "accelerator", "type": "nominal", "scale": {"domain": names}, "title": None}
    colour["legend"] = {"orient": "bottom", "columns": 4}
    others = [_value(one, x, y) for one in curve.everyone if one.accelerator in names and _inside(one, x, y)]
    tooltip = [{"field": "words", "type": "nominal", "title": "plan"}]
    layers: list[Spec] = [
        *_request(bounds.cost_usd, bounds.wall_seconds, x, y, scales),
        {
            "data": {"values": others},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "opacity": 0.6},
            "encoding": {**scales, "color": colour},
        },
        {
            "data": {"values": [_value(one, x, y) | _sets(problem, one) for one in _thinned(shown)]},
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "cursor": "pointer"},
            "encoding": {**scales, "color": colour, "tooltip": tooltip, "description": tooltip[0]},
        },
    ]
    if plan is not None:
        layers.append(_chosen(plan, x, y, scales))
    return {"height": 300, "layer": layers, "description": "What each day costs: cost to the right, time up"}


def _near(curve: CostCurve, bounds: Bounds, plan: PlanFigures | None) -> Sequence[CurvePoint]:
    """The points of a curve up to a few times the request or, without one, of the plan or the cheapest point."""
    cheapest = curve.points[0].cost_usd
    usd = max(cheapest, float(plan.cost_usd) if plan else 0.0, _finite(bounds.cost_usd)) * NEAR
    fastest = curve.points[-1].seconds
    seconds = max(fastest, plan.wall_seconds if plan else 0.0, _finite(bounds.wall_seconds)) * NEAR
    return [one for one in curve.points if one.cost_usd <= usd and one.seconds <= seconds] or curve.points


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _thinned(points: Sequence[CurvePoint]) -> Iterator[CurvePoint]:
    """At most so many points, evenly."""
    for index in np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)).tolist():
        yield points[index]


def _inside(point: CurvePoint, x: Ruler, y: Ruler) -> bool:
    return x.holds(point.cost_usd) and y.holds(point.seconds)


def _value(point: CurvePoint, x: Ruler, y: Ruler) -> dict[str, Any]:
    words = f"{point.gpus:,} × {point.accelerator}, {format_duration(point.seconds)}, {format_money(point.cost_usd)}"
    return {
        "x": x.of_value(point.cost_usd),
        "y": y.of_value(point.seconds),
        "accelerator": point.accelerator,
        "words": words,
    }


def _sets(problem: Problem, point: CurvePoint) -> dict[str, Any]:
    """The changes that ask for a point: its time when cost is least, its cost when time is; the other where needed."""
    deadline = f"{ceil(point.seconds / SECONDS_PER_HOUR)}h"
    budget = f"${ceil(point.cost_usd)}"
    is_cost, bounds = problem.objective == "cost", bounds_of(problem)
    sets = {"limits.deadline": deadline} if is_cost else {"limits.budget": budget}
    if is_cost and point.cost_usd > bounds.cost_usd:
        sets["limits.budget"] = budget
    if not is_cost and point.seconds > bounds.wall_seconds:
        sets["limits.deadline"] = deadline
    return {"sets": sets}


def _request(usd: float, seconds: float, x: Ruler, y: Ruler, scales: Mapping[str, Any]) -> Iterator[Spec]:
    """What the request allows, as an area with dashed edges."""
    asked = {
        field: ruler.of_value(value)
        for field, ruler, value in (("x", x, usd), ("y", y, seconds))
        if np.isfinite(value) and ruler.holds(value)
    }
    if not asked:
        return
    area = {"x": x.low, "x2": asked.get("x", x.high), "y": y.low, "y2": asked.get("y", y.high)}
    sides = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    mark = {"type": "rect", "color": "@keep", "opacity": 0.12, "aria": False}
    yield {"data": {"values": [area]}, "mark": mark, "encoding": {**scales, **sides}}
    for field, value in asked.items():
        rule = {"type": "rule", "color": "@bad", "strokeDash": [6, 4], "strokeWidth": 1.6, "aria": False}
        yield {"data": {"values": [{field: value}]}, "mark": rule, "encoding": {field: scales[field]}}


def _chosen(plan: PlanFigures, x: Ruler, y: Ruler, scales: Mapping[str, Any]) -> Spec:
    """A ring around the plan of the answer."""
    place = {"x": x.of_value(float(plan.cost_usd)), "y": y.of_value(plan.wall_seconds)}
    mark = {"type": "point", "filled": False, "size": 320, "strokeWidth": 3, "color": "@ink", "aria": False}
    return {"data": {"values": [place]}, "mark": mark, "encoding": dict(scales)}


def parts_spec(
    rows: Sequence[tuple[str, Mapping[str, float]]], title: str, description: str, *, shares: bool = False
) -> Spec:
    """Stacked bars: parts of a whole, a bar per phase; with `shares` all of one length."""
    x: Spec = {"field": "value", "type": "quantitative", "title": title, "stack": "normalize" if shares else "zero"}
    if shares:
        x |= {"axis": {"format": "%"}, "title": f"share of {title}"}
    values = [
        {"bar": name, "part": part.replace("_", " "), "value": round(value, 4), "order": order}
        for name, parts in rows
        for order, (part, value) in enumerate(parts.items())
        if value > LEAST_PART * sum(parts.values())
    ]
    parts = list(dict.fromkeys(one["part"] for one in values))
    colour: Spec = {"field": "part", "type": "nominal", "title": None, "scale": {"domain": parts}}
    colour["legend"] = {"orient": "bottom", "columns": 4}
    return {
        "height": {"step": 34},
        "description": description,
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": x,
            "y": {"field": "bar", "type": "nominal", "title": None, "sort": None},
            "color": colour,
            "order": {"field": "order"},
            "tooltip": [{"field": "part"}, {"field": "value", "title": title}],
        },
    }


LEAST_PART: Final = 0.004
"""Part of a bar below which nothing is drawn."""


def memory_spec(plan: PlanFigures) -> Spec:
    """Memory of the fullest GPU by part, a bar per phase."""
    rows = [(phase.name, {**phase.memory.parts, "free": max(phase.memory.free, 0)}) for phase in plan.phases]
    return parts_spec(rows, "GiB of a GPU", "Memory of the fullest GPU by part")


def step_spec(plan: PlanFigures) -> Spec:
    """Time of a step by part, a bar per phase."""
    return parts_spec(
        [(phase.name, phase.time) for phase in plan.phases], "seconds of a step", "Time of a step", shares=True
    )


def spending(plan: PlanFigures) -> list[tuple[str, float]]:
    """US dollars by month, of the calendar where the plan has a start, else of 30 days."""
    if plan.start is not None:
        months = usd_by_month(plan.payments, plan.start)
        return [(f"{year}-{month:02}", float(usd)) for (year, month), usd in months.items()]
    month = DAYS_PER_MONTH * SECONDS_PER_DAY
    spent: dict[int, float] = {}
    for payment in plan.payments:
        whole = max(sum(ends - begins for begins, ends in payment.spans), 1.0)
        for begins, ends in payment.spans:
            for index in range(int(begins // month), int(ends // month) + 1):
                held = min(ends, (index + 1) * month) - max(begins, index * month)
                spent[index] = spent.get(index, 0.0) + float(payment.usd) * max(held, 0.0) / whole
    return [(str(index + 1), usd) for index, usd in sorted(spent.items()) if usd > 0]


def month_of(plan: PlanFigures) -> str:
    """What a month of `spending` is."""
    return "month" if plan.start is not None else f"month of {DAYS_PER_MONTH} days"


def months_spec(months: Sequence[tuple[str, float]], title: str) -> Spec:
    """Dollars by month."""
    values = [{"month": month, "usd": round(usd, 2), "words": format_money(usd)} for month, usd in months]
    return {
        "height": 180,
        "description": f"Cost by {title}",
        "data": {"values": values},
        "mark": {"type": "bar", "color": "@s0"},
        "encoding": {
            "x": {"field": "month", "type": "ordinal", "title": title, "sort": None, "axis": {"labelAngle": 0}},
            "y": {"field": "usd", "type": "quantitative", "title": "US dollars", "axis": {"format": "$~s"}},
            "tooltip": [{"field": "month"}, {"field": "words", "title": "cost"}],
        },
    }


def certainty_spec(plan: Plan, problem: Problem) -> Spec:
    """How likely the job is done by each day: with the estimate's error, and if the estimate were exact."""
    seconds, error = plan_distribution(plan, problem).seconds, error_of(workload_of(problem), plan)
    deadline = problem.limits.deadline
    last = max(float(seconds.quantile_uncertain(np.asarray(LAST), error)), (deadline or 0.0) * 1.05)
    times = np.linspace(0.0, last, CERTAINTY_POINTS)
    unit, name = time_unit(last)
    lines = {
        "with the estimate's error": seconds.within_uncertain(times, error),
        "if the estimate is exact": seconds.within(times),
    }
    values = [
        {"time": time / unit, "probability": float(share), "line": line}
        for line, shares in lines.items()
        for time, share in zip(times.tolist(), shares, strict=True)
    ]
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "monotone", "strokeWidth": 2.5},
            "encoding": share_axes(name),
        },
        *deadline_rule(deadline, unit, name),
    ]
    return {"height": 200, "layer": layers, "description": "Probability of being done by each day"}


def share_axes(unit: str) -> Spec:
    """Time to the right in a unit, a share of all outcomes up, and lines by name."""
    return {
        "x": {"field": "time", "type": "quantitative", "title": f"done within, {unit}"},
        "y": {"field": "probability", "type": "quantitative", "title": "probability", "axis": {"format": "%"}},
        "color": {"field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom"}},
    }


def deadline_rule(deadline: float | None, unit: float, name: str) -> Iterator[Spec]:
    """A dashed line at the deadline, if there is one; `unit`: seconds of the axis' unit."""
    if deadline is not None:
        rule = {"type": "rule", "color": "@bad", "strokeDash": [6, 4], "strokeWidth": 1.6}
        x = share_axes(name)["x"]
        yield {"data": {"values": [{"time": deadline / unit}]}, "mark": rule, "encoding": {"x": x}}


LAST: Final = 0.98
"""Probability up to which the certainty is drawn."""
CERTAINTY_POINTS: Final = 61
