"""The answer is the optimum: brute force finds nothing better, and no plan where there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pytest
from batches import few
from defined_layouts import fastest_defined
from generated_problems import best_by_loops, generated

from planner.clock import Clock
from planner.explore.answer import answer
from planner.plans.solution import Status
from planner.problem.problem import Problem
from planner.verify.oracle import agrees, best_value

BATCH = 50
PENNIES = Decimal("0.02")
"""Dollars that rounding the lines of a bill to cents may add."""


@dataclass(frozen=True)
class Solved:
    """What enumeration finds and the solver proves, the plan being verified, and how exact the proof is."""

    value: float | None
    error: float
    pennies: float
    """Part of the value that rounding the lines of the bill to cents may add."""

    def agrees(self, problem: Problem) -> bool:
        """Whether evaluating everything finds the same, or that for a budget which differs by no more than pennies.

        Layouts come from the definition of validity, not from the lists that the search has.
        """
        if agrees(self.value, best_value(problem, fastest_defined), self.pennies + 1e-9):
            return True
        budget = problem.limits.budget
        if budget is None or self.value is None:
            return False
        budgets = (budget + one for one in (-PENNIES, PENNIES))
        less, more = (best_value(_with_budget(problem, one), fastest_defined) for one in budgets)
        low, high = sorted(self.value if one is None else one for one in (less, more))
        return low <= self.value <= high


def _with_budget(problem: Problem, budget: Decimal) -> Problem:
    """The problem with another budget."""
    return problem.model_copy(update={"limits": problem.limits.model_copy(update={"budget": budget})})


def solved(problem: Problem, time_limit: float | None = None) -> Solved:
    """The answer to a problem. Raises AssertionError without a proof."""
    found = answer(problem, clock=Clock.of(time_limit))
    assert found.status in {Status.OPTIMAL, Status.INFEASIBLE}
    pennies = float(PENNIES) / found.value if found.value and problem.objective == "cost" else 0.0
    return Solved(found.value, found.outcome.error, pennies)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 500, BATCH))
def test_optimum_is_that_of_enumeration(first: int) -> None:
    """On generated problems the answer is what evaluating everything finds, to the cent, and the solver proves it."""
    for seed in range(first, first + BATCH):
        problem = generated(seed)
        found = solved(problem)
        assert found.agrees(problem), f"seed {seed}"
        assert found.error <= 1e-3 or problem.objective == "tokens" or (found.value or 0) < 100


@pytest.mark.slow
def test_generated_problems_differ() -> None:
    """The generated problems cover every objective, and some of each can and some cannot be solved."""
    seen = Counter((problem.objective, best_value(problem) is None) for problem in map(generated, range(150)))
    assert len(seen) == 6


@pytest.mark.parametrize("seed", few([7, 16, 3, 502, 509], 2))
def test_enumeration_is_that_of_loops(seed: int) -> None:
    """The vectorised enumeration agrees with nested loops over every layout, purchase option and split of the nodes."""
    problem = generated(seed)
    by_loops = best_by_loops(problem)
    assert agrees(best_value(problem), by_loops, 1e-9), f"seed {seed}"
    assert agrees(best_value(problem, fastest_defined), by_loops, 1e-9), f"seed {seed}"
