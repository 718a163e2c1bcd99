"""The page of alternatives: plans of another kind by cost and time, and behind each point its plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.explore.alternatives import kind_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.report.alternatives import worse
from planner.report.document.plan import plan_figures
from planner.report.frontier import differences, name_of
from planner.report.page.axes import Ruler
from planner.report.page.marks import POINTS, kinds, points_layer
from planner.report.page.parts import Badge, Card, Chart, Page, Table
from planner.report.page.plan_card import plan_card
from planner.report.summary import devices_text, gpus_text
from planner.units import format_duration, format_money

HEADINGS = ("accelerator", "worse", "cost", "time", "GPUs", "bought", "where")


def alternatives_page(problem: Problem, plans: Sequence[Plan]) -> Page:
    """The whole page; the first plan is the best."""
    best = plans[0]
    figures = f"{format_money(best.cost_usd)}, {format_duration(best.wall_seconds)}"
    title = f"{name_of(problem)}: what is nearly as good as {devices_text(best)}"
    return Page(
        title=title,
        lead=(_lead(problem, plans, figures), "Every plan is within all limits and verified by the equations alone."),
        cards=tuple(_card(problem, plans, one) for one in plans),
        noun="plan",
        chart=_chart(plans, title),
        tables=(_table(problem, plans),),
    )


def _lead(problem: Problem, plans: Sequence[Plan], figures: str) -> str:
    """The best plan, and how far the others are from it."""
    best, others = plans[0], plans[1:]
    first = f"Best: {devices_text(best)} for {figures} ({best.placement.title})."
    if not others:
        return f"{first} No plan of another kind is within the margin."
    by = "later" if problem.objective == "time" else "more expensive"
    ends = [f"{worse(problem, plans, one):.1%}" for one in (others[0], others[-1])]
    span = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    kinds_of = f"{len(others)} of other kinds are" if len(others) > 1 else "One of another kind is"
    return f"{first} {kinds_of} {span} {by}."


def _card(problem: Problem, plans: Sequence[Plan], plan: Plan) -> Card:
    """One plan, and what it has otherwise than the best."""
    figures = plan_figures(plan, problem)
    if plan is plans[0]:
        return plan_card(figures, badges=(Badge("✓ best", "good"),))
    change = f"Against the best plan: {', '.join(differences(plans[0], plan))}."
    share = Badge(f"{worse(problem, plans, plan):+.1%} by {problem.objective}")
    return plan_card(figures, badges=(share,), change=(change,))


def _chart(plans: Sequence[Plan], title: str) -> Chart:
    """Cost to the right, time up."""
    x = Ruler.of("x", "cost", [float(one.cost_usd) for one in plans])
    y = Ruler.of("y", "time", [one.wall_seconds for one in plans])
    names = tuple(dict.fromkeys(one.accelerator for one in plans))
    values = [
        {"x": x.of_value(float(one.cost_usd)), "y": y.of_value(one.wall_seconds), "accelerator": one.accelerator}
        for one in plans
    ]

    def spec(width: int, height: int, ticks: int, columns: int) -> dict[str, Any]:
        scales = {"x": x.channel(ticks), "y": y.channel(ticks)}
        layer = points_layer(values, scales, kinds("accelerator", names, columns), 150)
        return {"width": width, "height": height, "padding": 4, "layer": [layer]}

    return Chart(title, spec(640, 380, 7, 3), spec(280, 300, 4, 1), POINTS)


def _table(problem: Problem, plans: Sequence[Plan]) -> Table:
    """Every plan with what it is worse by."""
    rows = [
        (
            one.accelerator,
            f"{worse(problem, plans, one):+.1%}",
            format_money(one.cost_usd),
            format_duration(one.wall_seconds),
            gpus_text(one),
            ", ".join(kind.replace("_", "-") for kind in kind_of(one).purchases),
            one.placement.title,
        )
        for one in plans
    ]
    figures, cards = frozenset({1, 2, 3, 4}), tuple(range(len(rows)))
    return Table("Best of every kind", HEADINGS, tuple(rows), figures, frozenset({6}), cards)
