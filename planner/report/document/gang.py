"""How often all spot nodes of a plan are there at once, how far that is known, and what it would change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.layouts.wall_time import TimedLayouts, run_time
from planner.layouts.workload import workload_of
from planner.market.spot import GangAvailability, gang_availability
from planner.plans.plan import Plan
from planner.problem.problem import Problem


def gang_document(plan: Plan, problem: Problem) -> dict[str, Any] | None:
    """The largest phase's nodes as one gang of spot nodes, in shares of the time; None without spot nodes."""
    if plan.purchase_option.spot_policy.policy == "steady":
        return None
    gang = _gang(plan)
    return {
        "nodes": gang.nodes,
        "availability": gang.share,
        "availability_range": [gang.low, gang.high],
        "recorded_nodes": gang.recorded_nodes,
        "extrapolated": gang.extrapolated,
        "wall_seconds_range": list(_seconds_range(plan, problem, gang)),
    }


def _gang(plan: Plan) -> GangAvailability:
    """The nodes of the largest phase where most device-hours are spent."""
    there = [phase.nodes for phase in plan.phases if phase.purchase_option == plan.purchase_option]
    return gang_availability(plan.purchase_option.spot_policy.figures, max(there))


def _seconds_range(plan: Plan, problem: Problem, gang: GangAvailability) -> tuple[float, float]:
    """Least and most expected wall time of the plan as the correlation of its nodes is one end of the range's.

    Where nodes go together less, all are there more seldom but some more often, which `elastic` makes use of.
    """
    times = [_seconds_at(plan, problem, correlation) for correlation in gang.correlations]
    return min(plan.wall_seconds, *times), max(plan.wall_seconds, *times)


def _seconds_at(plan: Plan, problem: Problem, correlation: float) -> float:
    """Expected wall time of the plan when its spot nodes have another correlation."""
    workload, seconds = workload_of(problem), sum(move.wall_seconds for move in plan.moves)
    for phase in plan.phases:
        spot_policy = phase.purchase_option.spot_policy
        if phase.purchase_option == plan.purchase_option:
            spot_policy = replace(spot_policy, correlation=correlation)
        device = phase.purchase_option.placement.machine.accelerator.name
        layout = TimedLayouts(
            np.asarray([phase.nodes]), np.asarray([phase.degrees["data"]]), np.asarray([phase.step_seconds])
        )
        run = run_time(workload, device, layout, spot_policy, begins=phase.begins)
        seconds += float(run.wall.after(phase.steps)[0])
    return seconds
