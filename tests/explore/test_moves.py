"""Phases in several places: a plan that moves says where each phase runs, what it carries, and what that costs."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.catalog.egress import USUAL, egress_of
from planner.cli import main
from planner.explore.answer import Answer, answer
from planner.plans.solution import Status
from planner.problem.problem import load_problem
from planner.verify.check import violations

PROBLEM = """
schema: plan/1
model: llama3.1-8b
training:
  phases:
    - {name: pretrain, tokens: 200B, sequence_length: 8192, global_batch: 512}
    - {name: extend, tokens: 20B, sequence_length: 131072, global_batch: 64}
market:
  clouds: []
  moving: {bandwidth: 10 Gb/s, egress: $0.05/GB}
  offers:
    - {name: old, accelerator: A100-80GB-SXM4, nodes: 4, on_demand: $0.60/GPU-h}
    - {name: new, accelerator: H200-141GB, nodes: 4, on_demand: $3.20/GPU-h}
limits: {deadline: 18d}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The problem as a file."""
    path = tmp_path / "problem.yaml"
    path.write_text(PROBLEM, encoding="utf-8")
    return path


@cache
def solved(path: Path, *sets: str) -> Answer:
    """The answer with some keys set."""
    return answer(load_problem(path, sets))


def test_moving_saves_and_is_proven(file: Path) -> None:
    """The long phase stays where it is cheap, the other moves; both methods agree, and the plan holds."""
    free, together = solved(file), solved(file, "market.together=true")
    assert free.status is together.status is Status.OPTIMAL
    assert free.plan is not None
    assert together.plan is not None
    assert free.plan.cost_usd < together.plan.cost_usd
    assert len(free.plan.stays) == 2
    assert len(together.plan.stays) == 1
    assert not violations(free.problem, free.plan)


def test_a_move_carries_checkpoint_and_data(file: Path) -> None:
    """Seconds and dollars are bytes over the bandwidth and at the price, and part of the plan's time and bill."""
    plan = solved(file).plan
    assert plan is not None
    (move,) = plan.moves
    assert move.phase == "extend"
    assert move.move.bytes > 4 * 20e9
    assert move.cost_usd == round(Decimal(move.move.bytes) / 10**9 * Decimal("0.05"), 2)
    assert move.wall_seconds > move.move.bytes / 1.25e9
    assert plan.wall_seconds == pytest.approx(sum(one.wall_seconds for one in plan.phases) + move.wall_seconds)
    assert plan.cost_usd == sum(one.cost_usd for one in plan.purchases) + move.cost_usd


def test_prices_for_data_out_have_sources() -> None:
    """A cloud's own price has a source and a date; one that nobody published is taken to be the usual one."""
    assert egress_of("aws").usd_per_gb == pytest.approx(0.09)
    assert egress_of("lambda").usd_per_gb == 0
    assert egress_of("nebius").cloud == USUAL
    assert egress_of("nebius").confidence == "C"


def test_dear_or_slow_moves_keep_a_job_together(file: Path) -> None:
    """Where moving takes longer than it saves, nothing moves, and the answer is the one that stays."""
    stays = solved(file, "market.moving.bandwidth=100 kb/s")
    assert stays.plan is not None
    together = solved(file, "market.together=true").plan
    assert together is not None
    assert stays.plan.cost_usd == together.cost_usd
    assert not stays.plan.moves


def test_document_and_text_say_where_each_phase_runs(file: Path, tmp_path: Path) -> None:
    """Each phase has its accelerator and placement; the plan's are those of the phase with most device-hours."""
    out = tmp_path / "answer.json"
    done = CliRunner().invoke(main, ["solve", str(file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "moving from" in done.output
    document = json.loads(out.read_text("utf-8"))
    plan = document["plan"]
    assumed = {one["name"]: one for one in document["assumed"]}
    assert assumed["egress before extend"]["value"] == "$0.05/GB leaving own nodes"
    assert assumed["egress before extend"]["stated"]
    assert len({phase["accelerator"] for phase in plan["phases"]}) == 2
    assert {phase["placement"]["instance_type"] for phase in plan["phases"]} == {"old", "new"}
    longest = max(plan["phases"], key=lambda phase: phase["gpus"] * phase["wall_seconds"])
    assert plan["accelerator"] == longest["accelerator"]
    (move,) = plan["moves"]
    bill = sum(Decimal(one["cost_usd"]) for one in plan["purchases"]) + Decimal(move["cost_usd"])
    assert bill == Decimal(plan["cost_usd"])


def test_moving_plans_are_not_replayed_as_if_they_stayed(file: Path, tmp_path: Path) -> None:
    """A replay, which stays in one place, refuses a plan that moves and says what to do."""
    out = tmp_path / "answer.json"
    runner = CliRunner()
    runner.invoke(main, ["solve", str(file), "--out", str(out)])
    done = runner.invoke(main, ["replay", str(out)])
    assert done.exit_code == 2
    assert "market.together: true" in done.output + done.stderr
