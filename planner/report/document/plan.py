"""A plan as it stands in documents: what is bought and what comes of it, with or without how certain that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from math import ceil
from typing import Any, Final

import numpy as np

from planner.availability.checkpointing import (
    checkpoint_interval_seconds,
    failures_per_second,
    gang_preemptions_per_second,
)
from planner.explore.promised_cost import promised_usd
from planner.layouts.wall_time import interruption_rates
from planner.layouts.workload import workload_of
from planner.market.placements import Placement
from planner.plans.plan import PhasePlan, Plan
from planner.plans.plan_part import PlanFigures, PlanPart
from planner.plans.purchases import Purchase
from planner.problem.problem import Problem
from planner.problem.run import recompute_as_written
from planner.report.document.capacity import capacity_document
from planner.report.document.deadline_probability import risk_summary, risk_summary_document
from planner.report.document.gang import gang_document
from planner.report.document.schedule import phase_days, purchase_days, schedule_document, spend_document
from planner.report.document.spot_stress import stress, stress_document
from planner.units import price_text, usd_text
from planner.verify.check import kept_seconds

ALL_PHASES: Final = "all"
"""What a reservation's line says for its phase; its kind tells it from a phase of that name."""


def plan_figures(plan: Plan, problem: Problem) -> PlanFigures:
    """A plan without how certain it is, which takes long to compute."""
    return PlanFigures.model_validate(_figures(plan, problem))


def plan_part(plan: Plan, problem: Problem) -> PlanPart:
    """A plan in full."""
    risk, deadline = problem.risk, problem.limits.deadline
    surely = risk.budget_confidence is not None
    is_promised = risk.confidence is not None and deadline is not None
    return PlanPart.model_validate(
        {
            **_figures(plan, problem),
            **risk_summary_document(risk_summary(plan, problem)),
            "deadline_seconds": deadline,
            "confidence": risk.confidence,
            "kept_seconds": kept_seconds(workload_of(problem), plan, risk) if is_promised else None,
            "budget_usd": problem.limits.budget,
            "budget_confidence": risk.budget_confidence,
            "promised_usd": usd_text(promised_usd(workload_of(problem), problem, plan)) if surely else None,
            "counts": risk.counts,
            "failures_per_1000_node_days": interruption_rates(plan.accelerator).failures_per_1000_node_days,
            "spot": None if plan.placement.spot_figures is None else asdict(plan.placement.spot_figures),
            "spot_gang": gang_document(plan, problem),
            "spot_stress": stress_document(stress(plan, problem)),
            "capacity": capacity_document(plan.placement),
        }
    )


def plan_document(plan: Plan, problem: Problem) -> dict[str, Any]:
    """A plan in full as plain data."""
    return plan_part(plan, problem).model_dump(mode="json", by_alias=True)


def _figures(plan: Plan, problem: Problem) -> dict[str, Any]:
    """What is bought, how it is laid out, and what comes of it."""
    return {
        "accelerator": plan.accelerator,
        "placement": place_document(plan.placement),
        **totals_document(plan),
        "gpus_per_node": plan.machine.per_node,
        "network_gbit_s": plan.machine.network_gbit_s,
        "prices": _prices(plan),
        "committed_seconds": plan.purchase_option.committed_seconds,
        **bill_document(plan),
        "phases": list(_phases(plan, problem)),
        "schedule": schedule_document(plan, problem),
        "spend": spend_document(plan, problem),
    }


def _phases(plan: Plan, problem: Problem) -> Iterator[dict[str, Any]]:
    """Every phase, with what a launch needs of it."""
    layers = workload_of(problem).model.num_hidden_layers
    stays = [number for number, stay in enumerate(plan.stays) for _ in stay.phases]
    stated = {one.name: one for one in problem.training.phases}
    for one, stay in zip(plan.phases, stays, strict=True):
        yield {
            **phase_document(one, interruption_rates(device_of(one)).startup_seconds),
            **phase_days(plan, one),
            "accelerator": device_of(one),
            "placement": place_document(one.purchase_option.placement),
            "stay": stay,
            "sequence_length": stated[one.name].sequence_length,
            "global_batch": stated[one.name].global_batch,
            "layers_per_stage": ceil(layers / one.degrees["pipeline"]),
            "recomputed_layers": _recomputed_layers(one, layers),
            "checkpoint_interval_seconds": _checkpoint_interval(one),
        }


def device_of(phase: PhasePlan) -> str:
    """The accelerator that a phase runs on."""
    return phase.purchase_option.placement.machine.accelerator.name


