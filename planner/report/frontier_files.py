"""A frontier's document as a workbook: its points, whose costs add up from their bills, and the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from planner.market.places import place_title
from planner.report.bill_sheet import bill_sheet, cost_of
from planner.report.sheets import MONEY, NUMBER, Cell, Formula, Sheet
from planner.units import SECONDS_PER_DAY

HEADINGS: Final = ("point", "USD", "days", "GPUs", "tokens", "accelerator", "place", "knee")
KEPT: Final = "days kept with confidence"
"""Column of the time that a frontier with a confidence is of."""
LAST: Final = ("USD per day sooner", "keeps the request", "what changes")


def frontier_sheets(document: Mapping[str, Any]) -> tuple[Sheet, ...]:
    """The sheets of `plan frontier --json`."""
    plans = [one["plan"] for one in document["points"]]
    kept = _kept_days(document)
    days = KEPT if kept else "days"
    columns = {"cost": "USD", "time": days, "gpus": "GPUs", "tokens": "tokens"}
    sooner = Formula(f'=IF([^{days}]>[{days}],([USD]-[^USD])/([^{days}]-[{days}]),"")')
    rows = [
        (*_figures(number, point), *kept[number - 1 : number], sooner if number > 1 else None, keeps, point["change"])
        for keeps in (_keeps(document, columns),)
        for number, point in enumerate(document["points"], start=1)
    ]
    headings = (*HEADINGS, *((KEPT,) if kept else ()), *LAST)
    formats = {"USD": MONEY, "days": NUMBER, KEPT: NUMBER, "USD per day sooner": MONEY}
    return Sheet("Frontier", headings, rows, formats), _request(document, columns), bill_sheet(plans)


def _kept_days(document: Mapping[str, Any]) -> list[float]:
    """Days of each point that the axis of time shows, where those are not the expected ones; else none."""
    axes = (document["x"], document["y"])
    if "time" not in axes:
        return []
    name = "xy"[axes.index("time")]
    times = [(one[name], one["plan"]["wall_seconds"]) for one in document["points"]]
    return [kept / SECONDS_PER_DAY for kept, _ in times] if any(kept > expected + 1 for kept, expected in times) else []


def _figures(number: int, point: Mapping[str, Any]) -> tuple[Cell, ...]:
    """What a row says of a point's plan."""
    plan = point["plan"]
    tokens = sum(phase["tokens"] for phase in plan["phases"])
    names = (plan["accelerator"], place_of(plan), "knee" if point["knee"] else "")
    return (number, cost_of("point"), plan["wall_seconds"] / SECONDS_PER_DAY, plan["gpus"], tokens, *names)


def place_of(plan: Mapping[str, Any]) -> str:
    """Where a plan's document says that it runs."""
    place = plan["placement"]
    return place_title(place["cloud"], place["region"], place["zone"], place["instance_type"])


def _keeps(document: Mapping[str, Any], columns: Mapping[str, str]) -> Formula:
    """Whether a point keeps what is asked, by the sheet of the request."""
    tests = []
    for row, axis in enumerate((document["x"], document["y"]), start=2):
        bound = f"Request!$B${row}"
        holds = f"[{columns[axis]}]{'>=' if axis == 'tokens' else '<='}{bound}"
        tests.append(f'OR({bound}="",{holds})')
    return Formula(f'=IF(AND({",".join(tests)}),"yes","no")')


def _request(document: Mapping[str, Any], columns: Mapping[str, str]) -> Sheet:
    """What the problem asks for on either axis, which may be changed to see who keeps it."""
    asked = zip((document["x"], document["y"]), document["request"], strict=True)
    rows = [
        (columns[axis], None if value is None else float(value) / (SECONDS_PER_DAY if axis == "time" else 1))
        for axis, value in asked
    ]
    return Sheet("Request", ("limit", "value"), rows, {"value": NUMBER})
