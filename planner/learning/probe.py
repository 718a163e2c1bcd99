"""Which short run to make next: what each narrows, the chance that it changes the decision, and what that saves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any, Final

import numpy as np

from planner.catalog.own_runs import OwnRun
from planner.estimator.certainty import ratio_deviation
from planner.explore.answer import Answer
from planner.layouts.workload import Workload
from planner.performance.normal import normal_density, normal_probability
from planner.performance.predictive import predictive
from planner.plans.plan import Plan
from planner.plans.plan_error import unseen_run

MOST_RIVALS: Final = 4
"""Other accelerators that a test may be made on: those whose plans come next."""
FEWEST_HOURS: Final = 0.25
"""A test shorter than that measures warm-up."""


@dataclass(frozen=True)
class Probe:
    """One test: short runs on one or two accelerators."""

    accelerators: tuple[str, ...]
    gpus: int
    """On each."""
    hours: float
    """On each."""
    usd: float
    width: float
    """Of the plan's range after the test over now."""
    change_probability: float
    """That the test makes another accelerator the better choice."""
    saved_usd: float
    """Expected, before the test is paid."""

    @property
    def worth_usd(self) -> float:
        """Expected saving less the test's cost."""
        return self.saved_usd - self.usd


def probes(answer: Answer, nodes: int, hours: float, budget_usd: float | None) -> tuple[Probe, ...]:
    """Tests on up to so many nodes and hours each, the most worth first; none without a plan that costs something."""
    if answer.plan is None or not answer.plan.cost_usd:
        return ()
    rivals = [one.plan for one in answer.alternatives if one.plan][:MOST_RIVALS]
    plans = [answer.plan, *rivals]
    sets = chain(combinations(plans, 1), ((answer.plan, rival) for rival in rivals))
    length = max(hours, FEWEST_HOURS)
    found = (_probe(answer, answer.plan, rivals, tested, nodes, length) for tested in sets)
    affordable = (one for one in found if budget_usd is None or one.usd <= budget_usd)
    return tuple(sorted(affordable, key=lambda one: -one.worth_usd))


def _probe(
    answer: Answer, best: Plan, rivals: Sequence[Plan], tested: Sequence[Plan], nodes: int, hours: float
) -> Probe:
    """What a test on the accelerators of some plans is worth."""
    before = answer.choices.workload
    runs = (*before.calibration.own_runs, *(_test_run(before, plan, nodes) for plan in tested))
    after = _with_own_runs(before, runs)
    gains = [_gain(before, after, best, rival) for rival in rivals]
    widths = [predictive(one.calibration.spread, unseen_run(one, best)).scale for one in (before, after)]
    change, saved = max(gains, key=lambda gain: gain[1], default=(0.0, 0.0))
    gpus = max(plan.machine.per_node * nodes for plan in tested)
    usd = sum(plan.machine.per_node * nodes * hours * _usd_per_gpu_hour(plan) for plan in tested)
    return Probe(tuple(plan.accelerator for plan in tested), gpus, hours, usd, widths[1] / widths[0], change, saved)


def _test_run(workload: Workload, plan: Plan, nodes: int) -> OwnRun:
    """A measured step on few nodes, of the model itself; what it measures does not matter to what it leaves unknown."""
    traits = workload.traits(plan.machine.accelerator, gpus=nodes * plan.machine.per_node)
    return OwnRun(**traits.model_dump(), name="test", log_ratio=0.0, weight=1.0, communication=0.0, host=0.0)


def _with_own_runs(workload: Workload, runs: tuple[OwnRun, ...]) -> Workload:
    return replace(workload, calibration=workload.calibration.model_copy(update={"own_runs": runs}))


def _gain(before: Workload, after: Workload, best: Plan, rival: Plan) -> tuple[float, float]:
    """Chance that a test turns a choice between two plans, and the dollars that it saves by expectation.

    The logarithm of their costs' ratio is normal with mean r and deviation d now, d′ after: the test moves its mean by
    a normal variable of deviation s = √(d² − d′²), and saves the better plan's cost · s·(φ(r/s) − r/s·Φ(−r/s)).
    Source: Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, section 5.4 (linear loss).
    """
    ratio = math.log(float(rival.cost_usd) / float(best.cost_usd))
    now, then = (_deviation(workload, best, rival) for workload in (before, after))
    moved = math.sqrt(max(now**2 - then**2, 0.0))
    if moved <= 0:
        return 0.0, 0.0
    standard = np.asarray(max(ratio, 0.0) / moved)
    change = float(normal_probability(-standard))
    saved = moved * (float(normal_density(standard)) - float(standard) * change)
    return change, float(best.cost_usd) * saved


def _deviation(workload: Workload, best: Plan, rival: Plan) -> float:
    return ratio_deviation(workload.calibration, unseen_run(workload, best), unseen_run(workload, rival))


def _usd_per_gpu_hour(plan: Plan) -> float:
    return float(plan.cost_usd) / plan.gpu_hours


def probe_documents(found: Sequence[Probe]) -> Iterator[dict[str, Any]]:
    """The tests as JSON; money is decimal strings."""
    for one in found:
        yield {
            "accelerators": list(one.accelerators),
            "gpus": one.gpus,
            "hours": one.hours,
            "cost_usd": f"{one.usd:.2f}",
            "range_width": one.width,
            "change_probability": one.change_probability,
            "expected_saving_usd": f"{one.saved_usd:.2f}",
            "is_worth_its_money": one.worth_usd > 0,
        }
