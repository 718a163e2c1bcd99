"""A time that a run keeps with a probability: the deterministic equivalent of a chance constraint.

Of the mean, the variance and the least of a sum of phases, which all add up. Arguments broadcast.
"""

from __future__ import annotations

import numpy as np

from planner.equations.chance import normal_quantile
from planner.equations.symbols import Array

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
