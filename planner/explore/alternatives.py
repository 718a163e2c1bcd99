"""Plans that differ in kind from the best one and are nearly as good."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from planner.errors import InputError
from planner.explore.job_modes import Bounds, JobMode, cheapest, fastest, plan_of_mode, undominated_job_modes
from planner.explore.room import Room
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.problem.problem import Problem


@dataclass(frozen=True)
class Kind:
    """What makes plans differ for the people who decide."""

    accelerator: str
    cloud: str
    purchases: tuple[str, ...]
    """Ways to buy that the plan uses."""
    scale: int
    """Devices in powers of two: 11 from 1,024 up to 2,047."""


def kind_of(plan: Plan) -> Kind:
    """The kind of a plan."""
    bought = tuple(sorted({one.kind for one in plan.purchases}))
    return Kind(plan.accelerator, plan.placement.cloud, bought, plan.gpus.bit_length())


def kinds(problem: Problem, margin: float) -> tuple[Plan, ...]:
    """The best plan of every kind within a margin of the optimum's cost or time, best first, each verified.

    Of each option every undominated plan within the margin is looked at. Raises InputError for `objective: tokens`.
    """
    if problem.objective == "tokens":
        raise InputError("alternatives are of cost or time", fix="add --set objective=cost")
    room = Room(problem.with_hard_limits())
    bounds, choices = room.bounds, room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    best = (fastest if problem.objective == "time" else cheapest)(room.modes(bounds), bounds)
    if best is None:
        return ()
    slowest, margins = _within(problem, bounds, best, margin)
    modes = [
        mode
        for one in choices.purchase_options
        for mode in undominated_job_modes(replace(choices, purchase_options=(one,)), margins)
        if mode.wall_seconds <= slowest
    ]
    found: dict[Kind, Plan] = {}
    for plan in sorted((plan_of_mode(choices, problem, mode) for mode in modes), key=lambda one: _order(problem, one)):
        found.setdefault(kind_of(plan), plan)
    return tuple(found.values())


def _within(problem: Problem, bounds: Bounds, best: JobMode, margin: float) -> tuple[float, Bounds]:
    """The longest expected time and the limits: no worse than the optimum by more than the margin."""
    if problem.objective == "time":
        return best.wall_seconds * (1 + margin), bounds
    return inf, replace(bounds, cost_usd=min(bounds.cost_usd, best.cost_usd * (1 + margin)))


def _order(problem: Problem, plan: Plan) -> tuple[float, float]:
    """Best first by the objective, then by cost."""
    return objective_value(problem.objective, plan), float(plan.cost_usd)
