"""A problem for people, before it is solved: what it asks for, and what is on offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.catalog.precisions import substitution, used_precision
from planner.layouts.workload import Workload
from planner.market.placements import Placement
from planner.plans.limits import limits_of
from planner.problem.problem import Problem
from planner.report.dates import dated_amount
from planner.units import counted, format_count


def problem_lines(problem: Problem, workload: Workload, found: Sequence[Placement]) -> Iterator[str]:
    """What a problem asks for, in a few lines."""
    yield f"{problem.name or workload.model.name}: {workload.model.name}, {workload.precision.name}"
    for phase in workload.phases:
        tokens, steps = format_count(phase.tokens), counted(phase.steps, "step")
        yield f"  {phase.name}: {tokens} tokens in {steps} of {phase.global_batch:,} × {phase.sequence_length:,}"
    accelerators = sorted({one.machine.accelerator.name for one in found})
    offers = f"{counted(len(found), 'offer')} of {counted(len(accelerators), 'accelerator')}"
    yield f"  {offers}: {', '.join(accelerators)}"
    yield from _substitutions(workload, found)
    for limit in limits_of(problem).values():
        yield f"  {limit.name}: {dated_amount(limit.unit, limit.bound, limit.start)}"
    if problem.schedule:
        yield f"  schedule: from {problem.schedule.start} on"
    yield f"  objective: {problem.objective}"


def _substitutions(workload: Workload, found: Sequence[Placement]) -> Iterator[str]:
    """Which devices would compute in another precision than the one asked for."""
    devices = {one.machine.accelerator.name: one.machine.accelerator for one in found}
    for used in dict.fromkeys(used_precision(workload.precision, device) for device in devices.values()):
        if used is not workload.precision:
            names = sorted(
                name for name, device in devices.items() if used_precision(workload.precision, device) is used
            )
            yield f"  {substitution(workload.precision, used, names)}"
