"""A budget that holds with a probability: its optimum against every layout, against draws, and what it needs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.clock import Clock
from planner.errors import InputError
from planner.explore.promised_cost import best_promised, promised_usd
from planner.explore.room import Room
from planner.layouts.wall_time import TimedLayouts, run_moments
from planner.layouts.workload import workload_of
from planner.market.money import rates_per_second
from planner.market.placements import placements
from planner.market.purchase_options import STEADY
from planner.plans.plan_error import error_of, error_on
from planner.problem.problem import Problem, load_problem
from planner.simulate.planned import job_of_plan, plan_distribution
from planner.simulate.replay import replay
from planner.verify.oracle import _fastest

PROBLEM = """\
schema: plan/1
model: llama3.1-8b
training:
  phases: [{tokens: 600B, sequence_length: 8192, global_batch: 512}]
market:
  clouds: []
  offers:
    - {name: h100, accelerator: H100-80GB-SXM5, nodes: 16, on_demand: $2.50/GPU-h}
    - {name: a100, accelerator: A100-80GB-SXM4, nodes: 16, on_demand: $1.20/GPU-h}
limits: {gpus: 128, deadline: 60d, budget: $60k}
layout: {tensor: 1, pipeline: 1, context: 1}
"""


def problem(folder: Path, *sets: str) -> Problem:
    """The problem with overrides."""
    path = folder / "problem.yaml"
    path.write_text(PROBLEM, encoding="utf-8")
    return load_problem(path, sets)


def solved(folder: Path, *sets: str) -> dict[str, Any]:
    """What `plan solve --json` says."""
    problem(folder, *sets)
    options = [word for one in sets for word in ("--set", one)]
    found = CliRunner().invoke(main, ["solve", str(folder / "problem.yaml"), "--json", *options])
    assert found.exit_code in {0, 3}, found.output
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def best_by_enumeration(asked: Problem) -> float:
    """The best objective over every layout on demand whose cost keeps the budget as surely as is asked for."""
    workload, share = workload_of(asked), np.asarray(asked.risk.budget_confidence)
    (phase,) = workload.phases
    best = np.inf
    for place in placements(asked):
        machine = place.machine
        layouts = _fastest(asked, workload, phase, machine)
        for index in np.flatnonzero(layouts.nodes <= 128 // machine.per_node).tolist():
            at = [index]
            one = TimedLayouts(layouts.nodes[at], layouts.replicas[at], layouts.step_seconds[at])
            nodes = int(one.nodes[0])
            rates = rates_per_second(0, nodes, None, place.on_demand)
            found = run_moments(workload, machine.accelerator.name, one, STEADY, rates, steps=phase.steps, begins=True)
            error = error_on(workload, machine.accelerator, nodes * machine.per_node)
            kept = float(np.ravel(found.bill.quantile_uncertain(share, error))[0])
            wall, usd = float(found.delays.mean.ravel()[0]), float(found.usd.ravel()[0])
            if kept <= float(asked.limits.budget or 0) and wall <= (asked.limits.deadline or 0):
                best = min(best, wall if asked.objective == "time" else usd)
    return best


@pytest.mark.parametrize("objective", ["cost", "time"])
@pytest.mark.parametrize("share", ["60%", "90%"])
def test_the_choice_is_the_best_of_every_layout(tmp_path: Path, share: str, objective: str) -> None:
    """Enumerating every layout on every offer finds no better plan that keeps the budget as surely."""
    asked = problem(tmp_path, f"risk.budget_confidence={share}", f"objective={objective}")
    best = best_promised(Room(asked), Clock())
    assert best is not None
    assert best.kept_usd <= 60_000
    value = best.plan.wall_seconds if objective == "time" else float(best.plan.cost_usd)
    assert value == pytest.approx(best_by_enumeration(asked), rel=1e-3)


def test_a_promise_is_kept_by_as_many_draws(tmp_path: Path) -> None:
    """Replayed with drawn errors, the budget that is promised with 90 % holds in 90 % of the runs."""
    asked = problem(tmp_path, "risk.budget_confidence=90%")
    best = best_promised(Room(asked), Clock())
    assert best is not None
    workload = workload_of(asked)
    error, spread = error_of(workload, best.plan), plan_distribution(best.plan, asked)
    assert float(spread.usd.within_uncertain(np.asarray(best.kept_usd), error)) == pytest.approx(0.9, abs=0.01)
    job = replace(job_of_plan(best.plan, asked), error=error, budget_usd=best.kept_usd)
    outcome = replay(job, [job.policy], runs=4000, seed=1)[0]
    assert outcome.probability_within_budget == pytest.approx(0.9, abs=0.02)
    luck = asked.model_copy(update={"risk": asked.risk.model_copy(update={"counts": "luck"})})
    assert promised_usd(workload, luck, best.plan) < best.kept_usd


def test_the_answer_says_what_is_promised(tmp_path: Path) -> None:
    """A probability of keeping the budget is in the JSON beside the cost that is kept, and both agree."""
    sets = ("risk.budget_confidence=80%", "risk.confidence=80%", "objective=time")
    found = solved(tmp_path, *sets)
    plan = found["plan"]
    assert found["status"] == "optimal"
    assert plan["probability_within_budget"] >= 0.8
    assert plan["probability_in_time"] >= 0.8
    assert float(plan["cost_usd"]) < float(plan["promised_usd"]) <= 60_000
    assert plan["budget_confidence"] == 0.8


def test_without_a_plan_the_needed_budget_is_said(tmp_path: Path) -> None:
    """The budget that the answer asks for allows a plan, and a dollar less does not."""
    found = solved(tmp_path, "limits.budget=$45k", "risk.budget_confidence=95%")
    assert found["status"] == "infeasible"
    (needed,) = [one["to"] for one in found["relaxations"] if one["limit"] == "limits.budget"]
    assert solved(tmp_path, f"limits.budget=${float(needed):.0f}", "risk.budget_confidence=95%")["plan"]
    assert not solved(tmp_path, f"limits.budget=${float(needed) - 2:.0f}", "risk.budget_confidence=95%")["plan"]


@pytest.mark.parametrize(
    "sets",
    [
        ("limits.budget=null", "risk.budget_confidence=90%"),
        ("risk.budget_confidence=40%",),
        ("risk.budget_confidence=90%", "objective=tokens"),
        ("risk.budget_confidence=90%", "objective={cost, within: 1%, then: time}"),
    ],
)
def test_what_is_not_answered_is_refused(tmp_path: Path, sets: tuple[str, ...]) -> None:
    """Without a budget, below one half, and with objectives that it is not searched with, the key is refused."""
    with pytest.raises(InputError):
        problem(tmp_path, *sets)


@pytest.mark.parametrize("command", [("frontier",), ("alternatives",), ("probe",)])
def test_other_commands_refuse_what_they_would_ignore(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Commands that know no sure budget say so instead of leaving it out."""
    problem(tmp_path)
    asked = [*command, str(tmp_path / "problem.yaml"), "--set", "risk.budget_confidence=90%"]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 2
    assert "budget_confidence" in found.output
