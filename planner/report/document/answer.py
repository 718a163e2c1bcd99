"""An answer as its document, which `plan solve --json` prints and which is all that text, pages and files read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from planner.catalog.offers import load_offers
from planner.explore.answer import Alternative, Answer, accelerators_of, limit_value, why_not
from planner.explore.pin_blame import pin_blames
from planner.explore.surroundings import NOTHING, Surroundings
from planner.layouts.degrees import searched_devices
from planner.layouts.workload import Workload
from planner.performance.parameters import active_parameters, total_parameters
from planner.plans.document import FORMAT_VERSION, PlanDocument
from planner.plans.document_parts import LimitPart, Worth
from planner.plans.limits import Limit
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.problem.objective import Objective
from planner.problem.problem import Problem
from planner.problem.written import as_written
from planner.report.document.around import around_document, grant_document, sensitivity_part
from planner.report.document.assumed import assumptions
from planner.report.document.estimate_error import estimate_error_document, within_error
from planner.report.document.notes import notes
from planner.report.document.plan import place_document, plan_part, totals_document
from planner.report.summary import in_words
from planner.units import figure_in_document


def answer_document(answer: Answer, around: Surroundings = NOTHING) -> PlanDocument:
    """The document of an answer and of what was asked around it."""
    objective, workload = answer.choices.objective, answer.choices.workload
    sensitivity = [sensitivity_part(one) for one in around.worth]
    worth = {one.limit: one.worth for one in sensitivity}
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
            **(_without_plan(answer) if answer.plan is None else _with_plan(answer, answer.plan)),
            "alternatives": [_alternative(answer, one) for one in answer.alternatives],
            "limits": [limit_part(one, answer.plan, worth.get(one.name)) for one in answer.choices.limits.values()],
            "sensitivity": sensitivity,
            **around_document(around),
            "better_with_grant": _beyond(around),
            "solver": _solver(answer),
            "catalog": catalog_document(),
            "problem": problem_document(answer.asked or answer.problem, workload),
            "model": model_document(workload),
            "software": {
                "stack": workload.stack_name,
                "release": workload.release,
                "stated": answer.problem.training.software is not None,
            },
        }
    )


def _with_plan(answer: Answer, plan: Plan) -> dict[str, Any]:
    """The plan, how well it is known and what it rests on."""
    part, estimate = plan_part(plan, answer.problem), estimate_error_document(answer, plan)
    return {
        "plan": part,
        "estimate": estimate,
        "notes": list(notes(answer, plan, part, estimate)),
        "assumed": list(assumptions(answer, plan)),
    }


def _without_plan(answer: Answer) -> dict[str, Any]:
    """Why there is none: accelerator by accelerator, and pin by pin."""
    return {
        "plan": None,
        "estimate": None,
        "ruled_out": list(_ruled_out(answer)) if answer.status is Status.INFEASIBLE else [],
        "pins_to_blame": [asdict(one) for one in pin_blames(answer.choices)],
    }


def _ruled_out(answer: Answer) -> Iterator[dict[str, str]]:
    """Every accelerator that is offered, with why it has no plan."""
    for name in accelerators_of(answer.choices):
        yield {"accelerator": name, "reason": why_not(answer.choices, name)}


def _beyond(around: Surroundings) -> dict[str, Any] | None:
    """A better plan on nodes that would have to be granted, in short."""
    if around.beyond is None:
        return None
    plan = around.beyond.plan
    return {
        "accelerator": plan.accelerator,
        "placement": place_document(plan.placement),
        **totals_document(plan),
        "then": in_words(plan, plan.start),
        "grant": grant_document(around.beyond.grant),
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
        "plan": plan_part(found, answer.problem),
    }


def limit_part(limit: Limit, plan: Plan | None, worth: Worth | None = None) -> LimitPart:
    """One limit with what the plan leaves of it."""
    value = limit_value(limit, plan) if plan else None
    return LimitPart.model_validate(
        {
            "name": limit.name,
            "unit": limit.unit,
            "bound": _amount(limit.unit, limit.bound),
            "value": _amount(limit.unit, value),
            "slack": _amount(limit.unit, None if value is None else limit.bound - value),
            "worth": worth,
        }
    )


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
