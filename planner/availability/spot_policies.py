"""How long a run takes and what it costs under each policy, when spot nodes are too dear, and what spares save.

Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.availability.completion import Moments, run_moments, steady_moments
from planner.availability.spot_cycles import (
    GangCycle,
    Rates,
    WorkLeft,
    cycle_of_elastic,
    cycle_of_fallback,
    cycle_of_wait,
    interval_of,
)
from planner.performance.symbols import Array


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def moments(
    policy: str,
    work: WorkLeft,
    spot: GangCycle | None,
    rates: Rates,
    *,
    begins: bool = True,
) -> Moments:
    """Mean and variance of a run under a policy; `begins`: it starts at a random time, not where a phase ended."""
    if policy == "steady" or spot is None:
        return steady_moments(work, rates.on_demand + rates.fixed)
    cycle = {"wait": cycle_of_wait, "fallback": cycle_of_fallback, "elastic": cycle_of_elastic}[policy]
    found, interval = cycle(work, spot, rates), interval_of(policy, work, spot)
    return run_moments(work, spot, found, rates, interval, begins=begins)


@dataclass(frozen=True)
class Growth:
    """A figure of a run that is start + amount · each; shape (…) of both."""

    start: Array
    each: Array

    def after(self, amount: float) -> Array:
        """The figure of a run with so much work."""
        return self.start + amount * self.each


@dataclass(frozen=True)
class RunGrowth:
    """How time and paid time of a run grow with its seconds of work; they add up over phases."""

    wall: Growth
    """Mean wall time."""
    least: Growth
    """As in `Moments`, a little earlier where few losses are expected."""
    variance: Growth
    """Variance of the wall time, a little more where few losses are expected."""
    spot: Growth
    """Time for which a spot node is paid."""
    replaced: Growth
    """Time in which an on-demand node replaces a spot node."""


ENDLESS = 1e6
"""Seconds per second of work from which on a run counts as one that never ends."""
LONG_WORK = 1e8
"""Seconds of work, at least, and twice as many, at which the growth of a figure is taken: so long that it is even."""


FEW_LEAST, FEW_VARIANCE = 0.1, 0.3
"""Shares of a failure's longest loss and of its square that are added to the spread.

With them `Delays` keeps what `promised` says for 50% to 99.9%, to 0.05 points, for 0.001 to 50 expected failures
(0.1 points where losses take two thirds as long as the work); without them 5 points are missing at worst.
"""


def growth(policy: str, work: WorkLeft, spot: GangCycle | None, *, begins: bool) -> RunGrowth:
    """`moments` as they grow with the work, which `Work.seconds` is not asked for; infinite where a run never ends.

    Fields of `work` have the shape (runs,), and so have all results. Least times and variances are for `promised`.
    The last checkpoint is counted in full, since a run has a whole number of them. What few losses need is added where
    the job begins, once for all of its phases.
    """
    spot_rate, on_demand_rate = np.asarray([1.0, 0.0])[:, None], np.asarray([0.0, 1.0])[:, None]
    interval = interval_of(policy, replace(work, seconds=np.asarray(LONG_WORK**2)), spot)
    unit = np.ceil(LONG_WORK / interval) * interval
    seconds = unit * np.asarray([1.0, 2.0])[:, None, None]
    rates = Rates(spot_rate, on_demand_rate, np.zeros(()))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        found = moments(policy, replace(work, seconds=seconds), spot, rates, begins=begins)
        wall, least, variance = (
            _growth(np.broadcast_to(one, np.broadcast_shapes(one.shape, (2, 1, len(work.failures))))[:, 0], unit)
            for one in (found.seconds, found.least_seconds, found.seconds_variance)
        )
        nothing = np.zeros(len(work.failures))
        paid = (
            [Growth(nothing, nothing)] * 2 if spot is None else [_growth(found.usd[:, kind], unit) for kind in (0, 1)]
        )
    wall, least = (replace(one, start=one.start + work.checkpoint) for one in (wall, least))
    if begins and (policy == "steady" or spot is None):
        loss = work.restart + interval + work.checkpoint
        least = Growth(least.start - FEW_LEAST * loss, least.each)
        variance = Growth(variance.start + FEW_VARIANCE * loss**2, variance.each)
    ends = (wall.each < ENDLESS) & np.isfinite(variance.each)
    return RunGrowth(_where(ends, wall, np.inf), *(_where(ends, one, 0.0) for one in (least, variance, *paid)))


def _growth(at: Array, unit: Array) -> Growth:
    """From the figure with one and with two units of work, on the first axis."""
    return Growth(2 * at[0] - at[1], (at[1] - at[0]) / unit)


def _where(ends: npt.NDArray[np.bool_], found: Growth, otherwise: float) -> Growth:
    """The growth where a run ends at all."""
    return Growth(np.where(ends, found.start, otherwise), np.where(ends, found.each, otherwise))


def break_even_price(other_usd: Array, fixed_usd: Array, spot_hours: Array) -> Array:
    """Spot price per node-hour above which another purchase is cheaper: (other − fixed)/(spot node-hours).

    `fixed_usd` is what the plan pays for all but spot nodes. Exact, because the cost is linear in the price.
    """
    return np.maximum(other_usd - fixed_usd, 0) / np.maximum(spot_hours, 1e-12)


def break_even_rate(usd_at: Callable[[Array], Array], other_usd: Array, low: Array, high: Array) -> Array:
    """Preemptions per second at which a policy costs as much as another purchase: bisection of a growing cost.

    Where it is more expensive at `low` already the answer is `low`, where it stays cheaper up to `high`, `high`.
    """
    for _ in range(60):
        middle = np.sqrt(low * high)
        dearer = usd_at(middle) > other_usd
        low, high = np.where(dearer, low, middle), np.where(dearer, middle, high)
    return high
