"""The robust choice: the plan whose bill and cost of being late are least together, by expectation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.explore.job_modes import Bounds, JobMode, plan_of_mode, undominated_job_modes
from planner.explore.room import Room
from planner.performance.predictive import LARGE
from planner.plans.choices import Choices
from planner.plans.plan import Plan
from planner.plans.plan_error import error_of
from planner.problem.problem import Problem
from planner.simulate.planned import plan_distribution
from planner.units import SECONDS_PER_DAY, exact

POINTS: Final = 200
"""Equally probable outcomes of failures and preemptions over which lateness is averaged."""
ROUNDING: Final = 1e-9
"""Share by which the time of the chosen plan is widened to a limit."""


@dataclass(frozen=True)
class ExpectedCost:
    """A plan with what being late costs it by expectation."""

    plan: Plan
    late_probability: float
    late_seconds: float
    """Expected, over all outcomes."""
    late_usd: float

    @property
    def usd(self) -> float:
        """Bill and cost of being late together."""
        return float(self.plan.cost_usd) + self.late_usd


def expected_cost(choices: Choices, plan: Plan) -> ExpectedCost:
    """What a plan costs by expectation: failures, preemptions and the estimate's own error counted.

    E[(f·T − D)⁺] over equally probable times T and factors f of the estimate's error, which are independent.
    Raises ValueError for a problem without a cost of being late.
    """
    lateness = choices.problem.limits.lateness
    if lateness is None:
        raise ValueError("the problem says nothing of being late")
    shares = (np.arange(POINTS) + 0.5) / POINTS
    times = plan_distribution(plan, choices.problem).seconds.quantile(shares)
    late = np.outer(times, error_of(choices.workload, plan).factors) - (lateness.at - plan.idle_seconds)
    seconds = float(np.maximum(late, 0.0).mean())
    return ExpectedCost(plan, float((late > 0).mean()), seconds, seconds / SECONDS_PER_DAY * float(lateness.late))


def least_expected(room: Room, clock: Clock) -> tuple[ExpectedCost, ...]:
    """The plan of each accelerator that costs least by expectation, the best first; empty without any.

    Looked for among the plans that none beats in expected time and bill on the same accelerator, those on at most
    `LARGE` devices apart, beyond which estimates are less certain: on one side of that bound a plan that is beaten in
    both costs no less by expectation, as far as failures and preemptions spread times alike and own runs know both as
    well.
    """
    choices = room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    found = (_least_of(choices.only(name), room.bounds, clock) for name in choices.accelerators)
    return tuple(sorted((one for one in found if one), key=lambda one: one.usd))


def _least_of(choices: Choices, bounds: Bounds, clock: Clock) -> ExpectedCost | None:
    """The best of one accelerator: by a lower bound from the cheapest on, until nothing can be better."""
    best: ExpectedCost | None = None
    modes = sorted({_least_usd(choices, mode): mode for mode in candidates(choices, bounds)}.items())
    for least, mode in modes:
        if best is not None and (least >= best.usd or clock.is_over):
            break
        found = expected_cost(choices, plan_of_mode(choices, choices.problem, mode))
        best = found if best is None or found.usd < best.usd else best
    return best


def candidates(choices: Choices, bounds: Bounds) -> Iterator[JobMode]:
    """Undominated ways to run the job on one accelerator, on few devices and on any number."""
    yield from undominated_job_modes(choices, replace(bounds, gpus=min(bounds.gpus, LARGE)))
    if bounds.gpus > LARGE:
        yield from undominated_job_modes(choices, bounds)


def _least_usd(choices: Choices, mode: JobMode) -> float:
    """No more than a mode costs by expectation: real time is on average no less than the expected one."""
    lateness = choices.problem.limits.lateness
    late = max(mode.wall_seconds - lateness.at, 0.0) if lateness else 0.0
    return mode.cost_usd + (late / SECONDS_PER_DAY * float(lateness.late) if lateness else 0.0)


def chosen_alone(problem: Problem, plan: Plan) -> Problem:
    """The problem whose optimum a chosen plan is, to be proven: the best that takes no longer and costs no more.

    On its accelerator and devices, and by expected values: promises are what it was chosen by.
    """
    limits = problem.limits.model_copy(
        update={
            "deadline": plan.wall_seconds * (1 + ROUNDING),
            "budget": exact(plan.cost_usd),
            "gpus": plan.gpus,
            "lateness": None,
        }
    )
    market = problem.market.model_copy(update={"accelerators": (plan.accelerator,)})
    risk = problem.risk.model_copy(update={"confidence": None, "budget_confidence": None})
    return problem.model_copy(update={"limits": limits, "market": market, "risk": risk, "preference": None})
