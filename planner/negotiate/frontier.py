"""The exact frontier between two of cost, time and devices: what one must give for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Literal

import numpy as np

from planner.equations.symbols import Array
from planner.formulation.limits import limits_of
from planner.formulation.plan import Plan
from planner.layouts.degrees import MAX_DEVICES
from planner.layouts.dominance import undominated
from planner.negotiate.modes import Bounds, Mode, cheapest, fastest, plan_of_mode
from planner.negotiate.relaxations import device_counts
from planner.negotiate.room import Room, with_bounds
from planner.problem.problem import Problem

Axis = Literal["cost", "time", "gpus"]
QUANTITY: Final[dict[Axis, str]] = {"cost": "cost_usd", "time": "wall_seconds", "gpus": "gpus"}
"""The figure of a plan that an axis shows."""
WINDOW: Final = 4
"""How many times the deadline the slowest plans may take where time is an axis."""


@dataclass(frozen=True)
class Point:
    """One plan of the frontier: nothing is better in one axis without being worse in the other."""

    x: float
    y: float
    plan: Plan
    is_knee: bool


@dataclass(frozen=True)
class Frontier:
    """Points in order of x, those that are shown of all that there are."""

    problem: Problem
    axes: tuple[Axis, Axis]
    points: tuple[Point, ...]
    total: int
    within: Bounds
    """What all points keep to."""

    @property
    def request(self) -> tuple[float | None, float | None]:
        """What the problem asks for in both axes, as far as it says."""
        stated = limits_of(self.problem)
        x, y = (stated.get(QUANTITY[axis]) for axis in self.axes)
        return (x.bound if x else None, y.bound if y else None)


def frontier(problem: Problem, x: Axis, y: Axis, points: int) -> Frontier:
    """At most so many points of the exact frontier, its ends and its knee among them, each plan verified.

    The limits on both axes are dropped, but for time beyond four times the deadline; all others are kept. The number
    of devices stays within its limit. Raises InputError.
    """
    room = Room(problem)
    dropped = {QUANTITY[axis]: inf for axis in (x, y) if axis == "cost"}
    if "time" in (x, y):
        dropped["wall_seconds"] = WINDOW * room.bounds.wall_seconds
    bounds = replace(room.bounds, **dropped)
    found = _by_devices(room, bounds, x, y) if "gpus" in (x, y) else _by_time(room, bounds, x)
    values = np.asarray([one[:2] for one in found]).reshape(-1, 2)
    knee = knee_of(values)
    choices = room.choices(bounds.wall_seconds, bounds.gpus)
    shown = thinned(values, points, knee)
    stated = with_bounds(problem, bounds)
    kept = tuple(
        Point(found[one][0], found[one][1], plan_of_mode(choices, stated, found[one][2]), one == knee) for one in shown
    )
    return Frontier(problem, (x, y), kept, len(found), bounds)


def _by_time(room: Room, bounds: Bounds, x: Axis) -> list[tuple[float, float, Mode]]:
    """Time against cost: every undominated mode."""
    found = room.modes(bounds)
    values = np.asarray([(one.wall_seconds, one.cost_usd) for one in found]).reshape(-1, 2)
    modes = [found[one] for one in undominated(values).tolist()]
    if x == "time":
        return [(one.wall_seconds, one.cost_usd, one) for one in modes]
    return [(one.cost_usd, one.wall_seconds, one) for one in reversed(modes)]


def _by_devices(room: Room, bounds: Bounds, x: Axis, y: Axis) -> list[tuple[float, float, Mode]]:
    """Devices against cost or time: the best within each number of devices that beats the best within fewer."""
    other: Axis = x if y == "gpus" else y
    counts = device_counts(room.choices(bounds.wall_seconds, bounds.gpus))
    found: list[tuple[float, float, Mode]] = []
    least = inf
    for count in (one for one in counts if one <= min(bounds.gpus, MAX_DEVICES)):
        modes = room.modes(replace(bounds, gpus=float(count)))
        best = cheapest(modes, bounds) if other == "cost" else fastest(modes, bounds)
        value = getattr(best, QUANTITY[other], inf)
        if best and value < least:
            least = value
            found.append((value, float(count), best) if x == other else (float(count), value, best))
    return sorted(found, key=lambda one: one[0])


def knee_of(values: Array) -> int | None:
    """The point nearest to the best of both axes, in logarithms scaled to the ends; None below three points."""
    return int(np.argmin(_scaled(values).sum(axis=1))) if len(values) > 2 else None


def _scaled(values: Array) -> Array:
    """Logarithms of shape (points, 2), between 0 and 1 in each axis."""
    logs = np.log(np.maximum(values, TINY))
    low, high = logs.min(axis=0), logs.max(axis=0)
    return np.asarray((logs - low) / np.maximum(high - low, TINY), dtype=np.float64)


TINY: Final = 1e-6
"""What stands for nothing in a logarithm."""


def thinned(values: Array, points: int, knee: int | None) -> Sequence[int]:
    """At most so many indices: the ends, the knee, and what lies at even distances along the curve."""
    count = len(values)
    if count <= points:
        return range(count)
    kept = {0, count - 1} | ({knee} if knee is not None and points > 2 else set())
    along = np.concatenate(([0.0], np.abs(np.diff(_scaled(values), axis=0)).sum(axis=1).cumsum()))
    while len(kept) < points:
        held = along[sorted(kept)]
        far = np.abs(along[:, None] - held[None, :]).min(axis=1)
        far[sorted(kept)] = -1.0
        kept.add(int(far.argmax()))
    return sorted(kept)
