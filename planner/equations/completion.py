"""Mean and variance of the time and cost of a whole run, with hardware failures alone or with spot nodes too.

Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.equations.reliability import checkpoint_interval_seconds, expansion_with_interval
from planner.equations.renewal import (
    Cycle,
    cycle_seconds,
    cycle_usd,
    cycle_variance,
    cycle_work,
    extra_preemptions,
    mean_length,
    residual_length,
    residual_square,
    sum_over,
)
from planner.equations.spot import Capacity, Rates, Work, pace_up
from planner.equations.symbols import Array


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a run's seconds and US dollars; shape (…)."""

    least_seconds: Array
    """Where the gamma distribution begins that stands for the rest: what no run beats, or what fits the skewness."""
    seconds: Array
    seconds_variance: Array
    least_usd: Array
    usd: Array
    usd_variance: Array


def steady_moments(work: Work, usd_per_second: Array) -> Moments:
    """Without spot nodes: Daly's expected time, and the variance of a Poisson number of losses.

    Each failure costs the restart and what was done since the last checkpoint, uniform over the interval: variance
    wall·λ·E[loss²], third cumulant wall·λ·E[loss³], and a gamma distribution that has all three.
    """
    interval = checkpoint_interval_seconds(work.checkpoint, work.failures)
    expansion = expansion_with_interval(work.checkpoint, work.restart, work.failures, interval)
    seconds = work.start_up + work.seconds * expansion
    variance = seconds * work.failures * loss_square(work.restart, interval + work.checkpoint)
    third = seconds * work.failures * loss_cube(work.restart, interval + work.checkpoint)
    least = np.maximum(seconds - 2 * variance**2 / np.maximum(third, 1e-300), 0)
    price = np.asarray(usd_per_second)
    return Moments(least, seconds, variance, least * price, seconds * price, variance * price**2)


def loss_square(restart: Array, interval: Array) -> Array:
    """Mean square of R + U, U uniform up to the interval between checkpoints: R² + R·τ + τ²/3."""
    return restart**2 + restart * interval + interval**2 / 3


def loss_cube(restart: Array, interval: Array) -> Array:
    """Mean cube of R + U: R³ + 3/2·R²·τ + R·τ² + τ³/4."""
    return restart**3 + 1.5 * restart**2 * interval + restart * interval**2 + interval**3 / 4


def run_moments(work: Work, spot: Capacity, cycle: Cycle, rates: Rates, interval: Array, *, begins: bool) -> Moments:
    """Mean and variance by renewal: W/E[work of a cycle] cycles, and when it begins, a start at a random time.

    E[T] = W·E[L]/E[G] and Var T ≈ W/E[G]·Var(L − E[L]/E[G]·G), likewise for dollars. Source: Cox 1962, Renewal Theory,
    chapter 8 (cumulative processes).
    """
    needed = work.seconds + work.start_up * pace_up(cycle)
    done = cycle_work(cycle)
    cycles = needed / done
    seconds = cycles * cycle_seconds(cycle)
    usd = cycles * cycle_usd(cycle)
    slow, dear = cycle_seconds(cycle) / done, cycle_usd(cycle) / done
    noise = _loss_noise(work, cycle, interval)
    wait, wait_square = start_delay(spot, cycle) if begins else (np.zeros(()), np.zeros(()))
    one = np.ones(())
    variance = cycles * (cycle_variance(cycle, one, one, slow) + slow**2 * noise)
    spread = cycles * (cycle_variance(cycle, cycle.up.usd, cycle.down.usd, dear) + dear**2 * noise)
    least = work.start_up + work.seconds * (1 + work.checkpoint / interval)
    price = np.minimum(rates.spot, rates.on_demand) + rates.fixed
    return Moments(
        least_seconds=least,
        seconds=np.maximum(seconds + wait, least),
        seconds_variance=variance + wait_square - wait**2,
        least_usd=np.minimum(least * price, usd),
        usd=usd + rates.fixed * wait,
        usd_variance=spread + rates.fixed**2 * (wait_square - wait**2),
    )


def _loss_noise(work: Work, cycle: Cycle, interval: Array) -> Array:
    """Variance of the work of a cycle by failures."""
    return work.failures * cycle_seconds(cycle) * loss_square(work.restart, interval + work.checkpoint)


def start_delay(spot: Capacity, cycle: Cycle) -> tuple[Array, Array]:
    """Mean and mean square of the delay by a start at a random time, when the gang may be away.

    Then the rest of that period passes, and a fresh period up, not a typical one, begins. What is done while it is away
    shortens the delay in proportion.
    """
    share_away = mean_length(spot.away_share, spot.away_mean) / cycle_seconds(cycle)
    idle = 1 - sum_over(cycle.down, cycle.down.work) / mean_length(cycle.down.share, cycle.down.mean) / pace_up(cycle)
    more = extra_preemptions(spot.up_share, spot.up_mean)
    away = mean_length(spot.away_share, spot.away_mean)
    rest = residual_length(spot.away_share, spot.away_mean)
    square = residual_square(spot.away_share, spot.away_mean)
    idle = np.clip(idle, 0, 1)
    return share_away * idle * (rest + more * away), share_away * idle**2 * (square + (more * away) ** 2)


def begin_of_losses(work: Work, cycle: Cycle, found: Moments, interval: Array) -> Array:
    """Where the gamma distribution begins that has the skewness of a Poisson number of losses: T − 2·Var²/κ₃.

    Failures and preemptions each cost R + U of work; κ₃ = events·E[loss³]·(wall time per work)³.
    """
    events = found.seconds * (work.failures + 1 / cycle_seconds(cycle))
    slow = cycle_seconds(cycle) / cycle_work(cycle)
    third = events * loss_cube(work.restart, interval + work.checkpoint) * slow**3
    return np.maximum(found.seconds - 2 * found.seconds_variance**2 / np.maximum(third, 1e-300), 0)


def with_reservation(total: Moments, usd_per_second: Array, committed_seconds: Array) -> Moments:
    """Reserved nodes are paid from start to end, and at least for their term."""
    return replace(
        total,
        least_usd=total.least_usd + usd_per_second * np.maximum(total.least_seconds, committed_seconds),
        usd=total.usd + usd_per_second * np.maximum(total.seconds, committed_seconds),
        usd_variance=total.usd_variance + usd_per_second**2 * total.seconds_variance,
    )
