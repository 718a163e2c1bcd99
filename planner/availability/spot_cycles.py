"""Spot nodes under three policies, as cycles of a period in which the gang is there and one in which it is away.

`wait` stalls until spot nodes return; `fallback` computes on on-demand nodes meanwhile; `elastic` goes on with the
data-parallel replicas that are left. Arrays broadcast; those of periods have the kinds of
period as last axis. Seconds, US dollars, events per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.availability.checkpointing import checkpoint_interval_seconds, expansion_with_interval
from planner.availability.renewal import Cycle, Periods, mean_length, over_kinds, sum_over
from planner.performance.symbols import Array

NEVER_PREEMPTED = 1e-11
"""Fewest preemptions per second that are assumed: one in three thousand years."""
SHORTEST_AWAY = 1e-3
"""Shortest mean time away, seconds."""


@dataclass(frozen=True)
class WorkLeft:
    """What has to be computed, and what interrupts it besides preemptions; shape (…)."""

    seconds: Array
    """Seconds of undisturbed work."""
    start_up: Array
    """Seconds until the first step."""
    checkpoint: Array
    """Seconds that the job stands still to write one."""
    restart: Array
    """Seconds from an interruption to computing again."""
    failures: Array
    """Hardware failures per second."""


@dataclass(frozen=True)
class GangCycle:
    """How a gang of spot nodes comes and goes; shape (…, kinds) of the periods, (…) of the rest."""

    up_share: Array
    up_mean: Array
    away_share: Array
    away_mean: Array
    partial: Array
    """Probability that some of the nodes stay while the gang is away."""
    kept: Array
    """Share of the nodes that stay then."""


@dataclass(frozen=True)
class Rates:
    """US dollars per second while the job holds these nodes; shape (…)."""

    spot: Array
    on_demand: Array
    """Price of the nodes that replace the spot nodes."""
    fixed: Array
    """Price of what is on demand or reserved from start to end."""


def by_kind(values: Array) -> Array:
    """With an axis for the kinds of period."""
    return np.asarray(values)[..., None]


def capacity(
    preemptions_per_second: Array,
    availability: Array,
    some: Array,
    kept: Array,
    up: tuple[Array, Array],
    away: tuple[Array, Array],
) -> GangCycle:
    """A gang's periods: mean time up U = 1/λ, mean time away U·(1 − a)/a.

    `up` and `away` are shares and means of the kinds of period in units of the mean, each of shape (kinds,).
    All nodes are there for a share a of the time and some of them for `some`, so a period away is a partial one with
    probability (some − a)/(1 − a).
    """
    mean_up = 1 / np.maximum(preemptions_per_second, NEVER_PREEMPTED)
    mean_away = np.maximum(mean_up * (1 - availability) / availability, SHORTEST_AWAY)
    partial = np.maximum(some - availability, 0) / np.maximum(1 - availability, 1e-12)
    up_mean, away_mean = (np.asarray(mean)[..., None] * kinds[1] for mean, kinds in ((mean_up, up), (mean_away, away)))
    return GangCycle(up[0], up_mean, away[0], away_mean, partial, kept)


def cycle_of_wait(work: WorkLeft, spot: GangCycle, rates: Rates) -> Cycle:
    """`wait`: nothing is done while the gang is away, and of its price nothing paid."""
    nothing = np.zeros_like(spot.away_mean)
    away = Periods(spot.away_share, spot.away_mean, nothing, by_kind(rates.fixed) + nothing, nothing, nothing)
    return Cycle(_up(work, spot, rates, interval_of_wait(work, spot)), away)


def cycle_of_fallback(work: WorkLeft, spot: GangCycle, rates: Rates) -> Cycle:
    """`fallback`: away, the job computes on on-demand nodes after a restart, and moves back with a checkpoint."""
    interval = interval_of_fallback(work, spot)
    nothing = np.zeros_like(spot.away_mean)
    dead = work.restart + _late(work, spot)
    done = _work_away(work, spot, interval, work.failures, dead)
    usd = by_kind(rates.fixed + rates.on_demand) + nothing
    away = Periods(spot.away_share, spot.away_mean, done, usd, by_kind(dead) + nothing, nothing)
    dearer = rates.on_demand - rates.spot
    return Cycle(_after_move(work, spot, _up(work, spot, rates, interval), np.ones(()), dearer), away)


def cycle_of_elastic(work: WorkLeft, spot: GangCycle, rates: Rates) -> Cycle:
    """`elastic`: where a share of the replicas stays, the job goes on with it after a restart, and moves back later."""
    interval = interval_of_wait(work, spot)
    gone, kept = spot.away_share * by_kind(1 - spot.partial), spot.away_share * by_kind(spot.partial)
    done = by_kind(spot.kept) * _work_away(work, spot, interval, work.failures * spot.kept, work.restart)
    fixed = by_kind(rates.fixed) + 0 * spot.away_mean
    away = Periods(
        share=np.concatenate(np.broadcast_arrays(gone, kept), axis=-1),
        mean=np.concatenate((spot.away_mean, spot.away_mean), axis=-1),
        work=np.concatenate((0 * done, done), axis=-1),
        usd=np.concatenate(np.broadcast_arrays(fixed, fixed + by_kind(spot.kept * rates.spot)), axis=-1),
        dead=np.concatenate((0 * done, by_kind(work.restart) + 0 * done), axis=-1),
        step=np.concatenate((0 * done, 0 * done), axis=-1),
    )
    moves, dearer = np.where(spot.kept > 0, spot.partial, 0.0), (spot.kept - 1) * rates.spot
    return Cycle(_after_move(work, spot, _up(work, spot, rates, interval), moves, dearer), away)


def _work_away(work: WorkLeft, spot: GangCycle, interval: Array, failures: Array, dead: Array) -> Array:
    """Work per second away on nodes that stay: after a dead time δ, a checkpoint each interval, nothing lost.

    e^(−δ/m)·(1 − e^(−τ/m))/(1 − e^(−(τ + C)/m)), and less what failures cost.
    """
    mean, checkpoint = spot.away_mean, by_kind(work.checkpoint)
    computing = np.expm1(-by_kind(interval) / mean) / np.expm1(-(by_kind(interval) + checkpoint) / mean)
    failing = expansion_with_interval(work.checkpoint, work.restart, failures, interval) / (
        1 + work.checkpoint / interval
    )
    return np.exp(-by_kind(dead) / mean) * computing / by_kind(failing)


def _late(work: WorkLeft, spot: GangCycle) -> Array:
    """Mean time by which a preemption finds the job still writing the checkpoint of its move: E[(C − X)⁺]."""
    checkpoint = by_kind(work.checkpoint)
    late = checkpoint + spot.up_mean * np.expm1(-checkpoint / spot.up_mean)
    return over_kinds(spot.up_share * late) * over_kinds(spot.away_share * _computes(work, spot))


def _computes(work: WorkLeft, spot: GangCycle) -> Array:
    """Probability that a period away lasts longer than a restart: e^(−R/m)."""
    return np.exp(-by_kind(work.restart) / spot.away_mean)


def _after_move(work: WorkLeft, spot: GangCycle, up: Periods, moves: Array, dearer_usd: Array) -> Periods:
    """A period up of which a move back takes a checkpoint first, where something was done while away.

    `moves`: probability that the nodes which stay can compute at all; `dearer_usd`: what they cost beside spot nodes.
    """
    computed = moves * over_kinds(spot.away_share * _computes(work, spot))
    lost = -np.expm1(-by_kind(work.checkpoint) / spot.up_mean)
    lost = by_kind(computed) * lost
    dead = up.dead + by_kind(computed * work.checkpoint)
    return replace(up, work=up.work * (1 - lost), usd=up.usd + lost * by_kind(dearer_usd), dead=dead)


def _up(work: WorkLeft, spot: GangCycle, rates: Rates, interval: Array) -> Periods:
    """The gang is there: within a kind of period, failures and the preemption at its end are one Poisson process."""
    events = by_kind(work.failures) + 1 / spot.up_mean
    done = 1 / expansion_with_interval(by_kind(work.checkpoint), by_kind(work.restart), events, by_kind(interval))
    nothing = np.zeros_like(spot.up_mean)
    usd = by_kind(rates.spot + rates.fixed) + nothing
    step = by_kind(interval + work.checkpoint)
    return Periods(spot.up_share, spot.up_mean, done, usd, by_kind(work.restart) + nothing, step + nothing)


def whole_interval(work: WorkLeft, events_per_second: Array) -> Array:
    """Daly's interval, a little shorter, so that the work is a whole number of them: W/⌈W/τ⌉."""
    interval = checkpoint_interval_seconds(work.checkpoint, events_per_second)
    return work.seconds / np.ceil(work.seconds / interval)


def interval_of_wait(work: WorkLeft, spot: GangCycle) -> Array:
    """The interval for failures and preemptions together."""
    return whole_interval(work, work.failures + 1 / mean_length(spot.up_share, spot.up_mean))


def interval_of_fallback(work: WorkLeft, spot: GangCycle) -> Array:
    """The interval for failures at all times and preemptions while on spot nodes."""
    cycle = mean_length(spot.up_share, spot.up_mean) + mean_length(spot.away_share, spot.away_mean)
    return whole_interval(work, work.failures + 1 / cycle)


def interval_of(policy: str, work: WorkLeft, spot: GangCycle | None) -> Array:
    """Seconds of work between two checkpoints under a policy."""
    if policy == "steady" or spot is None:
        return whole_interval(work, work.failures)
    return interval_of_fallback(work, spot) if policy == "fallback" else interval_of_wait(work, spot)


def pace_up(cycle: Cycle) -> Array:
    """Work per second that the gang is there."""
    return sum_over(cycle.up, cycle.up.work) / mean_length(cycle.up.share, cycle.up.mean)
