"""How long a run takes and what it costs under each policy, when spot nodes are too dear, and what spares save.

Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from planner.equations.chase import progress_moments, seconds_in_time
from planner.equations.completion import Moments, run_moments, steady_moments
from planner.equations.race import margin_of
from planner.equations.spot import (
    Capacity,
    Rates,
    Work,
    cycle_of_elastic,
    cycle_of_fallback,
    cycle_of_wait,
    interval_of,
)
from planner.equations.symbols import Array


def moments(
    policy: str,
    work: Work,
    spot: Capacity | None,
    rates: Rates,
    deadline: Array | None = None,
    *,
    begins: bool = True,
) -> Moments:
    """Mean and variance of a run under a policy; `begins`: it starts at a random time, not where a phase ended.

    Raises ValueError for `progress` without a deadline.
    """
    if policy == "steady" or spot is None:
        return steady_moments(work, rates.on_demand + rates.fixed)
    if policy == "progress":
        if deadline is None:
            raise ValueError("the policy `progress` needs a deadline")
        return progress_moments(work, spot, rates, deadline)
    cycle = {"wait": cycle_of_wait, "fallback": cycle_of_fallback, "elastic": cycle_of_elastic}[policy]
    found, interval = cycle(work, spot, rates), interval_of(policy, work, spot)
    return run_moments(work, spot, found, rates, interval, begins=begins)


def seconds_with(
    probability: Array, policy: str, work: Work, spot: Capacity | None, rates: Rates, deadline: Array | None = None
) -> Array:
    """Time that a run under a policy keeps with a probability: the deterministic equivalent of a chance constraint.

    For several phases add up the least times, means and variances of `moments`, then take `quantile_beyond`; the sum of
    the phases' own quantiles is later for probabilities above a half, so it is on the safe side.
    """
    if policy == "progress":
        steady = steady_moments(work, rates.on_demand + rates.fixed, interval_of(policy, work, spot))
        return seconds_in_time(steady.delays, margin_of(work, spot), probability)
    return moments(policy, work, spot, rates, deadline).delays.quantile(probability)


def break_even_price(other_usd: Array, fixed_usd: Array, spot_hours: Array) -> Array:
    """Spot price per node-hour above which another purchase is cheaper: (other − fixed)/(spot node-hours).

    `fixed_usd` is what the plan pays for all but spot nodes. Exact, because the cost is linear in the price.
    """
    return np.maximum(other_usd - fixed_usd, 0) / np.maximum(spot_hours, 1e-12)


def break_even_rate(usd_at: Callable[[Array], Array], other_usd: Array, low: Array, high: Array) -> Array:
    """Preemptions per second at which a policy costs as much as another purchase: bisection of a growing cost.

    Where it is dearer at `low` already the answer is `low`, where it stays cheaper up to `high`, `high`.
    """
    for _ in range(60):
        middle = np.sqrt(low * high)
        dearer = usd_at(middle) > other_usd
        low, high = np.where(dearer, low, middle), np.where(dearer, middle, high)
    return high


def restart_with_spares(restart: Array, repair: Array, failures: Array, spares: Array) -> Array:
    """Mean restart when a failed node takes `repair` seconds to come back and `spares` (whole numbers) stand by.

    Nodes in repair are Poisson with mean m = λ·repair; where all spares are out the job waits for the first of s + 1
    to return: R + P(N > s)·repair/(s + 1). Source: Palm's theorem for the M/G/∞ queue.
    """
    mean, count = np.asarray(failures * repair), np.asarray(spares)
    term = np.exp(-mean)
    none_left = 1 - term
    for number in range(1, int(np.max(count, initial=0)) + 1):
        term = term * mean / number
        none_left = np.where(number <= count, none_left - term, none_left)
    return np.asarray(restart + np.maximum(none_left, 0) * repair / (count + 1), dtype=np.float64)
