"""Points of a chart that are told apart by colour and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SHAPES: Final = (
    "circle",
    "diamond",
    "square",
    "triangle-up",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
COLOURS: Final = tuple(f"var(--s{index})" for index in range(len(SHAPES)))
POINTS: Final = "points"
"""Name of the layer whose marks stand for the cards."""


def colour_of(name: str, names: Sequence[str]) -> str | None:
    """The colour of one of the names; None for any other."""
    return COLOURS[names.index(name) % len(COLOURS)] if name in names else None


def kinds(field: str, names: Sequence[str], legend_columns: int) -> dict[str, Any]:
    """The encodings of colour and shape by a field, in the order of the names, with a legend below the chart."""
    legend = {"orient": "bottom", "direction": "horizontal", "columns": legend_columns, "title": None}
    shared = {"field": field, "type": "nominal", "legend": legend}
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(names))]
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(names))]
    return {
        "color": {**shared, "scale": {"domain": list(names), "range": colours}},
        "shape": {**shared, "scale": {"domain": list(names), "range": shapes}},
    }


def points_layer(
    values: Sequence[Mapping[str, Any]], scales: Mapping[str, Any], encodings: Mapping[str, Any], area: float
) -> dict[str, Any]:
    """The points, whose marks belong to the cards in their order."""
    return {
        "name": POINTS,
        "data": {"values": [dict(one) for one in values]},
        "mark": {"type": "point", "filled": True, "size": area, "opacity": 1},
        "encoding": {**scales, **encodings},
    }
