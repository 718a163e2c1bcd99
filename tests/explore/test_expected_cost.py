"""The robust choice: its expectation against draws, its optimum against every layout, and what it trades."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.clock import Clock
from planner.errors import InputError
from planner.explore.expected_cost import POINTS, expected_cost, least_expected
from planner.explore.room import Room
from planner.layouts.wall_time import TimedLayouts, run_moments
from planner.layouts.workload import workload_of
from planner.market.money import rates_per_second
from planner.market.placements import placements
from planner.market.purchase_options import STEADY
from planner.plans.plan_error import error_of, error_on
from planner.problem.problem import Problem, load_problem
from planner.simulate.planned import plan_distribution
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
limits: {gpus: 128, deadline: {at: 12d, late: {late}/day}}
layout: {tensor: 1, pipeline: 1, context: 1}
objective: expected cost
"""
RATES = ("$10", "$2k", "$200k")


def problem(folder: Path, late: str) -> Problem:
    """The problem with a cost of a late day."""
    path = folder / "problem.yaml"
    path.write_text(PROBLEM.replace("{late}", late), encoding="utf-8")
    return load_problem(path)


def solved(folder: Path, late: str) -> dict[str, Any]:
    """What `plan solve --json` says."""
    problem(folder, late)
    found = CliRunner().invoke(main, ["solve", str(folder / "problem.yaml"), "--json"])
    assert found.exit_code == 0, found.output
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def least_by_enumeration(asked: Problem) -> float:
    """The least expected cost over every layout that the program generates, each bought on demand."""
    workload, lateness = workload_of(asked), asked.limits.lateness
    assert lateness is not None
    (phase,) = workload.phases
    shares = (np.arange(POINTS) + 0.5) / POINTS
    least = np.inf
    for place in placements(asked):
        machine = place.machine
        layouts = _fastest(asked, workload, phase, machine)
        for index in np.flatnonzero(layouts.nodes <= 128 // machine.per_node).tolist():
            at = [index]
            one = TimedLayouts(layouts.nodes[at], layouts.replicas[at], layouts.step_seconds[at])
            nodes = int(one.nodes[0])
            rates = rates_per_second(0, nodes, None, place.on_demand)
            name = machine.accelerator.name
            found = run_moments(workload, name, one, STEADY, rates, steps=phase.steps, begins=True)
            times = found.delays.quantile(shares)
            factors = error_on(workload, machine.accelerator, nodes * machine.per_node).factors
            late = np.maximum(np.outer(times, factors) - lateness.at, 0).mean() / 86400
            least = min(least, float(found.usd.ravel()[0]) + float(late) * float(lateness.late))
    return float(least)


@pytest.mark.parametrize("late", RATES)
def test_the_choice_is_the_least_of_every_layout(tmp_path: Path, late: str) -> None:
    """Enumerating every layout on every offer finds no plan that costs less by expectation."""
    asked = problem(tmp_path, late)
    best, *_ = least_expected(Room(asked), Clock())
    assert best.usd == pytest.approx(least_by_enumeration(asked), rel=1e-3)


def test_an_expectation_is_what_draws_find(tmp_path: Path) -> None:
    """Probability and mean lateness are those of times drawn with failures and the estimate's error."""
    asked = problem(tmp_path, "$2k")
    room = Room(asked)
    best, *_ = least_expected(room, Clock())
    choices = room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    found = expected_cost(choices, best.plan)
    random = np.random.default_rng(1)
    times = plan_distribution(best.plan, asked).seconds.quantile(random.random(4000))
    drawn = times * random.choice(error_of(choices.workload, best.plan).factors, 4000)
    late = np.maximum(drawn - 12 * 86400, 0)
    assert found.late_probability == pytest.approx(float((late > 0).mean()), abs=0.03)
    assert found.late_seconds == pytest.approx(float(late.mean()), rel=0.1)


@pytest.mark.slow
def test_dearer_days_buy_a_surer_plan(tmp_path: Path) -> None:
    """The more a late day costs, the less likely the chosen plan is late, and the higher its bill."""
    chosen = [solved(tmp_path, late) for late in RATES]
    firsts = [one["expected_costs"][0] for one in chosen]
    late = [one["late_probability"] for one in firsts]
    bills = [float(one["cost_usd"]) for one in firsts]
    assert late == sorted(late, reverse=True)
    assert bills == sorted(bills)
    assert late[0] > 0.5 > late[-1]
    for one, first in zip(chosen, firsts, strict=True):
        assert one["status"] == "optimal"
        assert one["plan"]["cost_usd"] == first["cost_usd"]
        assert float(first["expected_usd"]) == pytest.approx(
            float(first["cost_usd"]) + float(first["late_usd"]), abs=0.02
        )
        assert one["plan"]["probability_in_time"] == pytest.approx(1 - first["late_probability"], abs=0.01)


@pytest.mark.parametrize(
    "command", [("frontier",), ("alternatives",), ("probe",), ("whatif", "--vary", "limits.gpus=64,128")]
)
def test_other_commands_refuse_what_they_would_ignore(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A question that knows no cost of being late says so, instead of an answer without it."""
    problem(tmp_path, "$2k")
    name, *options = command
    found = CliRunner().invoke(main, [name, str(tmp_path / "problem.yaml"), *options])
    assert found.exit_code == 2, found.output
    assert "cost of being late" in found.stderr


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("objective: expected cost", "objective: cost", "need each other"),
        ("{at: 12d, late: $2k/day}", "12d", "need each other"),
        ("late: $2k/day", "late: $2k", "is no cost of a day"),
        ("objective: expected cost", "objective: expected cost\nrisk: {confidence: 90%}", "requires limits.deadline"),
    ],
)
def test_half_a_robust_choice_is_refused(tmp_path: Path, before: str, after: str, told: str) -> None:
    """A cost of being late without its objective, the other way round, or beside a confidence says what to write."""
    path = tmp_path / "problem.yaml"
    path.write_text(PROBLEM.replace("{late}", "$2k").replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        load_problem(path)
