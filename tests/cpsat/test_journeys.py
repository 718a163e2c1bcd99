"""Where each phase may run elsewhere the answer is still the optimum: brute force finds the same."""

from __future__ import annotations

from decimal import Decimal

import pytest
from batches import few, later
from generated_journeys import best_journey, generated_journey

from planner.explore.answer import answer
from planner.plans.solution import Status
from planner.problem.problem import Problem
from planner.verify.oracle import agrees

QUICK, SLOW, ALL, BATCH = 10, 60, 500, 10
CENTS = Decimal("0.10")
"""Dollars that rounding the lines of a bill to cents may add."""


def is_best(problem: Problem) -> bool:
    """Whether the proven answer is what brute force finds, or finds for a budget that differs by some cents."""
    found = answer(problem)
    assert found.status in {Status.OPTIMAL, Status.INFEASIBLE}
    cents = float(CENTS) / max(found.value or 1.0, 0.1) if problem.objective == "cost" else 0.0
    if agrees(found.value, best_journey(problem), cents + 1e-9):
        return True
    budget = problem.limits.budget
    if budget is None:
        return False
    near = (with_budget(problem, budget + change) for change in (CENTS, -CENTS))
    low, high = (value if (value := best_journey(one)) is not None else float("inf") for one in near)
    value = float("inf") if found.value is None else found.value
    return low * (1 - cents) <= value <= high * (1 + cents)


def with_budget(problem: Problem, budget: Decimal) -> Problem:
    """The problem with another budget."""
    return problem.model_copy(update={"limits": problem.limits.model_copy(update={"budget": budget})})


@pytest.mark.parametrize("seed", few(range(QUICK), 2))
def test_best_journey_is_that_of_brute_force(seed: int) -> None:
    """On generated problems of two to four phases over up to six places the proven answer is brute force's."""
    assert is_best(generated_journey(seed))


@pytest.mark.parametrize("first", later(QUICK, SLOW, ALL, BATCH))
def test_best_journey_is_that_of_brute_force_for_many(first: int) -> None:
    """The same of many more."""
    for seed in range(first, first + BATCH):
        assert is_best(generated_journey(seed)), f"seed {seed}"
