"""A portfolio's charts as Vega-Lite specifications: the calendar to drag days on, use of pools, money by quarter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from planner.board.charts import Spec
from planner.units import counted, format_money

Document = Mapping[str, Any]
Handles = Mapping[str, Mapping[str, Any]]
"""The controls of days by key."""

ROW: Final = 22
"""Pixels of a row of the calendar."""
AT: Final[Spec] = {"field": "at", "type": "temporal"}
FIRST, LAST = "T00:00:00", "T23:59:59"
"""Where a first and a last day stand."""


def calendar_spec(document: Document, controls: Sequence[Mapping[str, Any]]) -> Spec:
    """Jobs and below them pools, by day; marks whose datum has a `key` are days that can be dragged."""
    days = {one["key"]: one for one in controls if one["kind"] == "day"}
    rows = [*(job["name"] for job in document["jobs"]), *(_pool_row(pool["name"]) for pool in document["pools"])]
    pools = [pool["name"] for pool in document["pools"]]
    span = [f"{document['calendar']['start']}{FIRST}", f"{document['calendar']['end']}{LAST}"]
    x = {"type": "temporal", "scale": {"domain": span}, "title": None, "axis": {"format": "%b", "tickCount": "month"}}
    y = {"field": "row", "type": "ordinal", "scale": {"domain": rows}, "title": None, "axis": {"labelLimit": 130}}
    words = {"field": "words", "type": "nominal", "title": "day"}
    told: Spec = {"tooltip": [words], "description": words}
    across: Spec = {"x": {"field": "from", **x}, "x2": {"field": "to"}, "y": y}
    colour = {"field": "pool", "type": "nominal", "scale": {"domain": pools}, "title": None}
    handles = list(_handles(document, days))
    return {
        "height": {"step": ROW},
        "description": "Jobs and pools by day; every day that can be dragged has a control of the same name",
        "layer": [
            {
                "data": {"values": list(_job_windows(document))},
                "mark": {"type": "bar", "size": 5, "opacity": 0.35, "color": "@muted", "aria": False},
                "encoding": across,
            },
            {
                "data": {"values": list(_pool_windows(document, days))},
                "mark": {"type": "bar", "size": 9, "opacity": 0.6, "aria": False},
                "encoding": {**across, "color": colour},
            },
            {
                "data": {"values": list(_runs(document, days))},
                "mark": {"type": "bar", "size": 15, "cornerRadius": 2, "cursor": "grab"},
                "encoding": {**across, **told, "color": {**colour, "legend": {"orient": "bottom", "columns": 4}}},
            },
            *(
                {
                    "data": {"values": [one for one in handles if one["side"] == side]},
                    "mark": {"type": "point", "shape": shape, "filled": True, "size": 110, "cursor": "ew-resize"}
                    | {"color": "@ink", "opacity": 1},
                    "encoding": {"x": {"field": "at", **x}, "y": y, **told},
                }
                for side, shape in (("first", "triangle-right"), ("last", "triangle-left"))
            ),
            *_dragged(x),
        ],
    }


def _dragged(x: Spec) -> Iterator[Spec]:
    """A line and a word at the day to which something is being dragged; the page fills their data."""
    data = {"name": "dragged", "values": []}
    mark = {"type": "rule", "color": "@accent", "strokeWidth": 2, "aria": False}
    yield {"data": data, "mark": mark, "encoding": {"x": {"field": "at", **x}}}
    text = {
        "type": "text",
        "color": "@ink",
        "fontWeight": "bold",
        "align": "left",
        "dx": 5,
        "baseline": "top",
        "aria": False,
    }
    encoding = {"x": {"field": "at", **x}, "y": {"value": 0}, "text": {"field": "words"}}
    yield {"data": {"name": "dragged"}, "mark": text, "encoding": encoding}


def _pool_row(name: str) -> str:
    return f"pool {name}"


def _job_windows(document: Document) -> Iterator[Spec]:
    """From the release to the deadline of each job."""
    for job in document["jobs"]:
        yield {"row": job["name"], "from": f"{job['release']}{FIRST}", "to": f"{job['deadline']}{LAST}"}


def _pool_windows(document: Document, days: Handles) -> Iterator[Spec]:
    """From the first to the last day of each pool."""
    for pool, (first, last) in zip(document["pools"], _ends(days, "Pool"), strict=False):
        yield {
            "row": _pool_row(pool["name"]),
            "from": f"{first['value'] or first['usual']}{FIRST}",
            "to": f"{last['value'] or last['usual']}{LAST}",
            "pool": pool["name"],
        }


def _ends(days: Handles, kind: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The controls of the first and the last day of each pool or job, in the order of the file."""
    first, last = {"Pool": (".from", ".to"), "Job": (".release", ".deadline")}[kind]
    of_kind = [one for one in days.values() if one["group"].startswith(f"{kind} ")]
    begins, ends = ([one for one in of_kind if one["key"].endswith(suffix)] for suffix in (first, last))
    yield from zip(begins, ends, strict=True)


