"""The limits of a problem as named objects, so that each can be relaxed, priced and explained on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.problem.problem import Problem

Unit = Literal["s", "USD", "GPUs"]


@dataclass(frozen=True)
class Limit:
    """One quantity that the plan must not exceed."""

    name: str
    """The user's own key, such as `limits.deadline`."""
    quantity: Literal["wall_seconds", "cost_usd", "gpus"]
    """The figure of the plan that it bounds."""
    bound: float
    unit: Unit
    relaxable: bool = True


def limits_of(problem: Problem) -> Mapping[str, Limit]:
    """The stated limits on the plan as a whole, by quantity."""
    stated = problem.limits
    found: list[Limit] = []
    if stated.deadline is not None:
        found.append(Limit("limits.deadline", "wall_seconds", stated.deadline, "s"))
    if stated.budget is not None:
        found.append(Limit("limits.budget", "cost_usd", float(stated.budget), "USD"))
    if stated.gpus is not None:
        found.append(Limit("limits.gpus", "gpus", float(stated.gpus), "GPUs"))
    return {limit.quantity: limit for limit in found}
