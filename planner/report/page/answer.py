"""The page of an answer: the best plan, the best of every other accelerator, and what the limits leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.explore.answer import Alternative, Answer, limit_value
from planner.explore.relaxations import Relaxation
from planner.explore.sensitivity import Sensitivity
from planner.explore.spot_break_even import SpotBreakEven
from planner.explore.surroundings import NOTHING, Surroundings
from planner.plans.limits import Limit, limits_of
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.problem.calendar import Schedule
from planner.report.assumed import assumptions
from planner.report.capacity import beyond_lines, grant_line
from planner.report.comparison import objective_ratio
from planner.report.dates import dated, dated_amount, schedule_lines
from planner.report.frontier import name_of
from planner.report.near_optimal import near_optimal_lines
from planner.report.page.parts import Badge, Card, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.plan_text import nearness, notes
from planner.report.relaxations import amount, from_and_to, in_words, reason
from planner.report.schedule_json import schedule_of, spend_of
from planner.report.sensitivity import worth_lines
from planner.report.spend import SPEND_HEADINGS, spend_lines, spend_rows
from planner.report.spot_break_even import turning_lines
from planner.report.spot_stress import is_on_spot
from planner.units import format_combinations, format_money


def answer_page(
    found: Answer,
    worth: Sequence[Sensitivity],
    gives: Sequence[Relaxation],
    turning: SpotBreakEven | None = None,
    around: Surroundings = NOTHING,
) -> Page:
    """The page of an answer, with what a little more is worth and where it turns, or with the smallest relaxations."""
    plan = found.plan
    if plan is None:
        return _without_plan(found, gives)
    figures = f"{dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
    others = [one for one in found.alternatives if one.plan]
    return Page(
        title=f"{name_of(found.problem)}: {plan.gpus:,} × {plan.accelerator} for {figures}",
        lead=(*_lead(found), *_when(plan, found), *_what_would_change(plan, worth, around)),
        cards=(plan_card(plan, badges=_proof(found)), *(_other(found, plan, one) for one in others)),
        noun="plan",
        tables=tuple(
            made for made in (table(found, plan) for table in (_spend, _limits, _others, _assumed)) if made.rows
        ),
        notes=tuple(line for line in (*turning_lines(turning), *map(str, notes(found, plan))) if line),
    )


def _what_would_change(plan: Plan, worth: Sequence[Sensitivity], around: Surroundings) -> Iterator[str]:
    """What must be granted first, what is nearly as good and better otherwise, and what a little more would buy."""
    if around.grant:
        yield f"{around.grant.in_words[0].upper()}{around.grant.in_words[1:]}. {grant_line(around.grant)}"
    yield from near_optimal_lines(around.near, plan)
    yield from beyond_lines(around.beyond, plan)
    yield from filter(None, worth_lines(worth))


def _lead(found: Answer) -> Iterator[str]:
    """What is proven."""
    count = format_combinations(found.search_space)
    if found.status is Status.OPTIMAL:
        yield f"The proven best of {count} combinations, by {found.choices.objective}; verified by the equations alone."
    else:
        yield f"The best that was found of {count} combinations, {nearness(found)} by {found.choices.objective}."


def _when(plan: Plan, found: Answer) -> Iterator[str]:
    """When it runs, and what stands beside the bill."""
    for line in schedule_lines(schedule_of(plan, found.problem)):
        yield f"{line[0].upper()}{line[1:].removesuffix('.')}."
    yield from (f"{line}." for line in spend_lines(spend_of(plan, found.problem)))


def _spend(found: Answer, plan: Plan) -> Table:
    """The bill by month and quarter."""
    rows = tuple(spend_rows(spend_of(plan, found.problem)))
    return Table("Spend", tuple(SPEND_HEADINGS), rows, frozenset({1, 3}))


def _proof(found: Answer) -> tuple[Badge, ...]:
    """Whether it is proven, and on what weak figures that rests."""
    proven = Badge("✓ proven best", "good") if found.status is Status.OPTIMAL else Badge("not proven best", "bad")
    return (proven, *(Badge(words, "bad") for words in _weak_inputs(found)))


def _weak_inputs(found: Answer) -> Iterator[str]:
    """What the plan rests on that nobody measured."""
    plan = found.plan
    if plan is None:
        return
    figures = plan.placement.spot_figures
    if is_on_spot(plan) and (figures is None or not figures.traced):
        yield "spot capacity of a stand-in"
    if not found.choices.workload.calibration.is_fitted(plan.machine.accelerator):
        yield "speed from a data sheet"
    if found.asked is not None and found.asked.market.capacity != found.problem.market.capacity:
        yield "nodes to be granted"


def _other(found: Answer, best: Plan, other: Alternative) -> Card:
    """The card of another accelerator's best plan."""
    plan = other.plan or best
    words = f"{_difference(found, best, plan)} by {found.choices.objective}"
    return plan_card(plan, badges=(Badge(words),), change=(f"Against the best plan: {other.reason}.",))


