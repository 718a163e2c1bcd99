"""What a plan on spot nodes takes and costs when capacity is not what is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np

from planner.layouts.wall_time import RunTime, TimedLayouts, run_time
from planner.layouts.workload import workload_of
from planner.market.money import line_usd
from planner.market.purchase_options import SpotPolicy
from planner.market.spot import gang_availability
from planner.plans.plan import Plan
from planner.plans.purchases import WHILE_AWAY, Purchase
from planner.problem.problem import Problem
from planner.units import usd_text

SPREAD: Final = 2.0
"""Factor by which a stand-in's absences and preemptions may be wrong either way: a judgement, nobody published them."""
TAIL: Final = 1 / 6
"""Weight of either end of a quantity known by its range; the rest is what is assumed (three-point quadrature)."""


@dataclass(frozen=True)
class Stress:
    """A plan under other spot figures."""

    seconds: float
    usd: Decimal


def is_on_spot(plan: Plan) -> bool:
    """Whether spot nodes are bought."""
    return len(plan.stays) == 1 and plan.purchase_option.spot_policy.policy != "steady"


def stress(plan: Plan, problem: Problem) -> Stress | None:
    """Expected time and cost at half the availability and twice the preemptions; None without spot, or by days."""
    if not is_on_spot(plan) or plan.placement.is_dated:
        return None
    return under(plan, problem, _harsher(plan.purchase_option.spot_policy))


def under(plan: Plan, problem: Problem, spot_policy: SpotPolicy) -> Stress:
    """Expected time and cost of a plan when its spot nodes come and go otherwise."""
    runs = dict(_runs(plan, problem, spot_policy))
    walls = {name: _after(run.wall, steps) for name, (run, steps) in runs.items()}
    whole = sum(walls.values())
    lines = (
        line_usd(one.nodes, one.usd_per_gpu_hour * one.gpus_per_node, _paid_seconds(plan, one, runs, walls, whole))
        for one in plan.purchases
    )
    return Stress(whole, sum(lines, start=Decimal(0)))


def capacity_cases(plan: Plan, problem: Problem) -> Iterator[tuple[float, float]]:
    """Weight of each case of the capacity model, and its time as a multiple of what is planned.

    A stand-in's figures may be wrong by `SPREAD`; recorded or stated ones by how far nodes go together.
    """
    cases = _other_policies(plan) if is_on_spot(plan) else ()
    yield 1 - TAIL * len(cases), 1.0
    for policy in cases:
        yield TAIL, under(plan, problem, policy).seconds / plan.wall_seconds


def _other_policies(plan: Plan) -> tuple[SpotPolicy, ...]:
    """The ends of what is known of the spot nodes."""
    policy, figures = plan.purchase_option.spot_policy, plan.placement.spot_figures
    if figures is None or not figures.traced:
        return _harsher(policy), _milder(policy)
    gang = gang_availability(policy.figures, max(phase.nodes for phase in plan.phases))
    return tuple(replace(policy, correlation=one) for one in gang.correlations)


def _harsher(policy: SpotPolicy) -> SpotPolicy:
    """Half the availability, twice the preemptions."""
    return replace(
        policy,
        availability=policy.availability / SPREAD,
        preemptions_per_node_day=policy.preemptions_per_node_day * SPREAD,
    )


def _milder(policy: SpotPolicy) -> SpotPolicy:
    """Half the absences, half the preemptions."""
    return replace(
        policy,
        availability=1 - (1 - policy.availability) / SPREAD,
        preemptions_per_node_day=policy.preemptions_per_node_day / SPREAD,
    )


def _runs(plan: Plan, problem: Problem, policy: SpotPolicy) -> Iterator[tuple[str, tuple[RunTime, int]]]:
    """How long each phase takes under a policy, and its steps."""
    workload = workload_of(problem)
    for index, phase in enumerate(plan.phases):
        layout = TimedLayouts(
            np.asarray([phase.nodes]), np.asarray([phase.degrees["data"]]), np.asarray([phase.step_seconds])
        )
        yield phase.name, (run_time(workload, plan.accelerator, layout, policy, begins=index == 0), phase.steps)


def _after(time: Any, steps: int) -> float:  # noqa: ANN401  (a time by steps)
    return float(np.ravel(time.after(steps))[0])


def _paid_seconds(
    plan: Plan, one: Purchase, runs: dict[str, tuple[RunTime, int]], walls: dict[str, float], whole: float
) -> float:
    """For which a purchase is paid."""
    if one.phase is None:
        return max(whole, plan.purchase_option.committed_seconds)
    run, steps = runs[one.phase]
    if one.kind == "spot":
        return _after(run.spot, steps)
    return _after(run.replaced, steps) if one.note == WHILE_AWAY else walls[one.phase]


def stress_document(found: Stress | None) -> dict[str, Any] | None:
    """For JSON; money is a decimal string."""
    return None if found is None else {"wall_seconds": found.seconds, "cost_usd": usd_text(found.usd)}
