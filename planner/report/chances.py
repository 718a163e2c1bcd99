"""The chances that a plan is in time and within its cost when nodes fail and spot nodes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from planner.equations.chance import Delays
from planner.estimate.certainty import expected_deviation
from planner.formulation.plan import Plan
from planner.layouts.workload import workload_of
from planner.problem.problem import Problem
from planner.units import usd_text

QUANTILES: Final = {"p5": 0.05, "p50": 0.50, "p95": 0.95}


@dataclass(frozen=True)
class Chances:
    """What failures and preemptions leave of a plan's promises."""

    seconds: dict[str, float]
    """Quantiles of the wall time."""
    usd: dict[str, float]
    """Quantiles of the cost."""
    in_time: float | None
    """Probability that the deadline is kept, the estimate being right; None without a deadline."""
    in_time_with_estimate: float | None
    """The same, counting how far real runs were from estimates."""


def chances_of(plan: Plan, problem: Problem) -> Chances:
    """By closed forms of mean and variance."""
    found, deadline = plan.moments, problem.limits.deadline
    in_time = both = None
    if deadline is not None:
        workload, bound = workload_of(problem), np.asarray(deadline)
        deviation = expected_deviation(
            workload.calibration,
            plan.machine.accelerator,
            moe=workload.model.is_moe,
            unmeasured_kernels=workload.model.has_unmeasured_kernels,
        )
        in_time = float(found.delays.within(bound))
        both = float(found.delays.within_uncertain(bound, deviation))
    return Chances(_quantiles(found.delays), _quantiles(found.bill), in_time, both)


def _quantiles(found: Delays) -> dict[str, float]:
    values = found.quantile(np.asarray(list(QUANTILES.values())))
    return {name: float(value) for name, value in zip(QUANTILES, values, strict=True)}


def chances_document(found: Chances) -> dict[str, Any]:
    """What a plan's document says of it; money is decimal strings."""
    return {
        "probability_in_time": found.in_time,
        "probability_in_time_with_estimate_error": found.in_time_with_estimate,
        "wall_seconds_quantiles": found.seconds,
        "cost_usd_quantiles": {name: usd_text(value) for name, value in found.usd.items()},
    }
