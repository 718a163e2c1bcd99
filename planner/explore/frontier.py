"""The exact frontier between two of cost, time, devices and tokens: what one must give for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Literal

import numpy as np

from planner.errors import InputError
from planner.explore.job_modes import Bounds, JobMode, bounds_of, cheapest, plan_of_mode, soonest_kept
from planner.explore.max_tokens import tokens_along
from planner.explore.relaxations import device_counts
from planner.explore.room import Room, with_bounds
from planner.layouts.dominance import undominated
from planner.performance.symbols import Array
from planner.plans.limits import limits_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem

Axis = Literal["cost", "time", "gpus", "tokens"]
QUANTITY: Final[dict[Axis, str]] = {"cost": "cost_usd", "time": "wall_seconds", "gpus": "gpus", "tokens": "tokens"}
"""The limit on what an axis shows. Time is as expected, or what is kept with `risk.confidence`."""
WINDOW: Final = 4
"""How many times the deadline the slowest plans may take where time is an axis."""


@dataclass(frozen=True)
class Point:
    """One plan of the frontier: nothing is better in one axis without being worse in the other."""

    x: float
    y: float
    plan: Plan
    is_knee: bool
    """Where the curve bends; of tokens, where a dollar or a day trains most of them."""


@dataclass(frozen=True)
class Frontier:
    """Points in order of x, those that are shown of all that there are."""

    problem: Problem
    axes: tuple[Axis, Axis]
    points: tuple[Point, ...]
    curve: tuple[tuple[float, float], ...]
    """All points that there are; of tokens, of which every step more is another point, those that are shown."""
    within: Bounds
    """What all points keep to."""

    @property
    def total(self) -> int:
        """How many points there are; of tokens, how many are shown."""
        return len(self.curve)

    @property
    def confidence(self) -> float | None:
        """How surely the times on an axis are kept; None when they are expected ones."""
        return self.problem.risk.confidence

    @property
    def most_is_best(self) -> bool:
        """Whether the most of y is wanted rather than the least."""
        return self.axes[1] == "tokens"

    @property
    def request(self) -> tuple[float | None, float | None]:
        """What the problem asks for in both axes, as far as it says: tokens at least, all else at most."""
        return _request(self.problem, self.axes)

    def keeps_request(self, x: float, y: float) -> bool:
        """Whether so much of both axes is what the problem asks for."""
        return _keeps(self.axes, self.request, x, y)


def _request(problem: Problem, axes: tuple[Axis, Axis]) -> tuple[float | None, float | None]:
    x, y = (_asked(problem, axis) for axis in axes)
    return x, y


def _keeps(axes: tuple[Axis, Axis], request: tuple[float | None, float | None], x: float, y: float) -> bool:
    """Whether both figures keep a request: tokens at least, all else at most."""
    pairs = zip(axes, request, (x, y), strict=True)
    return all(
        asked is None or (value >= asked if axis == "tokens" else value <= asked) for axis, asked, value in pairs
    )


def _asked(problem: Problem, axis: Axis) -> float | None:
    """What a problem asks for on an axis."""
    if axis == "tokens":
        return float(problem.training.phases[0].tokens)
    limit = limits_of(problem).get(QUANTITY[axis])
    return limit.bound if limit else None


def frontier(problem: Problem, x: Axis, y: Axis, points: int, room: Room | None = None) -> Frontier:
    """At most so many points of the exact frontier, each plan verified.

    Among them are its ends, its knee, and the first and the last that keep the request.

    The limits on both axes are dropped, but for time beyond four times the deadline; all others are kept. The number
    of devices stays within its limit. Tokens, which can only be `y`, are the first phase's, against cost or time; their
    knee is where a dollar or day trains most. Otherwise they are as stated. `room` is what `room_of` makes of the
    problem, when it is needed again. Raises InputError.
    """
    problem.with_hard_limits()
    if y == "tokens":
        return _of_tokens(problem, x, points)
    room = room or room_of(problem)
    bounds = _bounds(problem, x, y)
    found = _by_devices(room, bounds, x, y) if "gpus" in (x, y) else _by_time(room, bounds, x)
    values = np.asarray([one[:2] for one in found]).reshape(-1, 2)
    knee = knee_of(values)
    choices = room.choices(bounds.wall_seconds, bounds.gpus)
    asked = _request(problem, (x, y))
    inside = [index for index, one in enumerate(found) if _keeps((x, y), asked, *one[:2])]
    shown = thinned(values, points, [one for one in (knee, *inside[:1], *inside[-1:]) if one is not None])
    stated = with_bounds(room.problem, bounds)
    kept = tuple(
        Point(found[one][0], found[one][1], plan_of_mode(choices, stated, found[one][2]), one == knee) for one in shown
    )
    return Frontier(problem, (x, y), kept, tuple(one[:2] for one in found), bounds)


def room_of(problem: Problem) -> Room:
    """The layouts of a problem with its tokens as stated, whatever its objective."""
    objective = "cost" if problem.objective == "tokens" else problem.objective
    return Room(problem.model_copy(update={"objective": objective}))


def _bounds(problem: Problem, x: Axis, y: Axis) -> Bounds:
    """What all points keep to."""
    stated = bounds_of(problem)
    dropped = {QUANTITY[axis]: inf for axis in (x, y) if axis == "cost"}
    if "time" in (x, y):
        dropped["wall_seconds"] = WINDOW * stated.wall_seconds
    return replace(stated, **dropped)


def _of_tokens(problem: Problem, x: Axis, points: int) -> Frontier:
    """The most tokens for amounts of money or time. Raises InputError when x is neither."""
    if x not in ("cost", "time"):
        raise InputError("tokens are shown against cost or time", fix="add --x cost or --x time")
    bounds = _bounds(problem, x, "tokens")
    along = list(tokens_along(problem, x, bounds, points))
    values = [(value, float(plan.tokens)) for value, plan in along]
    knee = int(np.argmax([tokens / one for one, tokens in values])) if len(values) > 2 else None
    kept = tuple(Point(value, float(plan.tokens), plan, index == knee) for index, (value, plan) in enumerate(along))
    return Frontier(problem, (x, "tokens"), kept, tuple(values), bounds)


def figure_of(mode: JobMode, axis: Literal["cost", "time"]) -> float:
    """What a mode has on an axis."""
    return mode.cost_usd if axis == "cost" else mode.kept_seconds


def _by_time(room: Room, bounds: Bounds, x: Axis) -> list[tuple[float, float, JobMode]]:
    """Time against cost: every undominated mode."""
    found = room.modes(bounds)
    values = np.asarray([(one.kept_seconds, one.cost_usd) for one in found]).reshape(-1, 2)
    modes = [found[one] for one in undominated(values).tolist()]
    if x == "time":
        return [(one.kept_seconds, one.cost_usd, one) for one in modes]
    return [(one.cost_usd, one.kept_seconds, one) for one in reversed(modes)]


def _by_devices(room: Room, bounds: Bounds, x: Axis, y: Axis) -> list[tuple[float, float, JobMode]]:
    """Devices against cost or time: the best within each number of devices that beats the best within fewer."""
    other: Literal["cost", "time"] = "cost" if "cost" in (x, y) else "time"
    counts = device_counts(room.choices(bounds.wall_seconds, bounds.gpus))
    found: list[tuple[float, float, JobMode]] = []
    least = inf
    for count in (one for one in counts if one <= bounds.gpus):
        modes = room.modes(replace(bounds, gpus=float(count)))
        best = cheapest(modes, bounds) if other == "cost" else soonest_kept(modes, bounds)
        value = figure_of(best, other) if best else inf
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


def thinned(values: Array, points: int, wanted: Sequence[int] = ()) -> Sequence[int]:
    """At most so many indices: the ends, those that are wanted, and what lies at even distances along the curve."""
    count = len(values)
    if count <= points:
        return range(count)
    kept = {0, count - 1}
    kept |= set(list(dict.fromkeys(one for one in wanted if one not in kept))[: points - 2])
    along = np.concatenate(([0.0], np.abs(np.diff(_scaled(values), axis=0)).sum(axis=1).cumsum()))
    while len(kept) < points:
        held = along[sorted(kept)]
        far = np.abs(along[:, None] - held[None, :]).min(axis=1)
        far[sorted(kept)] = -1.0
        kept.add(int(far.argmax()))
    return sorted(kept)
