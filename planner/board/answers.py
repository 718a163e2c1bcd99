"""An answer as the page shows it: plain texts, tables and charts, in pieces that arrive one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from planner.board.charts import Spec, memory_spec, month_of, months_spec, spending, step_spec
from planner.board.given import GivenFile, Sets
from planner.board.parts import Document, chart, notes_section, table
from planner.explore.lookup import Lookup
from planner.explore.sensitivity import Sensitivity
from planner.plans.document import PlanDocument
from planner.plans.document_parts import RelaxationPart
from planner.plans.plan_part import PlanFigures, PlanPart
from planner.report.document.around import sensitivity_part
from planner.report.grants import beyond_lines, grant_line
from planner.report.page.plan_card import plan_card
from planner.report.plan_text import (
    confidence_rows,
    limit_rows,
    limits_asked,
    nodes_of,
    ruled_out_lines,
    runner_up,
)
from planner.report.relaxations import change_words, told_apart
from planner.report.sensitivity import gain_words, step_in_words
from planner.report.summary import devices_text, gpus_text
from planner.units import (
    SECONDS_PER_DAY,
    format_combinations,
    format_count,
    format_duration,
    format_money,
    format_probability,
    format_range,
)


def headline(document: PlanDocument) -> Document:
    """The first piece: what to buy, for how long, at what cost, how sure that is, and what binds."""
    plan = document.plan
    if plan is None:
        return _without_plan(document)
    card = plan_card(plan)
    return {
        "status": document.status,
        "title": f"{card.title} for {format_duration(plan.wall_seconds)}, {format_money(plan.cost_usd)}",
        "name": document.name,
        "lead": list(_lead(document, plan, card.subtitle)),
        "facts": [
            ["cost", format_money(plan.cost_usd)],
            ["done in", format_duration(plan.wall_seconds)],
            ["GPUs", gpus_text(plan)],
            ["how sure", _sure(plan)],
            ["binds", ", ".join(_binding(document)) or "no limit"],
        ],
        "limits": _limits(document, plan),
        "bill": [asdict(line) for line in card.bill],
        "figures": {"cost_usd": str(plan.cost_usd), "wall_seconds": plan.wall_seconds, "gpus": plan.gpus},
        "accelerator": plan.accelerator,
        "place": plan.placement.title,
    }


def _lead(document: PlanDocument, plan: PlanFigures, where: str) -> Iterator[str]:
    """Where it runs, and what the plan is the best of."""
    tokens, hours = format_count(sum(phase.tokens for phase in plan.phases)), format_count(plan.gpu_hours)
    yield f"{where}; {tokens} tokens in {hours} GPU-hours"
    combinations = format_combinations(document.solver.search_space)
    yield f"Best of {combinations} combinations, by {document.objective.name}; checked by the equations alone."
    if document.needs_grant is not None:
        yield f"{document.needs_grant.in_words}. {grant_line(document.needs_grant)}"
    for one in document.expected_costs[:1]:
        late = f"{format_duration(one.late_seconds)} late by expectation, for {format_money(one.late_usd)}"
        yield f"{late}: {format_money(one.expected_usd)} together with the bill, the least there is."
    yield from beyond_lines(document.better_with_grant, plan)


def _without_plan(document: PlanDocument) -> Document:
    """What is said when nothing fits."""
    limits = limits_asked(document)
    proven = document.status == "infeasible"
    return {
        "status": document.status,
        "title": f"No plan exists{f' within {limits}' if limits else ''}" if proven else "Not known yet",
        "name": document.name,
        "lead": list(ruled_out_lines(document)),
        "facts": [],
        "limits": None,
        "bill": [],
        "figures": None,
        "accelerator": "",
        "place": "",
    }


def _sure(plan: PlanPart) -> str:
    """How likely the plan is in time, or its range when nobody asks."""
    deadline, likely = plan.deadline_seconds, plan.probability_in_time_with_estimate_error
    if deadline is None or likely is None:
        quantiles = plan.wall_seconds_quantiles
        return format_range(format_duration(quantiles.p5), format_duration(quantiles.p95))
    return f"{format_probability(likely)} by {format_duration(deadline)}"


CLOSE = 0.02
"""Part of a limit that is left at most where it is said to bind."""


def _binding(document: PlanDocument) -> Iterator[str]:
    """The limits that the plan nearly uses up."""
    for limit in document.limits:
        if limit.slack is not None and float(limit.slack) <= CLOSE * float(limit.bound):
            yield limit.name.removeprefix("limits.")


def _limits(document: PlanDocument, plan: PlanPart) -> Document | None:
    """Each limit with what the plan leaves of it."""
    rows = (*limit_rows(document), *confidence_rows(plan))
    return table("Limits", ("limit", "bound", "plan", "left"), rows, (1, 2, 3)) if rows else None


def sections(document: PlanDocument, certainty: Spec | None) -> Document:
    """The second piece: what each of the three views shows of a plan; `certainty`: the chart of its end."""
    plan = document.plan
    if plan is None or certainty is None:
        return {"research": [], "infrastructure": [], "finance": []}
    layout = plan_card(plan).tables[0]
    months = spending(plan)
    month_rows = [(month, format_money(usd)) for month, usd in months]
    return {
        "research": [
            table("Layout", layout.headings, layout.rows, range(1, len(layout.headings))),
            chart("Memory of the fullest GPU", memory_spec(plan)),
            chart("Time of a step", step_spec(plan)),
        ],
        "infrastructure": [
            _purchases(plan),
            notes_section("Place", [f"{plan.placement.title}: {nodes_of(plan)}"]),
            notes_section("Risk", document.notes),
        ],
        "finance": [
            chart("Cost by month", months_spec(months, month_of(plan))),
            table("Months", ("month", "cost"), month_rows, (0, 1)),
            chart("How sure the date is", certainty),
            _spread(plan),
        ],
    }


def _purchases(plan: PlanFigures) -> Document:
    """What is bought, line by line."""
    rows = [
        (
            one.of_phase or "all phases",
            one.kind.replace("_", "-") + (f" ({one.note})" if one.note else ""),
            f"{one.nodes:,}",
            f"${one.usd_per_gpu_hour:.2f}",
            f"{one.hours:,.1f}",
            format_money(one.cost_usd),
        )
        for one in plan.purchases
    ]
    return table("Purchases", ("phase", "bought", "nodes", "per GPU-hour", "hours", "cost"), rows, (2, 3, 4, 5))


def _spread(plan: PlanPart) -> Document:
    """Time and cost after failures and preemptions, if the estimate is right."""
    seconds, usd = plan.wall_seconds_quantiles, plan.cost_usd_quantiles
    rows = [
        (f"{name.removeprefix('p')}%", format_duration(getattr(seconds, name)), format_money(getattr(usd, name)))
        for name in ("p5", "p50", "p95")
    ]
    return table("Of runs, if the estimate is right", ("share", "done within", "for at most"), rows, (1, 2))


def around(document: PlanDocument, worth: Mapping[str, Sequence[str]], frontier: Spec | None) -> Document:
    """The third piece: what a little more of each limit is worth, the frontier, and the runners-up."""
    plan = document.plan
    return {
        "worth": worth,
        "headings": FRONTIER_HEADINGS,
        "chart": frontier,
        "others": _others(document, plan) if plan else None,
    }


FRONTIER_HEADINGS = {
    "chart": "What each day costs",
    "hint": "Each point is a plan that no other beats in both. The shaded corner keeps the request, the ring is the "
    "answer; choose a point to ask for it.",
    "others": "Runners-up",
    "none": "No other accelerator is asked for.",
}
"""What stands above the frontier and the runners-up."""


def worth_lines(lookup: Lookup, plan: PlanFigures) -> Iterator[tuple[str, list[str]]]:
    """What is said beside the control of each limit."""
    for one in lookup.sensitivities(plan):
        part = sensitivity_part(one)
        yield part.limit, [f"{step_in_words(part)} more: {gain_words(part.worth)}", *_further(lookup, one)]


def stated_worth(document: PlanDocument) -> Iterator[tuple[str, list[str]]]:
    """The same of an answer that says it itself."""
    for part in document.sensitivity:
        yield part.limit, [f"{step_in_words(part)} more: {gain_words(part.worth)}"]


def _further(lookup: Lookup, one: Sensitivity) -> Iterator[str]:
    """A week more and a day less; the next plan for more money."""
    if one.quantity == "wall_seconds":
        week = lookup.worth("wall_seconds", 7.0 * SECONDS_PER_DAY)
        yield f"1 week more: {gain_words(sensitivity_part(week).worth)}"
        yield f"1 day less: {_loss_words(lookup.worth('wall_seconds', -float(SECONDS_PER_DAY)))}"
    elif one.quantity == "cost_usd" and one.next_point:
        step = one.next_point
        yield f"{format_money(step.more_usd)} more: {format_duration(step.seconds_sooner)} sooner"


def _loss_words(worth: Sensitivity) -> str:
    """What less of a limit takes."""
    loss = -worth.gain
    if loss == float("inf"):
        return "no plan"
    if loss < 1:
        return "takes nothing"
    return f"{format_money(loss)} more" if worth.unit == "USD" else f"{format_duration(loss)} later"


def _others(document: PlanDocument, best: PlanFigures) -> Document | None:
    """The best plan of every other accelerator; those without one by reason."""
    if not document.alternatives:
        return None
    rows = [runner_up(document, best, one, one.plan) for one in document.alternatives if one.plan]
    rows += [(one.accelerator, "–", "–", "–", "–", one.reason) for one in document.alternatives if one.plan is None]
    return table("Every other accelerator", ("accelerator", "GPUs", "time", "cost", "more", "why"), rows, (1, 2, 3, 4))


def relaxation(one: RelaxationPart) -> Document:
    """A smallest relaxation as a button; without settings it is only said that nothing helps."""
    before, after = told_apart(one.unit, *one.amounts)
    return {
        "limit": one.limit,
        "from": before,
        "to": after,
        "change": change_words(one),
        "then": one.then or "",
        "sets": dict(text.split("=", 1) for text in one.sets),
    }


def scenario_column(given: GivenFile, sets: Sets, document: PlanDocument) -> Document:
    """A pinned scenario in short."""
    plan = document.plan
    shown = ("–",) * 6
    if plan is not None:
        shown = (
            devices_text(plan),
            format_money(plan.cost_usd),
            format_duration(plan.wall_seconds),
            _sure(plan),
            plan.placement.title,
            format_count(plan.gpu_hours),
        )
    return {
        "file": given.name,
        "sets": dict(sets),
        "shown": dict(zip(SCENARIO_ROWS, shown, strict=True)),
        "cost_usd": float(plan.cost_usd) if plan else None,
        "wall_seconds": plan.wall_seconds if plan else None,
    }


def compared(columns: Sequence[Document]) -> list[Document]:
    """Pinned scenarios, each with its difference from the first."""
    return [{**one, "against": _against_first(columns[0], one)} for one in columns]


def _against_first(first: Document, one: Document) -> dict[str, str]:
    if one is first or first["cost_usd"] is None or one["cost_usd"] is None:
        return {}
    usd, seconds = one["cost_usd"] - first["cost_usd"], one["wall_seconds"] - first["wall_seconds"]
    return {
        "cost": f"{'+' if usd >= 0 else '−'}{format_money(abs(usd))}",
        "time": f"{'+' if seconds >= 0 else '−'}{format_duration(abs(seconds))}",
    }


SCENARIO_ROWS = ("GPUs", "cost", "time", "how sure", "where", "GPU-hours")
"""What is compared of pinned scenarios."""
