"""How sure a plan is of its time and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from planner.equations.chance import probability_with_error, probability_within, quantile_beyond
from planner.equations.symbols import Array
from planner.estimate.estimate import expected_deviation
from planner.formulation.plan import Plan
from planner.layouts.workload import workload_of
from planner.problem.problem import Problem
from planner.units import round_usd

QUANTILES: Final = {"p5": 0.05, "p50": 0.50, "p95": 0.95}


@dataclass(frozen=True)
class Certainty:
    """What failures and preemptions leave of a plan's promises."""

    seconds: dict[str, float]
    """Quantiles of the wall time."""
    usd: dict[str, float]
    """Quantiles of the cost."""
    in_time: float | None
    """Probability that the deadline is kept, the estimate being right; None without a deadline."""
    in_time_with_estimate: float | None
    """The same, counting how far real runs were from estimates."""


def certainty_of(plan: Plan, problem: Problem) -> Certainty:
    """By closed forms of mean and variance."""
    found, deadline = plan.moments, problem.limits.deadline
    seconds = (found.least_seconds, found.seconds, found.seconds_variance)
    in_time = both = None
    if deadline is not None:
        workload, bound = workload_of(problem), np.asarray(deadline)
        deviation = expected_deviation(workload.calibration, plan.machine.accelerator, moe=workload.model.is_moe)
        in_time = float(probability_within(*seconds, bound))
        both = float(probability_with_error(*seconds, bound, deviation))
    return Certainty(_quantiles(*seconds), _quantiles(found.least_usd, found.usd, found.usd_variance), in_time, both)


def _quantiles(least: Array, mean: Array, variance: Array) -> dict[str, float]:
    return {name: float(quantile_beyond(least, mean, variance, np.asarray(p))) for name, p in QUANTILES.items()}


def certainty_document(found: Certainty) -> dict[str, Any]:
    """What a plan's document says of it; money is decimal strings."""
    return {
        "probability_in_time": found.in_time,
        "probability_in_time_with_estimate_error": found.in_time_with_estimate,
        "wall_seconds_quantiles": found.seconds,
        "cost_usd_quantiles": {name: str(round_usd(value)) for name, value in found.usd.items()},
    }
