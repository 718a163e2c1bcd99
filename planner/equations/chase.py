"""The policy `progress`: on-demand nodes only when the run is behind a straight line from start to deadline.

Arrays broadcast; seconds, US dollars, events per second.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from planner.equations.chance import Delays, normal_density, normal_probability
from planner.equations.completion import Moments, run_moments, start_delay, steady_moments
from planner.equations.race import Race, Tally, race_of, tally_at
from planner.equations.renewal import Cycle, cycle_seconds, cycle_variance, cycle_work, over_kinds
from planner.equations.spot import Capacity, Rates, Work, by_kind, cycle_of_wait, interval_of_wait
from planner.equations.symbols import Array

NEWTON_STEPS = 4
"""To the time at which the work is done."""


def finish(race: Race, deadline: Array) -> tuple[Array, Tally]:
    """Mean time at which the work is done, by spot nodes or on demand for good near the deadline, and how it was done.

    A run on the line has only its margin left as slack from D − margin/(1 − r) on.
    """
    last = np.maximum(deadline - race.margin / (1 - race.line), 1.0)
    found, rate = tally_at(race, last)
    seconds = last
    for _ in range(NEWTON_STEPS):
        seconds = np.clip(seconds - (found.progress - race.length) / np.maximum(rate, 1e-9), last / 20, last)
        found, rate = tally_at(race, seconds)
    left = np.maximum(race.length - found.progress, 0)
    return seconds + left, Tally(race.length, found.on_spot, found.on_demand + left)


def progress_moments(work: Work, spot: Capacity, rates: Rates, deadline: Array) -> Moments:
    """`progress`: time and cost of the race; on demand all along where the deadline leaves no more than the margin."""
    race, interval = race_of(work, spot, rates, deadline), interval_of_wait(work, spot)
    waiting = run_moments(work, spot, cycle_of_wait(work, spot, rates), rates, interval, begins=True)
    raced = race_moments(work, spot, rates, race, waiting, deadline)
    steady = steady_moments(work, rates.on_demand + rates.fixed, interval)
    tight = deadline - race.length <= race.margin
    pairs = ((getattr(steady, one.name), getattr(raced, one.name)) for one in fields(Moments))
    return Moments(*(np.where(tight, one, other) for one, other in pairs))


def race_moments(work: Work, spot: Capacity, rates: Rates, race: Race, waiting: Moments, deadline: Array) -> Moments:
    """Of a run that has time to wait for spot nodes; `waiting`: of one that does nothing else.

    A start while spot nodes are away delays the end, as far as the line leaves time to wait for them.
    """
    cycle = cycle_of_wait(work, spot, rates)
    end, done = finish(race, deadline)
    delay = np.maximum(1 - race.line / over_kinds(race.often * race.pace), 0) * start_delay(work, spot, cycle).mean
    seconds = np.maximum(np.minimum(end + delay, deadline), end)
    free = waiting.seconds_variance * np.minimum(seconds / waiting.seconds, 1)
    variance = capped_variance(free, np.maximum(deadline - seconds, 1.0))
    usd = done.on_spot * rates.spot + done.on_demand * rates.on_demand
    dearer = rates.on_demand - rates.spot * done.on_spot / np.maximum(race.length - done.on_demand, 1.0)
    bought = bought_variance(done, seconds, diffusion_of(race, cycle))
    return replace(
        waiting,
        least_seconds=np.minimum(waiting.bare_seconds, seconds),
        seconds=seconds,
        seconds_variance=variance,
        least_usd=np.minimum(waiting.least_usd, usd),
        usd=usd + seconds * rates.fixed,
        usd_variance=dearer**2 * bought + waiting.usd_variance + rates.fixed**2 * variance,
    )


def diffusion_of(race: Race, cycle: Cycle) -> Array:
    """Variance, per second, of the progress on spot nodes."""
    pace = over_kinds(race.often * race.pace)
    to_progress = pace * cycle_seconds(cycle) / cycle_work(cycle)
    return cycle_variance(cycle, by_kind(pace), by_kind(pace), to_progress) / cycle_seconds(cycle)


def capped_variance(variance: Array, room: Array) -> Array:
    """Of a normal variable that is cut at a bound which is `room` above its mean thereafter, by bisection.

    E[(a + Z)⁺] = φ(a) + a·Φ(a), E[(a + Z)⁺²] = (1 + a²)·Φ(a) + a·φ(a). Not more than 3·room²: half of the runs at the
    bound and the others exponentially before it.
    """
    spread = np.sqrt(np.maximum(variance, 1e-18))
    low, high = np.full(np.shape(room * spread), -8.0), room / spread + 0 * spread
    for _ in range(40):
        middle = (low + high) / 2
        little = normal_density(middle) + middle * normal_probability(middle) < room / spread
        low, high = np.where(little, middle, low), np.where(little, high, middle)
    square = (1 + high**2) * normal_probability(high) + high * normal_density(high)
    cut: Array = np.minimum(np.maximum(spread**2 * square - room**2, 0), 3 * room**2)
    return cut


def bought_variance(done: Tally, seconds: Array, diffusion: Array) -> Array:
    """Of the seconds on demand: what spot nodes fall short is bought, and while it is, less is made on spot nodes.

    With the variance of spot progress σ² a second outside of them and its pace p there, σ²·t/(1 − p); at most that of
    half the runs which buy nothing and others that buy an exponential amount, 3·mean².
    """
    outside = np.maximum(seconds - done.on_demand, 1.0)
    pace = np.maximum(done.progress - done.on_demand, 0) / outside
    short = np.maximum(diffusion * outside / np.maximum(1 - pace, 1e-3), 1e-9)
    joined: Array = 1 / (1 / short + 1 / np.maximum(3 * done.on_demand**2, 1e-9))
    return joined


def probability_in_time(on_demand: Delays, margin: Array, deadline: Array) -> Array:
    """Probability that `progress` keeps a deadline, from the time that the run takes on demand all along.

    Until the slack is down to the margin, luck is spent on waiting for spot nodes and bad luck made up for. From then
    on, for the last share m/gap of the run, it is on demand, and its slack a random walk reflected at the margin:
    P = F(m − d) + F(m + d) − 1, F the distribution of its failures' delay beyond the mean and d = (m − gap)⁺, as for
    Brownian motion. Source: Borodin and Salminen 2002, appendix 1, reflecting Brownian motion.
    """
    gap = deadline - on_demand.mean
    part = on_demand.scaled(margin / np.maximum(gap, margin))
    behind = np.maximum(margin - gap, 0)
    near, far = (part.within(part.mean + margin + sign * behind) for sign in (-1, 1))
    return np.clip(near + far - 1, 0, 1)


def seconds_in_time(on_demand: Delays, margin: Array, probability: Array) -> Array:
    """The shortest deadline that `progress` keeps with a probability; by bisection."""
    low = np.asarray(on_demand.mean - 20 * np.sqrt(on_demand.variance))
    high = on_demand.mean + margin + 400 * on_demand.variance / np.maximum(margin, 1.0)
    for _ in range(80):
        middle = (low + high) / 2
        enough = probability_in_time(on_demand, margin, middle) >= probability
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high
