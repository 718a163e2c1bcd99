"""Axes of charts: units, ticks and labels that read well from dollars to billions and from minutes to years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, Final

from planner.explore.frontier import Axis
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE

WIDE_RANGE: Final = 5.0
"""Ratio of the largest to the least value from which on an axis is logarithmic."""
MARGIN: Final = 0.06
"""Part of an axis that stays free beyond the values at either end."""
NICE: Final = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Leading digits of the ticks of a logarithmic axis, coarse to fine."""
TINY: Final = 1e-9

_SHORT: Final = "replace(format(datum.value, '~s'), 'G', 'B')"
LABELS: Final = {
    "cost": f"'$' + {_SHORT}",
    "tokens": _SHORT,
    "time": "format(datum.value, ',~f')",
    "gpus": "format(datum.value, ',~f')",
}


@dataclass(frozen=True)
class Ruler:
    """One axis: what it shows, in which unit, from where to where."""

    field: str
    title: str
    label: str
    """Expression of the label at a tick."""
    unit: float
    """What one of the axis's numbers is in the program's own unit."""
    low: float
    high: float
    is_log: bool
    is_whole: bool
    """Whether there is nothing between whole numbers."""

    @classmethod
    def of(cls, field: str, axis: Axis, values: Sequence[float], beside: Sequence[float] = (), note: str = "") -> Ruler:
        """An axis over values in the program's unit, and over what lies `beside` as far as that is near."""
        unit, name = _unit(axis, max(values))
        name += f" ({note})" if note else ""
        shown = [max(one / unit, TINY) for one in values]
        near = [one / unit for one in beside if min(shown) / NEAR <= one / unit <= max(shown) * NEAR]
        low, high = min(shown + near), max(shown + near)
        is_log = high / low >= WIDE_RANGE
        if is_log:
            grown = (high / low) ** MARGIN
            low, high = low / grown, high * grown
        else:
            margin = (high - low) * MARGIN or high * MARGIN
            low, high = max(low - margin, 0.0), high + margin
        return cls(field, name, LABELS[axis], unit, low, high, is_log, axis == "gpus")

    def of_value(self, value: float) -> float:
        """A value in the axis's unit."""
        return max(value / self.unit, TINY)

    def share(self, value: float) -> float:
        """How far along the axis a value in its unit stands, 0 to 1."""
        if self.is_log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        """Whether a value in the program's unit lies within the axis."""
        return self.low <= self.of_value(value) <= self.high

    def channel(self, ticks: int, **axis: Any) -> dict[str, Any]:  # noqa: ANN401  (whatever Vega-Lite takes)
        """The encoding of the axis, with about so many ticks."""
        shown: dict[str, Any] = {"title": self.title, "labelExpr": self.label, **axis}
        if self.is_log:
            shown |= {"values": log_ticks(self.low, self.high, ticks), "labelOverlap": False}
        else:
            shown |= {"tickCount": ticks, **({"tickMinStep": 1} if self.is_whole else {})}
        scale = {
            "type": "log" if self.is_log else "linear",
            "domain": [self.low, self.high],
            "nice": False,
            "zero": False,
            "clamp": True,
        }
        return {"field": self.field, "type": "quantitative", "scale": scale, "axis": shown}


NEAR: Final = 3.0
"""Factor within which something beside the values widens an axis."""


def _unit(axis: Axis, largest: float) -> tuple[float, str]:
    """The unit of an axis, and what the axis is called."""
    match axis:
        case "cost":
            return 1.0, "cost, US dollars"
        case "gpus":
            return 1.0, "GPUs at a time"
        case "tokens":
            return 1.0, "tokens of the first phase"
        case "time":
            unit, name = time_unit(largest)
            return unit, f"time to train, {name}"


def time_unit(largest: float) -> tuple[float, str]:
    """Seconds of the unit in which durations up to the largest, in seconds, read well, and what it is called."""
    if largest >= 2 * SECONDS_PER_DAY:
        return float(SECONDS_PER_DAY), "days"
    if largest >= 2 * SECONDS_PER_HOUR:
        return float(SECONDS_PER_HOUR), "hours"
    return float(SECONDS_PER_MINUTE), "minutes"


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two, as many as come nearest to a count."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    families = [[digit * 10.0**power for power in powers for digit in digits] for digits in NICE]
    families += [_even(low, high, count)]
    within = [sorted(one for one in family if low <= one <= high) for family in families]
    return min(within, key=lambda one: abs(len(one) - count))


def _even(low: float, high: float, count: int) -> list[float]:
    """Round numbers at even distances."""
    rough = (high - low) / count
    base = 10.0 ** floor(log10(rough))
    step = next(base * digit for digit in (1, 2, 5, 10) if base * digit >= rough)
    return [step * index for index in range(ceil(low / step), floor(high / step) + 1)]
