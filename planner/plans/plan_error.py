"""How far real time and cost end from a plan's: one distribution behind ranges, ties, probabilities and deadlines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from planner.availability.chance_constraint import ErrorMargin, deviations_of, promised_with_error
from planner.catalog.known_devices import device_deviation
from planner.catalog.records import Accelerator
from planner.layouts.wall_time import RunTime
from planner.layouts.workload import Workload
from planner.market.placements import Machine
from planner.performance.own_runs import with_own_runs
from planner.performance.predictive import Predictive, Unseen, kind_of, predictive, software_deviation, student_quantile
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes
from planner.plans.plan import Plan
from planner.problem.limits import Risk


def error_of(workload: Workload, plan: Plan) -> Predictive:
    """Distribution of a plan's real over its estimated time and cost: its phases share one factor."""
    device, per_node = plan.machine.accelerator, plan.machine.per_node
    errors = [error_on(workload, device, phase.nodes * per_node) for phase in plan.phases]
    weights = [phase.wall_seconds for phase in plan.phases]
    scale, middle = (float(np.average([getattr(one, name) for one in errors], weights=weights)) for name in FIELDS)
    return Predictive(scale, middle)


FIELDS = ("scale", "middle")


def error_on(workload: Workload, accelerator: Accelerator, gpus: float) -> Predictive:
    """The same of a phase on so many devices."""
    return predictive(workload.calibration.spread, unseen_on(workload, accelerator, gpus))


def unseen_run(workload: Workload, plan: Plan) -> Unseen:
    """What decides how well the plan's time is known."""
    return unseen_on(workload, plan.machine.accelerator, plan.gpus)


def unseen_on(workload: Workload, accelerator: Accelerator, gpus: float) -> Unseen:
    """What decides how well the time on so many devices is known; a search chose the layout."""
    return next(_unseen_on_each(workload, accelerator, [gpus]))


def _unseen_on_each(workload: Workload, accelerator: Accelerator, gpus: Iterable[float]) -> Iterator[Unseen]:
    """The same for each of several numbers of devices."""
    own_runs = workload.calibration.own_runs
    on_any = Unseen(
        kind_of(moe=workload.model.is_moe, adapters=not workload.trains_base),
        0.0,
        workload.release,
        device_deviation=device_deviation(workload.calibration, accelerator),
        software_deviation=software_deviation(
            workload.stack.generic, workload.constants.generic_stack, moe=workload.model.is_moe
        ),
        has_unmeasured_kernels=workload.model.has_unmeasured_kernels,
        is_searched=True,
    )
    for count in gpus:
        unseen = replace(on_any, devices=count)
        yield with_own_runs(unseen, own_runs, workload.traits(accelerator, gpus=count)) if own_runs else unseen


def counts_error(risk: Risk) -> bool:
    """Whether the deadline must hold with a probability that the estimate's own error counts in."""
    return risk.confidence is not None and risk.counts == "everything"


def kept_with_error(
    workload: Workload, accelerator: Accelerator, gpus: Array, run: RunTime, steps: int, confidence: float
) -> Array:
    """Seconds that a phase keeps with a probability, failures, preemptions and the estimate's error counted.

    Shape (layouts,), and so have `gpus` and `run`. The phases of a job share the error, so that what they keep adds up;
    what they do not share only helps, so that the sum is on the safe side.
    """
    least, mean, variance = (one.after(steps) for one in (run.least, run.wall, run.variance))
    margin = error_margin(workload, accelerator, gpus, confidence)
    return promised_with_error(least, mean, variance, deviations_of(confidence), margin)


def kept_of_phase(choices: Choices, machine: Machine, columns: PhaseModes, steps: int) -> Array:
    """The same of a phase on a machine, shape (layouts,); 0 where the estimate's error does not count."""
    risk = choices.problem.risk
    if risk.confidence is None or not counts_error(risk):
        return np.zeros(len(columns))
    gpus = columns.nodes.astype(np.float64) * machine.per_node
    return kept_with_error(choices.workload, machine.accelerator, gpus, columns.run, steps, risk.confidence)


def error_margin(workload: Workload, accelerator: Accelerator, gpus: Array, confidence: float) -> ErrorMargin:
    """What the estimate's error adds on each number of devices."""
    counts, places = np.unique(gpus, return_inverse=True)
    spread = workload.calibration.spread
    errors = [predictive(spread, unseen) for unseen in _unseen_on_each(workload, accelerator, counts.tolist())]
    scale, middle = (np.asarray([getattr(one, name) for one in errors]) for name in FIELDS)
    quantile = max(float(student_quantile(np.asarray(confidence))), 0.0)
    return ErrorMargin(middle[places], quantile * scale[places])
