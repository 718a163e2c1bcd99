"""The page of an answer: the best plan, the best of every other accelerator, and what the limits leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from planner.plans.document import PlanDocument
from planner.plans.document_parts import RelaxationPart
from planner.plans.plan_part import AlternativePart, PlanFigures, PlanPart
from planner.report.assumed import assumed_rows
from planner.report.dates import dated, schedule_lines
from planner.report.grants import beyond_lines, grant_line
from planner.report.near_optimal import near_optimal_lines
from planner.report.page.parts import Badge, Card, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.plan_text import limit_rows, limits_asked, nearness, runner_up
from planner.report.relaxations import from_and_to, reason_of, set_arguments
from planner.report.sensitivity import rule_lines, worth_lines
from planner.report.spend import SPEND_HEADINGS, spend_lines, spend_rows
from planner.report.spot_break_even import turning_lines
from planner.units import format_combinations, format_money


def answer_page(document: PlanDocument) -> Page:
    """The page of an answer, with what a little more is worth and where it turns, or with the smallest relaxations."""
    plan = document.plan
    if plan is None:
        return _without_plan(document)
    figures = f"{dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
    others = [(one, one.plan) for one in document.alternatives if one.plan]
    return Page(
        title=f"{document.name}: {plan.gpus:,} × {plan.accelerator} for {figures}",
        lead=(*_lead(document), *_when(plan), *_what_would_change(document, plan)),
        cards=(plan_card(plan, badges=_proof(document, plan)), *(_other(document, plan, *one) for one in others)),
        noun="plan",
        tables=tuple(table for table in _tables(document, plan) if table.rows),
        notes=(*turning_lines(document.spot_turning_point), *document.notes),
    )


def _what_would_change(document: PlanDocument, plan: PlanPart) -> Iterator[str]:
    """What must be granted first, what is nearly as good and better otherwise, and what a little more would buy."""
    if grant := document.needs_grant:
        yield f"{grant.in_words[0].upper()}{grant.in_words[1:]}. {grant_line(grant)}"
    yield from near_optimal_lines(document.near_optimal, plan)
    yield from beyond_lines(document.better_with_grant, plan)
    yield from filter(None, (*worth_lines(document.sensitivity), *rule_lines(document.rules)))


def _lead(document: PlanDocument) -> Iterator[str]:
    """What is proven."""
    count, objective = format_combinations(document.solver.search_space), document.objective.name
    if document.status == "optimal":
        yield f"The proven best of {count} combinations, by {objective}; verified by the equations alone."
    else:
        yield f"The best that was found of {count} combinations, {nearness(document)} by {objective}."


def _when(plan: PlanPart) -> Iterator[str]:
    """When it runs, and what stands beside the bill."""
    for line in schedule_lines(plan.schedule):
        yield f"{line[0].upper()}{line[1:].removesuffix('.')}."
    yield from (f"{line}." for line in spend_lines(plan.spend))


def _tables(document: PlanDocument, plan: PlanPart) -> Iterator[Table]:
    """The bill by month and quarter, the limits, every accelerator, and what the figures rest on."""
    yield Table("Spend", tuple(SPEND_HEADINGS), tuple(spend_rows(plan.spend)), frozenset({1, 3}))
    yield _limits(document)
    yield _others(document, plan)
    yield Table("Assumed", ("what", "figure"), tuple(assumed_rows(document.assumed)), texts=frozenset({1}))


def _proof(document: PlanDocument, plan: PlanPart) -> tuple[Badge, ...]:
    """Whether it is proven, and on what weak figures that rests."""
    is_proven = document.status == "optimal"
    proven = Badge("✓ proven best", "good") if is_proven else Badge("not proven best", "bad")
    return (proven, *(Badge(words, "bad") for words in _weak_inputs(document, plan)))


def _weak_inputs(document: PlanDocument, plan: PlanPart) -> Iterator[str]:
    """What the plan rests on that nobody measured."""
    if plan.is_on_spot and (plan.spot is None or not plan.spot.traced):
        yield "spot capacity of a stand-in"
    if document.estimate is not None and not document.estimate.published_runs_on_device:
        yield "speed from a data sheet"
    if document.needs_grant is not None:
        yield "nodes to be granted"


def _other(document: PlanDocument, best: PlanPart, other: AlternativePart, plan: PlanPart) -> Card:
    """The card of another accelerator's best plan."""
    difference = runner_up(document, best, other, plan)[-2]
    words = f"{difference} by {document.objective.name}"
    return plan_card(plan, badges=(Badge(words),), change=(f"Against the best plan: {other.reason}.",))


def _limits(document: PlanDocument) -> Table:
    """Each limit with the plan's figure and what is left of it."""
    return Table("Limits", ("limit", "bound", "plan", "left"), tuple(limit_rows(document)), frozenset({1, 2, 3}))


def _others(document: PlanDocument, best: PlanPart) -> Table:
    """The best plan of every accelerator, then those that have none and why."""
    found = [tuple(runner_up(document, best, one, one.plan)) for one in document.alternatives if one.plan]
    rows = [_best_row(best), *found]
    cards: list[int | None] = list(range(len(rows)))
    missing = [(one.accelerator, "–", "–", "–", "–", one.reason) for one in document.alternatives if one.plan is None]
    headings = ("accelerator", "GPUs", "time", "cost", "difference", "why")
    figures, texts = frozenset({1, 2, 3, 4}), frozenset({5})
    return Table("Every accelerator", headings, (*rows, *missing), figures, texts, (*cards, *[None] * len(missing)))


def _best_row(plan: PlanFigures) -> tuple[str, ...]:
    figures = f"{plan.gpus:,}", dated(plan.wall_seconds, plan.start), format_money(plan.cost_usd)
    return (plan.accelerator, *figures, "", "the best")


def _without_plan(document: PlanDocument) -> Page:
    """What is said when there is no plan."""
    if document.status != "infeasible":
        return Page(f"{document.name}: time limit reached: no plan found, feasibility unknown", (), ())
    asked = limits_asked(document) or "the memory of any device"
    rows = tuple(_gives(one, document.start) for one in document.relaxations)
    headings = ("limit", "from", "to", "then", "with")
    table = Table("Smallest relaxations: each of these alone", headings, rows, frozenset({1, 2}), frozenset({3, 4}))
    lead = (f"Asked for: {asked}.", reason_of(document))
    return Page(f"{document.name}: no plan exists", lead, (), tables=(table,))


def _gives(one: RelaxationPart, start: date | None) -> tuple[str, ...]:
    """One row of the smallest relaxations."""
    return (one.limit, *from_and_to(one, start), one.then or "–", set_arguments(one.sets))
