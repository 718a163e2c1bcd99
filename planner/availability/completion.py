"""Mean and variance of the time and cost of a whole run, with hardware failures alone or with spot nodes too.

Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.availability.checkpointing import expansion_with_interval
from planner.availability.distributions import Delays
from planner.availability.first_and_last_periods import beginning
from planner.availability.renewal import (
    Cycle,
    cycle_cubes,
    cycle_seconds,
    cycle_usd,
    cycle_variance,
    cycle_work,
    extra_preemptions,
    mean_length,
    residual_cube,
    residual_length,
    residual_square,
    sum_over,
)
from planner.availability.spot_cycles import GangCycle, Rates, WorkLeft, pace_up, whole_interval
from planner.performance.symbols import Array


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a run's seconds and US dollars; shape (…)."""

    least_seconds: Array
    """Where the gamma distribution begins that has the mean, the variance and the skewness; adds up over phases."""
    seconds: Array
    seconds_variance: Array
    least_usd: Array
    usd: Array
    usd_variance: Array
    bare_seconds: Array
    """Wall time of a run that nothing interrupts, checkpoints included."""
    losses: Array
    """Mean number of failures where nothing else interrupts a run; ∞ with spot nodes, whose periods are not alike."""

    @property
    def delays(self) -> Delays:
        """Distribution of the seconds."""
        return Delays(self.bare_seconds, self.losses, self.least_seconds, self.seconds, self.seconds_variance)

    @property
    def bill(self) -> Delays:
        """Distribution of the US dollars."""
        spread, usual = self.seconds - self.least_seconds, self.usd / self.seconds
        rate = np.where(spread > 0, (self.usd - self.least_usd) / np.where(spread > 0, spread, 1.0), usual)
        bare = self.usd - rate * (self.seconds - self.bare_seconds)
        return Delays(bare, self.losses, self.least_usd, self.usd, self.usd_variance)


LEAST_SKEWNESS = 1e-9
"""Below it a gamma distribution begins before all times that matter."""


@dataclass(frozen=True)
class Delay:
    """A random time by its first three cumulants; shape (…)."""

    mean: Array
    variance: Array
    third: Array

    @property
    def begin(self) -> Array:
        """Where a gamma distribution with them begins, but not before 0: μ − 2·σ⁴/κ₃. It grows evenly with the work."""
        skewed = np.maximum(self.third, LEAST_SKEWNESS * np.maximum(self.variance, 0) ** 1.5) + 1e-30
        begin: Array = np.maximum(self.mean - 2 * self.variance**2 / skewed, 0)
        return begin


def steady_moments(work: WorkLeft, usd_per_second: Array, interval: Array | None = None) -> Moments:
    """Without spot nodes: Daly's expected time, and the variance of a Poisson number of losses.

    Each failure costs the restart and what was done since the last checkpoint, uniform over the interval, by default
    Daly's: variance wall·λ·E[loss²], third cumulant wall·λ·E[loss³].
    """
    interval = whole_interval(work, work.failures) if interval is None else interval
    expansion = expansion_with_interval(work.checkpoint, work.restart, work.failures, interval)
    seconds = work.start_up + work.seconds * expansion
    struck, loss = seconds * work.failures, interval + work.checkpoint
    variance, third = struck * loss_square(work.restart, loss), struck * loss_cube(work.restart, loss)
    least, rate, bare = Delay(seconds, variance, third).begin, usd_per_second, bare_seconds(work, interval)
    return Moments(
        least, seconds, variance, least * rate, seconds * rate, variance * rate**2, bare, bare * work.failures
    )


def bare_seconds(work: WorkLeft, interval: Array) -> Array:
    """Start-up, work and checkpoints."""
    return work.start_up + work.seconds * (1 + work.checkpoint / interval)


def loss_square(restart: Array, interval: Array) -> Array:
    """Mean square of R + U, U uniform up to the interval between checkpoints: R² + R·τ + τ²/3."""
    return restart**2 + restart * interval + interval**2 / 3


