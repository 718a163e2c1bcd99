"""The job of a plan, to be replayed without its document."""

from __future__ import annotations

from planner.layouts.wall_time import interruption_rates
from planner.plans.plan import PhasePlan, Plan
from planner.problem.problem import Problem
from planner.simulate.distribution import JobDistribution, distribution_of
from planner.simulate.job import SimulatedJob, SimulatedPhase


def plan_distribution(plan: Plan, problem: Problem) -> JobDistribution:
    """How time, without waits and pauses, and cost of a plan are distributed.

    By closed forms where it moves or days matter: a replay stays in one place, at one price.
    """
    if len(plan.stays) > 1 or plan.placement.is_dated:
        return JobDistribution(plan.moments.delays, plan.moments.bill, 0)
    return distribution_of(job_of_plan(plan, problem), plan.moments)


def job_of_plan(plan: Plan, problem: Problem) -> SimulatedJob:
    """A plan as it is executed, under its own policy."""
    placement, reservation = plan.placement, plan.purchase_option.reservation
    spot_policy = plan.purchase_option.spot_policy
    has_spot = spot_policy.policy != "steady"
    return SimulatedJob(
        policy=spot_policy.policy,
        phases=tuple(_phase(plan, phase) for phase in plan.phases),
        deadline_seconds=problem.limits.deadline,
        budget_usd=None if problem.limits.budget is None else float(problem.limits.budget),
        confidence=problem.risk.confidence,
        planned_seconds=plan.wall_seconds,
        planned_usd=float(plan.cost_usd),
        failures_per_1000_node_days=interruption_rates(plan.accelerator).failures_per_1000_node_days,
        spot=spot_policy.figures if has_spot else None,
        spot_usd=float(placement.spot) if has_spot and placement.spot is not None else None,
        on_demand_usd=None if placement.on_demand is None else float(placement.on_demand),
        reserved_usd=float(reservation.usd_per_node_hour) if reservation else 0.0,
        reserved_nodes=sum(one.nodes for one in plan.purchases if one.kind == "reserved"),
        committed_seconds=plan.purchase_option.committed_seconds,
    )


def _phase(plan: Plan, phase: PhasePlan) -> SimulatedPhase:
    """One phase with what it buys."""
    bought = [one for one in plan.purchases if one.phase == phase.name and not one.note]
    nodes = {kind: sum(one.nodes for one in bought if one.kind == kind) for kind in ("spot", "on_demand")}
    return SimulatedPhase(
        name=phase.name,
        work_seconds=phase.steps * phase.step_seconds,
        nodes=phase.nodes,
        spot_nodes=nodes["spot"],
        on_demand_nodes=nodes["on_demand"],
        replicas=phase.degrees["data"],
        checkpoint_seconds=phase.checkpoint_seconds,
        restart_seconds=phase.restart_seconds,
        startup_seconds=interruption_rates(plan.accelerator).startup_seconds,
    )
