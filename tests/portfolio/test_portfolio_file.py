"""Portfolio files: every mistake is refused with its place and a fix, and what is right becomes numbers by day."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from small_portfolios import YEAR, year, year_file

from planner.errors import InputError
from planner.portfolio.compile import compiled
from planner.portfolio.file import load_portfolio


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("jobs[ablation].after=[base]", "jobs wait for each other: ablation after base"),
        ("jobs[base].after=[moe]", "job base must be kept, but comes after moe, which may be dropped"),
        ("jobs[base].after=[nobody]", "no job is called 'nobody'"),
        ("jobs[base].team=other", "fits"),
        ("budget.teams.art=$1M", "no job is of team 'art'"),
        ("budget.quarters.Q2=$3M", "the quarters add up to"),
        ("budget.quarters.2031-Q1=$3", "quarter 2031-Q1 is not in the calendar"),
        ("jobs[moe].pools=[moon]", "no pool is called 'moon'"),
        ("jobs[moe].name=base", "two jobs are called 'base'"),
        ("pools[late].name=own", "two pools are called 'own'"),
        ("jobs[running].fixed.nodes=99", "fixed jobs take 99 nodes of own on 2027-01-01"),
        ("jobs[ablation].phases[all].modes[0].nodes=99", "fits"),
        ("jobs[base].phases[second].modes=[{pool: late, nodes: 5, duration: 10h}]", "job base fits no pool in phase"),
        ("pools[cloud].commitments[3m].starts=[2026-12-31]", "outside of the calendar"),
        ("pools[cloud].commitments[3m].lead=30d", "within its lead time"),
        ("pools[cloud].on_demand[1].from=2026-06-01", "fits"),
        (
            "pools[cloud].on_demand=[{from: 2027-07-01, price: $1/GPU-h}, {from: 2027-06-01, price: $2/GPU-h}]",
            "overlap",
        ),
        ("jobs[ablation].file=jobs/none.yaml", "needs a file or phases, one of the two"),
        ("jobs[moe].value=null", "optional job moe has no value"),
        ("jobs[base].release=2028-01-01", "release is after the calendar ends"),
        ("calendar.end=2026-01-01", "the calendar has"),
        ("pools[own].prise=$1/GPU-h", "unknown key"),
        ("pools[own].price=1", "does not say per what"),
        ("jobs[base].late=5", "is no cost of a day's lateness"),
    ],
)
def test_mistakes_are_refused_with_a_fix(change: str, message: str) -> None:
    """Each mistake names what is wrong and what to do; what fits is taken."""
    if message == "fits":
        compiled(year_file(change))
        return
    with pytest.raises(InputError) as caught:
        compiled(year_file(change))
    assert message in str(caught.value)
    assert all(issue.fix and issue.place for issue in caught.value.issues)


def test_a_deadline_before_the_fastest_mode_is_refused() -> None:
    """A mandatory job that cannot end in time is no matter of search."""
    with pytest.raises(InputError) as caught:
        compiled(year_file("jobs[base].deadline=2027-02-10", "jobs[base].late=never"))
    assert "cannot end before 2027-02-21" in str(caught.value)


def test_a_missing_job_file_is_refused(tmp_path: Path) -> None:
    """A job's file is found beside the portfolio and nowhere else."""
    path = tmp_path / "year.yaml"
    path.write_text(YEAR + "  - {name: new, file: ../elsewhere.yaml}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        compiled(load_portfolio(path))
    assert "is not beside the portfolio" in str(caught.value)
    path.write_text(YEAR + "  - {name: new, file: none.yaml}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        compiled(load_portfolio(path))
    assert f"{path}:39:" in str(caught.value)
    assert "no file none.yaml beside the portfolio" in str(caught.value)


def test_days_prices_and_closures_become_arrays() -> None:
    """Closed nodes are away from the first to the last day, and prices hold until the next period begins."""
    portfolio = year()
    own, late, cloud = portfolio.pools
    assert own.nodes[129] == 8
    assert list(own.nodes[130:137]) == [4] * 7
    assert own.nodes[137] == 8
    assert list(late.nodes[57:60]) == [0, 0, 4]
    assert cloud.usd_per_node_hour[180] == Decimal("44.00")
    assert cloud.usd_per_node_hour[181] == Decimal("38.00")
    assert [quarter.name for quarter in portfolio.quarters] == ["Q1", "Q2", "Q3", "Q4"]
    assert "pool late has no price: its hours cost $0" in portfolio.notes
    assert portfolio.jobs[1].phases[1].modes[1].days == 4


def test_a_large_file_is_read_quickly_by_the_other_parser_alike() -> None:
    """Beyond 64 kB libyaml reads the file, and the numbers are the same."""
    long = YEAR + "# " + "x" * 2**16 + "\n"
    assert year_file(text=long).model_dump() == year_file().model_dump()


def test_a_portfolio_may_be_larger_than_a_problem(tmp_path: Path) -> None:
    """Three hundred jobs with their modes take more than the mebibyte that one problem may."""
    path = tmp_path / "year.yaml"
    path.write_text(YEAR + "# " + "x" * 2**20 + "\n", encoding="utf-8")
    assert load_portfolio(path).name == "a year"
