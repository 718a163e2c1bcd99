"""`plan estimate`: what it prints as text and as JSON, and what it answers to bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.catalog.calibration import load_calibration
from planner.catalog.known_runs import known_runs_of
from planner.cli import main
from planner.estimator.estimate import Estimate, ModelFigures
from planner.estimator.failures import Failures
from planner.estimator.price import HourlyPrice
from planner.estimator.remedies import Remedy
from planner.estimator.resolve import resolve
from planner.performance.memory_account import MemoryAccount
from planner.performance.predictive import NORMAL_80, STUDENT_80, Predictive
from planner.problem.run import load_run
from planner.report.console import print_report
from planner.report.estimate import estimate_tables

RUNS = Path(__file__).parents[2] / "problems" / "runs"
DEEPSEEK, LLAMA = RUNS / "deepseek-v3.yaml", RUNS / "llama3.1-405b.yaml"
GOLDEN = Path(__file__).parent / "golden"
RUN_PLAN = "import sys; from planner.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"

PHASE_KEYS = {
    *("name", "nodes", "gpus", "tensor", "pipeline", "context", "expert", "data", "virtual_pipeline"),
    *("micro_batch", "microbatches", "recompute", "zero", "precision"),
    *("step_seconds", "steps", "wall_seconds", "mfu", "memory", "time"),
}


def run(*arguments: str) -> Result:
    """What `plan estimate` does."""
    return CliRunner().invoke(main, ["estimate", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    """The JSON that it prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout, parse_constant=pytest.fail)
    return parsed


def example(path: Path) -> Estimate:
    """An estimate with round figures, so that what is printed does not move with the calibration."""
    subject = resolve(load_run(path))
    return Estimate(
        subject=subject,
        calibration=load_calibration(),
        work=ModelFigures(671.03e9, 37.55e9, 250.45e9, 257.6e9),
        time={"compute": 15.5, "recompute": 0.25, "tensor": 0.0, "expert": 0.5, "pipeline_bubble": 1.0, "data": 0.03},
        memory=MemoryAccount(
            weights=4.8,
            gradients=9.7,
            optimizer=3.9,
            activations=33.0,
            buffers=0.5,
            reserve=8.5,
            margin=7.0,
            limit=79.1,
            fit_probability=0.98,
        ),
        peak_flops_s=1979e12,
        error=Predictive(0.2 * NORMAL_80 / STUDENT_80),
        failures=Failures(0.97, 36.7, 2532.0, 600.0, 900.0, 1.03, "llama3-405b"),
        price=HourlyPrice(Decimal(2), "as stated"),
        known_runs=known_runs_of(subject.model, subject.accelerator),
        assumptions=(
            "A first sentence.",
            "Another one that is so long that it has to wrap in eighty columns, at least once.",
        ),
    )


def too_large(path: Path) -> Estimate:
    """The same without a price and over the limit."""
    remedies = (Remedy("layout.recompute={full_layers: 2}", 72.31, 1.08), Remedy("layout.recompute=full", 37.5, 1.3))
    memory = dataclasses.replace(example(path).memory, activations=66.0, reserve=7.5, margin=8.0, fit_probability=0.11)
    return dataclasses.replace(example(path), memory=memory, remedies=remedies, price=None, known_runs=())


