"""The standard normal distribution."""

from __future__ import annotations

import math

import numpy as np

from planner.performance.symbols import Array

_NUMERATOR = (2.515517, 0.802853, 0.010328)
_DENOMINATOR = (1.432788, 0.189269, 0.001308)
"""Beside the constant 1."""


def normal_probability(deviations: Array) -> Array:
    """P(Z ≤ z) of a standard normal variable: (1 + erf(z/√2))/2."""
    scaled = np.asarray(deviations, dtype=np.float64) / math.sqrt(2)
    error = np.fromiter(map(math.erf, scaled.ravel().tolist()), np.float64, scaled.size)  # NumPy has none of its own
    return np.asarray((1 + error.reshape(scaled.shape)) / 2, dtype=np.float64)


def normal_density(deviations: Array) -> Array:
    """Density of a standard normal variable: e^(−z²/2)/√(2π)."""
    return np.exp(-(np.asarray(deviations) ** 2) / 2) / math.sqrt(2 * math.pi)


def normal_quantile(probability: Array) -> Array:
    """Z with P(Z ≤ z) = p: Hastings' rational approximation, then two Newton steps; 10 digits for 10⁻⁶ < p < 1 − 10⁻⁶.

    Source: Abramowitz and Stegun 1964, equation 26.2.23.
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    t = np.sqrt(-2 * np.log(np.minimum(p, 1 - p)))
    (a, b, c), (d, e, f) = _NUMERATOR, _DENOMINATOR
    upper = t - (a + t * (b + t * c)) / (1 + t * (d + t * (e + t * f)))
    z = np.where(p < 0.5, -upper, upper)
    for _ in range(2):
        z = z - (normal_probability(z) - p) / normal_density(z)
    return np.asarray(z, dtype=np.float64)