def loss_cube(restart: Array, interval: Array) -> Array:
    """Mean cube of R + U: R³ + 3/2·R²·τ + R·τ² + τ³/4."""
    return restart**3 + 1.5 * restart**2 * interval + restart * interval**2 + interval**3 / 4


def run_moments(
    work: WorkLeft, spot: GangCycle, cycle: Cycle, rates: Rates, interval: Array, *, begins: bool
) -> Moments:
    """Mean and variance by renewal: W/E[work of a cycle] cycles, and when it begins, a start at a random time.

    E[T] = W·E[L]/E[G] and Var T ≈ W/E[G]·Var(L − E[L]/E[G]·G), likewise for dollars. Source: Cox 1962, Renewal Theory,
    chapter 8 (cumulative processes).
    """
    done, seconds_each, usd_each = cycle_work(cycle), cycle_seconds(cycle), cycle_usd(cycle)
    cycles = (work.seconds + work.start_up * pace_up(cycle)) / done
    slow, dear = seconds_each / done, usd_each / done
    struck, loss = work.failures * seconds_each, interval + work.checkpoint
    noise = struck * loss_square(work.restart, loss)
    wait = start_delay(work, spot, cycle) if begins else Delay(*(np.zeros(()),) * 3)
    one = np.ones(())
    begin_seconds, begin_usd = (
        beginning(cycle, values, work.start_up, interval, work.seconds, begins=begins)
        for values in ((np.ones(1), np.ones(1)), (cycle.up.usd, cycle.down.usd))
    )
    seconds = Delay(
        cycles * seconds_each + begin_seconds - wait.mean,
        cycles * (cycle_variance(cycle, one, one, slow) + slow**2 * noise),
        cycles * (cycle_cubes(cycle, slow) + slow**3 * struck * loss_cube(work.restart, loss)),
    )
    spread = cycles * (cycle_variance(cycle, cycle.up.usd, cycle.down.usd, dear) + dear**2 * noise)
    bare, rate = bare_seconds(work, interval), np.minimum(rates.spot, rates.on_demand) + rates.fixed
    usd = np.maximum(cycles * usd_each + begin_usd, bare * rate)
    return Moments(
        least_seconds=seconds.begin + wait.begin,
        seconds=np.maximum(seconds.mean + wait.mean, bare),
        seconds_variance=seconds.variance + wait.variance,
        least_usd=np.minimum(bare * rate, usd),
        usd=usd,
        usd_variance=spread + rates.fixed**2 * wait.variance,
        bare_seconds=bare,
        losses=np.full(np.shape(bare), np.inf),
    )


def start_delay(work: WorkLeft, spot: GangCycle, cycle: Cycle) -> Delay:
    """The delay by a start at a random time, when the gang may be away.

    Then the rest of that period passes, and a fresh period up, not a typical one, begins. What is done while it is away
    shortens the delay in proportion.
    """
    share_away = mean_length(spot.away_share, spot.away_mean) / cycle_seconds(cycle)
    idle = 1 - sum_over(cycle.down, cycle.down.work) / mean_length(cycle.down.share, cycle.down.mean) / pace_up(cycle)
    more = extra_preemptions(spot.up_share, spot.up_mean, work.seconds / pace_up(cycle))
    more = more * mean_length(spot.away_share, spot.away_mean)
    rests = (
        residual(spot.away_share, spot.away_mean) for residual in (residual_length, residual_square, residual_cube)
    )
    idle = np.clip(idle, 0, 1)
    one, two, three = (share_away * idle**power * (rest + more**power) for power, rest in enumerate(rests, start=1))
    return Delay(one, two - one**2, three - 3 * one * two + 2 * one**3)


def with_reservation(total: Moments, usd_per_second: Array, committed_seconds: Array) -> Moments:
    """Reserved nodes are paid from start to end, and at least for their term."""
    return replace(
        total,
        least_usd=total.least_usd + usd_per_second * np.maximum(total.least_seconds, committed_seconds),
        usd=total.usd + usd_per_second * np.maximum(total.seconds, committed_seconds),
        usd_variance=total.usd_variance
        + np.where(total.seconds > committed_seconds, usd_per_second**2 * total.seconds_variance, 0.0),
    )
