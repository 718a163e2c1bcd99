"""Answers of portfolios: as good as enumeration, bounds below plans, bills that add up, laws of more and less."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from batches import few
from enumerated_schedules import best_value_by_enumeration
from small_portfolios import tiny, year

from planner.clock import Clock
from planner.explore.portfolio import PortfolioAnswer, Stop, solve_portfolio
from planner.plans.solution import Status
from planner.portfolio.bill import bill_of
from planner.portfolio.instance import Portfolio, PortfolioJob
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule
from planner.portfolio.search import Found
from planner.verify.portfolio import FaultyScheduleError, check_schedule


def solved(portfolio: Portfolio, *, begin: PortfolioAnswer | None = None) -> PortfolioAnswer:
    """The answer without a limit on time."""
    return solve_portfolio(portfolio, Stop(Clock()), begin=begin)


def agrees_with_enumeration(portfolio: Portfolio) -> None:
    """Compares an answer with every schedule there is."""
    found, expected = solved(portfolio), best_value_by_enumeration(portfolio)
    if expected is None:
        assert found.schedule is None
        return
    assert found.value is not None
    assert found.bound <= expected + 0.02
    assert float(found.value) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("seed", few([2, 3, 0, 1, *range(4, 12)], 2))
def test_small_portfolios_agree_with_enumeration(seed: int) -> None:
    """The answer is the best of all schedules, and no bound is above it."""
    agrees_with_enumeration(tiny(seed))


@pytest.mark.parametrize("seed", range(100, 104))
def test_commitments_agree_with_enumeration(seed: int) -> None:
    """What to commit to is decided together with the schedule."""
    agrees_with_enumeration(tiny(seed, commits=True, days=8, jobs=2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_more_small_portfolios_agree_with_enumeration(seed: int) -> None:
    """The same of a hundred others."""
    agrees_with_enumeration(tiny(seed, commits=seed % 4 == 0, days=8 + seed % 3, jobs=2 + seed % 2))


def test_the_bill_adds_up_in_every_way() -> None:
    """Teams, quarters, pools and jobs each add up to the same cents, with what is unused on a line of its own."""
    found = solved(year())
    assert found.bill is not None
    total = found.bill.money_usd
    for key in ("team", "quarter", "pool", "job"):
        assert sum(found.bill.by(key).values(), Decimal(0)) == total
    assert total == total.quantize(Decimal("0.01"))


def test_unused_commitments_are_a_line_of_their_own() -> None:
    """A term is paid whole; what nobody uses is nobody's."""
    portfolio = year()
    dropped = Schedule(tuple(() if job.is_optional else _first(job) for job in portfolio.jobs))
    bill = bill_of(portfolio, replace(dropped, purchases=(CommittedNodes(2, 0, 3),)))
    term = portfolio.pools[2].commitments[0]
    assert bill.by("team")["",] == round(term.usd_per_node * 3, 2)
    assert bill.used_share == (0.0,)


def _first(job: PortfolioJob) -> tuple[PhaseStart, ...]:
    """Runs of the first mode of each phase, one after the other from the release on."""
    runs, day = [], job.release
    for phase in job.phases:
        runs.append(PhaseStart(0, day))
        day += phase.modes[0].days
    return tuple(runs)


def test_more_never_worsens_an_answer_that_starts_from_the_old_one() -> None:
    """More nodes, a later deadline, or a larger budget: never dearer."""
    portfolio = year()
    before = solved(portfolio)
    changes = (
        ["pools[own].nodes=9"],
        ["jobs[base].deadline=2027-06-30"],
        ["budget.total=$3M", "budget.quarters.Q1=$2M"],
    )
    for sets in changes:
        after = solved(year(*sets), begin=before)
        assert after.value is not None
        assert before.value is not None
        assert after.value <= before.value + Decimal("0.02")


@pytest.mark.slow
def test_order_and_names_change_no_bound() -> None:
    """Jobs in another order under other names have the same bound."""
    portfolio = tiny(3)
    backwards = list(range(len(portfolio.jobs)))[::-1]
    place = {old: new for new, old in enumerate(backwards)}
    jobs = tuple(
        replace(portfolio.jobs[old], name=f"other {old}", after=tuple(place[one] for one in portfolio.jobs[old].after))
        for old in backwards
    )
    assert solved(replace(portfolio, jobs=jobs)).bound == pytest.approx(solved(portfolio).bound, rel=1e-5)


def test_all_money_doubled_doubles_the_cost() -> None:
    """Prices, values and lateness twice as high give a plan twice as dear."""
    portfolio = tiny(8)
    pools = tuple(
        replace(one, usd_per_node_hour=tuple(2 * usd for usd in one.usd_per_node_hour)) for one in portfolio.pools
    )
    jobs = tuple(
        replace(
            one,
            value_usd=None if one.value_usd is None else 2 * one.value_usd,
            late_usd_per_day=None if one.late_usd_per_day is None else 2 * one.late_usd_per_day,
        )
        for one in portfolio.jobs
    )
    budgets = replace(portfolio.budgets, total=None if portfolio.budgets.total is None else 2 * portfolio.budgets.total)
    single, double = solved(portfolio), solved(replace(portfolio, pools=pools, jobs=jobs, budgets=budgets))
    assert single.value is not None
    assert double.value is not None
    assert float(double.value) == pytest.approx(2 * float(single.value), abs=0.05)


@pytest.mark.slow
def test_a_portfolio_that_cannot_be_is_proven_so() -> None:
    """Two jobs that need the same nodes on the same days have no plan, and that is proven."""
    sets = ["jobs[base].deadline=2027-02-21", "jobs[base].late=never", "jobs[base].release=2027-02-01"]
    portfolio = year(*sets, "jobs[moe].optional=false", "jobs[moe].value=null", "jobs[moe].deadline=2027-02-18")
    cloud = replace(portfolio.pools[2], nodes=np.where(np.arange(365) < 31, 0, 16))
    own = replace(portfolio.pools[0], nodes=np.full(365, 2))
    found = solved(replace(portfolio, pools=(own, portfolio.pools[1], cloud)))
    assert found.status is Status.INFEASIBLE


def test_a_faulty_schedule_does_not_pass() -> None:
    """The validator sees jobs that overlap, begin early, or are billed wrongly."""
    found = solved(year())
    assert found.schedule is not None
    assert found.bill is not None
    jobs = list(found.schedule.jobs)
    early = Schedule((jobs[0], tuple(replace(run, start=0) for run in jobs[1]), *jobs[2:]), found.schedule.purchases)
    with pytest.raises(FaultyScheduleError, match="before day"):
        check_schedule(found.portfolio, early, found.bill.money_usd, found.bill.value)
    with pytest.raises(FaultyScheduleError, match="the days add up to"):
        check_schedule(found.portfolio, found.schedule, found.bill.money_usd + 10, found.bill.value)


def test_the_same_seed_gives_the_same_answer() -> None:
    """A search that ends by itself ends with the same schedule."""
    assert solved(tiny(5)).schedule == solved(tiny(5)).schedule


def test_a_schedule_within_its_budgets_beats_a_cheaper_one_beyond_them() -> None:
    """What is beyond a budget by little is no plan, whatever it costs."""
    holds, beyond = Found(Schedule(()), 200.0, is_complete=True), Found(Schedule(()), 100.0, is_complete=False)
    assert holds.beats(beyond)
    assert not beyond.beats(holds)
    assert Found(Schedule(()), 199.0, is_complete=True).beats(holds)
