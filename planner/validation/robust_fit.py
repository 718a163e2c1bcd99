"""Robust least squares with priors, as every fit here uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from planner.performance.symbols import Array
from planner.validation.priors import HUBER_SCALE


def root_weights(sources: Sequence[str]) -> Array:
    """Factor on each residual such that a case weighs 1/√(cases of its source); shape (cases,)."""
    size = Counter(sources)
    return np.asarray([size[source] ** -0.25 for source in sources])


def robust(log_error: Array) -> Array:
    """Residuals whose squares are the pseudo-Huber loss of log errors at `HUBER_SCALE`."""
    scaled = log_error / HUBER_SCALE
    return np.asarray(np.sign(scaled) * np.sqrt(2 * (np.sqrt(1 + scaled**2) - 1)))


def solve(residuals: Callable[[Array], Array], start: Array) -> tuple[Array, Array]:
    """Least squares: the minimum, and its standard errors from the Gauss–Newton Hessian; both of `start`'s shape."""
    from scipy.optimize import least_squares  # noqa: PLC0415  (only calibration needs SciPy)

    found = least_squares(residuals, start, x_scale=0.1, ftol=1e-5, xtol=1e-4, max_nfev=20)
    slopes = np.asarray(found.jac, dtype=np.float64)
    return np.asarray(found.x), np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
