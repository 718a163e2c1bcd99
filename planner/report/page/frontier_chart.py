"""The chart of a frontier: the curve, its points by accelerator, what the request allows, the rivals' own curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from planner.explore.frontier import Frontier
from planner.explore.per_accelerator import Rival
from planner.report.frontier import amount, axis_name
from planner.report.outliers import end_of
from planner.report.page.axes import Ruler
from planner.report.page.marks import POINTS, colour_of, kinds, points_layer
from planner.report.page.parts import Chart

MOST_RIVALS: Final = 3
"""Most curves of accelerators that the frontier does not touch."""
MANY: Final = 40
"""Points from which on they are drawn smaller."""
CHARACTER: Final = 7.0
"""Pixels that a character of a name takes."""
LINE: Final = 13
"""Pixels from one name to the next below it."""
ASIDE: Final = (4, 17, -9, 30, -22, 43, -35)
"""Pixels by which a name stands below the end of its curve: the first at which it covers no other."""


@dataclass(frozen=True)
class ChartSize:
    """One width of a chart, pixels."""

    width: int
    height: int
    x_ticks: int
    y_ticks: int
    legend_columns: int
    point: int
    """Area of a point."""


WIDE: Final = ChartSize(640, 430, 7, 7, 3, 130)
NARROW: Final = ChartSize(290, 320, 4, 6, 1, 110)


def frontier_chart(found: Frontier, others: Sequence[Rival], title: str) -> Chart:
    """The chart in both widths; its marks are the points in order."""
    drawing = _Drawing.of(found, others)
    return Chart(title, drawing.spec(WIDE), drawing.spec(NARROW), POINTS, tuple(drawing.key()))


@dataclass(frozen=True)
class _Drawing:
    found: Frontier
    others: tuple[Rival, ...]
    x: Ruler
    y: Ruler
    names: tuple[str, ...]
    """Accelerators of the points, each once."""

    @classmethod
    def of(cls, found: Frontier, others: Sequence[Rival]) -> _Drawing:
        """What a frontier and its runners-up need drawn."""
        names = tuple(dict.fromkeys(point.plan.accelerator for point in found.points))
        asked_x, asked_y = ([] if one is None else [one] for one in found.request)
        notes = [name.removeprefix(axis).strip() for axis in found.axes for name in [axis_name(found, axis)]]
        end = end_of([one for one, _ in found.curve])
        x = Ruler.of("x", found.axes[0], [one for one, _ in found.curve if one <= end], asked_x, notes[0])
        y = Ruler.of("y", found.axes[1], [one for _, one in found.curve], asked_y, notes[1])
        seen = [one for one in others if any(x.holds(a) and y.holds(b) for a, b in one.curve)]
        own = [one for one in seen if one.accelerator in names] if len(names) > 1 else []
        near = [one for one in seen if one.accelerator not in names and one.best]
        return cls(found, (*own, *near[:MOST_RIVALS]), x, y, names)

    def spec(self, size: ChartSize) -> dict[str, Any]:
        """The specification in one width."""
        return {
            "width": size.width,
            "height": size.height,
            "padding": 4,
            "layer": [
                *self._request(size),
                *self._rivals(size),
                self._curve(size),
                *self._knee(size),
                self._points(size),
                *self._beyond(size),
            ],
        }

    def key(self) -> Iterator[tuple[str, str]]:
        """What the lines and areas mean."""
        yield (
            ("the most that can be had" if self.found.most_is_best else "the frontier: nothing is better in both"),
            "curve",
        )
        if self.others:
            yield "one accelerator alone", "thin"
        if any(self._lines()):
            yield "what the request asks for", "limit"
            yield "keeps the request", "keeps"
        if any(point.is_knee for point in self.found.points):
            yield self._knee_words(), "ring"

    def _knee_words(self) -> str:
        if not self.found.most_is_best:
            return "the knee: to either side, a little of one takes much of the other"
        return f"most tokens per {'dollar' if self.found.axes[0] == 'cost' else 'day'}"

    def _place(self, x: float, y: float) -> dict[str, float]:
        return {"x": self.x.of_value(x), "y": self.y.of_value(y)}

    def _scales(self, size: ChartSize) -> dict[str, Any]:
        return {"x": self.x.channel(size.x_ticks), "y": self.y.channel(size.y_ticks)}

    def _lines(self) -> Iterator[tuple[str, float, str]]:
        """What the request says, by axis, as far as it lies on the chart."""
        for field, ruler, axis, value in zip("xy", (self.x, self.y), self.found.axes, self.found.request, strict=True):
            if value is not None and ruler.holds(value):
                yield field, ruler.of_value(value), amount(axis, value)

    def _request(self, size: ChartSize) -> Iterator[dict[str, Any]]:
        """The region that keeps the request, its limits as lines, and what they say."""
        asked = list(self._lines())
        if not asked:
            return
        bounds = {field: value for field, value, _ in asked}
        area = {
            "x": self.x.low,
            "x2": bounds.get("x", self.x.high),
            "y": bounds.get("y", self.y.low) if self.found.most_is_best else self.y.low,
            "y2": self.y.high if self.found.most_is_best else bounds.get("y", self.y.high),
        }
        mark = {"type": "rect", "color": "var(--keep)", "opacity": 0.1, "aria": False}
        encoding = {**self._scales(size), "x2": {"field": "x2"}, "y2": {"field": "y2"}}
        yield {"data": {"values": [area]}, "mark": mark, "encoding": encoding}
        for field, value, words in asked:
            yield from self._limit(size, field, value, words)

    def _limit(self, size: ChartSize, field: str, value: float, words: str) -> Iterator[dict[str, Any]]:
        """One limit as a dashed line with its words."""
        scales = self._scales(size)
        rule = {"type": "rule", "color": "var(--bad)", "strokeDash": [6, 4], "strokeWidth": 1.6, "aria": False}
        yield {"data": {"values": [{field: value}]}, "mark": rule, "encoding": {field: scales[field]}}
        along = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -4}
        across = {"align": "left", "baseline": "bottom", "angle": 90, "dx": 6, "dy": -5}
        text = {"type": "text", "color": "var(--bad)", "aria": False, **(along if field == "y" else across)}
        sign = "at least" if self.found.most_is_best and field == "y" else "at most"
        place = {"x": self.x.high if field == "y" else value, "y": value if field == "y" else self.y.high}
        yield {
            "data": {"values": [{**place, "words": f"{sign} {words}"}]},
            "mark": text,
            "encoding": {**scales, "text": {"field": "words", "type": "nominal"}},
        }

    def _beyond(self, size: ChartSize) -> Iterator[dict[str, Any]]:
        """Points that lie beyond the end of the axis to the right, with what they cost or take."""
        far = [one for one in self.found.points if self.x.of_value(one.x) > self.x.high]
        if far:
            words = ", ".join(amount(self.found.axes[0], one.x) for one in far)
            values = [{**self._place(far[0].x, max(one.y for one in far)), "words": f"{words} →"}]
            mark = {"type": "text", "align": "right", "dx": 4, "dy": -24, "color": "var(--muted)", "aria": False}
            encoding = {**self._scales(size), "text": {"field": "words", "type": "nominal"}}
            yield {"data": {"values": values}, "mark": mark, "encoding": encoding}

    def _rivals(self, size: ChartSize) -> Iterator[dict[str, Any]]:
        """The curve of each accelerator alone, as far as it lies on the chart; those without a point are named."""
        taken: list[tuple[float, float, float]] = []
        for rival in self.others:
            places = [self._place(x, y) for x, y in rival.curve if self.x.holds(x) and self.y.holds(y)]
            colour = colour_of(rival.accelerator, self.names)
            shade = {"color": colour or "var(--muted)", "opacity": 0.6, "aria": False}
            line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.3, **shade}
            dot = {"type": "point", "filled": True, "size": 20, **shade}
            mark = line if len(places) > 1 else dot
            yield {"data": {"values": places}, "mark": mark, "encoding": self._scales(size)}
            if colour is None and places and size is WIDE:
                yield self._name(size, {**places[-1], "name": rival.accelerator}, taken)

    def _name(self, size: ChartSize, place: dict[str, Any], taken: list[tuple[float, float, float]]) -> dict[str, Any]:
        """The name of an accelerator at the end of its curve, where there is room and no other name yet."""
        long = len(place["name"]) * CHARACTER
        is_left = self.x.share(place["x"]) + long / size.width > 1
        left = self.x.share(place["x"]) * size.width - (long if is_left else 0)
        middle = (1 - self.y.share(place["y"])) * size.height
        down = next(
            (
                step
                for step in ASIDE
                if all(
                    abs(middle + step - other) >= LINE or left >= end or left + long <= start
                    for start, end, other in taken
                )
            ),
            ASIDE[0],
        )
        taken.append((left, left + long, middle + down))
        text = {
            "type": "text",
            "align": "right" if is_left else "left",
            "dx": -5 if is_left else 5,
            "dy": down,
            "fontSize": 11,
            "color": "var(--muted)",
            "aria": False,
        }
        encoding = {**self._scales(size), "text": {"field": "name", "type": "nominal"}}
        return {"data": {"values": [place]}, "mark": text, "encoding": encoding}

    def _curve(self, size: ChartSize) -> dict[str, Any]:
        """The frontier itself: between two points of it nothing is better than the first."""
        mark = {
            "type": "line",
            "interpolate": "linear" if self.found.most_is_best else "step-after",
            "color": "var(--ink)",
            "strokeWidth": 2.2,
            "aria": False,
        }
        return {
            "data": {"values": [self._place(x, y) for x, y in self.found.curve]},
            "mark": mark,
            "encoding": self._scales(size),
        }

    def _knee(self, size: ChartSize) -> Iterator[dict[str, Any]]:
        """A ring around the knee."""
        places = [self._place(point.x, point.y) for point in self.found.points if point.is_knee]
        if places:
            mark = {
                "type": "point",
                "filled": False,
                "color": "var(--ink)",
                "size": 6 * size.point,
                "strokeWidth": 2,
                "aria": False,
            }
            yield {"data": {"values": places}, "mark": mark, "encoding": self._scales(size)}

    def _area(self, size: ChartSize) -> float:
        """Area of a point, smaller where there are many."""
        return size.point * min(1.0, MANY / len(self.found.points))

    def _points(self, size: ChartSize) -> dict[str, Any]:
        """The points, coloured and shaped by accelerator."""
        values = [{**self._place(one.x, one.y), "accelerator": one.plan.accelerator} for one in self.found.points]
        encodings = kinds("accelerator", self.names, size.legend_columns)
        return points_layer(values, self._scales(size), encodings, self._area(size))