def _runs(document: Document, days: Handles) -> Iterator[Spec]:
    """A bar for each phase; those of a job in one pool can be dragged to a fixed start."""
    fixed = [one for one in days.values() if one["key"].endswith(".fixed")]
    for number, job in enumerate(document["jobs"]):
        control = fixed[number] if number < len(fixed) else None
        drags = _drags(control, job["start"]) if control and control.get("before") else {}
        for phase in job["phases"]:
            late = f", {counted(job['late_days'], 'day')} late" if job["late_days"] else ""
            words = f"{job['name']}, {phase['name']}: {counted(phase['nodes'], 'node')} of {phase['pool']}"
            yield {
                "row": job["name"],
                "from": f"{phase['start']}{FIRST}",
                "to": f"{phase['end']}{LAST}",
                "pool": phase["pool"],
                "words": f"{words}, {phase['start']} to {phase['end']}{late}",
                **drags,
            }


def _handles(document: Document, days: Handles) -> Iterator[Spec]:
    """Marks at the days of each job's window and each pool's."""
    names = [("Job", job["name"]) for job in document["jobs"]]
    pools = [("Pool", _pool_row(pool["name"])) for pool in document["pools"]]
    pairs = [*zip(names, _ends(days, "Job"), strict=False), *zip(pools, _ends(days, "Pool"), strict=False)]
    for (_, row), controls in pairs:
        for control, side, at in zip(controls, ("first", "last"), (FIRST, LAST), strict=True):
            day = control["value"] or control["usual"]
            words = f"{row}: {control['label'].lower()} {day}"
            yield {"row": row, "side": side, "at": f"{day}{at}", "words": words, **_drags(control, day)}


def _drags(control: Mapping[str, Any], day: str) -> Spec:
    """What makes a mark a day that can be dragged."""
    around = {name: control.get(name, "") for name in ("before", "after")}
    return {"key": control["key"], "day": day, "label": control["label"], "range": control["range"], **around}


def use_spec(document: Document) -> Spec:
    """The mean use of each pool by month, as shades."""
    values = [
        {"pool": pool["name"], "month": one["month"], "share": one["share"], "words": f"{one['share']:.0%}"}
        for pool in document["pools"]
        for one in pool["months"]
        if one["share"] is not None
    ]
    month = {"field": "month", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "labelOverlap": True}}
    share = {"field": "share", "type": "quantitative", "title": "used", "legend": {"format": "%"}}
    return {
        "height": {"step": 24},
        "description": "Mean use of each pool by month",
        "data": {"values": values},
        "mark": {"type": "rect"},
        "encoding": {
            "x": month,
            "y": {"field": "pool", "type": "nominal", "title": None, "sort": None},
            "color": {**share, "scale": {"domain": [0, 1], "range": ["@soft", "@s0"]}},
            "tooltip": [{"field": "pool"}, {"field": "month"}, {"field": "words", "title": "used"}],
        },
    }


def quarters_spec(document: Document) -> Spec:
    """Money by quarter, team by team, with what is paid for and unused."""
    bill = document["bill"]
    rows = {**bill["teams"], "unused": bill["unused"]}
    values = [
        {"quarter": quarter, "team": team, "usd": float(row[quarter]), "words": format_money(Decimal(row[quarter]))}
        for team, row in rows.items()
        for quarter in bill["quarters"]
        if Decimal(row[quarter])
    ]
    return {
        "height": 200,
        "description": "Money by quarter and team",
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "quarter", "type": "ordinal", "title": None, "sort": list(bill["quarters"])}
            | {"axis": {"labelAngle": 0}},
            "y": {"field": "usd", "type": "quantitative", "title": "US dollars", "axis": {"format": "$~s"}},
            "color": {"field": "team", "type": "nominal", "title": None, "legend": {"orient": "bottom"}},
            "tooltip": [{"field": "team"}, {"field": "quarter"}, {"field": "words", "title": "cost"}],
        },
    }