def _moves(plan: Plan) -> list[dict[str, Any]]:
    """What is carried between places."""
    return [
        {
            "phase": one.phase,
            "from": place_document(one.origin),
            "to": place_document(one.target),
            "bytes": one.move.bytes,
            "wall_seconds": one.wall_seconds,
            "usd_per_gb": f"{one.move.usd_per_gb:f}",
            "cost_usd": usd_text(one.cost_usd),
            "spans": one.payment.spans,
        }
        for one in plan.moves
    ]


def _recomputed_layers(phase: PhasePlan, layers: int) -> int:
    """Layers of a stage that are recomputed in full."""
    if phase.recompute.kind != "full":
        return 0
    return phase.recompute.full_layers or ceil(layers / phase.degrees["pipeline"])


def _checkpoint_interval(phase: PhasePlan) -> float:
    """Seconds of work between two checkpoints that waste least, with failures and preemptions as expected."""
    policy, nodes = phase.purchase_option.spot_policy, np.asarray(float(phase.nodes))
    stated = interruption_rates(device_of(phase)).failures_per_1000_node_days
    events = failures_per_second(nodes, np.asarray(stated))
    if policy.policy != "steady":
        figures = policy.figures
        rate, together = np.asarray(figures.preemptions_per_node_day), np.asarray(figures.together)
        events = events + gang_preemptions_per_second(nodes, rate, together)
    return float(checkpoint_interval_seconds(np.asarray(phase.checkpoint_seconds), events))


def place_document(placement: Placement) -> dict[str, str]:
    """Where nodes are."""
    return {
        "cloud": placement.cloud,
        "region": placement.region,
        "zone": placement.zone,
        "instance_type": placement.instance_type,
    }


def totals_document(plan: Plan) -> dict[str, Any]:
    """What a plan takes in all, and the policy of its spot nodes."""
    return {
        "policy": plan.purchase_option.spot_policy.policy,
        "gpus": plan.gpus,
        "nodes": plan.nodes,
        "gpu_hours": plan.gpu_hours,
        "paid_gpu_hours": plan.paid_gpu_hours,
        "wall_seconds": plan.wall_seconds,
        "cost_usd": usd_text(plan.cost_usd),
    }


def _prices(plan: Plan) -> dict[str, str | None]:
    """What a node costs per hour in each way to buy it; None is not sold or not asked for."""
    placement, reservation = plan.placement, plan.purchase_option.reservation
    reserved = reservation.usd_per_node_hour if reservation else None
    asked = {"on_demand": placement.on_demand, "spot": placement.spot, "reserved": reserved}
    return {kind: None if price is None else price_text(price) for kind, price in asked.items()}


def bill_document(plan: Plan) -> dict[str, Any]:
    """What is bought for a plan, and what its moves cost."""
    return {"purchases": [_purchase(plan, one) for one in plan.purchases], "moves": _moves(plan)}


def _purchase(plan: Plan, purchase: Purchase) -> dict[str, Any]:
    return {
        "phase": ALL_PHASES if purchase.phase is None else purchase.phase,
        "offer": purchase.offer,
        "accelerator": purchase.accelerator,
        "kind": purchase.kind,
        "nodes": purchase.nodes,
        "gpus_per_node": purchase.gpus_per_node,
        "usd_per_gpu_hour": price_text(purchase.usd_per_gpu_hour),
        "hours": purchase.hours,
        "wall_hours": purchase.wall_hours,
        "cost_usd": usd_text(purchase.cost_usd),
        "note": purchase.note,
        "spans": purchase.spans,
        **purchase_days(plan, purchase),
    }


def phase_document(phase: PhasePlan, startup_seconds: float) -> dict[str, Any]:
    """One phase of a plan."""
    degrees = phase.degrees
    return {
        "name": phase.name,
        "nodes": phase.nodes,
        "spare_nodes": phase.spare_nodes,
        "gpus": phase.gpus,
        **{name: degrees[name] for name in ("tensor", "pipeline", "context", "expert", "data")},
        **{name: degrees[name] for name in ("virtual_pipeline", "micro_batch")},
        "microbatches": phase.microbatches,
        "recompute": recompute_as_written(phase.recompute),
        **{name: degrees[name] for name in ("zero", "expert_tensor", "shard")},
        "precision": phase.precision,
        "tokens": phase.tokens,
        "step_seconds": phase.step_seconds,
        "steps": phase.steps,
        "wall_seconds": phase.wall_seconds,
        "checkpoint_seconds": phase.checkpoint_seconds,
        "restart_seconds": phase.restart_seconds,
        "startup_seconds": startup_seconds,
        "mfu": phase.mfu,
        "memory": {**phase.memory.document(), "headroom": phase.memory_headroom_gib},
        "time": dict(phase.time),
    }
