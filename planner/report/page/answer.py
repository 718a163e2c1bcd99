"""The page of an answer: the best plan, the best of every other accelerator, and what the limits leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from planner.plans.document import PlanDocument
from planner.plans.document_parts import RelaxationPart
from planner.plans.plan_part import AlternativePart, PlanFigures, PlanPart
from planner.report.assumed import assumed_rows
from planner.report.dates import dated, schedule_lines
from planner.report.deciding_price import deciding_lines
from planner.report.grants import beyond_lines, grant_line
from planner.report.near_optimal import near_optimal_lines
from planner.report.page.parts import Badge, Card, Fact, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.plan_text import limit_rows, limits_asked, nearness, nodes_of, runner_up
from planner.report.relaxations import from_and_to, reason_of, set_arguments
from planner.report.sensitivity import NOTHING_GAINED, rule_lines, worth_lines
from planner.report.spend import SPEND_HEADINGS, spend_lines, spend_rows
from planner.report.spot_break_even import turning_lines
from planner.report.summary import devices_text, gpus_text
from planner.units import format_combinations, format_money, format_probability, format_range, format_share


def answer_page(document: PlanDocument) -> Page:
    """The page of an answer, with what a little more is worth and where it turns, or with the smallest relaxations."""
    plan = document.plan
    if plan is None:
        return _without_plan(document)
    figures = f"{dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
    others = [(one, one.plan) for one in document.alternatives if one.plan]
    first, *others_first = _what_would_change(document, plan)
    return Page(
        title=f"{document.name}: {devices_text(plan)} for {figures}",
        heading=document.name,
        verdict=tuple(_verdict(document, plan, first)),
        lead=(*_when(plan), *others_first),
        cards=(plan_card(plan, badges=_proof(document, plan)), *(_other(document, plan, *one) for one in others)),
        noun="plan",
        tables=tuple(table for table in _tables(document, plan) if table.rows),
        notes=document.notes,
    )


def _verdict(document: PlanDocument, plan: PlanPart, change: str) -> Iterator[Fact]:
    """What is recommended, what it costs, when it ends, how sure that is, and what would change it first."""
    place = f"{plan.placement.title}, {nodes_of(plan)}"
    yield Fact("recommended", f"{devices_text(plan)} ({place})")
    yield Fact("costs", format_money(plan.cost_usd))
    yield Fact("ends", f"after {dated(plan.wall_seconds, plan.start)}{_interval(document, plan)}")
    if grant := document.needs_grant:
        yield Fact("on the condition", f"{grant.in_words}. {grant_line(grant)}")
    yield Fact("how sure", "; ".join((*_in_time(plan), _proven(document))))
    yield Fact("what would change it", change)


def _interval(document: PlanDocument, plan: PlanPart) -> str:
    """The range in which most runs end."""
    if document.estimate is None:
        return ""
    ends = format_range(*(dated(one, plan.start) for one in document.estimate.wall_seconds))
    return f"; {format_share(document.estimate.confidence)} of runs take {ends}, and cost scales with time"


def _in_time(plan: PlanPart) -> Iterator[str]:
    """The probability of meeting the deadline, with everything that is known to be uncertain."""
    known = (plan.probability_in_time_with_spot_uncertainty, plan.probability_in_time_with_estimate_error)
    counted = next((one for one in known if one is not None), None)
    if counted is not None and plan.deadline_seconds is not None:
        yield f"{format_probability(counted)} to meet the deadline of {dated(plan.deadline_seconds, plan.start)}"


def _proven(document: PlanDocument) -> str:
    """Whether nothing better exists."""
    count, objective = format_combinations(document.solver.search_space), document.objective.name
    if document.status == "optimal":
        return f"proven best of {count} combinations by {objective}, verified by the equations alone"
    return f"the best that was found of {count} combinations, {nearness(document)} by {objective}"


def _what_would_change(document: PlanDocument, plan: PlanPart) -> list[str]:
    """What is nearly as good and better otherwise, where the plan turns, and what a little more would buy."""
    found = [*near_optimal_lines(document.near_optimal, plan), *beyond_lines(document.better_with_grant, plan)]
    worth = [one for one in (*worth_lines(document.sensitivity), *rule_lines(document.rules)) if one]
    found += (one for one in worth if not _buys_nothing(one))
    found += (*deciding_lines(document.deciding_price), *turning_lines(document.spot_turning_point))
    return [*found, *filter(_buys_nothing, worth)] or ["nothing that was looked at"]


def _buys_nothing(line: str) -> bool:
    """Whether a little more of a limit changes nothing."""
    return line.endswith(NOTHING_GAINED)


def _when(plan: PlanPart) -> Iterator[str]:
    """When it runs, and what stands beside the bill."""
    for line in schedule_lines(plan.schedule):
        yield f"{line[0].upper()}{line[1:].removesuffix('.')}."
    yield from (f"{line}." for line in spend_lines(plan.spend))


def _tables(document: PlanDocument, plan: PlanPart) -> Iterator[Table]:
    """The bill by month and quarter, the limits, every accelerator, and what the figures rest on."""
    yield Table("Spend", tuple(SPEND_HEADINGS), tuple(spend_rows(plan.spend)), frozenset({1, 3}))
    yield _limits(document)
    if document.alternatives:
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
    figures = gpus_text(plan), dated(plan.wall_seconds, plan.start), format_money(plan.cost_usd)
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
