"""How often all nodes of a gang are there at once: the beta-binomial law of nodes that come and go together.

A zone has room for a spot node with a probability that itself varies as a beta distribution of mean a; n nodes that
are asked for at once share it. Their correlation ρ, of any two nodes, is 1 where a zone's nodes go as one and 0 where
each goes on its own. Source: Skellam 1948, Journal of the Royal Statistical Society B 10 (2); shares of recorded gangs
from Wu et al. 2024 (NSDI, Can't Be Late). Arguments broadcast.
"""

from __future__ import annotations

import math

import numpy as np

from planner.performance.symbols import Array

LEAST_SHARE = 1e-12
"""Smallest share of the time that a node is available or away."""
SPREADS = (1e-9, 1e9)
"""Least and largest α + β = 1/ρ − 1 of the beta distribution."""
HALVINGS = 80

_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])


def all_available(nodes: Array, availability: Array, correlation: Array) -> Array:
    """Share of the time in which all n nodes are there: Π (α + i)/(α + β + i) over i < n, with α = a·(1/ρ − 1).

    It is a for one node or ρ = 1, aⁿ for ρ = 0, and never grows with n; for many nodes it falls as n^(−β),
    β = (1 − a)·(1/ρ − 1).
    """
    spread = _spread(correlation)
    return _every(nodes, spread * _share(availability), spread)


def any_available(nodes: Array, availability: Array, correlation: Array) -> Array:
    """Share of the time in which at least one of n nodes is there: 1 − Π (β + i)/(α + β + i) over i < n."""
    spread = _spread(correlation)
    return 1 - _every(nodes, spread * (1 - _share(availability)), spread)


def fitted_correlation(nodes: Array, one: Array, every: Array) -> Array:
    """The ρ with which the law loses as much, over the last axis in all, as the recorded gangs: Σ ln P(all) agrees.

    `one` and `every`: recorded shares of the time in which one node and in which all are there. Shape without the last
    axis.
    """
    recorded = np.log(every).sum(axis=-1)
    low, high = (np.full(recorded.shape, math.log(one)) for one in SPREADS)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = all_available(nodes, one, 1 / (1 + np.exp(middle))[..., None])
        above = np.log(found).sum(axis=-1) > recorded
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(1 / (1 + np.exp(low)), dtype=np.float64)


def fitted_together(nodes: Array, one_rate: Array, gang_rate: Array) -> Array:
    """The γ of `gang_preemptions_per_second` that agrees with recorded rates: 1 − Σ ln(gang/one)/Σ ln n, at most 1."""
    growth = np.log(gang_rate / one_rate).sum(axis=-1) / np.log(nodes).sum(axis=-1)
    return np.asarray(np.clip(1 - growth, 0, 1), dtype=np.float64)


def least_correlation(nodes: Array, recorded: float, usual: float, worst: float) -> Array:
    """The least correlation to assume at n nodes, when gangs were recorded up to `recorded` nodes.

    Up to there it is that of the worst recorded zone. Beyond, how far 1/ρ − 1 may be from the usual one grows, as a
    factor, with ln n: what one recorded range of sizes left open is left open again by the next one as wide.
    """
    beyond = np.maximum(np.log(np.maximum(nodes, 1)) / math.log(recorded), 1.0)
    middle, far = (1 / one - 1 for one in (usual, worst))
    return np.asarray(1 / (1 + middle * (far / middle) ** beyond), dtype=np.float64)


def _every(nodes: Array, alpha: Array, spread: Array) -> Array:
    """Π (α + i)/(s + i) over i < n = Γ(α + n)·Γ(s)/(Γ(α)·Γ(s + n))."""
    count, first, total = np.broadcast_arrays(np.asarray(nodes, dtype=np.float64), alpha, spread)
    sizes, place = np.unique(np.stack([one.ravel() for one in (count, first, total)]), axis=1, return_inverse=True)
    n, a, s = sizes
    logs = _log_gamma(a + n) - _log_gamma(a) + _log_gamma(s) - _log_gamma(s + n)
    return np.asarray(np.exp(np.minimum(logs, 0.0))[place].reshape(count.shape), dtype=np.float64)


def _share(availability: Array) -> Array:
    return np.clip(np.asarray(availability, dtype=np.float64), LEAST_SHARE, 1 - LEAST_SHARE)


def _spread(correlation: Array) -> Array:
    known = np.asarray(correlation, dtype=np.float64)
    return np.asarray(np.clip(1 / np.maximum(known, 1 / SPREADS[1]) - 1, *SPREADS), dtype=np.float64)
