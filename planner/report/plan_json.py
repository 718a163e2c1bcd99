"""An answer as the JSON document of `plan solve --json` and `--out`."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil
from typing import Any, Final

import numpy as np

from planner.availability.checkpointing import (
    checkpoint_interval_seconds,
    failures_per_second,
    gang_preemptions_per_second,
)
from planner.catalog.offers import load_offers
from planner.explore.answer import Alternative, Answer, limit_value, objective_value
from planner.explore.capacity import BetterWithGrant
from planner.explore.pin_blame import pin_blames
from planner.explore.surroundings import NOTHING, Surroundings
from planner.layouts.degrees import searched_devices
from planner.layouts.wall_time import interruption_rates
from planner.layouts.workload import Workload, workload_of
from planner.market.placements import Placement
from planner.performance.parameters import active_parameters, total_parameters
from planner.plans.document import FORMAT_VERSION, PlanDocument
from planner.plans.plan import PhasePlan, Plan
from planner.plans.purchases import Purchase
from planner.problem.objective import Objective
from planner.problem.problem import Problem
from planner.problem.run import recompute_as_written
from planner.problem.written import as_written
from planner.report.assumed import assumption_documents
from planner.report.capacity import capacity_document, grant_document
from planner.report.deadline_probability import risk_summary, risk_summary_document
from planner.report.estimate_error import estimate_error_document, within_error
from planner.report.gang import gang_document
from planner.report.near_optimal import near_optimal_documents
from planner.report.relaxations import relaxation_documents
from planner.report.schedule_json import phase_days, schedule_document, spend_document
from planner.report.sensitivity import limits_with_worth
from planner.report.spot_break_even import turning_document
from planner.report.spot_stress import stress, stress_document
from planner.units import figure_in_document, price_text, usd_text

ALL_PHASES: Final = "all"
"""What a reservation's line says for its phase; its kind tells it from a phase of that name."""


def answer_document(answer: Answer, around: Surroundings = NOTHING) -> PlanDocument:
    """The document of an answer and of what was asked around it."""
    objective, workload = answer.choices.objective, answer.choices.workload
    limits = [_limit(answer, name) for name in answer.choices.limits]
    return PlanDocument.of(
        {
            "format_version": FORMAT_VERSION,
            "status": answer.status.value,
            "objective": {
                "name": objective,
                "value": _objective(objective, answer.value),
                "bound": _objective(objective, answer.bound),
                "gap": answer.gap,
            },
            "plan": plan_document(answer.plan, answer.problem) if answer.plan else None,
            "estimate": estimate_error_document(answer, answer.plan) if answer.plan else None,
            "alternatives": [_alternative(answer, one) for one in answer.alternatives],
            "limits": limits_with_worth(answer.problem, limits, around.worth),
            "needs_grant": grant_document(around.grant),
            "better_with_grant": None if around.beyond is None else _beyond(around.beyond),
            "pins_to_blame": [asdict(one) for one in pin_blames(answer.choices)] if answer.plan is None else [],
            "assumed": assumption_documents(answer),
            "near_optimal": near_optimal_documents(around.near),
            "relaxations": relaxation_documents(around.gives),
            "solver": _solver(answer),
            "catalog": catalog_document(),
            "spot_turning_point": turning_document(around.turning),
            "left_out": list(around.left_out),
            "problem": problem_document(answer.asked or answer.problem, workload),
            "model": model_document(workload),
            "software": {
                "stack": workload.stack_name,
                "release": workload.release,
                "stated": answer.problem.training.software is not None,
            },
        }
    )


def _beyond(beyond: BetterWithGrant) -> dict[str, Any]:
    """A better plan on nodes that would have to be granted, in short."""
    plan = beyond.plan
    return {
        "accelerator": plan.accelerator,
        "placement": place_document(plan.placement),
        **totals_document(plan),
        "grant": grant_document(beyond.grant),
    }


def problem_document(problem: Problem, workload: Workload) -> dict[str, Any]:
    """The problem as its file would state it; a model that stands in a file of its own is written out."""
    written = as_written(problem)
    if isinstance(problem.model, str) and problem.model.endswith(".json"):
        written["model"] = architecture_document(workload)
    return written


def architecture_document(workload: Workload) -> dict[str, Any]:
    """The keys of an inline model."""
    return workload.model.model_dump(mode="json", exclude_defaults=True)


def model_document(workload: Workload) -> dict[str, Any]:
    """What is trained."""
    return {
        "name": workload.model.name,
        "parameters": int(total_parameters(workload.architecture)),
        "active_parameters": int(active_parameters(workload.architecture)),
        "architecture": architecture_document(workload),
    }


def _objective(objective: Objective, value: float | None) -> str | float | None:
    """A value of the objective: money as text, seconds and tokens as numbers."""
    return figure_in_document(value, is_usd=objective == "cost")


