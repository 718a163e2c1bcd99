"""The solver's optimum is the optimum: brute force finds nothing better, and no plan where there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from defined_layouts import fastest_defined
from generated_problems import best_by_loops, generated

from planner.formulation.choices import choices_of
from planner.formulation.outcome import Status
from planner.formulation.plan import plan_of
from planner.formulation.solve import optimum
from planner.negotiate.answer import objective_value, starting_point
from planner.problem.problem import Problem
from planner.verify.check import violations
from planner.verify.oracle import agrees, best_value

BATCH = 50
PENNIES = 0.02
"""Dollars that rounding the lines of a bill to cents may add."""


@dataclass(frozen=True)
class Solved:
    """What the search finds, its plan being verified, and how exact it says that is."""

    value: float | None
    error: float
    tightened: float

    def agrees(self, problem: Problem) -> bool:
        """Whether enumeration finds the same within the stated error, or with a deadline tightened as stated."""
        best = best_value(problem, fastest_defined)
        if agrees(self.value, best, self.error):
            return True
        if not self.tightened or best is None:
            return False
        deadline = (problem.limits.deadline or 0.0) * (1 - self.tightened)
        limits = problem.limits.model_copy(update={"deadline": deadline})
        tight = best_value(problem.model_copy(update={"limits": limits}), fastest_defined)
        if self.value is None or tight is None:
            return tight is None
        low, high = sorted((best, tight))
        return low * (1 - self.error) <= self.value <= high * (1 + self.error)


def solved(problem: Problem, time_limit: float | None = None) -> Solved:
    """The search of a problem. Raises AssertionError without a proof or when the plan does not hold."""
    choices = choices_of(problem)
    outcome = optimum(choices, time_limit=time_limit, hint=starting_point(choices))
    assert outcome.status in {Status.OPTIMAL, Status.INFEASIBLE}
    if outcome.decision is None:
        return Solved(None, outcome.error, outcome.tightened)
    plan = plan_of(choices, outcome.decision)
    assert violations(problem, plan, outcome) == ()
    value = objective_value(problem.objective, plan)
    pennies = PENNIES / value if problem.objective == "cost" else 0.0
    return Solved(value, outcome.error + pennies, outcome.tightened)


@pytest.mark.parametrize("first", range(0, 500, BATCH))
def test_optimum_is_that_of_enumeration(first: int) -> None:
    """On generated problems the search finds what evaluating everything finds, within the rounding that it states."""
    for seed in range(first, first + BATCH):
        problem = generated(seed)
        found = solved(problem)
        assert found.agrees(problem), f"seed {seed}"
        assert found.error <= 1e-3 or problem.objective == "tokens" or (found.value or 0) < 100


def test_generated_problems_differ() -> None:
    """The generated problems cover every objective, and some of each can and some cannot be solved."""
    seen = Counter((problem.objective, best_value(problem) is None) for problem in map(generated, range(150)))
    assert len(seen) == 6


@pytest.mark.parametrize("seed", [3, 7, 16, 502, 509])
def test_enumeration_is_that_of_loops(seed: int) -> None:
    """The vectorised enumeration agrees with nested loops over every layout, tender and split of the nodes."""
    problem = generated(seed)
    by_loops = best_by_loops(problem)
    assert agrees(best_value(problem), by_loops, 1e-9), f"seed {seed}"
    assert agrees(best_value(problem, fastest_defined), by_loops, 1e-9), f"seed {seed}"
