"""The probabilities of keeping deadline and budget, and the spread of time and cost, with failures and preemptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from planner.availability.distributions import Distribution
from planner.layouts.workload import workload_of
from planner.plans.plan import Plan
from planner.plans.plan_error import error_of
from planner.problem.problem import Problem
from planner.report.document.spot_stress import capacity_cases
from planner.simulate.distribution import JobDistribution
from planner.simulate.planned import plan_distribution
from planner.units import usd_text

QUANTILES: Final = {"p5": 0.05, "p50": 0.50, "p95": 0.95}


@dataclass(frozen=True)
class RiskSummary:
    """Wall time and cost of a plan after failures and preemptions, and the probability of meeting its deadline."""

    seconds: dict[str, float]
    """Quantiles of the wall time."""
    usd: dict[str, float]
    """Quantiles of the cost."""
    in_time: float | None
    """Probability of meeting the deadline if the estimate is exact; None without a deadline."""
    in_time_with_estimate: float | None
    """The same with the estimate's own error, as measured on published runs."""
    counts: Literal["everything", "luck"]
    """Which of the two is the plan's: `risk.counts`."""
    in_time_with_capacity: float | None
    """With both the estimate's error and how far the spot figures are known; None without a deadline."""
    within_budget: float | None
    """Probability of staying within the budget if the estimate is exact; None without a budget."""
    within_budget_with_estimate: float | None
    runs: int
    """Replayed runs that the figures are from; 0 for closed forms."""


def risk_summary(plan: Plan, problem: Problem) -> RiskSummary:
    """The summary of a plan, from closed forms, or from replayed runs where those are not near enough."""
    found, deadline, budget = plan_distribution(plan, problem), problem.limits.deadline, problem.limits.budget
    in_time = both = known = within = within_both = None
    if deadline is None and budget is None:
        return RiskSummary(*_spread(plan, found), None, None, problem.risk.counts, None, None, None, found.runs)
    error = error_of(workload_of(problem), plan)
    if budget is not None:
        most = np.asarray(float(budget))
        within, within_both = float(found.usd.within(most)), float(found.usd.within_uncertain(most, error))
    if deadline is not None:
        bound = np.asarray(deadline - plan.idle_seconds)
        in_time = float(found.seconds.within(bound))
        both = float(found.seconds.within_uncertain(bound, error))
        known = sum(
            weight * float(found.seconds.within_uncertain(bound / slower, error))
            for weight, slower in capacity_cases(plan, problem)
        )
    counts = problem.risk.counts
    return RiskSummary(*_spread(plan, found), in_time, both, counts, known, within, within_both, found.runs)


def _spread(plan: Plan, found: JobDistribution) -> tuple[dict[str, float], dict[str, float]]:
    """Quantiles of wall time and cost."""
    seconds = {name: value + plan.idle_seconds for name, value in _quantiles(found.seconds).items()}
    return seconds, _quantiles(found.usd)


def _quantiles(found: Distribution) -> dict[str, float]:
    values = found.quantile(np.asarray(list(QUANTILES.values())))
    return {name: float(value) for name, value in zip(QUANTILES, values, strict=True)}


def risk_summary_document(summary: RiskSummary) -> dict[str, Any]:
    """The summary as part of a plan's document; money is decimal strings."""
    return {
        "probability_in_time": summary.in_time if summary.counts == "luck" else summary.in_time_with_estimate,
        "probability_in_time_luck_only": summary.in_time,
        "probability_in_time_with_estimate_error": summary.in_time_with_estimate,
        "probability_in_time_with_spot_uncertainty": summary.in_time_with_capacity,
        "probability_within_budget": summary.within_budget_with_estimate
        if summary.counts == "everything"
        else summary.within_budget,
        "probability_within_budget_luck_only": summary.within_budget,
        "wall_seconds_quantiles": summary.seconds,
        "cost_usd_quantiles": {name: usd_text(value) for name, value in summary.usd.items()},
        "quantiles_by": {"method": "replay" if summary.runs else "closed forms", "runs": summary.runs},
    }