def plan_document(plan: Plan, problem: Problem) -> dict[str, Any]:
    """One plan."""
    placement, figures = plan.placement, interruption_rates(plan.accelerator)
    return {
        "accelerator": plan.accelerator,
        "placement": place_document(placement),
        **totals_document(plan),
        **risk_summary_document(risk_summary(plan, problem)),
        "deadline_seconds": problem.limits.deadline,
        "confidence": problem.risk.confidence,
        "counts": problem.risk.counts,
        "failures_per_1000_node_days": figures.failures_per_1000_node_days,
        "spot": None if placement.spot_figures is None else asdict(placement.spot_figures),
        "spot_gang": gang_document(plan, problem),
        "spot_stress": stress_document(stress(plan, problem)),
        "capacity": capacity_document(placement),
        "prices": _prices(plan),
        "committed_seconds": plan.purchase_option.committed_seconds,
        "purchases": [_purchase(one) for one in plan.purchases],
        "phases": _phases(plan, problem),
        "moves": _moves(plan),
        "schedule": schedule_document(plan, problem),
        "spend": spend_document(plan, problem),
    }


def _phases(plan: Plan, problem: Problem) -> list[dict[str, Any]]:
    """Every phase, with what a launch needs of it."""
    layers = workload_of(problem).model.num_hidden_layers
    return [
        {
            **phase_document(one, interruption_rates(device_of(one)).startup_seconds),
            **phase_days(plan, one),
            "accelerator": device_of(one),
            "placement": place_document(one.purchase_option.placement),
            "sequence_length": stated.sequence_length,
            "global_batch": stated.global_batch,
            "layers_per_stage": ceil(layers / one.degrees["pipeline"]),
            "recomputed_layers": _recomputed_layers(one, layers),
            "checkpoint_interval_seconds": _checkpoint_interval(one),
        }
        for one, stated in zip(plan.phases, problem.training.phases, strict=True)
    ]


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


def _purchase(purchase: Purchase) -> dict[str, Any]:
    return {
        "phase": ALL_PHASES if purchase.phase is None else purchase.phase,
        "offer": purchase.offer,
        "kind": purchase.kind,
        "nodes": purchase.nodes,
        "gpus_per_node": purchase.gpus_per_node,
        "usd_per_gpu_hour": price_text(purchase.usd_per_gpu_hour),
        "hours": purchase.hours,
        "wall_hours": purchase.wall_hours,
        "cost_usd": usd_text(purchase.cost_usd),
        "note": purchase.note,
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
        "zero": degrees["zero"],
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


def _alternative(answer: Answer, alternative: Alternative) -> dict[str, Any]:
    """The best plan of another accelerator, in short, with its difference in the objective."""
    found, best = alternative.plan, answer.plan
    document: dict[str, Any] = {"accelerator": alternative.accelerator, "reason": alternative.reason}
    if found is None or best is None:
        return document | {"difference": None, "within_error": False, "estimate": None, "plan": None}
    objective = answer.choices.objective
    difference = objective_value(objective, found) - objective_value(objective, best)
    return document | {
        "difference": _objective(objective, difference),
        "within_error": within_error(answer, best, found),
        "estimate": estimate_error_document(answer, found),
        "plan": plan_document(found, answer.problem),
    }


def _limit(answer: Answer, quantity: str) -> dict[str, Any]:
    """One limit with what the plan leaves of it."""
    limit = answer.choices.limits[quantity]
    value = limit_value(limit, answer.plan) if answer.plan else None
    return {
        "name": limit.name,
        "unit": limit.unit,
        "bound": _amount(limit.unit, limit.bound),
        "value": _amount(limit.unit, value),
        "slack": _amount(limit.unit, None if value is None else limit.bound - value),
        "worth": None,
    }


def _amount(unit: str, value: float | None) -> str | float | None:
    return figure_in_document(value, is_usd=unit == "USD")


def _solver(answer: Answer) -> dict[str, Any]:
    """What the search covered, how long it took and how exact it is."""
    return {
        "search_space": answer.search_space,
        "largest_gpus": searched_devices(answer.problem.limits.gpus),
        "layouts": sum(int(one.sum()) for space in answer.choices.spaces for one in space.counts.values()),
        "options": sum(len(columns) for phase in answer.choices.columns for columns in phase.values()),
        "purchase options": len(answer.choices.offered),
        "search_seconds": answer.outcome.seconds,
        "bound": _objective(answer.choices.objective, answer.outcome.bound),
        "rounding_error": answer.outcome.error,
        "unsearched": list(answer.unsearched),
    }


def catalog_document() -> dict[str, Any]:
    """How old the prices are and where they come from."""
    offers = load_offers()
    return {"date": max(one.date for one in offers), "sources": sorted({one.source for one in offers})}