def _difference(found: Answer, best: Plan, plan: Plan) -> str:
    return f"{objective_ratio(found.choices.objective, plan, best) - 1:+.1%}"


def _limits(found: Answer, plan: Plan) -> Table:
    """Each limit with the plan's figure and what is left of it."""

    def row(limit: Limit) -> tuple[str, ...]:
        value = limit_value(limit, plan)
        figures = (dated_amount(limit.unit, one, limit.start) for one in (limit.bound, value))
        return (limit.name, *figures, amount(limit.unit, limit.bound - value))

    rows = tuple(row(limit) for limit in found.choices.limits.values())
    return Table("Limits", ("limit", "bound", "plan", "left"), rows, frozenset({1, 2, 3}))


def _assumed(found: Answer, plan: Plan) -> Table:
    """What the figures rest on."""
    rows = tuple((one.name, one.text) for one in assumptions(found, plan))
    return Table("Assumed", ("what", "figure"), rows, texts=frozenset({1}))


def _others(found: Answer, best: Plan) -> Table:
    """The best plan of every accelerator, then those that have none and why."""
    rows = [_row(best, "", "the best")]
    rows += [_row(one.plan, _difference(found, best, one.plan), one.reason) for one in found.alternatives if one.plan]
    cards: list[int | None] = list(range(len(rows)))
    missing = [(one.accelerator, "–", "–", "–", "–", one.reason) for one in found.alternatives if one.plan is None]
    headings = ("accelerator", "GPUs", "time", "cost", "difference", "why")
    figures, texts = frozenset({1, 2, 3, 4}), frozenset({5})
    return Table("Every accelerator", headings, (*rows, *missing), figures, texts, (*cards, *[None] * len(missing)))


def _row(plan: Plan, difference: str, why: str) -> tuple[str, ...]:
    figures = f"{plan.gpus:,}", dated(plan.wall_seconds, plan.start), format_money(plan.cost_usd)
    return (plan.accelerator, *figures, difference, why)


def _without_plan(found: Answer, gives: Sequence[Relaxation]) -> Page:
    """What is said when there is no plan."""
    name = name_of(found.problem)
    if found.status is not Status.INFEASIBLE:
        return Page(f"{name}: time limit reached: no plan found, feasibility unknown", (), ())
    limits = limits_of(found.problem).values()
    bounds = (f"{one.name} {dated_amount(one.unit, one.bound, one.start)}" for one in limits)
    asked = ", ".join(bounds) or "the memory of any device"
    rows = tuple(_gives(one, found.problem.schedule) for one in gives)
    headings = ("limit", "from", "to", "then", "with")
    table = Table("Smallest relaxations: each of these alone", headings, rows, frozenset({1, 2}), frozenset({3, 4}))
    return Page(f"{name}: no plan exists", (f"Asked for: {asked}.", reason(found.problem, gives)), (), tables=(table,))


def _gives(one: Relaxation, schedule: Schedule | None) -> tuple[str, ...]:
    """One row of the smallest relaxations."""
    sets = " ".join(f"--set {text}" for text in one.sets)
    return (one.limit, *from_and_to(one, schedule), in_words(one.plan) if one.plan else "–", sets)
