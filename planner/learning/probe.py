"""Which short run to make next: what each narrows, the chance that it changes the decision, and what that saves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, takewhile
from typing import Any, Final

import numpy as np

from planner.estimator.certainty import ratio_deviation
from planner.explore.answer import Answer
from planner.launch.job import LaunchJob
from planner.layouts.workload import Workload
from planner.learning.short_runs import ShortRun, short_run
from planner.market.money import priced
from planner.performance.normal import normal_density, normal_probability, normal_quantile
from planner.performance.predictive import predictive
from planner.performance.symbols import Array
from planner.plans.plan import Plan
from planner.plans.plan_error import unseen_run

MOST_RIVALS: Final = 4
"""Other accelerators that a test may be made on: those whose plans come next."""
FEWEST_HOURS: Final = 0.25
"""A test shorter than that measures warm-up."""
POINTS: Final = 201
"""Equally probable results of a test over which the chance of a right decision is averaged."""


@dataclass(frozen=True)
class Probe:
    """One test: short runs on one or two accelerators."""

    runs: tuple[ShortRun, ...]
    """One on each accelerator."""
    hours: float
    """Of each."""
    usd: float
    width: float
    """Of the plan's range after the test over now."""
    change_probability: float
    """That the test makes another accelerator the better choice."""
    right_probability: float
    """That the accelerator chosen after the test is the better one; 1 without another to choose."""
    saved_usd: float
    """Expected, before the test is paid."""

    @property
    def accelerators(self) -> tuple[str, ...]:
        """What it runs on."""
        return tuple(run.job.accelerator.name for run in self.runs)

    @property
    def gpus(self) -> int:
        """On each accelerator, at most."""
        return max(run.job.gpus for run in self.runs)

    @property
    def worth_usd(self) -> float:
        """Expected saving less the test's cost."""
        return self.saved_usd - self.usd


@dataclass(frozen=True)
class _Gain:
    """What a test says of a choice between two plans."""

    change_probability: float = 0.0
    right_probability: float = 1.0
    saved_usd: float = 0.0


def probes(
    answer: Answer, jobs: Mapping[str, LaunchJob], nodes: int, hours: float, budget_usd: float | None
) -> tuple[Probe, ...]:
    """Tests on up to so many nodes, in doublings, the most worth first; none without a plan that costs something.

    `jobs`: the longest phase of the plan on each accelerator, whose layout a test cuts down to its nodes.
    """
    if answer.plan is None or not answer.plan.cost_usd:
        return ()
    rivals = [one.plan for one in answer.alternatives if one.plan][:MOST_RIVALS]
    plans, length = [answer.plan, *rivals], max(hours, FEWEST_HOURS)
    sets = list(chain(combinations(plans, 1), ((answer.plan, rival) for rival in rivals)))
    counts = sorted({*takewhile(lambda one: one < nodes, (2**power for power in range(20))), nodes})
    calibration = answer.choices.workload.calibration
    runs = {
        (plan.accelerator, count): short_run(jobs[plan.accelerator], count, length, calibration)
        for plan in plans
        for count in counts
    }
    found = (
        _probe(answer, answer.plan, rivals, tested, [run for run in short if run], length)
        for tested in sets
        for count in counts
        if all(short := [runs[plan.accelerator, count] for plan in tested])
    )
    affordable = (one for one in found if budget_usd is None or one.usd <= budget_usd)
    return tuple(sorted(_each_once(affordable), key=lambda one: (-one.worth_usd, one.usd)))


def _each_once(found: Iterator[Probe]) -> list[Probe]:
    """Without those that a plan on few devices has for several numbers of nodes."""
    return list({tuple((run.job.accelerator.name, run.job.gpus) for run in one.runs): one for one in found}.values())


def _probe(
    answer: Answer, best: Plan, rivals: Sequence[Plan], tested: Sequence[Plan], runs: Sequence[ShortRun], hours: float
) -> Probe:
    """What a test on the accelerators of some plans is worth."""
    before = answer.choices.workload
    own = (*before.calibration.own_runs, *(run.like for run in runs))
    after = replace(before, calibration=before.calibration.model_copy(update={"own_runs": own}))
    gains = [_gain(before, after, best, rival) for rival in rivals]
    gain = max(gains, key=lambda one: one.saved_usd, default=_Gain())
    widths = [predictive(one.calibration.spread, unseen_run(one, best)).scale for one in (before, after)]
    usd = sum(priced(run.job.gpus * hours, _usd_per_gpu_hour(plan)) for plan, run in zip(tested, runs, strict=True))
    return Probe(
        tuple(runs),
        hours,
        usd,
        widths[1] / widths[0],
        gain.change_probability,
        min((one.right_probability for one in gains), default=1.0),
        gain.saved_usd,
    )


def _gain(before: Workload, after: Workload, best: Plan, rival: Plan) -> _Gain:
    """Chance that a test turns a choice between two plans, that it is right then, and the dollars saved by expectation.

    The logarithm of their costs' ratio is normal with mean r and deviation d now, d′ after: the test moves its mean by
    a normal variable of deviation s = √(d² − d′²), and saves the better plan's cost · s·(φ(r/s) − r/s·Φ(−r/s)).
    Source: Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, section 5.4 (linear loss).
    """
    ratio = max(math.log(float(rival.cost_usd) / float(best.cost_usd)), 0.0)
    now, then = (_deviation(workload, best, rival) for workload in (before, after))
    moved = math.sqrt(max(now**2 - then**2, 0.0))
    right = float(np.mean(normal_probability(np.abs(_results(ratio, moved)) / max(then, 1e-9))))
    if moved <= 0:
        return _Gain(right_probability=right)
    standard = np.asarray(ratio / moved)
    change = float(normal_probability(-standard))
    saved = moved * (float(normal_density(standard)) - float(standard) * change)
    return _Gain(change, right, float(best.cost_usd) * saved)


def _results(ratio: float, moved: float) -> Array:
    """Equally probable means of the logarithm after a test, shape (`POINTS`,)."""
    return ratio + moved * normal_quantile((np.arange(POINTS) + 0.5) / POINTS)


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
            "runs": [run.document for run in one.runs],
            "hours": one.hours,
            "cost_usd": f"{one.usd:.2f}",
            "range_width": one.width,
            "change_probability": one.change_probability,
            "right_probability": one.right_probability,
            "expected_saving_usd": f"{one.saved_usd:.2f}",
            "is_worth_its_money": one.worth_usd > 0,
        }
