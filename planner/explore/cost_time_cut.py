"""A bound on cost and time together that every way to run a job keeps which costs no more than a known one.

Any rate λ of money for time gives one: cost + λ · time is at most the known cost + λ · the deadline, and each phase
takes its least of it at least. Of the rates the one is taken that leaves least. Source: Handler and Zang 1980, Networks
10, "A dual algorithm for the constrained shortest path problem".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

import numpy as np

from planner.availability.chance_constraint import deviations_of, margin_deviations
from planner.performance.symbols import Array

RATES: Final = tuple(2.0 ** (power / 2) for power in range(-24, 25))
"""Rates that are tried, as multiples of the least cost over the least time."""
ALMOST: Final = 0.998
"""What rounding leaves of an implied bound."""
FEWEST: Final = 3
"""Phases from which on a cut is worth its while."""


@dataclass(frozen=True)
class PhaseTimes:
    """One phase on each of its layouts; shape (layouts,) each."""

    wall: Array
    """Expected, seconds."""
    least: Array
    """Where the distribution of the wall time begins."""
    variance: Array
    cents: Array
    """At least."""


@dataclass(frozen=True)
class Cut:
    """The bound: cents + wall_rate · wall + variance_rate · variance ≤ bound, over the whole job."""

    wall_rate: float
    variance_rate: float
    bound: float
    least: Array
    """What each phase takes of it at least; shape (phases,)."""


def cut_of(phases: Sequence[PhaseTimes], deadline: float, confidence: float, most_cents: float) -> Cut | None:
    """The bound that leaves least of what keeps a deadline for a cost; None where nothing bounds one of them."""
    cheapest, fastest = (sum(float(getattr(one, name).min()) for one in phases) for name in ("cents", "wall"))
    if len(phases) < FEWEST or inf in {deadline, most_cents} or cheapest <= 0:
        return None
    start, slope = _least_margin(phases, confidence)
    left = deadline - start
    best: Cut | None = None
    for rate in (one * cheapest / fastest for one in RATES):
        least = np.asarray([(one.cents + rate * (one.wall + slope * one.variance)).min() for one in phases])
        found = Cut(rate, rate * slope, most_cents + rate * left, least)
        if best is None or found.bound - found.least.sum() < best.bound - best.least.sum():
            best = found
    return best


def _least_margin(phases: Sequence[PhaseTimes], confidence: float) -> tuple[float, float]:
    """Seconds and slope: the time that is kept is at least the expected one + seconds + slope · variance.

    k(u)·√V never falls with u, which is at least the least of a phase over √phases; of √V it is the chord.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shapes = [np.sqrt(one.variance) / (one.wall - one.least) for one in phases]
    narrowest = min(float(np.nan_to_num(one, nan=0.0).min()) for one in shapes) / sqrt(len(phases))
    deviations = ALMOST * float(margin_deviations(np.asarray(narrowest), deviations_of(confidence)))
    low, high = (sqrt(sum(float(pick(one.variance)) for one in phases)) for pick in (np.min, np.max))
    return (deviations * low * high / (low + high), deviations / (low + high)) if high > 0 else (0.0, 0.0)
