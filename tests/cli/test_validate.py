"""`plan validate` on files of one's own: what it prints, and what it answers to bad input."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.catalog.calibration import load_calibration
from planner.cli import main
from planner.validation.calibrate import calibration_toml
from planner.validation.metrics import MEMORIES, NOT_GIVEN, TIMES
from planner.validation.published import builtin_runs, read_published

HEADER = (
    "id,framework,date,model,gpu,n_gpus,tp,pp,dp,seq,micro_batch,global_batch,recompute,precision,metric,value,notes\n"
)
RUN = "Megatron-LM,2025-06,llama3.1-8b,H100-SXM-80GB,64,2,1,32,8192,1,128,none,bf16"
GOOD = HEADER + "".join(
    (
        f"ours-0001/step_time,{RUN},step_time,3.2,\n",
        f"ours-0001/mem_peak_gb,{RUN},mem_peak_gb,55,\n",
        f"ours-0001/gpu_hours,{RUN},gpu_hours,1000,\n",
        f"ours-0002/mfu,{RUN.replace('llama3.1-8b', 'mixtral-8x7b')},mfu,0.35,\n",
        f"ours-0003/tokens_per_s_per_gpu,{RUN.replace('H100-SXM-80GB', 'abacus')},tokens_per_s_per_gpu,9000,\n",
    )
)
ROW_KEYS = {"id", "metric", "measured", "predicted", "error", "skipped"}
SUMMARY_KEYS = {"configs", "median_ape", "mean_ape", "bias", "within_10", "within_20"}


def run(*arguments: str) -> Result:
    """What `plan validate` does."""
    return CliRunner().invoke(main, ["validate", *arguments])


def written(folder: Path, content: str | bytes) -> str:
    """The path of a file with that content."""
    path = folder / "runs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def document(path: str, *arguments: str) -> dict[str, Any]:
    """The JSON that it prints, without anything that JSON does not know."""
    result = run(path, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout, parse_constant=pytest.fail)
    return parsed


def test_json_keeps_its_contract(tmp_path: Path) -> None:
    """Version, a row per row of the file, and the summary of step time, memory and sources."""
    found = document(written(tmp_path, GOOD))
    assert found["format_version"] == 1
    assert [row["id"] for row in found["rows"]] == [line.split(",")[0] for line in GOOD.splitlines()[1:]]
    assert all(row.keys() >= ROW_KEYS for row in found["rows"])
    summary = found["summary"]
    assert summary.keys() >= {"step_time", "memory", "by_source"}
    assert summary["step_time"].keys() == summary["memory"].keys() == SUMMARY_KEYS
    assert summary["by_source"].keys() == {"ours"}
    assert "leave_one_source_out" not in summary


def test_rows_are_in_their_own_metric(tmp_path: Path) -> None:
    """Seconds, gigabytes and shares as measured; the error is their ratio; reasons where there is no prediction."""
    by_id = {row["id"]: row for row in document(written(tmp_path, GOOD))["rows"]}
    for name, measured in (("ours-0001/step_time", 3.2), ("ours-0001/mem_peak_gb", 55), ("ours-0002/mfu", 0.35)):
        row = by_id[name]
        assert row["measured"] == measured
        assert measured / 3 < row["predicted"] < measured * 3
        assert row["error"] == pytest.approx(row["predicted"] / measured - 1)
        assert row["skipped"] is None
    assert by_id["ours-0001/gpu_hours"]["skipped"] == "a layout does not give gpu_hours"
    assert "unknown accelerator 'abacus'" in by_id["ours-0003/tokens_per_s_per_gpu"]["skipped"]
    assert by_id["ours-0003/tokens_per_s_per_gpu"]["predicted"] is None


def test_one_vote_per_configuration(tmp_path: Path) -> None:
    """Two of the three configurations have a step time; the third is counted with its reason."""
    summary = document(written(tmp_path, GOOD))["summary"]
    assert summary["step_time"]["configs"] == 2
    assert {kind: one["configs"] for kind, one in summary["step_time_by_kind"].items()} == {"dense": 1, "moe": 1}
    assert summary["memory"]["configs"] == 1
    assert sum(summary["skipped"].values()) == 1


def test_text_for_people(tmp_path: Path) -> None:
    """Tables of errors by kind and source, the worst rows, and why a configuration was left out."""
    result = run(written(tmp_path, GOOD))
    assert result.exit_code == 0
    for words in ("step time", "memory", "by source", "ours", "Worst rows", "ours-0002/mfu", "unknown accelerator"):
        assert words in result.stdout
    assert "Leave one source out" not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.splitlines()[-1], "unknown accelerator 'abacus'"),
        (f"ours-0004/mfu_pct,{RUN},mfu_pct,42,", "metric 'mfu_pct' is not known; known: step_time, tokens_per_s_per"),
        (f"ours-0005/gpu_hours,{RUN},gpu_hours,1000,", "a layout does not give gpu_hours"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_file_without_any_prediction(tmp_path: Path, row: str, reason: str, form: tuple[str, ...]) -> None:
    """Exit code 2 with the reason and its line, and no empty tables."""
    result = run(written(tmp_path, f"{HEADER}{row}\n"), *form)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"runs.csv:2: nothing can be predicted: {reason}" in result.stderr


def test_metrics_that_are_not_known_are_said(tmp_path: Path) -> None:
    """Beside rows that are predicted, they are counted with the names that are known."""
    path = written(tmp_path, f"{GOOD}ours-0001/mfu_pct,{RUN},mfu_pct,42,\n")
    (unknown,) = [reason for reason in document(path)["summary"]["skipped_rows"] if "mfu_pct" in reason]
    assert unknown.startswith("metric 'mfu_pct' is not known; known: step_time, ")
    assert "metric 'mfu_pct' is not known" in run(path).stdout


def test_help_and_the_published_runs_know_the_same_metrics() -> None:
    """The help has every metric that is predicted, and each metric of the catalog's runs is known."""
    help_text = run("--help").stdout
    assert all(metric in help_text for metric in (*TIMES, *MEMORIES))
    assert {row.metric for row in read_published(builtin_runs())} == {*TIMES, *MEMORIES} | NOT_GIVEN


