"""From a mean and a variance to quantiles and probabilities, in closed form.

What a run takes beyond its least time is a sum of many delays, each at least zero: a gamma distribution matched to mean
and variance. It is exact for one exponential delay, nearly so for a compound Poisson sum, and normal in the limit.
Arguments broadcast.
"""

from __future__ import annotations

import math

import numpy as np

from planner.equations.symbols import Array

_erf = np.vectorize(math.erf, otypes=[np.float64])
_NUMERATOR = (2.515517, 0.802853, 0.010328)
_DENOMINATOR = (1.0, 1.432788, 0.189269, 0.001308)


def normal_probability(deviations: Array) -> Array:
    """P(Z ≤ z) of a standard normal variable: (1 + erf(z/√2))/2."""
    return np.asarray((1 + _erf(np.asarray(deviations) / math.sqrt(2))) / 2, dtype=np.float64)


def normal_density(deviations: Array) -> Array:
    """Density of a standard normal variable: e^(−z²/2)/√(2π)."""
    return np.exp(-(np.asarray(deviations) ** 2) / 2) / math.sqrt(2 * math.pi)


def normal_quantile(probability: Array) -> Array:
    """Z with P(Z ≤ z) = p: Hastings' rational approximation, then two Newton steps; 10 digits for 10⁻⁶ < p < 1 − 10⁻⁶.

    Source: Abramowitz and Stegun 1964, equation 26.2.23.
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    t = np.sqrt(-2 * np.log(np.minimum(p, 1 - p)))
    upper = t - np.polynomial.polynomial.polyval(t, _NUMERATOR) / np.polynomial.polynomial.polyval(t, _DENOMINATOR)
    z = np.where(p < 0.5, -upper, upper)
    for _ in range(2):
        z = z - (normal_probability(z) - p) / normal_density(z)
    return np.asarray(z, dtype=np.float64)


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


def probability_with_error(least: Array, mean: Array, variance: Array, bound: Array, log_deviation: float) -> Array:
    """`probability_within` when the time itself is only known up to a log-normal factor e^(σ·x), x standard normal.

    The mean over x by Gauss-Hermite quadrature; all times scale with the factor.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE)
    bounds = np.asarray(bound)[..., None] * np.exp(-log_deviation * points)
    within = probability_within(least[..., None], mean[..., None], variance[..., None], bounds)
    return np.asarray((within * weights).sum(axis=-1) / weights.sum(), dtype=np.float64)


QUADRATURE = 63
"""Points of the quadrature: the probability may jump from 0 to 1."""

LEAST_SKEWED = 1.0
"""Standard deviations beyond which skewness moves a quantile up; below, the normal quantile is later."""


def promised(least: Array, mean: Array, variance: Array, deviations: float) -> Array:
    """Time that is kept with probability Φ(z) ≥ 1/2, on the safe side: the deterministic equivalent of that demand.

    The quantile of least + gamma: ℓ + b·g³ with b = m − ℓ, g = 1 − u²/9 + z·u/3 and u = min(σ/b, 1.5·z), which keeps
    it from falling as σ grows. For z < 1 that of z = 1, or the normal quantile m + z·σ where it is earlier: there
    skewness only makes a quantile earlier. Source: as `quantile_beyond`.
    """
    z, beyond = max(deviations, LEAST_SKEWED), np.maximum(mean - least, 1e-9)
    skewed: Array = mean - beyond + beyond * stretched(np.sqrt(variance) / beyond, z)
    return skewed if deviations >= LEAST_SKEWED else np.minimum(skewed, mean + deviations * np.sqrt(variance))


def deviations_of(confidence: float) -> float:
    """Standard deviations Z of a confidence Φ(z) of at least 1/2."""
    return max(0.0, float(normal_quantile(np.asarray(confidence))))


def stretched(variation: Array, deviations: float) -> Array:
    """How many times its mean a gamma variable of variation u stays within with probability Φ(z): g³ of `promised`."""
    within = np.minimum(variation, 1.5 * deviations)
    factor: Array = (1 - within**2 / 9 + deviations * within / 3) ** 3
    return factor


def mean_shortfall(drift: Array, variance: Array, seconds: Array) -> Array:
    """Mean of the highest point that a Brownian motion with drift ν and variance σ² a second reaches in a time T.

    ν·T·Φ(d) + σ·√T·φ(d) + σ²/(2ν)·(2Φ(d) − 1), d = ν·√T/σ. Source: Borodin and Salminen 2002, formula 2.1.1.4,
    integrated.
    """
    deviation = np.sqrt(np.maximum(variance, 1e-18))
    scaled = drift * np.sqrt(seconds) / deviation
    spread = deviation * np.sqrt(seconds)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = np.where(
            np.abs(scaled) < 1e-6,
            spread * normal_density(scaled),
            variance / (2 * drift) * (2 * normal_probability(scaled) - 1),
        )
    return drift * seconds * normal_probability(scaled) + spread * normal_density(scaled) + tail


def shortfall_within(drift: Array, variance: Array, seconds: Array, bound: Array) -> Array:
    """Probability that the same motion stays below a bound x: Φ((x − νT)/σ√T) − e^(2νx/σ²)·Φ(−(x + νT)/σ√T).

    Source: Borodin and Salminen 2002, formula 2.1.1.4.
    """
    spread = np.sqrt(np.maximum(variance, 1e-18) * seconds)
    mirrored = np.exp(np.clip(2 * drift * bound / np.maximum(variance, 1e-18), -700, 700))
    below = normal_probability((bound - drift * seconds) / spread)
    return np.clip(below - mirrored * normal_probability(-(bound + drift * seconds) / spread), 0, 1)
