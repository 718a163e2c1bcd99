"""A replay as one self-contained SVG picture: progress over time, runs as strips, costs of the policies."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from planner.report.page.axes import LABELS, time_unit
from planner.report.page.drawing import svg_text
from planner.report.page.parts import Spec
from planner.report.replay import Replay
from planner.simulate.replay import PolicyOutcome, figures
from planner.simulate.timelines import STATES, progress_over_time, strips
from planner.units import format_duration, format_money

WIDTH: Final = 780
"""Pixels of each chart across."""
PLOT: Final = 260
"""Height of the picture of progress."""
ROW: Final = 22
BAR: Final = ROW - 6
POINTS: Final = 120
"""Times at which progress is shown."""
BAND: Final = "#9ecae1"
MEDIAN: Final = "#08519c"
LATEST: Final = "#a50f15"
COLOURS: Final = ("#d9d9d9", BAND, "#3182bd", "#e6550d", "#252525")
"""Colours of the states, in the order of `STATES`."""
CONFIG: Final[Spec] = {
    "background": "white",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"grid": False, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400},
    "title": {"anchor": "start", "frame": "group", "fontSize": 13, "fontWeight": 400},
    "legend": {"orient": "top", "labelFontSize": 12, "symbolType": "square", "columnPadding": 24},
    "text": {"fontSize": 12},
}
ROWS: Final[Spec] = {"type": "ordinal", "sort": None, "axis": {"title": None, "domain": False, "ticks": False}}
"""One row per value, in the order of the data."""


def replay_svg(found: Replay) -> str:
    """The whole picture. Raises InputError when the extra `html` is not installed."""
    source = ", ".join(found.traces) or "generated capacity"
    title = {"text": f"{found.runs:,} runs, policy {found.job.policy}, {source}", "fontSize": 16}
    charts = [_progress(found), _strips(found), _costs(found)]
    own_legends = {"legend": {"color": "independent"}}
    return svg_text({"title": title, "vconcat": charts, "spacing": 26, "resolve": own_legends, "config": CONFIG})


def _time_axis(found: Replay) -> tuple[float, dict[str, Any]]:
    """Seconds of the axis's unit, and the axis: to the 95th percentile of the time, or the deadline if it is later."""
    until = max(float(figures(found.outcomes[0].seconds)["p95"]) * 1.05, found.job.deadline_seconds or 0)
    unit, name = time_unit(until)
    scale = {"domain": [0, until / unit], "nice": False, "clamp": True}
    return unit, {"field": "time", "type": "quantitative", "scale": scale, "axis": {"title": name, "tickCount": 8}}


def _progress(found: Replay) -> Spec:
    """The band of progress with its median, and the deadline."""
    unit, time = _time_axis(found)
    times = np.linspace(0, time["scale"]["domain"][1], POINTS)
    rows = np.vstack([times, progress_over_time(found.outcomes[0], times * unit)]).T.tolist()
    share = {"type": "quantitative", "axis": {"title": None, "format": "%", "tickCount": 5}}
    band = {"x": time, "y": {"field": "low", **share}, "y2": {"field": "high"}}
    return {
        "title": "work done over time: median, and 5th to 95th percentile of the runs",
        "width": WIDTH,
        "height": PLOT,
        "data": {"values": [dict(zip(("time", "low", "median", "high"), row, strict=True)) for row in rows]},
        "layer": [
            {"mark": {"type": "area", "color": BAND, "opacity": 0.6}, "encoding": band},
            {"mark": {"type": "line", "color": MEDIAN}, "encoding": {"x": time, "y": {"field": "median", **share}}},
            *_deadline(found, unit, time),
        ],
    }


def _deadline(found: Replay, unit: float, time: Spec) -> list[Spec]:
    """The deadline, where there is one, as a line with its name."""
    if found.job.deadline_seconds is None:
        return []
    line = {"type": "rule", "color": LATEST, "strokeDash": [5, 3]}
    name = {"type": "text", "text": "deadline", "align": "right", "dx": -4, "y": 10, "color": LATEST}
    data = {"values": [{"time": found.job.deadline_seconds / unit}]}
    return [{"data": data, "mark": mark, "encoding": {"x": time}} for mark in (line, name)]


def _strips(found: Replay) -> Spec:
    """Single runs: one bar each, coloured by what the run did."""
    unit, time = _time_axis(found)
    drawn = strips(found.outcomes[0])
    states = {"domain": list(STATES), "range": list(COLOURS)}
    return {
        "title": "what single runs did",
        "width": WIDTH,
        "height": ROW * len(drawn),
        "data": {
            "values": [
                {"run": f"run {number}", "time": one.begin / unit, "end": one.end / unit, "state": STATES[one.state]}
                for number, strip in enumerate(drawn, start=1)
                for one in strip
            ]
        },
        "mark": {"type": "bar", "height": BAR, "aria": False},
        "encoding": {
            "x": {**time, "axis": None},
            "x2": {"field": "end"},
            "y": {"field": "run", **ROWS},
            "color": {"field": "state", "type": "nominal", "scale": states, "legend": {"title": None}},
        },
    }


def _costs(found: Replay) -> Spec:
    """What each policy costs: 5th to 95th percentile as a bar, the median as a line, with time and share in time."""
    rows = [{"policy": one.policy, **figures(one.usd), "words": _words(one)} for one in found.outcomes]
    room = 1.6 * max(float(row["p95"]) for row in rows)  # for the words beside the longest bar
    axis = {"title": "US dollars", "labelExpr": LABELS["cost"], "tickCount": 6}
    usd = {"type": "quantitative", "scale": {"domain": [0, room or 1.0], "nice": False}, "axis": axis}
    bar = {"type": "bar", "height": BAR, "color": BAND}
    tick = {"type": "tick", "color": MEDIAN, "thickness": 2, "size": BAR}
    text = {"type": "text", "align": "left", "dx": 8}
    return {
        "title": "cost: 5th to 95th percentile, median marked; time at the median, share in time",
        "width": WIDTH,
        "height": ROW * len(rows),
        "data": {"values": rows},
        "encoding": {"y": {"field": "policy", **ROWS}},
        "layer": [
            {"mark": bar, "encoding": {"x": {"field": "p5", **usd}, "x2": {"field": "p95"}}},
            {"mark": tick, "encoding": {"x": {"field": "p50", **usd}}},
            {"mark": text, "encoding": {"x": {"field": "p95", **usd}, "text": {"field": "words"}}},
        ],
    }


def _words(one: PolicyOutcome) -> str:
    """What stands beside a policy's bar."""
    share = "" if one.probability_in_time is None else f", {one.probability_in_time:.1%} in time"
    return f"{format_money(figures(one.usd)['p50'])}, {format_duration(figures(one.seconds)['p50'])}{share}"
