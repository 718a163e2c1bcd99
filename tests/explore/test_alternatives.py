"""Alternatives differ in kind, stay within the margin, and none is missing that brute force finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from negotiated_problems import generated

from planner.cli import main
from planner.explore.alternatives import kind_of, kinds
from planner.explore.answer import answer
from planner.plans.objective import objective_value

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40_000, 40_030))
def test_alternatives_are_of_different_kinds_within_the_margin(seed: int) -> None:
    """The first is the optimum; every accelerator whose best plan is within the margin is among them."""
    problem = generated(seed)
    plans, found = kinds(problem, 0.3), answer(problem)
    assert bool(plans) == bool(found.plan)
    if not plans:
        return
    values = [objective_value(problem.objective, one) for one in plans]
    assert values[0] == pytest.approx(found.value, rel=2e-4, abs=0.05)
    assert values == sorted(values)
    assert values[-1] <= values[0] * 1.3 + 0.05
    assert len({kind_of(one) for one in plans}) == len(plans)
    near = {
        one.accelerator
        for one in found.alternatives
        if one.plan and objective_value(problem.objective, one.plan) < values[0] * 1.299
    }
    assert near <= {one.accelerator for one in plans}


@pytest.mark.slow
def test_command() -> None:
    """Text and JSON show the same plans; a problem without one ends with 3, tokens with 2."""
    run = CliRunner()
    text = run.invoke(main, ["alternatives", DEEPSEEK, "--within", "20%"])
    document = run.invoke(main, ["alternatives", DEEPSEEK, "--within", "20%", "--json"])
    found = json.loads(document.stdout)["alternatives"]
    assert found[0]["worse"] == 0
    lines = [line for line in text.stdout.splitlines() if not line.startswith("In every row: ")]
    assert len(lines) == len(found) + 1
    assert run.invoke(main, ["alternatives", DEEPSEEK, "--set", "limits.gpus=8"]).exit_code == 3
    assert run.invoke(main, ["alternatives", DEEPSEEK, "--set", "objective=tokens"]).exit_code == 2
