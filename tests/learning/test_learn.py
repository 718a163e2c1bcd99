"""What is learned from own runs: whose error they reduce, which of them is named, and what bad input is answered."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from planner.catalog.calibration import load_calibration, read_calibration
from planner.catalog.own_runs import OwnRun
from planner.cli import main
from planner.learning.learn import AT_ODDS, learn, weighed
from planner.learning.measurements import Measurement, read_measurements

HEADER = (
    "id,framework,date,model,gpu,n_gpus,tp,pp,dp,seq,micro_batch,global_batch,recompute,precision,metric,value,notes\n"
)
SHAPE = "Megatron-LM,2025-06,llama3.1-8b,H100-SXM-80GB,64,2,1,32,8192,1,{batch},none,bf16"
RUN = """\
schema: run/1
model: llama3.1-8b
training: {precision: bf16, tokens: 1T, sequence_length: 8192, global_batch: 256}
cluster: {accelerator: H100-80GB-SXM5, gpus: 64}
layout: {tensor: 2}
"""


def csv(folder: Path, factors: list[float]) -> Path:
    """Runs whose steps take so many times their estimates."""
    rows = [f"ours-{i:04d}/step_time,{SHAPE.format(batch=128 * (i + 1))},step_time," for i in range(len(factors))]
    draft = folder / "draft.csv"
    draft.write_text(HEADER + "".join(f"{row}10,\n" for row in rows), encoding="utf-8")
    estimated = [10 / math.exp(run.log_ratio) for run in learned_runs(draft)]
    path = folder / "runs.csv"
    lines = (f"{row}{one * factor:.6g},\n" for row, one, factor in zip(rows, estimated, factors, strict=True))
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def measured(path: Path) -> tuple[Measurement, ...]:
    """What a file holds."""
    return read_measurements([path], [], load_calibration()).measurements


def learned_runs(path: Path) -> tuple[OwnRun, ...]:
    """The own runs of a file."""
    return learn(measured(path), load_calibration()).calibration.own_runs


def plan(*arguments: str | Path) -> Result:
    """What a command answers."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


def step_of(run: Path, *arguments: str | Path) -> tuple[float, float]:
    """Estimated seconds of a step, and the upper end of its range over the lower."""
    document = json.loads(plan("estimate", run, "--json", *arguments).stdout)
    low, high = document["interval"]["wall_seconds"]
    return document["phase"]["step_seconds"], high / low


def test_estimates_follow_own_runs(tmp_path: Path) -> None:
    """After four runs at 1.2 times their estimate, a like run is estimated as slower and its range is narrower."""
    ours, run = tmp_path / "ours.toml", tmp_path / "run.yaml"
    run.write_text(RUN, encoding="utf-8")
    assert plan("learn", csv(tmp_path, [1.2] * 4), "--out", ours).exit_code == 0
    before, wide = step_of(run)
    after, narrow = step_of(run, "--calibration", ours)
    assert 1.12 < after / before < 1.2
    assert narrow < wide


def test_a_file_may_name_its_calibration(tmp_path: Path) -> None:
    """`calibration: ours.toml` in a run file starts at its folder and answers as `--calibration` does."""
    ours, run = tmp_path / "ours.toml", tmp_path / "run.yaml"
    plan("learn", csv(tmp_path, [1.2] * 4), "--out", ours)
    run.write_text(RUN, encoding="utf-8")
    by_option = step_of(run, "--calibration", ours)
    run.write_text(RUN + "calibration: ours.toml\n", encoding="utf-8")
    assert step_of(run) == by_option
    assert "Learned from 4 own runs" in plan("estimate", run).stdout


def test_size_follows_own_runs(tmp_path: Path) -> None:
    """A team whose runs are slower than estimated gets a typical answer slower by as much, and the same bound."""
    ours = tmp_path / "ours.toml"
    plan("learn", csv(tmp_path, [1.2] * 4), "--out", ours)
    asked = ("size", "llama3.1-8b", "--tokens", "1T", "--gpus", "64", "--on", "H100-80GB-SXM5", "--json")
    before, after = (json.loads(plan(*asked, *more).stdout) for more in ((), ("--calibration", ours)))
    slower = after["typical"]["wall_seconds"] / before["typical"]["wall_seconds"]
    assert slower == pytest.approx(after["own_pace"])
    assert 1.12 < slower < 1.2
    assert after["bound"] == before["bound"]


def test_one_bad_row_is_named_and_costs_little(tmp_path: Path) -> None:
    """Of five runs one wildly wrong one is named by its line, and the pace is what the other four say."""
    alone = learn(measured(csv(tmp_path, [1.1] * 4)), load_calibration())
    lesson = learn(measured(csv(tmp_path, [1.1, 1.1, 1.1, 1.1, 3.5])), load_calibration())
    assert [run.name for run in lesson.at_odds] == [f"{tmp_path / 'runs.csv'}:6"]
    run = lesson.calibration.own_runs[0]
    assert lesson.posterior.log_pace(run) == pytest.approx(alone.posterior.log_pace(run), abs=0.02)


