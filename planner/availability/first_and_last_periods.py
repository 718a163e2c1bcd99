"""What a run takes beyond its work at the average pace: how it begins, and that it ends when the work is done.

Work W on capacity that comes and goes takes W·s + c, with s the cycle's seconds over its work. The constant c has three
parts: a run ends within a period, not with a cycle; it begins in a period of some kind; and what comes first is a
start-up, not a restart. Dollars have a constant of the same form. Arrays as in `renewal`. Source: Cox 1962, Renewal
Theory, sections 4.1 and 8.3 (Wald's identity, and the mean overshoot of a renewal process).
"""

from __future__ import annotations

import numpy as np

from planner.availability.renewal import (
    Cycle,
    Periods,
    cycle_seconds,
    cycle_work,
    mean_length,
    over_kinds,
    sum_over,
    worth_variance,
)
from planner.availability.spot_cycles import by_kind
from planner.performance.symbols import Array


def beginning(
    cycle: Cycle, values: tuple[Array, Array], start_up: Array, interval: Array, seconds: Array, *, begins: bool
) -> Array:
    """Mean time or dollars beyond those of work and start-up at the average pace; shape (…).

    `values`: per second of each kind of period up and down, 1 for time. `seconds`: of the work; `interval`: of work
    between checkpoints. `begins`: the run starts at a random time; if not, where a phase with the same nodes ended.
    """
    stretches = (cycle.up, cycle.down)
    rate = (sum_over(cycle.up, values[0]) + sum_over(cycle.down, values[1])) / cycle_work(cycle)
    pace = sum_over(cycle.up, cycle.up.work) / mean_length(cycle.up.share, cycle.up.mean)
    in_up, in_down = _start_weights(cycle, begins=begins)
    up, down = (_worth(one, value, rate, start_up[..., None]) for one, value in zip(stretches, values, strict=True))
    as_usual = over_kinds(cycle.up.share * _worth(cycle.up, values[0], rate, cycle.up.dead))
    fresh = _from_a_fresh_period_up(cycle, values, rate, interval) - start_up * pace * rate
    after_nothing = fresh + over_kinds(cycle.up.share * up) - as_usual
    even = by_kind(_share_of_even(cycle, seconds / pace))
    rest = np.where(cycle.down.work > 0, even * (down + by_kind(fresh)), down + even * by_kind(after_nothing))
    return over_kinds(in_up * even * (up + by_kind(fresh - as_usual))) + over_kinds(in_down * rest)


def _start_weights(cycle: Cycle, *, begins: bool) -> tuple[Array, Array]:
    """Probability to begin in each kind of period: by its time, or by its work, in which the last phase ended."""
    whole = cycle_seconds(cycle) if begins else cycle_work(cycle)
    up, down = (one.share * one.mean * (1.0 if begins else one.work) for one in (cycle.up, cycle.down))
    return up / by_kind(whole), down / by_kind(whole)


def _worth(stretch: Periods, value: Array, rate: Array, dead: Array) -> Array:
    """What a period costs less what its work is worth, when it begins with a dead time; shape (…, kinds)."""
    work = stretch.work * stretch.mean * np.exp((stretch.dead - dead) / stretch.mean)
    return value * stretch.mean - by_kind(rate) * work


def _from_a_fresh_period_up(cycle: Cycle, values: tuple[Array, Array], rate: Array, interval: Array) -> Array:
    """The constant of a run that begins with a period up as any other: cycles begun, less what is left of the last.

    E[G²]/(2·E[G]²) cycles more than W/E[G] are begun; a last checkpoint's interval is half done, on average, when the
    work is. What is left of a period is its mean, whatever was done of it.
    """
    up, down = cycle.up, cycle.down
    done, nothing, unit = cycle_work(cycle), np.zeros(1), np.ones(1)
    square = worth_variance(up, nothing, unit) + worth_variance(down, nothing, unit) + done**2
    of_up, of_down = (one.share * one.mean * one.work / by_kind(done) for one in (up, down))
    half = over_kinds(of_up) * interval / (2 * done)
    left = over_kinds(of_up * up.mean * values[0]) + over_kinds(of_down * down.mean * values[1])
    left = left + over_kinds(of_up) * sum_over(down, values[1])
    return rate * done * (square / (2 * done**2) - half) - left


def _share_of_even(cycle: Cycle, up_seconds: Array) -> Array:
    """How far so much time up is from its begin: 1 − e^(−θ·u), θ = p₁/m₂ + p₂/m₁; 1 in the long run."""
    theta = over_kinds(cycle.up.share / cycle.up.mean[..., ::-1])
    begun: Array = -np.expm1(-theta * up_seconds)
    return begun
