"""What a plan reaches under an objective."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

from planner.problem.objective import Objective

LEAST: Final = 1e-9
"""What stands for an objective of nothing, such as the cost of nodes that are free."""


class Reached(Protocol):
    """What an objective counts of a plan or of its document."""

    @property
    def cost_usd(self) -> Decimal:
        """US dollars."""

    @property
    def wall_seconds(self) -> float:
        """Expected wall time."""

    @property
    def tokens(self) -> int:
        """Tokens of the first phase."""


def objective_value(objective: Objective, plan: Reached) -> float:
    """What a plan reaches under an objective: dollars, seconds or tokens."""
    return {"cost": float(plan.cost_usd), "time": plan.wall_seconds, "tokens": float(plan.tokens)}[objective]


def objective_ratio(objective: Objective, plan: Reached, best: Reached) -> float:
    """The objective of a plan over that of the best."""
    return objective_value(objective, plan) / max(objective_value(objective, best), LEAST)