EXAMPLES = {"fits": example(DEEPSEEK), "too_large": too_large(DEEPSEEK)}


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_text_is_as_recorded(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables and bars at two widths; `PLAN_RECORD=1 pytest` records what is printed now."""
    monkeypatch.setenv("COLUMNS", str(columns))
    print_report(*estimate_tables(EXAMPLES[name]))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    golden = GOLDEN / f"estimate_{name}_{columns}.txt"
    if os.environ.get("PLAN_RECORD"):
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == golden.read_text(encoding="utf-8").splitlines()


def test_the_json_has_the_keys_of_a_phase() -> None:
    """Every key that plans share, memory and time by part."""
    answer = document(str(DEEPSEEK))
    assert {"format_version", "phase", "wall_seconds", "gpu_hours", "cost_usd"} <= answer.keys()
    phase = answer["phase"]
    assert phase.keys() == PHASE_KEYS
    assert {"weights", "gradients", "optimizer", "activations", "other", "total", "limit"} <= phase["memory"].keys()
    assert {"compute", "tensor", "expert", "context", "pipeline_bubble", "data"} <= phase["time"].keys()


def test_the_json_agrees_with_itself() -> None:
    """Sums, products and units: seconds, GiB, hours, and dollars as text."""
    answer = document(str(DEEPSEEK))
    phase, memory = answer["phase"], answer["phase"]["memory"]
    parts = ("weights", "gradients", "optimizer", "activations", "other")
    assert memory["total"] == pytest.approx(sum(memory[part] for part in parts))
    assert phase["step_seconds"] == pytest.approx(sum(phase["time"].values()))
    assert phase["steps"] == 235_240
    assert answer["wall_seconds"] == phase["wall_seconds"] == pytest.approx(phase["steps"] * phase["step_seconds"])
    assert answer["gpu_hours"] == pytest.approx(answer["wall_seconds"] * 2048 / 3600)
    assert Decimal(answer["cost_usd"]) == pytest.approx(Decimal(2 * answer["gpu_hours"]), abs=Decimal("0.01"))
    low, high = answer["interval"]["gpu_hours"]
    assert low < answer["gpu_hours"] < high
    assert answer["published"][0]["gpu_hours"] == 2_664_000


def test_degrees_are_those_of_the_file() -> None:
    """With defaults filled in, and partial recompute as it was written."""
    phase = document(str(LLAMA), "--set", "layout.recompute={full_layers: 2}")["phase"]
    degrees = ("nodes", "gpus", "tensor", "pipeline", "context", "expert", "data", "virtual_pipeline", "microbatches")
    assert [phase[name] for name in degrees] == [2048, 16384, 8, 16, 1, 1, 128, 4, 16]
    assert phase["recompute"] == {"full_layers": 2}


def test_memory_that_does_not_fit_is_an_answer() -> None:
    """Exit 0: an estimate was asked for; `fits` says no and names what mends it."""
    result = run(str(LLAMA), "--set", "layout.micro_batch=16")
    assert result.exit_code == 0
    assert "It does not fit: " in result.stdout
    assert document(str(LLAMA), "--set", "layout.micro_batch=16")["phase"]["memory"]["fits"] is False


def test_out_writes_the_document(tmp_path: Path) -> None:
    """The same document as `--json`, beside the text."""
    path = tmp_path / "estimate.json"
    result = run(str(DEEPSEEK), "--out", str(path))
    assert result.stdout.startswith("DeepSeek-V3")
    assert json.loads(path.read_text(encoding="utf-8")) == document(str(DEEPSEEK))


def test_a_run_comes_from_standard_input() -> None:
    """`-` reads it there."""
    text = LLAMA.read_text(encoding="utf-8")
    result = CliRunner().invoke(main, ["estimate", "-"], input=text)
    assert result.exit_code == 0
    assert result.stdout == run(str(LLAMA)).stdout


@pytest.mark.parametrize(
    "sets",
    [
        ("training.tokens=1", "training.global_batch=128"),
        ("training.tokens=1000000T",),
        ("cluster.price=$0/GPU-h",),
        ("cluster.price=$1000000/GPU-h", "training.tokens=1000000T"),
        ("cluster.network=1 kb/s",),
        (
            "cluster.network=0 Gb/s",
            "cluster.gpus=8",
            "layout.tensor=8",
            "layout.pipeline=1",
            "layout.virtual_pipeline=1",
        ),
        ("cluster.gpus=8388608", "training.global_batch=65536"),
        ("training.sequence_length=100000000", "training.global_batch=128"),
    ],
)
def test_the_largest_and_smallest_runs_are_answered(sets: tuple[str, ...]) -> None:
    """No overflow, no infinity in JSON, no warning."""
    arguments = [part for one in sets for part in ("--set", one)]
    assert document(str(LLAMA), *arguments)["phase"]["step_seconds"] > 0
    assert run(str(LLAMA), *arguments).exit_code == 0


BAD = {
    "model=lama3.1-405b": ("unknown model 'lama3.1-405b'", "did you mean llama3.1-405b?"),
    "model=no/such/config.json": ("no/such/config.json", ""),
    "cluster.accelerator=H1000": ("unknown accelerator 'H1000'", "plan catalog accelerators"),
    "cluster.accelerator=A100-80GB": ("may be any of", "A100-80GB-SXM4"),
    "cluster.acelerator=H100": ("unknown key cluster.acelerator", "did you mean accelerator?"),
    "cluster.network=400": ("has no unit", "400 Gb/s"),
    "cluster.network=0 Gb/s": ("a network of 0 does not join 16,384 GPUs", "network: 400 Gb/s"),
    "cluster.price=$2": ("does not say per what", "$2.00/GPU-h"),
    "cluster.gpus=0": ("cluster.gpus", "gpus: "),
    "cluster.gpus=16383": ("does not divide cluster.gpus 16383", "write gpus: 16384"),
    "cluster.gpus=1e12": ("cluster.gpus", "gpus: "),
    "training.tokens=-1": ("must not be negative", "14.8T"),
    "training.tokens=1e30": ("beyond the largest", "check the unit"),
    "training.precision=fp7": ("training.precision", "did you mean fp"),
    "training.precision=fp4": ("H100-80GB-SXM5 has no fp4", "use one of"),
    "training.global_batch=100": ("does not divide global_batch 100", "write global_batch: 128"),
    "training.software.stack=megatrn": ("unknown software stack 'megatrn'", "did you mean megatron?"),
    "layout.tensor=7": ("= 112 does not divide cluster.gpus 16384", "write gpus: 16352"),
    "layout.tensor=256": ("tensor 256 does not divide the 128 attention heads", "use a degree that divides them"),
    "layout.pipeline=128": ("pipeline 128 has more stages than the 126 layers", "use at most 126 stages"),
    "layout.virtual_pipeline=9": ("is more than the 126 layers", "use at most 7"),
    "layout.expert=8": ("has no experts", "leave expert out"),
    "layout.zero=4": ("layout.zero", "zero: "),
    "layout.recompute=some": ("is not a recompute choice", "{full_layers: 4}"),
    "layout": ("not path=value", "--set"),
}


@pytest.mark.parametrize(("change", "told"), BAD.items(), ids=BAD)
def test_bad_input_is_told_in_a_line(change: str, told: tuple[str, str]) -> None:
    """Exit 2, nothing on stdout; the place, what is wrong and what to write instead."""
    result = run(str(LLAMA), "--set", change)
    message, fix = told
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert fix in result.stderr
    assert result.stderr.startswith((f"error: --set {change}: ", f"error: {RUNS}"))
    assert "Traceback" not in result.stderr


def test_experts_that_do_not_divide() -> None:
    """A mixture's experts are dealt evenly."""
    result = run(str(DEEPSEEK), "--set", "layout.expert=12", "--set", "cluster.gpus=1536")
    assert result.exit_code == 2
    assert "expert 12 does not divide the 256 experts of deepseek-v3" in result.stderr


def test_errors_of_a_file_name_the_line(tmp_path: Path) -> None:
    """File, line and column, with the line and a caret."""
    path = tmp_path / "run.yaml"
    path.write_text(LLAMA.read_text(encoding="utf-8").replace("model: llama3.1-405b", "model: lama3.1-405b"))
    result = run(str(path))
    assert result.exit_code == 2
    assert f"{path}:5:8: unknown model 'lama3.1-405b'" in result.stderr
    assert "  |        ^" in result.stderr


def test_a_file_that_is_not_there() -> None:
    """One line, exit 2."""
    result = run("no/such/run.yaml")
    assert result.exit_code == 2
    assert result.stderr.count("\n") <= 2
    assert "no/such/run.yaml" in result.stderr


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_nothing_that_solves_is_imported(arguments: tuple[str, ...]) -> None:
    """Neither the solver nor pandas nor scipy; JSON needs no rich."""
    command = [sys.executable, "-c", RUN_PLAN, "estimate", str(DEEPSEEK), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout
    modules = set(done.stderr.split())
    assert not modules & {"ortools", "pandas", "scipy", "planner.catalog.offers"}
    assert ("rich" in modules) is not bool(arguments)
