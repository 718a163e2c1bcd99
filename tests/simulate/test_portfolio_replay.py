"""A portfolio's plan carried out many times: what is certain holds each time, and slips are blamed on their cause."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from planner.clock import Clock
from planner.explore.portfolio import PortfolioAnswer, Stop, solve_portfolio
from planner.portfolio.instance import Portfolio
from planner.simulate.portfolio import Outcomes, replayed

sys.path.append(str(Path(__file__).parents[1] / "portfolio"))
from small_portfolios import year


def certain(portfolio: Portfolio) -> Portfolio:
    """The portfolio with estimates that are never off."""
    return replace(portfolio, jobs=tuple(replace(job, log_deviation=0.0) for job in portfolio.jobs))


@pytest.fixture(scope="module")
def answer() -> PortfolioAnswer:
    """The year's plan."""
    return solve_portfolio(certain(year()), Stop(Clock()))


def outcomes(portfolio: Portfolio, found: PortfolioAnswer, *, delay: float = 0.0) -> Outcomes:
    """Fifty draws of a plan."""
    assert found.schedule is not None
    return replayed(portfolio, found.schedule, 50, delay)


def test_without_errors_and_delays_everything_happens_as_planned(answer: PortfolioAnswer) -> None:
    """Every budget holds in every draw, quarters too, and the money is the bill's."""
    assert answer.bill is not None
    found = outcomes(answer.portfolio, answer)
    assert dict(found.budgets) == {"budget.total": 1, "budget.quarters.Q1": 1, "budget.teams.vision": 1}
    assert found.money[1] == pytest.approx(float(answer.bill.money_usd), abs=0.1)


def test_a_quarter_whose_budget_is_what_it_costs_holds_and_one_dollar_less_does_not(answer: PortfolioAnswer) -> None:
    """The dollars of a quarter are those of the bill."""
    assert answer.bill is not None
    spent = answer.bill.by("quarter")[0,]
    for most, share in ((spent + Decimal("0.1"), 1.0), (spent - 1, 0.0)):
        budgets = replace(answer.portfolio.budgets, quarters={0: most})
        found = outcomes(replace(answer.portfolio, budgets=budgets), answer)
        assert dict(found.budgets)["budget.quarters.Q1"] == share


def test_a_pool_that_arrives_late_is_to_blame() -> None:
    """With a mean delay of two months, a job on the pool that is yet to come is late in some draws, because of it."""
    portfolio = certain(year("jobs[base].phases[1].modes=[{pool: late, nodes: 4, duration: 100h}]"))
    planned = solve_portfolio(portfolio, Stop(Clock()))
    found = outcomes(portfolio, planned, delay=60.0)
    base = next(number for number, job in enumerate(portfolio.jobs) if job.name == "base")
    assert 0 < found.deadlines[base] < 1
    assert found.causes[base][0][0] == "delivery of late"
