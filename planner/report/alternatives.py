"""Alternatives for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.explore.alternatives import kind_of
from planner.plans.document import FORMAT_VERSION
from planner.plans.objective import objective_ratio
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.report.console import wide_console
from planner.report.dates import dated
from planner.report.document.plan import plan_document
from planner.report.summary import gpus_text
from planner.report.tables import text_table
from planner.units import format_money


def alternatives_document(problem: Problem, plans: Sequence[Plan]) -> dict[str, Any]:
    """The document of `--json`: plans best first, each with what it is worse by, as a share."""
    return {
        "format_version": FORMAT_VERSION,
        "objective": problem.objective,
        "alternatives": [{"worse": worse(problem, plans, one), "plan": plan_document(one, problem)} for one in plans],
    }


def worse(problem: Problem, plans: Sequence[Plan], plan: Plan) -> float:
    """How much worse than the best a plan is, as a fraction."""
    return objective_ratio(problem.objective, plan, plans[0]) - 1


def print_alternatives(problem: Problem, plans: Sequence[Plan]) -> None:
    """Prints a line per plan."""
    console = wide_console()
    if not plans:
        console.print("no plan exists; plan solve shows the smallest relaxations")
        return
    words = ("accelerator", "bought", "where")
    table = text_table("worse", "cost", "time", "GPUs", *words, left=words, wrap=words)
    for plan in plans:
        figures = format_money(plan.cost_usd), dated(plan.wall_seconds, plan.start), gpus_text(plan)
        bought = ", ".join(one.replace("_", "-") for one in kind_of(plan).purchases)
        share = f"{worse(problem, plans, plan):+.1%}"
        table.add_row(share, *figures, plan.accelerator, bought, plan.placement.title)
    console.print(table.said_once("accelerator", "bought", "where"))
