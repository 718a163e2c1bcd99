"""The smallest changes that make a portfolio possible: each holds, and one unit less does not where that is claimed."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from batches import few, later
from enumerated_schedules import best_value_by_enumeration

from planner.clock import Clock
from planner.explore.portfolio import Stop, solve_portfolio
from planner.explore.portfolio_negotiation import LooseLimit, kinds_of, smallest, worth_of
from planner.portfolio.instance import Budgets, Portfolio

sys.path.append(str(Path(__file__).parents[1] / "portfolio"))
from small_portfolios import tiny, year


def cramped(seed: int) -> Portfolio:
    """A tiny portfolio whose jobs must all be kept, in half the time and for little money."""
    portfolio = tiny(seed, days=6, jobs=2 + seed % 2)
    jobs = tuple(
        replace(job, value_usd=None, late_usd_per_day=None, deadline=min(job.deadline, 2 + seed % 3))
        for job in portfolio.jobs
    )
    return replace(portfolio, jobs=jobs, budgets=Budgets(Decimal(80 + 40 * (seed % 9))))


def step_of(kind: LooseLimit, shown: str) -> int:
    """How many steps a value is from the stated one."""
    return next(step for step in range(kind.most + 1) if (kind.shown(step) if step else kind.unchanged) == shown)


def negotiated(seed: int) -> int:
    """Checks every change that is offered by enumeration, and says how many there are."""
    portfolio, offered = cramped(seed), 0
    if best_value_by_enumeration(portfolio) is not None:
        return 0
    for kind in kinds_of(portfolio):
        row = smallest(kind, Clock())
        if row is None:
            continue
        step, offered = step_of(kind, row["to"]), offered + 1
        assert best_value_by_enumeration(kind.at(step)) is not None
        if row["proven"]:
            assert best_value_by_enumeration(kind.at(step - 1)) is None
        else:
            assert "it is proven that there is no plan" in row["interval"]
    return offered


@pytest.mark.slow
@pytest.mark.parametrize("seed", few([100, 103]))
def test_the_smallest_changes_hold_and_one_unit_less_does_not(seed: int) -> None:
    """Deadlines, budgets and pools, each alone."""
    assert negotiated(seed)


@pytest.mark.parametrize("seed", later(100, 110, 200))
def test_a_hundred_negotiations_hold(seed: int) -> None:
    """The same of a hundred others; some of them have a plan already, and nothing is offered."""
    negotiated(seed)


@pytest.mark.slow
def test_every_budget_has_its_worth_and_its_smallest_change() -> None:
    """The whole, each quarter and each team are asked by the keys of the file."""
    found = solve_portfolio(year(), Stop(Clock()))
    limits = {row["limit"] for row in worth_of(found, Clock())}
    assert {"budget.total", "budget.quarters.Q1", "budget.teams.vision"} <= limits
    broke = year("budget={quarters: {Q1: $25k}}", "jobs[base].deadline=2027-03-31", "jobs[base].late=never")
    kinds = {kind.limit: kind for kind in kinds_of(broke)}
    change = smallest(kinds["budget.quarters.Q1"], Clock())
    assert change is not None
    wider = kinds["budget.quarters.Q1"].at(step_of(kinds["budget.quarters.Q1"], change["to"]))
    assert solve_portfolio(wider, Stop(Clock())).schedule is not None
