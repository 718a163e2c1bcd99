"""How far real time and cost end from a plan's: one distribution behind ranges, ties, probabilities and deadlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.availability.chance_constraint import ErrorMargin, deviations_of, promised_with_error
from planner.catalog.known_devices import device_deviation
from planner.catalog.own_runs import LayoutTraits, RunTraits
from planner.catalog.records import Accelerator
from planner.layouts.rows import recomputed_shares
from planner.layouts.wall_time import RunTime
from planner.layouts.workload import Workload
from planner.market.placements import Machine
from planner.performance.own_runs import with_own_runs
from planner.performance.predictive import (
    Predictive,
    Unseen,
    kind_of,
    predictive,
    scale_and_middle,
    software_deviation,
    student_quantile,
)
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes
from planner.plans.plan import PhasePlan, Plan
from planner.problem.limits import Risk


def error_of(workload: Workload, plan: Plan) -> Predictive:
    """Distribution of a plan's real over its estimated time and cost: its phases share one factor."""
    device, per_node = plan.machine.accelerator, plan.machine.per_node
    errors = [
        error_on(workload, device, phase.nodes * per_node, layout_of_phase(workload, phase)) for phase in plan.phases
    ]
    weights = [phase.wall_seconds for phase in plan.phases]
    scale, middle = (float(np.average([getattr(one, name) for one in errors], weights=weights)) for name in FIELDS)
    return Predictive(scale, middle)


FIELDS = ("scale", "middle")


def error_on(
    workload: Workload, accelerator: Accelerator, gpus: float, layout: LayoutTraits | None = None
) -> Predictive:
    """The same of a phase in a layout on so many devices."""
    traits = workload.traits(accelerator, gpus=gpus, layout=layout)
    unseen = with_own_runs(_unseen_on(workload, accelerator, gpus), workload.calibration.own_runs, traits)
    return predictive(workload.calibration.spread, unseen)


def unseen_run(workload: Workload, plan: Plan) -> Unseen:
    """What decides how well the plan's time is known."""
    unseen = _unseen_on(workload, plan.machine.accelerator, plan.gpus)
    return with_own_runs(unseen, workload.calibration.own_runs, traits_of_plan(workload, plan))


def traits_of_plan(workload: Workload, plan: Plan) -> RunTraits:
    """What decides how much own runs say of a plan: of its longest phase's layout."""
    longest = max(plan.phases, key=lambda one: one.wall_seconds)
    layout = layout_of_phase(workload, longest)
    return workload.traits(plan.machine.accelerator, gpus=plan.gpus, layout=layout)


def layout_of_phase(workload: Workload, phase: PhasePlan) -> LayoutTraits:
    """What of a phase's layout decides how much own runs say of it."""
    work = next(one for one in workload.phases if one.name == phase.name)
    per_stage = np.asarray(workload.architecture.layers / phase.degrees["pipeline"])
    full, selective = recomputed_shares(phase.recompute, per_stage)
    degrees = {name: float(phase.degrees[name]) for name in ("tensor", "pipeline", "context", "micro_batch")}
    return LayoutTraits(
        **degrees,
        sequence=float(work.sequence_length),
        recompute_full=float(full),
        recompute_selective=float(selective),
    )


def _unseen_on(workload: Workload, accelerator: Accelerator, gpus: float) -> Unseen:
    """What decides how well the time on so many devices is known without own runs; a search chose the layout."""
    return Unseen(
        kind_of(moe=workload.model.is_moe, adapters=not workload.trains_base),
        gpus,
        workload.release,
        device_deviation=device_deviation(workload.calibration, accelerator),
        software_deviation=software_deviation(
            workload.stack.generic, workload.constants.generic_stack, moe=workload.model.is_moe
        ),
        has_unmeasured_kernels=workload.model.has_unmeasured_kernels,
        is_searched=True,
    )


def counts_error(risk: Risk) -> bool:
    """Whether the deadline must hold with a probability that the estimate's own error counts in."""
    return risk.confidence is not None and risk.counts == "everything"


@dataclass(frozen=True)
class KnownLayouts:
    """What of layouts on an accelerator decides how well their time is known; arrays of shape (layouts,)."""

    accelerator: Accelerator
    gpus: Array
    variance_left: Array
    """Share of the variance that own runs leave."""


def kept_with_error(workload: Workload, layouts: KnownLayouts, run: RunTime, steps: int, confidence: float) -> Array:
    """Seconds that a phase keeps with a probability, failures, preemptions and the estimate's error counted.

    Shape (layouts,), and so has `run`. The phases of a job share the error, so that what they keep adds up;
    what they do not share only helps, so that the sum is on the safe side.
    """
    least, mean, variance = (one.after(steps) for one in (run.least, run.wall, run.variance))
    margin = error_margin(workload, layouts, confidence)
    return promised_with_error(least, mean, variance, deviations_of(confidence), margin)


def kept_of_phase(choices: Choices, machine: Machine, columns: PhaseModes, steps: int) -> Array:
    """The same of a phase on a machine, shape (layouts,); 0 where the estimate's error does not count."""
    risk = choices.problem.risk
    if risk.confidence is None or not counts_error(risk):
        return np.zeros(len(columns))
    gpus = columns.nodes.astype(np.float64) * machine.per_node
    layouts = KnownLayouts(machine.accelerator, gpus, columns.variance_left)
    return kept_with_error(choices.workload, layouts, columns.run, steps, risk.confidence)


def error_margin(workload: Workload, layouts: KnownLayouts, confidence: float) -> ErrorMargin:
    """What the estimate's error adds to each layout."""
    scale, middle = (np.empty(len(layouts.gpus)) for _ in FIELDS)
    for count in sorted(set(layouts.gpus.tolist())):
        here = np.flatnonzero(layouts.gpus == count)
        unseen = _unseen_on(workload, layouts.accelerator, count)
        scale[here], middle[here] = scale_and_middle(workload.calibration.spread, unseen, layouts.variance_left[here])
    quantile = max(float(student_quantile(np.asarray(confidence))), 0.0)
    return ErrorMargin(middle, quantile * scale)
