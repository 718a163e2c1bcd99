"""The research year in problems/: read, its training jobs evaluated, solved."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.clock import Clock
from planner.explore.answer import answer
from planner.explore.portfolio import Stop, solve_portfolio
from planner.plans.solution import Status
from planner.portfolio.compile import compiled
from planner.portfolio.file import load_portfolio
from planner.problem.problem import load_problem

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


@pytest.mark.slow
def test_a_job_keeps_its_own_uncertainty() -> None:
    """With risk.confidence a job blocks longer than it is expected to run and pays only what it is expected to."""
    portfolio = compiled(load_portfolio(YEAR))
    certain = next(job for job in portfolio.jobs if job.name == "base-70b")
    assert all(mode.hours > mode.paid_hours for mode in certain.phases[0].modes if mode.pool == 0)
    plain = next(job for job in portfolio.jobs if job.name == "base-7b")
    assert all(mode.hours == mode.paid_hours for mode in plain.phases[0].modes if mode.pool == 0)
    assert plain.log_deviation > 0


def test_a_job_is_reckoned_with_the_calibration_that_its_file_names(tmp_path: Path) -> None:
    """Own runs that took 1.2 times their estimates make a job's modes longer, and leave it less uncertain."""
    row = "ours/step_time,Megatron-LM,2025-06,llama2-7b,H100-SXM-80GB,16,2,1,8,4096,1,512,none,bf16,step_time,"
    runs, ours = tmp_path / "runs.csv", tmp_path / "ours.toml"
    runs.write_text(f"{HEADER}{row}19,\n", encoding="utf-8")
    assert CliRunner().invoke(main, ["learn", str(runs), "--out", str(ours)]).exit_code == 0
    (tmp_path / "alone.yaml").write_text(ALONE, encoding="utf-8")
    (tmp_path / "pool.yaml").write_text(POOL, encoding="utf-8")
    plain, own = (
        compiled(load_portfolio(tmp_path / "pool.yaml", sets)).jobs[0]
        for sets in ((), ("jobs[alone].set={calibration: ours.toml}",))
    )
    assert 0 < own.log_deviation < plain.log_deviation
    hours = [{mode.nodes: mode.hours for mode in job.phases[0].modes} for job in (plain, own)]
    assert all(1.05 < hours[1][nodes] / hours[0][nodes] < 2 for nodes in hours[0].keys() & hours[1].keys())


HEADER = (
    "id,framework,date,model,gpu,n_gpus,tp,pp,dp,seq,micro_batch,global_batch,recompute,precision,metric,value,notes\n"
)
ALONE = """\
schema: plan/1
model: llama2-7b
training:
  precision: bf16
  phases:
    - {name: pretrain, tokens: 300B, sequence_length: 4096, global_batch: 512}
    - {name: extend, tokens: 10B, sequence_length: 16384, global_batch: 128}
market:
  clouds: []
  offers: [{name: own, accelerator: H100-80GB-SXM5, network: 400 Gb/s, nodes: 16, on_demand: $2.00/GPU-h}]
limits: {deadline: 60d}
"""
"""One job on one pool, as plan solve reads it."""
POOL = """\
schema: plan-portfolio/1
calendar: {start: 2027-01-01, end: 2027-03-01}
pools: [{name: own, accelerator: H100-80GB-SXM5, network: 400 Gb/s, nodes: 16, price: $2.00/GPU-h}]
jobs: [{name: alone, file: alone.yaml}]
"""
"""The same as a portfolio."""


def test_one_job_on_one_pool_costs_what_plan_solve_says(tmp_path: Path) -> None:
    """A portfolio of one job on one on-demand pool has the plan of `plan solve`, to the cent."""
    (tmp_path / "alone.yaml").write_text(ALONE, encoding="utf-8")
    (tmp_path / "pool.yaml").write_text(POOL, encoding="utf-8")
    plan = answer(load_problem(tmp_path / "alone.yaml")).plan
    found = solve_portfolio(compiled(load_portfolio(tmp_path / "pool.yaml")), Stop(Clock()))
    assert plan is not None
    assert found.bill is not None
    assert found.status is Status.OPTIMAL
    assert found.bill.money_usd == round(plan.cost_usd, 2)
