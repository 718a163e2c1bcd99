"""How a run under the policy `progress` fares on average, until any time.

How far a run is ahead of the line rises and falls linearly while spot nodes are there and while they are away: a fluid
queue. Each time it empties a stretch on on-demand nodes begins, after which the race starts again from a fixed lead.
Laplace transforms of that renewal process are small linear systems, and are inverted numerically. The states are the
kinds of period away, then those up, slowest first; they are the last axis. Other axes broadcast; seconds, US dollars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.equations.reliability import expansion_with_interval
from planner.equations.renewal import over_kinds
from planner.equations.spot import Capacity, Rates, Work, by_kind, cycle_of_wait, interval_of, interval_of_wait
from planner.equations.symbols import Array

TERMS = 8
"""Of the numerical inversion of a Laplace transform."""


@dataclass(frozen=True)
class Race:
    """A run under `progress`; shape (…) or (…, states). Progress counts in seconds of a run on on-demand nodes."""

    length: Array
    """Progress of the whole run, failures included."""
    line: Array
    """Progress per second of the straight line to the deadline."""
    change: Array
    """Seconds of a change-over: a restart and a checkpoint."""
    margin: Array
    """Slack with which the run goes on demand for good: two change-overs and what a preemption may lose."""
    share: Array
    """Probability of each kind among the periods of its state."""
    mean: Array
    """Length of a period of that kind."""
    pace: Array
    """Progress per second in it; 0 while spot nodes are away."""
    there: Array
    """1 where spot nodes are there in it, 0 where they are away."""

    @property
    def lead(self) -> Array:
        """How far ahead of the line a stretch on demand ends."""
        return 2 * self.change * self.line

    @property
    def often(self) -> Array:
        """Probability of each state at a random time."""
        weight = self.share * self.mean
        return weight / by_kind(over_kinds(weight))


def race_of(work: Work, spot: Capacity, rates: Rates, deadline: Array) -> Race:
    """The race of a run on these spot nodes to the deadline."""
    interval, up = interval_of_wait(work, spot), cycle_of_wait(work, spot, rates).up
    expansion = expansion_with_interval(work.checkpoint, work.restart, work.failures, interval)
    length, change = work.start_up + work.seconds * expansion, work.restart + work.checkpoint
    pace, share, mean = np.broadcast_arrays(up.work * by_kind(expansion), up.share, up.mean)
    order = np.argsort(pace, axis=-1)
    pace, share, mean = (np.take_along_axis(one, order, axis=-1) for one in (pace, share, mean))
    gone = np.zeros(np.broadcast_shapes(spot.away_mean.shape, (*pace.shape[:-1], 1)))
    return Race(
        length=length,
        line=np.minimum(length / deadline, 1 - 1e-9),
        change=change,
        margin=margin_of(work, spot),
        share=_joined(gone + spot.away_share, share),
        mean=_joined(gone + spot.away_mean, mean),
        pace=_joined(gone, pace),
        there=_joined(gone, 0 * pace + 1),
    )


def margin_of(work: Work, spot: Capacity | None) -> Array:
    """Slack with which a run goes on demand for good: two change-overs and the interval that a preemption may lose."""
    interval = interval_of("progress", work, spot)
    return 2 * (work.restart + work.checkpoint) + np.where(work.checkpoint > 0, interval, 0.0)


def _joined(away: Array, up: Array) -> Array:
    """States away, then states up."""
    shape = np.broadcast_shapes(away.shape[:-1], up.shape[:-1])
    return np.concatenate([np.broadcast_to(one, (*shape, one.shape[-1])) for one in (away, up)], axis=-1)


def switching(race: Race) -> Array:
    """Rates at which one state follows another, made symmetric by √(often): √oᵢ·qᵢⱼ/√oⱼ, qᵢⱼ = pⱼ/mᵢ."""
    root = np.sqrt(race.share / race.mean)
    follows = race.there[..., :, None] != race.there[..., None, :]
    return np.where(follows, root[..., :, None] * root[..., None, :], 0.0) - _diagonal(1 / race.mean)


def _diagonal(values: Array) -> Array:
    """Matrices with these on their diagonals."""
    return values[..., None] * np.eye(values.shape[-1])


def stretches(race: Race) -> tuple[Array, Array]:
    """Seconds of a stretch on demand by the state in which the line is met, and the probabilities of states at its end.

    y − d of progress in y seconds must make up for the lead and what the run is behind: y = (2·d·r + behind + d)/
    (1 − r). It is behind only where it meets the line on spot nodes that make too little progress, until they go.
    Source: Wu et al. 2024 (NSDI, Can't Be Late), section 4.3.
    """
    behind = race.there * np.maximum(by_kind(race.line) - race.pace, 0) * race.mean
    seconds = by_kind((race.lead + race.change) / (1 - race.line)) + behind / by_kind(1 - race.line)
    fresh = (race.share * (1 - race.there))[..., None, :]
    begin = np.where(race.there[..., None] > 0, fresh, np.eye(race.there.shape[-1]))
    values, vectors = np.linalg.eigh(switching(race))
    root = np.sqrt(race.often)
    fading = np.exp(np.minimum(values, 0)[..., None, :] * seconds[..., :, None])
    spread = ((begin / root[..., None, :]) @ vectors * fading) @ np.swapaxes(vectors, -1, -2)
    return seconds, np.maximum(spread * root[..., None, :], 0)


@dataclass(frozen=True)
class Descent:
    """Laplace transforms of the way from a lead down to the line, at some frequencies; from every state."""

    met: Array
    """E[e^(−θt); it is met in that state]; shape (…, states, states)."""
    gained: Array
    """Progress until then; shape (…, states)."""
    held: Array
    """Seconds on spot nodes until then; shape (…, states)."""


def descent(race: Race, frequency: Array, lead: Array) -> Descent:
    """Solves v·f′ + (Q − θ)·f + reward = 0 above the line, v the slopes, by the modes that vanish at infinity.

    With √often as weights Q is symmetric, so the inverse growths of the modes are the eigenvalues of a symmetric
    matrix, and as many of them are negative as slopes are. Source: Anick, Mitra and Sondhi 1982, Bell System Technical
    Journal 61 (8).
    """
    slope = race.pace - by_kind(race.line)
    falls = slope < 0
    damped = _diagonal(by_kind(frequency) + 0 * slope) - switching(race)
    factor = np.linalg.inv(np.linalg.cholesky(damped))
    growth, modes = np.linalg.eigh(factor @ _diagonal(slope) @ np.swapaxes(factor, -1, -2))
    root = np.sqrt(race.often)
    modes = (np.swapaxes(factor, -1, -2) @ modes) / root[..., :, None]
    decay = np.exp(-by_kind(lead) / np.where(falls, np.maximum(-growth, 1e-12), 1.0)) * falls
    at_line = np.where(falls[..., :, None] & falls[..., None, :], modes, np.eye(slope.shape[-1]))
    met = (modes * decay[..., None, :]) @ np.linalg.inv(at_line)
    resolvent = np.swapaxes(factor, -1, -2) @ factor
    gained, held = ((resolvent @ (root * reward)[..., :, None])[..., 0] / root for reward in (race.pace, race.there))
    below = [(met @ (one * falls)[..., None])[..., 0] for one in (gained, held)]
    return Descent(met, gained - below[0], held - below[1])


@dataclass(frozen=True)
class Tally:
    """What a run did in a time: means; shape (…)."""

    progress: Array
    on_spot: Array
    """Seconds."""
    on_demand: Array
    """Seconds."""

    def scaled(self, factor: Array) -> Tally:
        """All of it times a factor."""
        return Tally(self.progress * factor, self.on_spot * factor, self.on_demand * factor)

    def summed(self, weights: Array) -> Tally:
        """Over the last axis."""
        parts = (self.progress, self.on_spot, self.on_demand)
        return Tally(*((one * weights).sum(axis=-1) for one in parts))


def transformed(race: Race, frequency: Array) -> Tally:
    """Laplace transform of what a run does per second: all its stretches on demand, and the descents between them.

    A run that starts while spot nodes are away begins on demand; n = a + n·E·H counts the stretches by the state in
    which they begin, E the transform of a stretch and H that of the descent after it.
    """
    falls = (race.pace < by_kind(race.line)) * 1.0
    first = descent(race, frequency, np.zeros_like(frequency))
    later = descent(race, frequency, race.lead)
    seconds, ends = stretches(race)
    rate = by_kind(frequency)
    stays = race.there * race.mean * falls
    late = 1 / (1 + rate * stays)
    passed = (late * np.exp(-rate * seconds))[..., None] * ends
    started = race.often * race.there
    begun = (started[..., None, :] @ first.met)[..., 0, :] + race.often * (1 - race.there)
    chain = np.eye(seconds.shape[-1]) - passed @ later.met
    count = np.linalg.solve(np.swapaxes(chain, -1, -2), begun[..., None])[..., 0]
    after = (count[..., None, :] @ passed)[..., 0, :]
    stayed = count * stays * late
    bought = count * late * -np.expm1(-rate * seconds) / rate
    gained = over_kinds(started * first.gained + after * later.gained + stayed * race.pace)
    held = over_kinds(started * first.held + after * later.held + stayed)
    progress = gained + over_kinds(bought) - race.change * over_kinds(count * late)
    return Tally(progress, held, over_kinds(bought))


def _inversion_weights() -> Array:
    """Stehfest's weights. Source: Stehfest 1970, Communications of the ACM 13 (1), algorithm 368."""
    half = TERMS // 2
    weights = []
    for k in range(1, TERMS + 1):
        terms = (
            j ** (half + 1) * math.comb(half, j) * math.comb(2 * j, j) * math.comb(j, k - j)
            for j in range((k + 1) // 2, min(k, half) + 1)
        )
        weights.append((-1) ** (k + half) * sum(terms) / math.factorial(half))
    return np.asarray(weights)


WEIGHTS = _inversion_weights()


def tally_at(race: Race, seconds: Array) -> tuple[Tally, Array]:
    """What a run did until then, on average, and its progress per second then."""
    frequency = np.arange(1, TERMS + 1) * math.log(2) / by_kind(seconds)
    per_second = transformed(_with_axis(race), frequency)
    weights = WEIGHTS * math.log(2) / by_kind(seconds)
    return per_second.scaled(1 / frequency).summed(weights), per_second.summed(weights).progress


def _with_axis(race: Race) -> Race:
    """With an axis for the frequencies, before that of the states."""
    whole = (np.asarray(one)[..., None] for one in (race.length, race.line, race.change, race.margin))
    states = (one[..., None, :] for one in (race.share, race.mean, race.pace, race.there))
    return Race(*whole, *states)
