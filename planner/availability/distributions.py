"""From moments to quantiles and probabilities, in closed form.

What a run takes beyond its least time is a sum of many delays, each at least zero: a gamma distribution matched to mean
and variance, and begun where it has the skewness too. It is exact for one exponential delay, nearly so for a compound
Poisson sum of many losses, and normal in the limit; `Delays` is for few losses.
Arguments broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from planner.performance.normal import normal_probability, normal_quantile
from planner.performance.predictive import Predictive
from planner.performance.symbols import Array
from planner.tolerances import SUM_ORDER

MANY = 50.0
"""Losses from which on their number no longer matters beside the three cumulants."""


def quantile_beyond(least: Array, mean: Array, variance: Array, probability: Array) -> Array:
    """Quantile of least + gamma, by mean and variance: least + m·(1 − 1/(9k) + z/(3√k))³, m = mean − least, k = m²/var.

    The deterministic equivalent of "no more than this with probability p". Non-decreasing in the mean and, for p above
    the median, in the variance. Source: Wilson and Hilferty 1931, PNAS 17 (12).
    """
    beyond: Array = np.maximum(mean - least, 1e-9)
    shape = beyond**2 / np.maximum(variance, 1e-18)
    root = 1 - 1 / (9 * shape) + normal_quantile(probability) / (3 * np.sqrt(shape))
    factor: Array = np.maximum(root, 0) ** 3
    return least + beyond * factor


def probability_within(least: Array, mean: Array, variance: Array, bound: Array) -> Array:
    """Probability that least + gamma stays within a bound: the inverse of `quantile_beyond`."""
    beyond: Array = np.maximum(mean - least, 1e-9)
    shape = beyond**2 / np.maximum(variance, 1e-18)
    root = np.cbrt(np.maximum(np.asarray(bound) - least, 0) / beyond)
    return np.where(bound < least, 0.0, normal_probability((root - 1 + 1 / (9 * shape)) * 3 * np.sqrt(shape)))


class Distribution(Protocol):
    """A random time or cost."""

    def within(self, bound: Array) -> Array:
        """Probability of no more than this."""

    def within_uncertain(self, bound: Array, error: Predictive) -> Array:
        """The same when all is only known up to a factor: the mean over its equally probable values."""

    def quantile(self, probability: Array) -> Array:
        """The least bound that holds with a probability."""

    def quantile_uncertain(self, probability: Array, error: Predictive) -> Array:
        """The least bound that holds with a probability when all is only known up to such a factor."""


@dataclass(frozen=True)
class Sampled:
    """A distribution by values that were drawn from it, in ascending order; shape (draws,)."""

    values: Array

    def within(self, bound: Array) -> Array:
        """Share of the values that are no more than this."""
        found = np.searchsorted(self.values, np.asarray(bound) * (1 + SUM_ORDER), side="right")
        return np.asarray(found / len(self.values), dtype=np.float64)

    def within_uncertain(self, bound: Array, error: Predictive) -> Array:
        """The same when all values are only known up to a factor: the mean over its equally probable values."""
        found = self.within(np.asarray(bound)[..., None] / error.factors)
        return np.asarray(found.mean(axis=-1), dtype=np.float64)

    def quantile(self, probability: Array) -> Array:
        """The quantile of the values."""
        return np.asarray(np.quantile(self.values, probability), dtype=np.float64)

    def quantile_uncertain(self, probability: Array, error: Predictive) -> Array:
        """The same when all values are only known up to such a factor, by bisection."""
        most: Array = self.values[-1] * error.factors[-1] + 0 * np.asarray(probability)
        return _least(lambda bound: self.within_uncertain(bound, error) >= probability, most, FEW_PARTS)


@dataclass(frozen=True)
class Delays:
    """A time that is `bare` plus a Poisson number of losses, by the moments of the whole; shape (…)."""

    bare: Array
    losses: Array
    """Mean number: none comes with probability e^(−losses)."""
    least: Array
    """Where the gamma distribution begins that has the mean, the variance and the skewness of the whole."""
    mean: Array
    variance: Array

    def within(self, bound: Array) -> Array:
        """Probability of no more than this: none, one, or more losses.

        A single loss is uniform where it spreads no more than evenly from nothing to twice its mean, else a gamma
        variable; the sum of two or more is a gamma variable with the first three cumulants of such a sum.
        """
        limit, smooth = np.asarray(bound) * (1 + SUM_ORDER), np.asarray(self.losses > MANY)
        if not smooth.any():
            return self._of_few(limit)
        many = probability_within(self.least, self.mean, self.variance, limit)
        return many if smooth.all() else np.where(smooth, many, self._of_few(limit))

    def _of_few(self, limit: Array) -> Array:
        """Probability of no more than this by the number of losses: none, one, or more."""
        count, bare = np.clip(self.losses, 1e-12, 700), np.asarray(self.bare)
        none, single = np.exp(-count), count * np.exp(-count)
        mean = np.maximum(self.mean - bare, 1e-9) / count
        spread = np.maximum(self.variance / count - mean**2, 1e-6 * mean**2)
        even = (limit - bare - mean) / np.sqrt(12 * spread) + 0.5
        one = np.where(spread <= mean**2 / 3, np.clip(even, 0, 1), probability_within(bare, bare + mean, spread, limit))
        many = probability_within(*self._several(count, mean, spread), limit)
        more = np.maximum(1 - none - single, 0)
        found: Array = none * (limit >= bare) + single * one * (limit >= bare) + more * many
        return found

    def within_uncertain(self, bound: Array, error: Predictive) -> Array:
        """The same when all times are only known up to a factor: the mean over its equally probable values."""
        known = Delays(*(np.asarray(getattr(self, one.name))[..., None] for one in fields(Delays)))
        found = known.within(np.asarray(bound)[..., None] / error.factors)
        return np.asarray(found.mean(axis=-1), dtype=np.float64)

    def quantile_uncertain(self, probability: Array, error: Predictive) -> Array:
        """The least bound that holds with a probability when all times are only known up to such a factor."""
        most: Array = (self.mean + 40 * np.sqrt(self.variance)) * error.factors[-1] + 0 * np.asarray(probability)
        return _least(lambda bound: self.within_uncertain(bound, error) >= probability, most, FEW_PARTS)

    def scaled(self, factor: Array) -> Delays:
        """The same for a part of the work."""
        return Delays(*(getattr(self, one.name) * factor for one in fields(Delays)))

    def quantile(self, probability: Array) -> Array:
        """The least bound that holds with a probability; by bisection where the number of losses matters."""
        smooth = quantile_beyond(self.least, self.mean, self.variance, probability)
        if np.all(self.losses > MANY):
            return smooth
        most = self.mean + 40 * np.sqrt(self.variance) + 0 * np.asarray(probability)
        return np.where(self.losses > MANY, smooth, _least(lambda bound: self.within(bound) >= probability, most))

    def _several(self, count: Array, mean: Array, spread: Array) -> tuple[Array, Array, Array]:
        """Begin, mean and variance of the gamma variable that stands for two losses or more."""
        third = 2 * self.variance**2 / np.maximum(self.mean - self.least, 1e-9) / count
        third = np.maximum(third - 3 * spread * mean - mean**3, -mean * spread)
        number, scatter, skew = _two_or_more(count)
        variance = number * spread + scatter * mean**2
        cubes = np.maximum(number * third + 3 * scatter * mean * spread + skew * mean**3, 1e-9 * mean**3)
        middle = self.bare + number * mean
        return middle - 2 * variance**2 / cubes, middle, variance


PARTS, FEW_PARTS = 16, 4
"""Into which a range is cut at a time, where little and where much is computed for each: calls of NumPy cost, too."""
ROUNDS = 40
"""Of cutting, which is more than a float has bits."""


def _least(is_enough: Callable[[Array], npt.NDArray[np.bool_]], most: Array, parts: int = PARTS) -> Array:
    """The least bounds between 0 and `most` that are enough, until no float lies between; of its shape.

    Bisection, several bits at a time. `is_enough` is asked for bounds with one axis more, the first.
    """
    low, high = np.zeros_like(most), most
    share = np.arange(1, parts).reshape(-1, *[1] * most.ndim) / parts
    for _ in range(ROUNDS):
        cuts = low + (high - low) * share
        if np.all((cuts == low) | (cuts == high)):
            break
        enough = np.concatenate((is_enough(cuts), np.ones((1, *most.shape), dtype=np.bool_)))
        first = np.argmax(enough, axis=0)[None]
        ends = np.concatenate((low[None], cuts, high[None]))
        low, high = (np.take_along_axis(ends, place, 0)[0] for place in (first, first + 1))
    return high


def _two_or_more(mean: Array) -> tuple[Array, Array, Array]:
    """First three cumulants of a Poisson number that is two or more."""
    single = mean * np.exp(-mean)
    rest = np.where(mean < 1e-2, mean**2 / 2 * (1 - 2 * mean / 3), -np.expm1(-mean) - single)
    first, second, third = ((raw - single) / rest for raw in (mean, mean + mean**2, mean + 3 * mean**2 + mean**3))
    scatter = second - first**2
    return first, scatter, third - 3 * first * second + 2 * first**3
