"""The story of docs/own-runs.md: a wide range, a test worth its money, three steps, another decision, and the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.launch.job import jobs_of
from planner.launch.run_data import run_data
from planner.plans.document import PlanDocument

STORY = Path(__file__).resolve().parents[2] / "problems" / "own_runs"


def answered(*arguments: str | Path) -> dict[str, Any]:
    """What a command prints as JSON."""
    found = CliRunner().invoke(main, [*(str(one) for one in arguments), "--json"])
    assert found.exit_code == 0, found.output
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def width(document: dict[str, Any]) -> float:
    """Upper over lower end of a plan's range."""
    low, high = document["estimate"]["wall_seconds"]
    return float(high / low)


@pytest.mark.slow
def step_alone(plan: Path, ours: Path, folder: Path) -> float:
    """Seconds of a step of a plan's layout as `plan estimate` says them by own runs."""
    (job,) = jobs_of(PlanDocument.read(plan), str(plan))
    run = folder / "run.yaml"
    run.write_text(json.dumps({"schema": "run/1", **run_data(job)}), encoding="utf-8")
    return float(answered("estimate", run, "--calibration", ours)["phase"]["step_seconds"])


def test_own_runs_change_the_decision(tmp_path: Path) -> None:
    """Three measured steps narrow the plan's range and turn the choice of accelerator; track then finds it late."""
    ours, plan = tmp_path / "ours.toml", tmp_path / "plan.json"
    before = answered("solve", STORY / "problem.yaml")
    assert before["plan"]["accelerator"] == "H100-80GB-SXM5"
    assert before["alternatives"][0]["within_error"]
    assert answered("probe", STORY / "problem.yaml")["probes"][0]["is_worth_its_money"]
    assert len(answered("learn", STORY / "measured.csv", "--out", ours)["runs"]) == 3
    after = answered("solve", STORY / "problem.yaml", "--calibration", ours, "--out", plan)
    assert after["plan"]["accelerator"] == "A100-80GB-SXM4"
    assert width(after) - 1 < 0.75 * (width(before) - 1)
    assert step_alone(plan, ours, tmp_path) == pytest.approx(after["plan"]["phases"][0]["step_seconds"])
    run = answered("track", plan, STORY / "steps.csv")
    assert run["steps_done"] / run["steps"] > 0.49
    assert not run["holds"]
    assert run["rest"]["relaxations"]