@pytest.mark.parametrize(("value", "fix"), [("42", "0.42"), ("42%", "0.42"), ("0.5 %", "0.005"), ("4200", "from 0 to")])
def test_shares_in_per_cent_are_refused(tmp_path: Path, value: str, fix: str) -> None:
    """A utilisation is a fraction; one in per cent is answered with the fraction to write."""
    result = run(written(tmp_path, GOOD.replace("mfu,0.35", f"mfu,{value}")))
    assert result.exit_code == 2
    assert f"value: {value}, but mfu is a fraction" in result.stderr
    assert "fix: write" in result.stderr
    assert fix in result.stderr


def test_excluded_rows_are_predicted_and_not_scored(tmp_path: Path) -> None:
    """A reason in the column `excluded` keeps a row out of the summary."""
    lines = GOOD.splitlines()
    content = "\n".join([lines[0] + ",excluded", lines[1] + ",warm-up", lines[4] + ","]) + "\n"
    found = document(written(tmp_path, content))
    assert found["rows"][0]["predicted"] > 0
    assert found["rows"][0]["excluded"] == "warm-up"
    assert (found["summary"]["step_time"]["configs"], found["summary"]["excluded"]) == (1, 1)


def test_another_calibration(tmp_path: Path) -> None:
    """A calibration file in place of the catalog's: a second more per step is a second more in every prediction."""
    calibration = load_calibration()
    slower = calibration.constants | {"step_seconds": calibration.constants["step_seconds"] + 1}
    path = tmp_path / "mine.toml"
    path.write_text(calibration_toml(calibration.model_copy(update={"constants": slower})))
    runs = written(tmp_path, GOOD)
    before, after = document(runs), document(runs, "--calibration", str(path))
    assert after["rows"][0]["predicted"] - before["rows"][0]["predicted"] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "columns are missing"),
        (HEADER, "no rows"),
        ("id,model\na,b\n", "columns are missing: gpu, metric, value"),
        (HEADER + "ours-0001/step_time,only,four,cells\n", "runs.csv:2: the row has more or fewer cells"),
        (GOOD.replace("3.2", "fast"), "runs.csv:2: value: 'fast' is not a number"),
        (GOOD.replace("3.2", "-3"), "runs.csv:2: value: -3 is out of range"),
        (GOOD.replace("3.2", "nan"), "runs.csv:2: value: nan is out of range"),
        (GOOD.replace("8192", "9e99"), "runs.csv:2: seq: 9e99 is out of range"),
        (GOOD.replace("64", "0"), "is out of range"),
        (GOOD.replace("ours", "\0"), "NUL"),
        (GOOD.encode().replace(b"ours", b"\xff"), "not UTF-8 text"),
        (GOOD + 'ours-0009/mfu,"open', "malformed CSV"),
    ],
)
def test_bad_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Exit code 2, nothing on stdout, and on stderr a line per mistake with its fix."""
    result = run(written(tmp_path, content))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert all(line.startswith(("error: ", "  fix: ")) for line in result.stderr.splitlines())


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A missing file and a folder are the user's to mend, for runs and for a calibration."""
    runs = written(tmp_path, GOOD)
    for arguments in (
        (str(tmp_path / "missing.csv"),),
        (str(tmp_path),),
        (runs, "--calibration", str(tmp_path / "missing.toml")),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")


CRUEL = ("0.5", "1", "3", "7", "1e-9", "1e-300", "1e9", "1e12", "1e18", "", "full", "FSDP", "(0 way)", "ETP=0", "LoRA")
"""Cells that no run ever had, most of them in range for the reader."""


@pytest.mark.slow
def test_mutated_runs_are_answered(tmp_path: Path) -> None:
    """Three hundred published rows with two cells replaced: each is predicted, skipped or refused, in plain JSON."""
    chance = random.Random(20260131)  # noqa: S311  (reproducible, not secret)
    with builtin_runs().open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    columns = list(published[0])
    changed = []
    for number, row in enumerate(chance.sample(published, 300)):
        cells = {column: chance.choice(CRUEL) for column in chance.sample(columns[1:], 2)}
        changed.append(row | cells | {"id": f"cruel-{number}/x"})
    for row in changed:
        out = io.StringIO()
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerow(row)
        result = run(written(tmp_path, out.getvalue()), "--json")
        assert result.exit_code in {0, 2}, (row, result.stderr)
        if result.exit_code == 0:
            json.loads(result.stdout, parse_constant=pytest.fail)
