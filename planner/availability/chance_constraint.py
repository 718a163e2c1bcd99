"""A time that a run keeps with a probability: the deterministic equivalent of a chance constraint.

Of the mean, the variance and the least of a sum of phases, which all add up. Arguments broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.performance.normal import normal_quantile
from planner.performance.symbols import Array

LEAST_SKEWED = 1.0
"""Standard deviations beyond which skewness moves a quantile up; below, the normal quantile is later."""
GRID = 4000
"""Values of the variation that are looked at for the one that moves a quantile most."""


def promised(least: Array, mean: Array, variance: Array, deviations: float) -> Array:
    """Time that is kept with probability Φ(z) ≥ 1/2, on the safe side: m + k(σ/b)·σ with b = m − ℓ.

    It never falls with the variance, nor, up to z = 2.2 (98.6 %), with the mean or the least time.
    """
    spread = np.sqrt(variance)
    variation = spread / np.maximum(mean - least, 1e-9)
    return np.asarray(mean + spread * margin_deviations(variation, deviations), dtype=np.float64)


@dataclass(frozen=True)
class ErrorMargin:
    """What an estimate's own error adds to a time that is kept; arrays that broadcast."""

    middle: Array
    """Median of log(real/estimated time)."""
    margin: Array
    """What the logarithm keeps above that with the probability, at least 0."""


def promised_with_error(least: Array, mean: Array, variance: Array, deviations: float, error: ErrorMargin) -> Array:
    """Time that is kept with a probability when the whole is only known up to a factor: m·e^(μ + √(δ² + λ²)).

    δ is the margin of the factor's logarithm, λ = log(`promised`/m) that of failures and preemptions: margins of two
    independent deviations add in quadrature. It is no less than the mean, and where `promised` never falls with least,
    mean or variance, neither does it.
    """
    expected: Array = np.maximum(mean, 1e-9)
    luck = np.log(np.maximum(promised(least, expected, variance, deviations) / expected, 1.0))
    factor = np.exp(error.middle + np.hypot(error.margin, luck))
    return np.asarray(expected * np.maximum(factor, 1.0), dtype=np.float64)


def margin_deviations(variation: Array, deviations: float) -> Array:
    """Standard deviations between the mean and the time that is kept with probability Φ(z).

    Up to z = 1 the normal quantile's z, which skewness only makes less. Beyond it k = (g³ − 1)/u of a gamma variable of
    variation u, g = 1 − u²/9 + z·u/3, and from its highest point on no less. Source: Wilson and Hilferty 1931, PNAS 17.
    """
    if deviations <= LEAST_SKEWED:
        return np.full(np.shape(variation), deviations)
    within = np.clip(variation, 1e-6, widest_variation(deviations))
    return np.asarray(_gamma_deviations(within, deviations), dtype=np.float64)


def widest_variation(deviations: float) -> float:
    """The variation that moves the quantile of a gamma variable most, in its standard deviations."""
    variations = np.linspace(1e-6, 1.5 * deviations, GRID)
    return float(variations[int(_gamma_deviations(variations, deviations).argmax())])


def _gamma_deviations(variation: Array, deviations: float) -> Array:
    factor: Array = (1 - variation**2 / 9 + deviations * variation / 3) ** 3
    return (factor - 1) / variation


def deviations_of(confidence: float) -> float:
    """Standard deviations Z of a confidence Φ(z) of at least 1/2."""
    return max(0.0, float(normal_quantile(np.asarray(confidence))))
