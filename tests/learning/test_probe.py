"""Which test `plan probe` advises: its value against simulation, and that no test is an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from planner.catalog.models import find_model
from planner.cli import main
from planner.estimator.resolve import resolve
from planner.explore.answer import Answer, answer
from planner.launch.job import LaunchJob
from planner.learning.probe import _deviation, _gain, probes
from planner.learning.short_runs import plan_jobs, shallower, short_run
from planner.problem.problem import Problem, load_problem
from planner.problem.run import load_run
from planner.report.document.answer import answer_document

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

LARGE = """\
schema: plan/1
model: deepseek-v3
training:
  precision: bf16
  phases: [{tokens: 1T, sequence_length: 4096, global_batch: 4096}]
market:
  clouds: []
  offers: [{name: ours, accelerator: H800-80GB-SXM, nodes: 128, on_demand: $2/GPU-h}]
limits: {gpus: 1024}
layout: {tensor: 1, recompute: full}
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


def jobs(found: Answer) -> Mapping[str, LaunchJob]:
    """The longest phase on each accelerator."""
    return plan_jobs(answer_document(found), "the problem")


def test_the_value_of_a_test_is_what_simulation_finds(tied: Answer) -> None:
    """Chance, saving and the chance to be right are those of choosing anew after draws of what the test may show."""
    best, rival = tied.plan, tied.alternatives[0].plan
    assert best is not None
    assert rival is not None
    before = tied.choices.workload
    test = short_run(jobs(tied)[best.accelerator], 1, 2.0, before.calibration)
    assert test is not None
    after = replace(before, calibration=before.calibration.model_copy(update={"own_runs": (test.like,)}))
    gain = _gain(before, after, best, rival)
    ratio = math.log(float(rival.cost_usd) / float(best.cost_usd))
    assert 0 < gain.change_probability <= 0.5
    moved = -ratio / _quantile(gain.change_probability)
    random = np.random.default_rng(1)
    drawn = ratio + moved * random.standard_normal(400_000)
    assert np.mean(drawn < 0) == pytest.approx(gain.change_probability, abs=0.005)
    assert float(best.cost_usd) * np.mean(np.maximum(-drawn, 0)) == pytest.approx(gain.saved_usd, rel=0.03)
    real = drawn + _deviation(after, best, rival) * random.standard_normal(drawn.size)
    assert np.mean((drawn < 0) == (real < 0)) == pytest.approx(gain.right_probability, abs=0.005)


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
    of = jobs(tied)
    found = probes(tied, of, nodes=1, hours=2, budget_usd=None)
    assert found[0].worth_usd > 0
    assert all(0 < one.width < 1 for one in found)
    assert [one.worth_usd for one in found] == sorted((one.worth_usd for one in found), reverse=True)
    dearest = max(one.usd for one in found)
    assert all(one.usd < dearest for one in probes(tied, of, nodes=1, hours=2, budget_usd=dearest - 0.01))


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


def test_a_short_run_is_the_plan_on_few_nodes(tied: Answer) -> None:
    """It keeps micro-batch, recomputation and sharding, fills the nodes it has, and leaves more unknown on fewer."""
    plan = jobs(tied)[tied.plan.accelerator if tied.plan else ""]
    plan = replace(plan, gpus=8 * plan.gpus, nodes=8 * plan.nodes, data=8 * plan.data)
    found = short_run(plan, 2, 1.0, tied.choices.workload.calibration)
    assert found is not None
    job = found.job
    assert (job.gpus, job.nodes, found.layers) == (16, 2, found.all_layers)
    assert job.data * job.tensor * job.pipeline * job.context == job.gpus
    assert (job.micro_batch, job.recompute, job.zero) == (plan.micro_batch, plan.recompute, plan.zero)
    assert job.wall_seconds == pytest.approx(3600, rel=0.05)


def test_files_of_the_best_test_are_written_and_read(tmp_path: Path) -> None:
    """--out writes run files that `plan learn` takes once their step is added, and a launch file beside them."""
    path, out = tmp_path / "tied.yaml", tmp_path / "probe"
    path.write_text(PROBLEM.replace("{price}", "$2.65"), encoding="utf-8")
    found = CliRunner().invoke(main, ["probe", str(path), "--out", str(out), "--json"])
    assert found.exit_code == 0, found.output
    runs = sorted(out.glob("*.yaml"))
    assert len(runs) == len(json.loads(found.stdout)["probes"][0]["runs"])
    assert [one.name.rpartition(".megatron")[0] for one in sorted(out.glob("*.sh"))] == [one.stem for one in runs]
    for one in runs:
        with one.open("a", encoding="utf-8") as stream:
            stream.write("measured: {step: 30s}\n")
    learned = CliRunner().invoke(main, ["learn", *map(str, runs), "--json"])
    assert learned.exit_code == 0, learned.output
    assert len(json.loads(learned.stdout)["runs"]) == len(runs)


def test_a_model_that_does_not_fit_loses_depth(tmp_path: Path) -> None:
    """On one node a large mixture of experts runs with as many layers as fit, experts among them."""
    path = tmp_path / "large.yaml"
    path.write_text(LARGE, encoding="utf-8")
    found = answer(load_problem(path))
    (job,) = jobs(found).values()
    test = short_run(job, 1, 1.0, found.choices.workload.calibration)
    assert test is not None
    assert test.layers < test.all_layers
    run = tmp_path / "run.yaml"
    run.write_text(test.text, encoding="utf-8")
    model = resolve(load_run(run)).model
    assert (model.num_hidden_layers, model.hidden_size) == (test.layers, job.model.hidden_size)
    assert model.dense_layers < model.num_hidden_layers


def test_a_shallower_model_has_its_share_of_every_kind_of_layer() -> None:
    """Counts of hybrid layers shrink with the depth, dense layers in front of experts first."""
    model = find_model("deepseek-v3").model_copy(update={"attention_blocks": 16, "mixer_blocks": 45})
    found = shallower(model, 4)
    assert (found.num_hidden_layers, found.attention_blocks, found.mixer_blocks, found.dense_layers) == (4, 1, 3, 0)
