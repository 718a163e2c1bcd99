"""How far real time and cost end from a plan's: the one distribution behind its range, its probability and its ties."""

from __future__ import annotations

from planner.catalog.known_devices import device_deviation
from planner.estimator.certainty import kind_of
from planner.layouts.workload import Workload
from planner.performance.own_runs import with_own_runs
from planner.performance.predictive import Predictive, Unseen, predictive, software_deviation
from planner.plans.plan import Plan


def error_of(workload: Workload, plan: Plan) -> Predictive:
    """Distribution of a plan's real over its estimated time and cost; a search chose its layouts."""
    return predictive(workload.calibration.spread, unseen_run(workload, plan))


def unseen_run(workload: Workload, plan: Plan) -> Unseen:
    """What decides how well the plan's time is known."""
    unseen = Unseen(
        kind_of(moe=workload.model.is_moe, adapters=not workload.trains_base),
        plan.gpus,
        workload.release,
        device_deviation=device_deviation(workload.calibration, plan.machine.accelerator),
        software_deviation=software_deviation(workload.stack.generic, workload.constants.generic_stack),
        has_unmeasured_kernels=workload.model.has_unmeasured_kernels,
        is_searched=True,
    )
    traits = workload.traits(plan.machine.accelerator, gpus=plan.gpus)
    return with_own_runs(unseen, workload.calibration.own_runs, traits)
