"""How sure an answer is: the range of its plan, and which other accelerators it cannot tell from the best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.catalog.known_devices import device_deviation
from planner.catalog.utilisation import typical_utilisation
from planner.equations.predictive import CONFIDENCE, Predictive, Unseen, predictive, software_deviation
from planner.estimate.certainty import evidence, interval, is_within_error, kind_of, ratio_deviation
from planner.formulation.plan import Plan
from planner.layouts.workload import Workload
from planner.negotiate.answer import Answer, objective_value
from planner.units import format_duration, format_share


def certainty_document(answer: Answer, plan: Plan) -> dict[str, Any]:
    """The range of a plan's wall time, and whether published runs on its device stand behind it."""
    calibration, device = answer.choices.workload.calibration, plan.machine.accelerator
    low, high = real_range(answer, plan)
    return {
        "confidence": CONFIDENCE,
        "log_deviation": error_of(answer.choices.workload, plan).deviation,
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
    calibration = answer.choices.workload.calibration
    if rests_on := evidence(calibration, best.machine.accelerator):
        yield f"{rests_on}."
    unseen = [other.accelerator for other in others if not calibration.is_fitted(other.machine.accelerator)]
    if unseen:
        told = "Of the others, no published training run was in the calibration on"
        yield f"{told} {', '.join(unseen)}: known from data sheets, with wider ranges."


def real_range(answer: Answer, plan: Plan) -> tuple[float, float]:
    """Wall times between which real runs end with `CONFIDENCE`: the estimate's error and failures and preemptions."""
    error, rest = error_of(answer.choices.workload, plan), (1 - CONFIDENCE) / 2
    low, high = (float(plan.moments.delays.quantile_uncertain(one, error)) for one in (rest, 1 - rest))
    return low, high


def within_error(answer: Answer, best: Plan, other: Plan) -> bool:
    """Whether the estimate cannot tell which of two plans on different accelerators is the better one.

    They differ by less than the interval of their ratio, in which what both estimates share has cancelled.
    """
    objective = answer.choices.objective
    ratio = objective_value(objective, other) / max(objective_value(objective, best), 1e-9)
    return is_within_error(ratio, _deviation_between(answer, best, other))


def error_of(workload: Workload, plan: Plan) -> Predictive:
    """Of a plan's real over its estimated time and cost; a search chose its layouts."""
    return predictive(workload.calibration.spread, _unseen(workload, plan))


def _unseen(workload: Workload, plan: Plan) -> Unseen:
    """What decides how well the plan's time is known."""
    return Unseen(
        kind_of(moe=workload.model.is_moe, adapters=not workload.trains_base),
        plan.gpus,
        workload.release,
        device_deviation=device_deviation(workload.calibration, plan.machine.accelerator),
        software_deviation=software_deviation(workload.stack.generic, workload.constants.generic_stack),
        is_searched=True,
    )


def _deviation_between(answer: Answer, best: Plan, other: Plan) -> float:
    workload = answer.choices.workload
    return ratio_deviation(workload.calibration, *(_unseen(workload, plan) for plan in (best, other)))


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
