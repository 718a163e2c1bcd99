"""How two plans compare in what a problem asks for."""

from __future__ import annotations

from typing import Final

from planner.explore.answer import objective_value
from planner.plans.plan import Plan
from planner.problem.objective import Objective

LEAST: Final = 1e-9
"""What stands for an objective of nothing, such as the cost of nodes that are free."""


def objective_ratio(objective: Objective, plan: Plan, best: Plan) -> float:
    """The objective of a plan over that of the best."""
    return objective_value(objective, plan) / max(objective_value(objective, best), LEAST)
