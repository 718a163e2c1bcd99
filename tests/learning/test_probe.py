"""Which test `plan probe` advises: its value against simulation, and that no test is an answer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.explore.answer import Answer, answer
from planner.learning.probe import _gain, _test_run, _with_own_runs, probes
from planner.problem.problem import Problem, load_problem

PROBLEM = """\
schema: plan/1
model: llama3.1-8b
training:
  phases: [{tokens: 2T, sequence_length: 8192, global_batch: 512}]
market:
  clouds: []
  offers:
    - {name: first, accelerator: H100-80GB-SXM5, nodes: 32, on_demand: $2.50/GPU-h}
    - {name: second, accelerator: H200-141GB-SXM, nodes: 32, on_demand: {price}/GPU-h}
"""


def problem(folder: Path, price: str) -> Problem:
    """A choice between two accelerators, of which the second has this price."""
    path = folder / "problem.yaml"
    path.write_text(PROBLEM.replace("{price}", price), encoding="utf-8")
    return load_problem(path)


@pytest.fixture(name="tied")
def fixture_tied(tmp_path: Path) -> Answer:
    """Two accelerators that cost about as much."""
    return answer(problem(tmp_path, "$2.65"))


def test_the_value_of_a_test_is_what_simulation_finds(tied: Answer) -> None:
    """Chance and saving are those of choosing anew after draws of what the test may show."""
    best, rival = tied.plan, tied.alternatives[0].plan
    assert best is not None
    assert rival is not None
    before = tied.choices.workload
    after = _with_own_runs(before, (_test_run(before, best, 1),))
    change, saved = _gain(before, after, best, rival)
    ratio = math.log(float(rival.cost_usd) / float(best.cost_usd))
    assert 0 < change <= 0.5
    moved = -ratio / _quantile(change)
    drawn = ratio + moved * np.random.default_rng(1).standard_normal(400_000)
    assert np.mean(drawn < 0) == pytest.approx(change, abs=0.005)
    assert float(best.cost_usd) * np.mean(np.maximum(-drawn, 0)) == pytest.approx(saved, rel=0.03)


def _quantile(probability: float) -> float:
    """Where a standard normal variable stays below with a probability, by halving."""
    low, high = -9.0, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        below = 0.5 * math.erfc(-middle / math.sqrt(2))
        low, high = (middle, high) if below < probability else (low, middle)
    return high


def test_the_best_test_is_worth_its_money_where_plans_are_tied(tied: Answer) -> None:
    """A cheap test between two equal plans is advised; it narrows the range; a bound on its price is kept."""
    found = probes(tied, nodes=1, hours=2, budget_usd=None)
    assert found[0].worth_usd > 0
    assert all(0 < one.width < 1 for one in found)
    assert [one.worth_usd for one in found] == sorted((one.worth_usd for one in found), reverse=True)
    dearest = max(one.usd for one in found)
    assert all(one.usd < dearest for one in probes(tied, nodes=1, hours=2, budget_usd=dearest - 0.01))


def test_no_test_is_an_answer(tmp_path: Path) -> None:
    """Where the other accelerator is far dearer, no test is worth its money."""
    path = tmp_path / "clear.yaml"
    path.write_text(PROBLEM.replace("{price}", "$25"), encoding="utf-8")
    found = CliRunner().invoke(main, ["probe", str(path), "--json"])
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert document["advice"].startswith("No test is worth its money")
    assert not any(one["is_worth_its_money"] for one in document["probes"])


def test_probe_tells_its_advice(tmp_path: Path) -> None:
    """The text ends with which test to make and what to do with it."""
    path = tmp_path / "tied.yaml"
    path.write_text(PROBLEM.replace("{price}", "$2.65"), encoding="utf-8")
    found = CliRunner().invoke(main, ["probe", str(path), "--nodes", "1", "--hours", "2"])
    assert found.exit_code == 0, found.output
    assert "then plan learn" in " ".join(found.stdout.split())
