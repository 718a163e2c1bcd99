"""The policy `progress`: on-demand nodes only when the run is behind a straight line from start to deadline.

Progress on spot nodes is a random walk with a drift; what is bought on demand keeps it from falling behind the line, as
a barrier that reflects it. Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.equations.chance import mean_shortfall
from planner.equations.completion import Moments, run_moments, start_delay
from planner.equations.reliability import expansion_with_interval
from planner.equations.renewal import (
    cycle_seconds,
    cycle_variance,
    cycle_work,
    mean_length,
    over_kinds,
    squared_variation,
)
from planner.equations.spot import Capacity, Rates, Work, by_kind, cycle_of_wait, interval_of_wait, pace_up
from planner.equations.symbols import Array

MISSED = 0.75
"""Of the progress that spot nodes would make on average during a stretch on demand, what is really missed: fitted to
simulated runs of 40 random plans, where 1 makes some plans 10 % too dear and 0.55 others 11 % too cheap."""
MOST_MISSED = 0.9
"""Share of spot progress that is missed at most by staying on demand."""


@dataclass(frozen=True)
class Chase:
    """A run under `progress` as a race between spot nodes and the straight line to the deadline; shape (…).

    Progress counts in seconds of a run on on-demand nodes, failures included.
    """

    length: Array
    """Of the whole run."""
    pace: Array
    """Mean progress on spot nodes per second of wall time."""
    pace_up: Array
    """The same while they are there."""
    required: Array
    """Progress per second of the straight line."""
    variance: Array
    """Of the progress on spot nodes, per second."""
    memory: Array
    """Seconds after which the zone has forgotten its state: ∫ autocorrelation."""
    delay: Array
    """Mean seconds by which a start at a random time delays the end on spot nodes."""
    overhead: Array
    """Seconds on demand per second of progress made there."""
    missed: Array
    """Progress on spot nodes that is missed per second of progress on demand, because the run stays on demand."""


def chase_of(work: Work, spot: Capacity, rates: Rates, deadline: Array) -> Chase:
    """The race: drift and variance of the progress on spot nodes, and what each stretch on demand costs.

    A stretch on demand begins with a change-over d and lasts until the run is 2·d ahead of the line: y = (d + 2·d·r)/
    (1 − r) seconds for y − d of progress. Source: Wu et al. 2024 (NSDI, Can't Be Late), section 4.3.
    """
    cycle = cycle_of_wait(work, spot, rates)
    interval = interval_of_wait(work, spot)
    expansion = expansion_with_interval(work.checkpoint, work.restart, work.failures, interval)
    length = work.start_up + work.seconds * expansion
    pace, up = cycle_work(cycle) * expansion / cycle_seconds(cycle), pace_up(cycle) * expansion
    required = np.minimum(length / deadline, 1 - 1e-9)
    diffusion = cycle_variance(cycle, pace[..., None], pace[..., None], expansion) / cycle_seconds(cycle)
    lag = 2 * (pace - required) * lasting_shortfall(spot, up, required)
    variance = np.where(pace > required, np.minimum(diffusion, np.maximum(lag, 1e-12)), diffusion)
    change = work.restart + work.checkpoint
    stretch = np.minimum((change + 2 * change * required) / (1 - required), deadline)
    overhead = stretch / np.maximum(stretch - change, 1e-9)
    memory = diffusion / np.maximum(2 * pace * (up - pace), 1e-12)
    missed = MISSED * pace * overhead * there_again(spot, stretch)
    return Chase(length, pace, up, required, variance, memory, start_delay(spot, cycle)[0], overhead, missed)


def lasting_shortfall(spot: Capacity, pace_there: Array, required: Array) -> Array:
    """Farthest that progress at a pace b, while the gang is there, ever falls behind a line of slope r < a·b: the mean.

    (1 − a)·b/u·r·D/(1 − ρ)·((1 + c_D²)/2 + ρ·(c_U² − 1)/2) with u = b − r, ρ = r·D/(u·U): exact for exponential periods
    (a fluid queue), with Kingman's correction for others. Source: Anick, Mitra and Sondhi 1982, Bell System Technical
    Journal 61 (8), with one source; Kingman 1961.
    """
    there, away = mean_length(spot.up_share, spot.up_mean), mean_length(spot.away_share, spot.away_mean)
    gain: Array = np.maximum(pace_there - required, 1e-9)
    load: Array = np.minimum(required * away / (gain * there), 1 - 1e-6)
    tail = (1 + squared_variation(spot.away_share, spot.away_mean)) / 2
    tail = tail + load * (squared_variation(spot.up_share, spot.up_mean) - 1) / 2
    return away / (there + away) * pace_there / gain * required * away / (1 - load) * tail


def there_again(spot: Capacity, seconds: Array) -> Array:
    """Share of its usual time that a gang is there in a time that begins within a period away.

    Each kind of period, by the time it takes up, forgets its state after m·U/(m + U).
    """
    there = by_kind(mean_length(spot.up_share, spot.up_mean))
    memory = spot.away_mean * there / (spot.away_mean + there)
    weight = spot.away_share * spot.away_mean / by_kind(mean_length(spot.away_share, spot.away_mean))
    return over_kinds(weight * forgotten(by_kind(seconds), memory))


def forgotten(seconds: Array, memory: Array) -> Array:
    """How far a zone has forgotten its state on average over a time t: 1 − (1 − e^(−t/θ))/(t/θ)."""
    ratio = np.maximum(seconds / np.maximum(memory, 1e-9), 1e-9)
    return 1 + np.expm1(-ratio) / ratio


def bought_on_demand(chase: Chase, seconds: Array) -> Array:
    """Mean progress on demand in a time: the farthest that spot progress falls behind the line, and what is missed."""
    variance = chase.variance * forgotten(seconds, chase.memory)
    behind = mean_shortfall(chase.required - chase.pace, variance, seconds)
    used: Array = 1 - np.minimum(chase.missed, MOST_MISSED)
    return behind / used


def finish_of_chase(chase: Chase, deadline: Array) -> Array:
    """Mean time at which spot nodes and what had to be bought on demand have done the whole run; by bisection."""
    low, high = np.zeros_like(chase.length), np.asarray(deadline, dtype=np.float64) + np.zeros_like(chase.length)
    for _ in range(50):
        middle = (low + high) / 2
        bought = bought_on_demand(chase, middle)
        early = (
            chase.pace * (middle - chase.delay) + bought * (1 - np.minimum(chase.missed, MOST_MISSED)) < chase.length
        )
        low, high = np.where(early, middle, low), np.where(early, high, middle)
    return high


def progress_moments(work: Work, spot: Capacity, rates: Rates, deadline: Array) -> Moments:
    """`progress`: time and cost of the race, with spot progress as Brownian motion that on-demand nodes reflect.

    On-demand progress is the farthest that the line gets ahead of spot progress (`mean_shortfall`). The run ends no
    later than the deadline, because the last stretch is on demand.
    """
    chase = chase_of(work, spot, rates, deadline)
    finish = finish_of_chase(chase, deadline)
    bought = np.minimum(bought_on_demand(chase, finish), chase.length)
    interval = interval_of_wait(work, spot)
    waiting = run_moments(work, spot, cycle_of_wait(work, spot, rates), rates, interval, begins=True)
    on_spot, on_demand = (chase.length - bought) / chase.pace_up, bought * chase.overhead
    usd = on_spot * rates.spot + on_demand * rates.on_demand + finish * rates.fixed
    trade = (rates.on_demand * chase.overhead - rates.spot / chase.pace_up) ** 2
    bounded = np.minimum(waiting.seconds_variance, (deadline - waiting.least_seconds) ** 2 / 12)
    return replace(
        waiting,
        seconds=finish,
        seconds_variance=np.maximum(bounded, 0),
        usd=usd,
        usd_variance=trade * np.minimum(chase.variance * finish, bought**2) + rates.fixed**2 * bounded,
    )
