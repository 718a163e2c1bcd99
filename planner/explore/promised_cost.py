"""The best plan whose cost stays within the budget with a probability, all that is counted being uncertain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, inf

import numpy as np

from planner.clock import Clock
from planner.explore.expected_cost import candidates
from planner.explore.job_modes import plan_of_mode
from planner.explore.relaxations import Relaxation
from planner.explore.room import Room
from planner.layouts.workload import Workload
from planner.plans.choices import Choices
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.plans.plan_error import error_of
from planner.problem.problem import Problem
from planner.simulate.planned import plan_distribution

NEAR = 1.1
"""Share of the budget up to which the error alone may take a plan before failures are counted: they move it less."""


@dataclass(frozen=True)
class PromisedCost:
    """A plan with what it costs at most with `risk.budget_confidence`."""

    plan: Plan
    kept_usd: float


def promised_usd(workload: Workload, problem: Problem, plan: Plan) -> float:
    """What a plan costs at most with `risk.budget_confidence`: the quantile of what `risk.counts` counts.

    Raises ValueError for a problem without it.
    """
    risk = problem.risk
    if risk.budget_confidence is None:
        raise ValueError("the problem asks for no probability of staying within the budget")
    usd, share = plan_distribution(plan, problem).usd, np.asarray(risk.budget_confidence)
    if risk.counts == "luck":
        return float(usd.quantile(share))
    return float(usd.quantile_uncertain(share, error_of(workload, plan)))


def best_promised(room: Room, clock: Clock) -> PromisedCost | None:
    """The best plan by the objective that stays within the budget as surely as is asked for; None without any.

    Looked for among the plans that `expected_cost` weighs. Raises OutOfTimeError.
    """
    problem = room.problem
    choices = room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    found = (_best_on(choices.only(name), room, clock) for name in choices.accelerators)
    return min(
        (one for one in found if one), key=lambda one: objective_value(problem.objective, one.plan), default=None
    )


def _best_on(choices: Choices, room: Room, clock: Clock) -> PromisedCost | None:
    """The best on one accelerator: in the order of the objective, until one keeps the budget."""
    problem, budget = room.problem, room.bounds.cost_usd
    modes = list(candidates(choices, room.bounds))
    by_time = problem.objective == "time"
    for mode in sorted(modes, key=lambda one: one.wall_seconds if by_time else one.cost_usd):
        if clock.is_over:
            return None
        plan = plan_of_mode(choices, choices.problem, mode)
        if _by_error_alone(choices.workload, problem, plan) <= NEAR * budget:
            found = PromisedCost(plan, promised_usd(choices.workload, problem, plan))
            if found.kept_usd <= budget:
                return found
    return None


def _by_error_alone(workload: Workload, problem: Problem, plan: Plan) -> float:
    """What a plan costs at most with that probability without failures and preemptions."""
    share = problem.risk.budget_confidence
    counts = problem.risk.counts == "everything" and share is not None
    return float(plan.cost_usd) * (error_of(workload, plan).factor(share or 0.0) if counts else 1.0)


def least_budget(room: Room) -> Relaxation | None:
    """The least budget, in whole dollars, that some plan stays within as surely as is asked for; None without a plan.

    Raises OutOfTimeError.
    """
    open_bounds = replace(room.bounds, cost_usd=inf)
    choices, problem = room.choices(open_bounds.wall_seconds, open_bounds.gpus), room.problem
    unlimited = problem.model_copy(update={"limits": problem.limits.model_copy(update={"budget": None})})

    def plans() -> Iterator[Plan]:
        for name in choices.accelerators:
            of_device = choices.only(name)
            modes = candidates(of_device, open_bounds)
            yield from (plan_of_mode(of_device, unlimited, one) for one in modes)

    least = min(plans(), key=lambda one: _by_error_alone(choices.workload, problem, one), default=None)
    if least is None or problem.limits.budget is None:
        return None
    needed = float(ceil(promised_usd(choices.workload, problem, least)))
    before, sets = float(problem.limits.budget), (f"limits.budget=${needed:.0f}",)
    return Relaxation("limits.budget", "USD", before, needed, least, sets)
