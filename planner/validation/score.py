"""Errors of predictions and the figures that sum them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.performance.symbols import Array

NORMAL_FROM_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class ScoreSummary:
    """Errors over a set of configurations, one vote each; fractions, not per cent."""

    configs: int
    median_ape: float
    mean_ape: float
    bias: float
    """Median signed error; above 0 means predicted too slow (or too large)."""
    within_10: float
    within_20: float


def summarise(errors: Array) -> ScoreSummary:
    """Median, mean, bias and shares within 10 and 20 % of relative errors, shape (configurations,)."""
    size = np.abs(errors)
    return ScoreSummary(
        configs=int(size.size),
        median_ape=float(np.median(size)),
        mean_ape=float(np.mean(size)),
        bias=float(np.median(errors)),
        within_10=float(np.mean(size <= 0.10)),
        within_20=float(np.mean(size <= 0.20)),
    )


def by_group(errors: Array, groups: Sequence[str]) -> dict[str, ScoreSummary]:
    """A summary per group, in alphabetical order."""
    labels = np.asarray(groups)
    return {str(label): summarise(errors[labels == label]) for label in sorted(set(groups))}


def log_deviation(errors: Array) -> float:
    """Robust standard deviation of log(predicted/measured): 1.4826 · the median absolute logarithm."""
    return float(NORMAL_FROM_MAD * np.median(np.abs(np.log1p(errors))))