def test_runs_that_agree_count_in_full() -> None:
    """Runs that differ by less than runs do are all believed."""
    rng = np.random.default_rng(0)
    like = learned_run()
    runs = weighed([like.model_copy(update={"log_ratio": 0.1 + 0.05 * rng.standard_normal()}) for _ in range(30)])
    assert min(run.weight for run in runs) > AT_ODDS


def learned_run() -> OwnRun:
    """A run that was learned from."""
    return OwnRun(
        accelerator="H100",
        architecture="hopper",
        vendor="NVIDIA",
        hidden=4096,
        layers=32,
        gpus=8,
        experts=False,
        low_precision=False,
        adapters=False,
        name="runs.csv:2",
        log_ratio=0.1,
        weight=1.0,
        communication=0.05,
        host=0.05,
    )


def test_learning_goes_on(tmp_path: Path) -> None:
    """What was learned before is added to, not forgotten, and the constants of the calibration stay as they were."""
    first, both = tmp_path / "first.toml", tmp_path / "both.toml"
    runs = csv(tmp_path, [1.2, 1.2])
    plan("learn", runs, "--out", first)
    assert plan("learn", runs, "--calibration", first, "--out", both).exit_code == 0
    assert len(read_calibration(both).own_runs) == 4
    assert read_calibration(both).constants == pytest.approx(load_calibration().constants, rel=1e-5)


def test_a_run_file_says_what_it_measured(tmp_path: Path) -> None:
    """A run file's measured block, or a log given with it, is one run; its peak of memory moves the activations."""
    run, log = tmp_path / "run.yaml", tmp_path / "train.log"
    run.write_text(RUN + "measured: {step: 9s, peak_memory: 70 GiB}\n", encoding="utf-8")
    found = plan("learn", run, "--json")
    assert found.exit_code == 0, found.output
    names = [one["name"] for one in json.loads(found.stdout)["constants"]]
    assert "activations" in names
    log.write_text("iteration 3/ 9 | elapsed time per iteration (ms): 9000.0 |\n" * 9, encoding="utf-8")
    run.write_text(RUN, encoding="utf-8")
    by_log = json.loads(plan("learn", run, "--log", log, "--json").stdout)
    assert by_log["runs"][0]["measured_over_estimated"] == pytest.approx(
        json.loads(found.stdout)["runs"][0]["measured_over_estimated"]
    )


def test_rows_that_cannot_be_used_are_skipped(tmp_path: Path) -> None:
    """Each is told with its line and a fix on stderr, and the others are learned from."""
    good = csv(tmp_path, [1.0, 1.0]).read_text(encoding="utf-8")
    shape = SHAPE.format(batch=128)
    bad = (
        f"bad-1/step_time,{shape},step_time,0,\n"
        f"bad-2/step_time,{shape},step_time,fast,\n"
        f"bad-3/step_time,{shape},step_time,0.001,\n"
        f"bad-4/step_time,{shape.replace('H100-SXM-80GB', 'abacus')},step_time,3,\n"
        f"bad-5/x,{shape},gpu_hours,3,\n"
    )
    path = tmp_path / "mixed.csv"
    path.write_text(good + bad, encoding="utf-8")
    found = plan("learn", path, "--json")
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["runs"]) == 2
    assert all(f"mixed.csv:{line}" in found.stderr for line in (4, 5, 6, 7, 8))
    assert "MFU" in found.stderr
    assert found.stderr.count("fix:") == 5


@pytest.mark.parametrize(
    "content",
    ["", "id,model\n", HEADER, HEADER + "a-1/x,,,,,,,,,,,,,,mfu,0.3,\n"],
    ids=["empty", "columns", "none", "bare"],
)
def test_nothing_to_learn_from_is_refused(tmp_path: Path, content: str) -> None:
    """Exit code 2 and a line with the place when no row is left."""
    path = tmp_path / "runs.csv"
    path.write_text(content, encoding="utf-8")
    found = plan("learn", path)
    assert found.exit_code == 2, found.output
    assert "error:" in found.stderr


def test_a_run_file_without_a_measurement_is_refused(tmp_path: Path) -> None:
    """The answer says what to add."""
    run = tmp_path / "run.yaml"
    run.write_text(RUN, encoding="utf-8")
    found = plan("learn", run)
    assert found.exit_code == 2
    assert "measured: {step: 18.9s}" in found.stderr


def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path) -> None:
    """The run file's own key is named, whether the calibration is missing or something else."""
    run = tmp_path / "run.yaml"
    run.write_text(RUN + "calibration: none.toml\n", encoding="utf-8")
    found = plan("estimate", run)
    assert found.exit_code == 2
    assert "none.toml" in found.stderr
