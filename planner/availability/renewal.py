"""Capacity that comes and goes: periods up and down, alternating, and what is done and paid in each.

Periods are mixtures of exponentials: memoryless within a kind, heavy-tailed as a mixture, so that failures, which
strike at random, and preemptions, which do not, have one closed form. The last axis of every array is the kind of
period; the other axes broadcast. Seconds, US dollars, and seconds of work per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.performance.symbols import Array


@dataclass(frozen=True)
class Periods:
    """Periods of one state, up or down, by kind; shape (…, kinds)."""

    share: Array
    """Probability of each kind; they add up to 1."""
    mean: Array
    """Mean length, seconds."""
    work: Array
    """Work that such a period gets done, per second of it."""
    usd: Array
    """What it costs, US dollars per second."""
    dead: Array
    """Seconds at its begin in which nothing is done; counted in `work`."""
    step: Array
    """Seconds after which what was done is safe; what is done since is lost at the end. 0: nothing is lost."""


@dataclass(frozen=True)
class Cycle:
    """One period up and the period down after it."""

    up: Periods
    down: Periods


def over_kinds(values: Array) -> Array:
    """Sum over the kinds of period, the last axis."""
    total: Array = np.sum(values, axis=-1)
    return total


def mean_length(share: Array, mean: Array) -> Array:
    """Mean of a mixture of exponentials: Σ p·m. Shape without the last axis."""
    return over_kinds(share * mean)


def squared_variation(share: Array, mean: Array) -> Array:
    """Variance over squared mean of a mixture of exponentials: 2·Σ p·m²/(Σ p·m)² − 1; 1 for a single exponential."""
    return 2 * over_kinds(share * mean**2) / mean_length(share, mean) ** 2 - 1


def residual_length(share: Array, mean: Array) -> Array:
    """Mean rest of a period met at a random time: E[Y²]/(2·E[Y]) = Σ p·m²/Σ p·m."""
    return over_kinds(share * mean**2) / mean_length(share, mean)


def residual_square(share: Array, mean: Array) -> Array:
    """Mean square of that rest: E[Y³]/(3·E[Y]) = 2·Σ p·m³/Σ p·m."""
    return 2 * over_kinds(share * mean**3) / mean_length(share, mean)


def residual_cube(share: Array, mean: Array) -> Array:
    """Mean cube of that rest: E[Y⁴]/(4·E[Y]) = 6·Σ p·m⁴/Σ p·m."""
    return 6 * over_kinds(share * mean**4) / mean_length(share, mean)


def worth_variance(stretch: Periods, value: Array, worth: Array) -> Array:
    """Variance of v·X − w·G over a mixture of exponentials X, for a value v and a worth w of the work G in each kind.

    G grows evenly with (X − δ)⁺, or by steps with ⌊(X − δ)⁺/s⌋; `_shape_moments` has both. The last axis is summed.
    """
    mean = stretch.mean
    first, square, joint = _shape_moments(stretch)
    unit = worth * stretch.work * mean / np.maximum(first, 1e-300)
    total = 2 * (value * mean) ** 2 - 2 * value * unit * joint + unit**2 * square
    return over_kinds(stretch.share * total) - over_kinds(stretch.share * (value * mean - unit * first)) ** 2


def _shape_moments(stretch: Periods) -> tuple[Array, Array, Array]:
    """E[N], E[N²] and E[X·N] of N = (X − δ)⁺ or, with steps, N = ⌊(X − δ)⁺/s⌋, X exponential of mean m.

    Even: e^(−δ/m)·(m, 2m², 2m² + δ·m). Steps, with ρ = e^(−s/m): e^(−δ/m)·(ρ/(1 − ρ), ρ·(1 + ρ)/(1 − ρ)²,
    (δ + m)·ρ/(1 − ρ) + s·ρ/(1 − ρ)²).
    """
    mean, dead, step = stretch.mean, stretch.dead, stretch.step
    left = np.exp(-dead / mean)
    over = np.maximum(-np.expm1(-step / mean), 1e-12)
    stays = np.exp(-np.minimum(step / mean, 600))
    even = (mean, 2 * mean**2, 2 * mean**2 + dead * mean)
    stepped = (stays / over, stays * (1 + stays) / over**2, (dead + mean) * stays / over + step * stays / over**2)
    first, square, joint = (left * np.where(step > 0, s, e) for s, e in zip(stepped, even, strict=True))
    return first, square, joint


def worth_cubes(stretch: Periods, worth: Array) -> tuple[Array, Array]:
    """Third central moment of Z = X − w·G as in `worth_variance`, and covariance of Z and the work G."""
    mean = stretch.mean
    first, square, joint = _shape_moments(stretch)
    cube, once, twice = _shape_cubes(stretch)
    step = stretch.work * mean / np.maximum(first, 1e-300)
    unit = worth * step
    middle = over_kinds(stretch.share * (mean - unit * first))
    squares = over_kinds(stretch.share * (2 * mean**2 - 2 * unit * joint + unit**2 * square))
    cubes = over_kinds(stretch.share * (6 * mean**3 - 3 * unit * twice + 3 * unit**2 * once - unit**3 * cube))
    product = over_kinds(stretch.share * step * (joint - unit * square))
    return cubes - 3 * middle * squares + 2 * middle**3, product - middle * sum_over(stretch, stretch.work)


def _shape_cubes(stretch: Periods) -> tuple[Array, Array, Array]:
    """E[N³], E[X·N²] and E[X²·N] of the N of `_shape_moments`.

    Beyond δ an exponential X is N whole steps and a rest F that does not depend on N; without steps N is all of it.
    """
    mean, dead, step = stretch.mean, stretch.dead, stretch.step
    over = np.maximum(-np.expm1(-step / mean), 1e-12)
    stays = np.exp(-np.minimum(step / mean, 600))
    first, square = stays / over, stays * (1 + stays) / over**2
    cube = stays * (1 + 4 * stays + stays**2) / over**3
    rest = mean - step * first
    rest_square = np.maximum(2 * mean**2 - step**2 * square - 2 * step * rest * first, 0)
    stepped = (first, square, cube, step * square + rest * first, step * cube + rest * square)
    stepped_square = step**2 * cube + 2 * step * rest * square + rest_square * first
    even = (mean, 2 * mean**2, 6 * mean**3, 2 * mean**2, 6 * mean**3)
    one, two, three, joint, joint_two = (np.where(step > 0, s, e) for s, e in zip(stepped, even, strict=True))
    joint_square = np.where(step > 0, stepped_square, 6 * mean**3)
    left = np.exp(-dead / mean)
    return left * three, left * (dead * two + joint_two), left * (dead**2 * one + 2 * dead * joint + joint_square)


def cycle_seconds(cycle: Cycle) -> Array:
    """Mean length of a cycle."""
    return mean_length(cycle.up.share, cycle.up.mean) + mean_length(cycle.down.share, cycle.down.mean)


def cycle_work(cycle: Cycle) -> Array:
    """Mean work of a cycle."""
    return sum_over(cycle.up, cycle.up.work) + sum_over(cycle.down, cycle.down.work)


def cycle_usd(cycle: Cycle) -> Array:
    """Mean cost of a cycle."""
    return sum_over(cycle.up, cycle.up.usd) + sum_over(cycle.down, cycle.down.usd)


def sum_over(stretch: Periods, rate: Array) -> Array:
    """Mean of rate · length over a stretch."""
    return over_kinds(stretch.share * stretch.mean * rate)


def cycle_variance(cycle: Cycle, up: Array, down: Array, worth: Array) -> Array:
    """Variance over cycles of Σ value · length − worth · work, with a value for each kind up and down."""
    unit = np.asarray(worth)[..., None]
    return worth_variance(cycle.up, up, unit) + worth_variance(cycle.down, down, unit)


def cycle_cubes(cycle: Cycle, worth: Array) -> Array:
    """Third cumulant, per cycle, of the time that a given work takes at `worth` seconds per work.

    With Z = L − a·G over a cycle E[Z³] − 3·Var(Z)/E[G]·Cov(Z, G): third order of E[e^(θ·L − Λ(θ)·G)] = 1.
    """
    unit = np.asarray(worth)[..., None]
    (up, rise), (down, fall) = worth_cubes(cycle.up, unit), worth_cubes(cycle.down, unit)
    variance = worth_variance(cycle.up, np.ones(()), unit) + worth_variance(cycle.down, np.ones(()), unit)
    return up + down - 3 * variance / cycle_work(cycle) * (rise + fall)


def extra_preemptions(share: Array, mean: Array, up_seconds: Array) -> Array:
    """Preemptions in a time up that begins with a fresh period, beyond time/mean: (cv² − 1)/2·(1 − e^(−θ·u)).

    Exact for two kinds, with θ = p₁/m₂ + p₂/m₁. Source: Cox 1962, Renewal Theory, section 4.5.
    """
    theta = over_kinds(share / mean[..., ::-1])
    begun: Array = -np.expm1(-theta * up_seconds)
    return (squared_variation(share, mean) - 1) / 2 * begun
