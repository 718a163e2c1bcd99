"""What is best."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from planner.cpsat.model import Expression
from planner.cpsat.variables import PlanVariables
from planner.problem.objective import Objective

Measure = Callable[[PlanVariables], Expression]
"""A figure of the plan that is minimised."""


def cost(plan: PlanVariables) -> Expression:
    """All purchases together."""
    return plan.cost


def wall(plan: PlanVariables) -> Expression:
    """All phases together."""
    return plan.wall


MEASURES: Final = MappingProxyType({"cost": cost, "time": wall})
"""What each objective minimises; the most tokens are proven by there being no plan with more."""


def measure_of(objective: Objective) -> Measure:
    """What is minimised; of a stated number of tokens the cost."""
    return MEASURES.get(objective, cost)
