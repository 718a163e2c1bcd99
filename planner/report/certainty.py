"""How sure an answer is: the range of its plan, and which other accelerators it cannot tell from the best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.catalog.utilisation import typical_utilisation
from planner.estimate.certainty import (
    CONFIDENCE,
    evidence,
    expected_deviation,
    interval,
    is_within_error,
    ratio_deviation,
)
from planner.formulation.plan import Plan
from planner.negotiate.answer import Answer, objective_value
from planner.units import format_duration, format_share


def certainty_document(answer: Answer, plan: Plan) -> dict[str, Any]:
    """The range of a plan's wall time, and whether published runs on its device stand behind it."""
    calibration, device = answer.choices.workload.calibration, plan.machine.accelerator
    low, high = real_range(answer, plan)
    return {
        "confidence": CONFIDENCE,
        "log_deviation": deviation_of(answer, plan),
        "wall_seconds": [low, high],
        "published_runs_on_device": calibration.is_fitted(device),
    }


def certainty_lines(answer: Answer, best: Plan) -> Iterator[str]:
    """The range of the best plan, what it rests on, and the other accelerators on which as good a plan exists."""
    low, high = map(format_duration, real_range(answer, best))
    share = f"{100 * CONFIDENCE:.0f} %"
    yield f"Estimate: {share} of real runs would take {low} to {high}, luck with nodes included; cost goes with it."
    yield _kind_of_figure(answer, best)
    others = [one.plan for one in answer.alternatives if one.plan]
    yield from (_tie(answer, best, other) for other in others if within_error(answer, best, other))
    calibration, model = answer.choices.workload.calibration, answer.choices.workload.model
    if model.left_out:
        yield f"Left out: {model.left_out}."
    if rests_on := evidence(calibration, best.machine.accelerator):
        yield f"{rests_on}."
    unseen = [other.accelerator for other in others if not calibration.is_fitted(other.machine.accelerator)]
    if unseen:
        told = "Of the others, no published training run was in the calibration on"
        yield f"{told} {', '.join(unseen)}: known from data sheets, with wider ranges."


def real_range(answer: Answer, plan: Plan) -> tuple[float, float]:
    """Wall times between which real runs end with `CONFIDENCE`: the estimate's error and failures and preemptions."""
    deviation, rest = deviation_of(answer, plan), (1 - CONFIDENCE) / 2
    low, high = (float(plan.moments.delays.quantile_uncertain(one, deviation)) for one in (rest, 1 - rest))
    return low, high


def within_error(answer: Answer, best: Plan, other: Plan) -> bool:
    """Whether the estimate cannot tell which of two plans on different accelerators is the better one.

    They differ by less than the interval of their ratio, in which what both estimates share has cancelled.
    """
    objective = answer.choices.objective
    ratio = objective_value(objective, other) / max(objective_value(objective, best), 1e-9)
    return is_within_error(ratio, _deviation_between(answer, best, other))


def deviation_of(answer: Answer, plan: Plan) -> float:
    """Standard deviation of the logarithm of a plan's time and cost."""
    workload = answer.choices.workload
    return expected_deviation(
        workload.calibration,
        plan.machine.accelerator,
        moe=workload.model.is_moe,
        unmeasured_kernels=workload.model.has_unmeasured_kernels,
    )


def _deviation_between(answer: Answer, best: Plan, other: Plan) -> float:
    workload, devices = answer.choices.workload, [plan.machine.accelerator for plan in (best, other)]
    return ratio_deviation(workload.calibration, *devices, moe=workload.model.is_moe)


def _kind_of_figure(answer: Answer, best: Plan) -> str:
    """That the plan is the best layout, and what published runs reached with theirs."""
    workload, longest = answer.choices.workload, max(best.phases, key=lambda phase: phase.wall_seconds)
    found = f"This is the best layout, at {format_share(longest.mfu)} MFU"
    if not workload.trains_base:
        return f"{found}; what a team's own layout reaches is less."
    typical = typical_utilisation(
        best.machine.accelerator, low_precision=workload.precision.is_low, moe=workload.model.is_moe
    )
    return f"{found}. The median of {typical.kind} is {format_share(typical.median)}: see plan size."


def _tie(answer: Answer, best: Plan, other: Plan) -> str:
    """That two accelerators are as good as each other, as far as anyone can tell."""
    objective = answer.choices.objective
    difference = objective_value(objective, other) / max(objective_value(objective, best), 1e-9) - 1
    worse = {"cost": "dearer", "time": "slower", "tokens": "short on tokens"}[objective]
    _, high = interval(_deviation_between(answer, best, other))
    return (
        f"{other.accelerator} is {abs(difference):.0%} {worse}, less than the estimate can tell "
        f"between the two (±{high - 1:.0%}): treat them as equal."
    )
