"""A heat map for pages: one cell per combination of two quantities, coloured by its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any, Final

from planner.report.page.parts import Chart

LEVELS: Final = 7
"""Shades from the least value to the most."""
NONE: Final = "none"
DARKEST: Final = 1.5
"""Ratio to the least value at which the darkest shade begins, where no value is further from it."""
CELLS: Final = "cells"
CHARACTER: Final = 7.5
"""Pixels that a character of a cell's text takes."""


@dataclass(frozen=True)
class HeatCell:
    """One cell: its text, its value, which is None where there is none, and a note below the text."""

    text: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class HeatMap:
    """A matrix of cells; the names of rows and of columns are each there once."""

    title: str
    value: str
    """What the cells show, such as `cost`."""
    across: str
    columns: tuple[str, ...]
    down: str
    rows: tuple[str, ...]
    cells: tuple[tuple[HeatCell, ...], ...]
    """Row by row."""

    @property
    def flat(self) -> tuple[HeatCell, ...]:
        """Every cell, row by row."""
        return tuple(cell for row in self.cells for cell in row)


def heat_map_chart(shown: HeatMap) -> Chart:
    """The chart in both widths; its marks are the cells, row by row."""
    return Chart(shown.title, _spec(shown, 640), _spec(shown, 270), CELLS, tuple(_key(shown)))


def levels(cells: tuple[HeatCell, ...]) -> list[int | None]:
    """The shade of each cell by its ratio to the least value, which has shade 0; None without a value.

    Values that hardly differ have shades that hardly do.
    """
    known = [cell.value for cell in cells if cell.value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low > 0:
        span = log(max(high / low, DARKEST))
        return [None if cell.value is None else _level(log(cell.value / low) / span) for cell in cells]
    return [None if cell.value is None else _level(cell.value / (high or 1.0)) for cell in cells]


def _level(share: float) -> int:
    return min(int(share * LEVELS), LEVELS - 1)


def _key(shown: HeatMap) -> Iterator[tuple[str, str]]:
    """What the shades mean."""
    shades = levels(shown.flat)
    known = [
        (one.value, one.text, level) for one, level in zip(shown.flat, shades, strict=True) if one.value is not None
    ]
    if known:
        least, most = min(known), max(known)
        more = f", {most[0] / least[0] - 1:+.1%}" if least[0] > 0 and most[0] > least[0] else ""
        yield f"least {shown.value}: {least[1]}", "heat-0"
        yield f"most: {most[1]}{more}", f"heat-{most[2]}"
    if any(cell.value is None for cell in shown.flat):
        yield "no plan", "heat-none"


def _spec(shown: HeatMap, width: int) -> dict[str, Any]:
    """The specification in one width; texts that do not fit into their cells are left out."""
    room = width / len(shown.columns)
    values = [
        {"column": shown.columns[index % len(shown.columns)], "row": shown.rows[index // len(shown.columns)]}
        | {"level": NONE if level is None else str(level)}
        | {"text": _fitting(cell.text, room), "note": _fitting(cell.note, room)}
        for index, (cell, level) in enumerate(zip(shown.flat, levels(shown.flat), strict=True))
    ]
    places = _places(shown, room)
    names = [NONE, *map(str, range(LEVELS))]
    shades = ["var(--soft)", *(f"var(--h{level})" for level in range(LEVELS))]
    inks = ["var(--muted)", *(f"var(--on{level})" for level in range(LEVELS))]
    has_notes = any(cell.note for cell in shown.flat)
    ink = _coloured(names, inks)
    texts = [
        {
            "mark": {"type": "text", "aria": False, **mark},
            "encoding": {**places, "color": ink, "text": {"field": field}},
        }
        for field, mark in (("text", {"dy": -7 if has_notes else 0}), ("note", {"dy": 9, "fontSize": 10}))
    ]
    return {
        "width": width,
        "height": max(44, min(64, 380 // len(shown.rows))) * len(shown.rows),
        "padding": 4,
        "data": {"values": values},
        "layer": [
            {"name": CELLS, "mark": "rect", "encoding": {**places, "color": _coloured(names, shades)}},
            *(texts if has_notes else texts[:1]),
        ],
        "resolve": {"scale": {"color": "independent"}},
    }


def _fitting(text: str, room: float) -> str:
    """A text that has room in a cell, else nothing."""
    return text if len(text) * CHARACTER < room else ""


def _places(shown: HeatMap, room: float) -> dict[str, Any]:
    """Where cells stand: columns across, rows down, in the order that they were given in."""
    is_tight = max(map(len, shown.columns)) * CHARACTER > room
    turned = {"labelAngle": -45} if is_tight else {"labelAngle": 0}
    shared: dict[str, Any] = {"type": "ordinal"}
    return {
        "x": {
            **shared,
            "field": "column",
            "scale": {"domain": list(shown.columns), "paddingInner": 0.03},
            "axis": {"title": shown.across, "domain": False, "ticks": False, "labelPadding": 6, **turned},
        },
        "y": {
            **shared,
            "field": "row",
            "scale": {"domain": list(shown.rows), "paddingInner": 0.05},
            "axis": {"title": shown.down, "domain": False, "ticks": False, "labelPadding": 6},
        },
    }


def _coloured(names: list[str], colours: list[str]) -> dict[str, Any]:
    """The encoding of a shade."""
    return {"field": "level", "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": None}
