"""An answer as the page shows it: plain texts, tables and charts, in pieces that arrive one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from planner.board.charts import (
    certainty_spec,
    frontier_spec,
    memory_spec,
    month_of,
    months_spec,
    spending,
    step_spec,
)
from planner.board.given import Given, Sets
from planner.explore.answer import Answer, accelerators_of, limit_value, why_not
from planner.explore.lookup import Lookup
from planner.explore.relaxations import Relaxation
from planner.explore.sensitivity import NAMES, Sensitivity
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.problem.problem import Problem
from planner.report.capacity import capacity_lines
from planner.report.comparison import objective_ratio
from planner.report.deadline_probability import RiskSummary, risk_summary
from planner.report.frontier import name_of
from planner.report.page.plan_card import nodes_of, plan_card
from planner.report.plan_text import format_probability, notes
from planner.report.relaxations import amount, delta, in_words, reason, told_apart
from planner.report.sensitivity import gain_words, step_in_words
from planner.units import (
    SECONDS_PER_DAY,
    format_amount,
    format_combinations,
    format_count,
    format_duration,
    format_money,
    format_range,
    format_share,
)
from planner.verify.check import kept_seconds

Document = dict[str, Any]


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], figures: Sequence[int]) -> Document:
    """A table; `figures` are its columns of figures."""
    return {"kind": "table", "title": title, "headings": headings, "rows": rows, "figures": list(figures)}


def notes_section(title: str, lines: Sequence[str]) -> Document:
    """Lines of text."""
    return {"kind": "notes", "title": title, "lines": list(lines)}


def chart(title: str, spec: Document) -> Document:
    """A chart."""
    return {"kind": "chart", "title": title, "spec": spec}


def headline(answer: Answer) -> Document:
    """The first piece: what to buy, for how long, at what cost, how sure that is, and what binds."""
    plan, name = answer.plan, name_of(answer.problem)
    if plan is None:
        return _without_plan(answer)
    risk = risk_summary(plan, answer.problem)
    card = plan_card(plan)
    return {
        "status": answer.status.value,
        "title": f"{card.title} for {format_duration(plan.wall_seconds)}, {format_money(plan.cost_usd)}",
        "name": name,
        "lead": list(_lead(answer, plan, card.subtitle)),
        "facts": [
            ["cost", format_money(plan.cost_usd)],
            ["done in", format_duration(plan.wall_seconds)],
            ["GPUs", f"{plan.gpus:,}"],
            ["how sure", _sure(answer.problem, risk)],
            ["binds", ", ".join(_binding(answer, plan)) or "no limit"],
        ],
        "limits": _limits(answer, plan),
        "bill": [asdict(line) for line in card.bill],
        "figures": {"cost_usd": str(plan.cost_usd), "wall_seconds": plan.wall_seconds, "gpus": plan.gpus},
        "accelerator": plan.accelerator,
        "place": plan.placement.title,
    }


def _lead(answer: Answer, plan: Plan, where: str) -> Iterator[str]:
    """Where it runs, and what the plan is the best of."""
    tokens, hours = format_count(sum(phase.tokens for phase in plan.phases)), format_count(plan.gpu_hours)
    yield f"{where}; {tokens} tokens in {hours} GPU-hours"
    combinations = format_combinations(answer.search_space)
    yield f"Best of {combinations} combinations, by {answer.choices.objective}; checked by the equations alone."


def _without_plan(answer: Answer) -> Document:
    """What is said when nothing fits."""
    limits = ", ".join(f"{one.name} {format_amount(one.unit, one.bound)}" for one in answer.choices.limits.values())
    reasons: dict[str, list[str]] = {}
    for accelerator in accelerators_of(answer.choices):
        reasons.setdefault(why_not(answer.choices, accelerator), []).append(accelerator)
    proven = answer.status is Status.INFEASIBLE
    return {
        "status": answer.status.value,
        "title": f"No plan exists{f' within {limits}' if limits else ''}" if proven else "Not known yet",
        "name": name_of(answer.problem),
        "lead": [f"{', '.join(names)}: {why}" for why, names in reasons.items()],
        "facts": [],
        "limits": None,
        "bill": [],
        "figures": None,
        "accelerator": "",
        "place": "",
    }


def _sure(problem: Problem, risk: RiskSummary) -> str:
    """How likely the plan is in time, or its range when nobody asks."""
    deadline = problem.limits.deadline
    if deadline is None or risk.in_time_with_estimate is None:
        return format_range(format_duration(risk.seconds["p5"]), format_duration(risk.seconds["p95"]))
    return f"{format_probability(risk.in_time_with_estimate)} by {format_duration(deadline)}"


CLOSE = 0.02
"""Part of a limit that is left at most where it is said to bind."""


def _binding(answer: Answer, plan: Plan) -> Iterator[str]:
    """The limits that the plan nearly uses up."""
    for limit in answer.choices.limits.values():
        if limit.bound - limit_value(limit, plan) <= CLOSE * limit.bound:
            yield limit.name.removeprefix("limits.")


def _limits(answer: Answer, plan: Plan) -> Document | None:
    """Each limit with what the plan leaves of it."""
    limits = answer.choices.limits.values()
    rows = [_against(one.name, one.unit, one.bound, limit_value(one, plan)) for one in limits]
    confidence, deadline = answer.problem.risk.confidence, answer.problem.limits.deadline
    if confidence is not None and deadline is not None:
        kept = kept_seconds(answer.choices.workload, plan, answer.problem.risk)
        rows.append(_against(f"risk.confidence {format_share(confidence)}", "s", deadline, kept))
    return table("Limits", ("limit", "bound", "plan", "left"), rows, (1, 2, 3)) if rows else None


def _against(name: str, unit: str, bound: float, value: float) -> list[str]:
    return [name, *(format_amount(unit, one) for one in (bound, value, bound - value))]


def sections(answer: Answer) -> Document:
    """The second piece: what each of the three views shows of a plan."""
    plan = answer.plan
    if plan is None:
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
            notes_section("Place", [f"{plan.placement.title}: {nodes_of(plan)}", *capacity_lines(plan)]),
            notes_section("Risk", [str(line) for line in notes(answer, plan)]),
        ],
        "finance": [
            chart("Cost by month", months_spec(months, month_of(plan))),
            table("Months", ("month", "cost"), month_rows, (0, 1)),
            chart("How sure the date is", certainty_spec(plan, answer.problem)),
            _spread(risk_summary(plan, answer.problem)),
        ],
    }


def _purchases(plan: Plan) -> Document:
    """What is bought, line by line."""
    rows = [
        (
            one.phase or "all phases",
            one.kind.replace("_", "-") + (f" ({one.note})" if one.note else ""),
            f"{one.nodes:,}",
            f"${one.usd_per_gpu_hour:.2f}",
            f"{one.hours:,.1f}",
            format_money(one.cost_usd),
        )
        for one in plan.purchases
    ]
    return table("Purchases", ("phase", "bought", "nodes", "per GPU-hour", "hours", "cost"), rows, (2, 3, 4, 5))


def _spread(risk: RiskSummary) -> Document:
    """Time and cost after failures and preemptions, if the estimate is right."""
    rows = [
        (f"{name.removeprefix('p')}%", format_duration(risk.seconds[name]), format_money(risk.usd[name]))
        for name in risk.seconds
    ]
    return table("Of runs, if the estimate is right", ("share", "done within", "for at most"), rows, (1, 2))


def around(answer: Answer, lookup: Lookup) -> Document:
    """The third piece: what a little more of each limit is worth, the frontier, and the runners-up."""
    plan = answer.plan
    return {
        "worth": dict(_worth(lookup, plan)) if plan else {},
        "frontier": frontier_spec(lookup, plan),
        "others": _others(answer) if plan else None,
    }


def _worth(lookup: Lookup, plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """What is said beside the control of each limit."""
    for one in lookup.sensitivities(plan):
        key = NAMES[one.quantity]
        yield key, [f"{step_in_words(one)} more: {gain_words(one)}", *_further(lookup, one)]


def _further(lookup: Lookup, one: Sensitivity) -> Iterator[str]:
    """A week more and a day less; the next plan for more money."""
    if one.quantity == "wall_seconds":
        week = lookup.worth("wall_seconds", 7.0 * SECONDS_PER_DAY)
        yield f"1 week more: {gain_words(week)}"
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


def _others(answer: Answer) -> Document | None:
    """The best plan of every other accelerator; those without one by reason."""
    best = answer.plan
    if best is None or not answer.alternatives:
        return None
    objective = answer.choices.objective
    rows = [
        [
            one.accelerator,
            f"{one.plan.gpus:,}",
            format_duration(one.plan.wall_seconds),
            format_money(one.plan.cost_usd),
            f"{objective_ratio(objective, one.plan, best) - 1:+.1%}",
            one.reason,
        ]
        for one in answer.alternatives
        if one.plan
    ]
    rows += [[one.accelerator, "–", "–", "–", "–", one.reason] for one in answer.alternatives if one.plan is None]
    return table("Every other accelerator", ("accelerator", "GPUs", "time", "cost", "more", "why"), rows, (1, 2, 3, 4))


def relaxation(one: Relaxation) -> Document:
    """A smallest relaxation as a button; without settings it is only said that nothing helps."""
    before, after = told_apart(one.unit, one.before, one.after)
    change = delta(one)
    sign = "+" if change is not None and change > 0 else "−"
    difference = "" if change is None or one.unit == "×" else f"{sign}{amount(one.unit, abs(change))}"
    return {
        "limit": one.limit,
        "from": before,
        "to": after,
        "change": difference,
        "then": in_words(one.plan) if one.plan else "",
        "sets": dict(text.split("=", 1) for text in one.sets),
    }


def relaxation_reason(problem: Problem, found: Sequence[Relaxation]) -> str:
    """Why nothing fits, in a sentence."""
    return reason(problem, found)


def scenario_column(given: Given, sets: Sets, answer: Answer) -> Document:
    """A pinned scenario in short."""
    plan = answer.plan
    shown = ("–",) * 6
    if plan is not None:
        shown = (
            f"{plan.gpus:,} × {plan.accelerator}",
            format_money(plan.cost_usd),
            format_duration(plan.wall_seconds),
            _sure(answer.problem, risk_summary(plan, answer.problem)),
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
