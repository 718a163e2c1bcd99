"""The pictures of a replay as Vega-Lite: progress over time, runs as strips, costs of the policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from planner.report.page.axes import LABELS, time_unit
from planner.report.page.parts import Spec
from planner.report.replay import Replay, state_names
from planner.simulate.replay import PolicyOutcome, figures
from planner.simulate.timelines import progress_over_time, strips
from planner.units import format_duration, format_money

PLOT: Final = 240
"""Height of the picture of progress."""
ROW: Final = 22
BAR: Final = ROW - 6
POINTS: Final = 120
"""Times at which progress is shown."""
COSTS: Final = "costs"
"""Name of the layer that has a bar per policy."""
ROWS: Final[Spec] = {"type": "ordinal", "sort": None, "axis": {"title": None, "domain": False, "ticks": False}}
"""One row per value, in the order of the data."""


@dataclass(frozen=True)
class Look:
    """How wide the charts are, pixels, and their colours."""

    width: int
    band: str
    median: str
    latest: str
    states: tuple[str, ...]
    """Colours of what a run does, in the order of `STATES`."""
    has_words: bool = True
    """Whether there is room for words beside bars."""


PICTURE: Final = Look(780, "#9ecae1", "#08519c", "#a50f15", ("#d9d9d9", "#9ecae1", "#3182bd", "#e6550d", "#252525"))
"""A picture of its own, on white."""
STATE_COLOURS: Final = ("var(--line)", "var(--h3)", "var(--s0)", "var(--s1)", "var(--ink)")
WIDE: Final = Look(560, "var(--h3)", "var(--h5)", "var(--bad)", STATE_COLOURS)
NARROW: Final = Look(250, "var(--h3)", "var(--h5)", "var(--bad)", STATE_COLOURS, has_words=False)
"""Pages, whose colours change with their theme."""


def replay_charts(found: Replay, look: Look) -> Spec:
    """The three charts below each other, each with its own colours."""
    charts = [_progress(found, look), _strips(found, look), _costs(found, look)]
    return {"vconcat": charts, "spacing": 26, "resolve": {"legend": {"color": "independent"}}}


def _time_axis(found: Replay) -> tuple[float, dict[str, Any]]:
    """Seconds of the axis's unit, and the axis: to the 95th percentile of the time, or the deadline if it is later."""
    until = max(float(figures(found.outcomes[0].seconds)["p95"]) * 1.05, found.job.deadline_seconds or 0)
    unit, name = time_unit(until)
    scale = {"domain": [0, until / unit], "nice": False, "clamp": True}
    return unit, {"field": "time", "type": "quantitative", "scale": scale, "axis": {"title": name, "tickCount": 8}}


def _progress(found: Replay, look: Look) -> Spec:
    """The band of progress with its median, and the deadline."""
    unit, time = _time_axis(found)
    times = np.linspace(0, time["scale"]["domain"][1], POINTS)
    rows = np.vstack([times, progress_over_time(found.outcomes[0], times * unit)]).T.tolist()
    share = {"type": "quantitative", "axis": {"title": None, "format": "%", "tickCount": 5}}
    band = {"x": time, "y": {"field": "low", **share}, "y2": {"field": "high"}}
    return {
        "title": "work done: median, and 90% of the runs",
        "width": look.width,
        "height": PLOT,
        "data": {"values": [dict(zip(("time", "low", "median", "high"), row, strict=True)) for row in rows]},
        "layer": [
            {"mark": {"type": "area", "color": look.band, "opacity": 0.6, "aria": False}, "encoding": band},
            {
                "mark": {"type": "line", "color": look.median, "aria": False},
                "encoding": {"x": time, "y": {"field": "median", **share}},
            },
            *_deadline(found, look, unit, time),
        ],
    }


def _deadline(found: Replay, look: Look, unit: float, time: Spec) -> list[Spec]:
    """The deadline, where there is one, as a line with its name."""
    if found.job.deadline_seconds is None:
        return []
    line = {"type": "rule", "color": look.latest, "strokeDash": [5, 3], "aria": False}
    name = {
        "type": "text",
        "text": "deadline",
        "align": "right",
        "dx": -4,
        "y": 10,
        "color": look.latest,
        "aria": False,
    }
    data = {"values": [{"time": found.job.deadline_seconds / unit}]}
    return [{"data": data, "mark": mark, "encoding": {"x": time}} for mark in (line, name)]


def _strips(found: Replay, look: Look) -> Spec:
    """Single runs: one bar each, coloured by what the run did."""
    unit, time = _time_axis(found)
    drawn, names = strips(found.outcomes[0]), state_names(found.job)
    seen = sorted({one.state for strip in drawn for one in strip})
    states = {"domain": [names[one] for one in seen], "range": [look.states[one] for one in seen]}
    legend = {"title": None, "orient": "top", "columns": 5 if look.has_words else 2}
    return {
        "title": "what single runs did",
        "width": look.width,
        "height": ROW * len(drawn),
        "data": {
            "values": [
                {"run": f"run {number}", "time": one.begin / unit, "end": one.end / unit, "state": names[one.state]}
                for number, strip in enumerate(drawn, start=1)
                for one in strip
            ]
        },
        "mark": {"type": "bar", "height": BAR, "aria": False},
        "encoding": {
            "x": {**time, "axis": None},
            "x2": {"field": "end"},
            "y": {"field": "run", **ROWS},
            "color": {"field": "state", "type": "nominal", "scale": states, "legend": legend},
        },
    }


def _costs(found: Replay, look: Look) -> Spec:
    """What each policy costs: 5th to 95th percentile as a bar, the median as a line, with time and share in time."""
    rows = [{"policy": one.policy, **figures(one.usd), "words": _words(one)} for one in found.outcomes]
    most = max(float(row["p95"]) for row in rows) or 1.0
    domain = [0, most * (ROOM_FOR_WORDS if look.has_words else 1.05)]
    axis = {"title": "US dollars", "labelExpr": LABELS["cost"], "tickCount": 6 if look.has_words else 3}
    usd = {"type": "quantitative", "scale": {"domain": domain, "nice": False}, "axis": axis}
    tick = {"type": "tick", "color": look.median, "thickness": 2, "size": BAR, "aria": False}
    text = {"type": "text", "align": "left", "dx": 8, "aria": False}
    words = {"mark": text, "encoding": {"x": {"field": "p95", **usd}, "text": {"field": "words"}}}
    bar = {"type": "bar", "height": BAR, "color": look.band}
    return {
        "title": "cost: 90% of the runs, median marked",
        "width": look.width,
        "height": ROW * len(rows),
        "data": {"values": rows},
        "encoding": {"y": {"field": "policy", **ROWS}},
        "layer": [
            {"name": COSTS, "mark": bar, "encoding": {"x": {"field": "p5", **usd}, "x2": {"field": "p95"}}},
            {"mark": tick, "encoding": {"x": {"field": "p50", **usd}}},
            *([words] if look.has_words else []),
        ],
    }


ROOM_FOR_WORDS: Final = 1.7
"""Length of the axis of dollars in longest bars, where words stand beside them."""


def _words(one: PolicyOutcome) -> str:
    """What stands beside a policy's bar."""
    share = "" if one.probability_in_time is None else f", {one.probability_in_time:.1%} in time"
    return f"{format_money(figures(one.usd)['p50'])}, {format_duration(figures(one.seconds)['p50'])}{share}"
