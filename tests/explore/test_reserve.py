"""Cost against committed nodes: each term where the plan uses it, and no plan where its price alone is too much."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from planner.clock import Clock
from planner.explore.portfolio import Stop, solve_portfolio
from planner.explore.portfolio_negotiation import reserve
from planner.plans.solution import Status

sys.path.append(str(Path(__file__).parents[1] / "portfolio"))
from small_portfolios import year


@pytest.mark.slow
def test_a_term_is_shown_at_the_start_that_the_plan_commits_most_at() -> None:
    """Where only the second start pays its levels are compared, the plan's own among them, which costs least."""
    second = "{name: 3m, term: 91d, price: $0.05/GPU-h, most: 16, starts: [2027-01-01, 2027-04-01]}"
    held = ("jobs[moe].release=2027-04-02", "jobs[moe].pools=[cloud]", "jobs[base].pools=[own, late]")
    found = solve_portfolio(year(f"pools[cloud].commitments=[{second}]", *held), Stop(Clock(), gap=0.05))
    assert found.schedule is not None
    (bought,) = found.schedule.purchases
    rows = reserve(found, Clock.of(20.0))
    assert {row.start for row in rows} == {"2027-04-01"}
    best = min(rows, key=lambda row: row.answer.value or 1e12)
    assert best.nodes == bought.nodes


def test_commitments_beyond_the_budget_are_proven_to_have_no_plan() -> None:
    """Sixteen nodes at that price cost more than the whole budget."""
    found = solve_portfolio(year("pools[cloud].commitments[3m].price=$50/GPU-h"), Stop(Clock(), gap=0.05))
    rows = reserve(found, Clock.of(20.0))
    assert rows[-1].nodes == 16
    assert rows[-1].answer.status is Status.INFEASIBLE
