"""A portfolio's plan carried out many times: what is certain holds each time, and slips are blamed on their cause."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import exp
from pathlib import Path

import numpy as np
import pytest

from planner.clock import Clock
from planner.explore.portfolio import PortfolioAnswer, Stop, solve_portfolio
from planner.portfolio.instance import JobPhase, Mode, Pool, Portfolio, PortfolioJob
from planner.portfolio.schedule import PhaseStart, Schedule
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


@pytest.mark.slow
def test_a_teams_budget_is_what_the_bill_says_it_pays_commitments_shared() -> None:
    """A team's budget of what it is billed holds, and one dollar less does not, with nodes that are committed to."""
    portfolio = certain(year("pools[cloud].commitments[3m].price=$0.02/GPU-h"))
    planned = solve_portfolio(portfolio, Stop(Clock(), gap=0.05))
    assert planned.bill is not None
    assert planned.schedule is not None
    assert planned.schedule.purchases
    spent = planned.bill.by("team")["nlp",]
    for most, share in ((spent + Decimal("0.1"), 1.0), (spent - 1, 0.0)):
        budgets = replace(portfolio.budgets, teams={"nlp": most})
        found = outcomes(replace(portfolio, budgets=budgets), planned)
        assert dict(found.budgets)["budget.teams.nlp"] == share


def one_job(*modes: Mode, deadline: int, deviation: float, closed: slice = slice(0)) -> Portfolio:
    """A job of a phase for each mode on a pool of one node, some days of which it is away."""
    nodes = np.ones(200, dtype=np.int64)
    nodes[closed] = 0
    pool = Pool("own", 8, nodes, (Decimal(1),) * 200)
    phases = tuple(JobPhase(f"phase {number}", (mode,)) for number, mode in enumerate(modes))
    job = PortfolioJob("job", "team", phases, 0, deadline, None, None, (), log_deviation=deviation)
    return Portfolio("one job", date(2027, 1, 1), 200, (pool,), (job,))


def test_a_time_that_is_kept_with_a_confidence_is_kept_that_often() -> None:
    """A job that blocks e^(z·σ) times its expected 100 days, z that of 90 %, ends by its last planned day in 90 %."""
    kept = 2400 * exp(1.2816 * 0.2)
    mode = Mode(0, 1, kept, 2400, reserve_hours=kept - 2400)
    portfolio = one_job(mode, deadline=mode.days - 1, deviation=0.2)
    found = replayed(portfolio, Schedule(((PhaseStart(0, 0),),)), 1000, 0.0)
    assert found.deadlines[0] == pytest.approx(0.9, abs=0.03)
    assert found.money[1] == pytest.approx(2400, rel=0.03)


def test_a_job_that_slips_into_a_closed_window_is_to_blame_itself() -> None:
    """Nobody else holds the nodes: what made it late is its own slip."""
    modes = (Mode(0, 1, 240, 240), Mode(0, 1, 240, 240))
    portfolio = one_job(*modes, deadline=25, deviation=0.3, closed=slice(22, 40))
    found = replayed(portfolio, Schedule(((PhaseStart(0, 0), PhaseStart(0, 11)),)), 200, 0.0)
    assert 0 < found.deadlines[0] < 1
    assert [name for name, _ in found.causes[0]] == ["job"]
