"""How certain an answer is: the range of its plan, and which other accelerators are tied with the best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from planner.catalog.utilisation import typical_utilisation
from planner.estimator.certainty import evidence, interval, is_within_error, ratio_deviation
from planner.explore.answer import Answer
from planner.performance.predictive import CONFIDENCE
from planner.plans.objective import objective_ratio
from planner.plans.plan import Plan
from planner.plans.plan_error import error_of, traits_of_plan, unseen_run
from planner.report.dates import dated
from planner.report.learned import learned_document, learned_of
from planner.simulate.planned import plan_distribution
from planner.units import format_duration, format_range, format_share


def estimate_error_document(answer: Answer, plan: Plan) -> dict[str, Any]:
    """The range of a plan's wall time, and whether published runs on its device stand behind it."""
    calibration, device = answer.choices.workload.calibration, plan.machine.accelerator
    low, high = _real_range(answer, plan)
    error = error_of(answer.choices.workload, plan)
    return {
        "confidence": CONFIDENCE,
        "log_deviation": error.deviation,
        "log_scale": error.scale,
        "log_median": error.middle,
        "wall_seconds": [low, high],
        "published_runs_on_device": calibration.is_fitted(device),
        "learned": learned_document(calibration, traits_of_plan(answer.choices.workload, plan)),
    }


def estimate_error_lines(answer: Answer, best: Plan, wall_seconds: Iterable[float]) -> Iterator[str]:
    """The range of the best plan, what it rests on, and the other accelerators on which as good a plan exists."""
    low, high = (dated(one, best.start) for one in wall_seconds)
    between = f"{CONFIDENCE:.0%} prediction interval: {format_range(low, high)}"
    yield f"{between}, node failures included; cost scales with time."
    yield from learned_of(answer.choices.workload.calibration, traits_of_plan(answer.choices.workload, best))
    yield _kind_of_figure(answer, best)
    others = [one.plan for one in answer.alternatives if one.plan]
    yield from (_tie(answer, best, other) for other in others if within_error(answer, best, other))
    calibration, model = answer.choices.workload.calibration, answer.choices.workload.model
    if model.assumed:
        yield f"{model.assumed}."
    if model.left_out:
        yield f"Left out: {model.left_out}."
    if rests_on := evidence(calibration, best.machine.accelerator):
        yield f"{rests_on}."
    unseen = [other.accelerator for other in others if not calibration.is_fitted(other.machine.accelerator)]
    if unseen:
        told = "Of the others, no published training run was in the calibration on"
        yield f"{told} {', '.join(unseen)}: known from data sheets, with wider ranges."


def _real_range(answer: Answer, plan: Plan) -> tuple[float, float]:
    """Wall times between which real runs end with `CONFIDENCE`: the estimate's error and failures and preemptions."""
    error, rest = error_of(answer.choices.workload, plan), (1 - CONFIDENCE) / 2
    seconds = plan_distribution(plan, answer.problem).seconds
    low, high = seconds.quantile_uncertain(np.asarray([rest, 1 - rest]), error).tolist()
    return low + plan.idle_seconds, high + plan.idle_seconds


def within_error(answer: Answer, best: Plan, other: Plan) -> bool:
    """Whether two plans on different accelerators are tied within the estimate's error.

    They differ by less than the interval of their ratio, in which what both estimates share has cancelled.
    """
    ratio = objective_ratio(answer.choices.objective, other, best)
    return is_within_error(ratio, _deviation_between(answer, best, other))


def _deviation_between(answer: Answer, best: Plan, other: Plan) -> float:
    workload = answer.choices.workload
    return ratio_deviation(workload.calibration, *(unseen_run(workload, plan) for plan in (best, other)))


def _kind_of_figure(answer: Answer, best: Plan) -> str:
    """A sentence that the figure is of the best layout, beside what published runs reached with theirs."""
    workload, longest = answer.choices.workload, max(best.phases, key=lambda phase: phase.wall_seconds)
    found = f"This is the best layout, at {format_share(longest.mfu)} MFU"
    if not workload.trains_base:
        return f"{found}; what a team's own layout reaches is less."
    typical = typical_utilisation(
        best.machine.accelerator, low_precision=workload.precision.is_low, moe=workload.model.is_moe
    )
    usual, good = (best.wall_seconds * longest.mfu / share for share in (typical.median, typical.upper_quartile))
    return (
        f"{found}. The median of {typical.kind} is {format_share(typical.median)}, with which it would take about "
        f"{format_duration(usual)}; the best quarter of them reached {format_share(typical.upper_quartile)}, "
        f"{format_duration(good)}: see plan size."
    )


def _tie(answer: Answer, best: Plan, other: Plan) -> str:
    """A sentence on two accelerators that are tied within the estimate's error."""
    objective = answer.choices.objective
    difference = objective_ratio(objective, other, best) - 1
    worse = {"cost": "more expensive", "time": "slower", "tokens": "short of tokens"}[objective]
    _, high = interval(_deviation_between(answer, best, other))
    error = f"within the estimate's error (±{high - 1:.0%})"
    return f"{other.accelerator} is {abs(difference):.0%} {worse}, {error}: treat as tied."
