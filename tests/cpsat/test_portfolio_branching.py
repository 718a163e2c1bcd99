"""Branch and price: its bound is never above the best schedule, and reaches it where the relaxation alone does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from batches import later
from enumerated_schedules import best_value_by_enumeration

from planner.clock import Clock
from planner.cpsat.portfolio_bound import PortfolioBound, relaxed
from planner.cpsat.portfolio_branching import Branching
from planner.portfolio.compile import earliest_starts
from planner.portfolio.instance import Portfolio
from planner.portfolio.tables import tables_of

sys.path.append(str(Path(__file__).parents[1] / "portfolio"))
from small_portfolios import tiny

MISSING_USD = 1e6


def bounds(portfolio: Portfolio, cutoff: float) -> tuple[PortfolioBound, float]:
    """The relaxation, and the bound of branch and price that looks no further than a value."""
    tables = tables_of(portfolio, earliest_starts(portfolio))
    root = relaxed(portfolio, tables, Clock(), missing_usd=MISSING_USD)
    branching = Branching(
        portfolio=portfolio,
        tables=tables,
        clock=Clock(),
        cutoff=lambda: cutoff,
        found=lambda _: None,
        told=lambda _: None,
        missing_usd=MISSING_USD,
    )
    return root, branching.search(root)


@pytest.mark.parametrize("seed", [102, 103, 105, 112, 123])
def test_branching_reaches_the_best_schedule(seed: int) -> None:
    """With a cutoff above the best schedule the bound ends at it or below, and above that of the relaxation."""
    portfolio = tiny(seed, commits=True, days=8, jobs=2)
    best = best_value_by_enumeration(portfolio)
    assert best is not None
    root, bound = bounds(portfolio, 1.5 * best + 10)
    assert bound <= best + 0.02
    assert bound > root.bound + 1
    assert bounds(portfolio, best)[1] == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize("seed", later(2000, 2015, 2060))
def test_no_bound_is_above_the_best_schedule(seed: int) -> None:
    """The same of sixty others, some of them without commitments."""
    portfolio = tiny(seed, commits=seed % 2 == 0, days=8, jobs=2 + seed % 2)
    best = best_value_by_enumeration(portfolio)
    if best is not None:
        assert bounds(portfolio, 1.5 * best + 10)[1] <= best + 0.02
