"""The model as a file: named, with its units, and solved elsewhere to the same optimum."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from ortools.sat.cp_model_pb2 import CpModelProto

from planner.cli import main
from planner.cpsat.model import OPTIMAL, Model, SatParameters, SolverRun
from planner.plans.document import PlanDocument

PROBLEM = """
schema: plan/1
name: small
model: llama3.2-3b
training: {phases: [{tokens: 20B, sequence_length: 8192, global_batch: 256}]}
market:
  clouds: []
  offers: [{name: ours, accelerator: A100-40GB-SXM4, nodes: 4, on_demand: $1.5/GPU-h}]
limits: {deadline: 10d, memory_headroom: 30%}
"""


@pytest.mark.parametrize("ending", ["txt", "pb"])
def test_another_solver_finds_the_same_optimum(ending: str, tmp_path: Path) -> None:
    """CP-SAT reads the file back and proves what the answer says, in the unit that the model's name states."""
    problem, file, out = tmp_path / "problem.yaml", tmp_path / f"model.{ending}", tmp_path / "answer.json"
    problem.write_text(PROBLEM, encoding="utf-8")
    done = CliRunner().invoke(main, ["solve", str(problem), "--model", str(file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    model = read(file)
    search = SolverRun(model, SatParameters())
    assert search.run() == OPTIMAL
    usd = float(model.model_proto.name.split("cost $")[1].split(",")[0])
    objective = PlanDocument.read(out).objective
    assert search.response.objective_value * usd == pytest.approx(float(objective.value or 0), rel=1e-3)


def read(file: Path) -> Model:
    """The model in a file."""
    binary = file.suffix == ".pb"
    text = str(CpModelProto.FromString(file.read_bytes())) if binary else file.read_text("utf-8")
    model = Model()
    assert model.model_proto.parse_text_format(text)
    return model


def test_its_rules_have_the_names_of_the_problem_file(tmp_path: Path) -> None:
    """Limits, memory and the sums of the equations stand in the text by name."""
    problem, file = tmp_path / "problem.yaml", tmp_path / "model.txt"
    problem.write_text(PROBLEM, encoding="utf-8")
    CliRunner().invoke(main, ["solve", str(problem), "--model", str(file)])
    text = file.read_text("utf-8")
    for name in (
        "limits.deadline",
        "train: limits.memory_headroom",
        "train.memory",
        "train.step",
        "train.wall",
        "cost",
    ):
        assert f'name: "{name}"' in text


def test_another_ending_is_refused_before_the_search(tmp_path: Path) -> None:
    """A file that is neither text nor binary is an error of the user."""
    done = CliRunner().invoke(main, ["solve", str(tmp_path / "none.yaml"), "--model", "model.lp"])
    assert done.exit_code == 2
    assert ".textproto" in done.output + done.stderr
