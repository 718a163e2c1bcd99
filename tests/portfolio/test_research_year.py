"""The research year in problems/: read, its training jobs evaluated, solved."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.clock import Clock
from planner.explore.portfolio import Stop, solve_portfolio
from planner.portfolio.compile import compiled
from planner.portfolio.file import load_portfolio

YEAR = Path(__file__).resolve().parents[2] / "problems" / "portfolio" / "research_year.yaml"


@pytest.mark.slow
def test_the_research_year_is_solved_within_one_per_cent() -> None:
    """All six jobs of three teams fit the year and the budget, and the mixture of experts is worth its place."""
    portfolio = compiled(load_portfolio(YEAR))
    assert len(portfolio.jobs) == 6
    assert len(portfolio.teams) == 3
    found = solve_portfolio(portfolio, Stop(Clock(), gap=0.01))
    assert found.schedule is not None
    assert found.gap is not None
    assert found.gap <= 0.01
    assert all(found.schedule.jobs)


def test_a_job_keeps_its_own_uncertainty() -> None:
    """With risk.confidence a job blocks longer than it is expected to run and pays only what it is expected to."""
    portfolio = compiled(load_portfolio(YEAR))
    certain = next(job for job in portfolio.jobs if job.name == "base-70b")
    assert all(mode.hours > mode.paid_hours for mode in certain.phases[0].modes if mode.pool == 0)
    plain = next(job for job in portfolio.jobs if job.name == "base-7b")
    assert all(mode.hours == mode.paid_hours for mode in plain.phases[0].modes if mode.pool == 0)
    assert plain.log_deviation > 0
