"""`plan size`: what it prints as text and as JSON, and what it answers to bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.catalog.calibration import load_calibration
from planner.cli import main

GOLDEN = Path(__file__).parent / "golden"
RUN_PLAN = "import sys; from planner.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
DEEPSEEK = ("deepseek-v3", "--tokens", "14.8T", "--days", "60", "--on", "H800-80GB", "--precision", "fp8")
PRICED = ("--mfu", "20%", "--price", "$2/GPU-h")
QUESTIONS = {
    "gpus": (*DEEPSEEK, *PRICED),
    "days": ("gpt3-175b", "--tokens", "300B", "--gpus", "1024", "--on", "A100-80GB-SXM4", *PRICED),
    "tokens": (
        "llama3-70b",
        "--days",
        "30d",
        "--gpus",
        "8",
        "--on",
        "H100-80GB-SXM5",
        "--sequence-length",
        "8192",
        *PRICED,
    ),
}


def run(*arguments: str) -> Result:
    """What `plan size` does."""
    return CliRunner().invoke(main, ["size", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    """The JSON that it prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout, parse_constant=pytest.fail)
    return parsed


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("asked", QUESTIONS)
def test_the_text_is_as_recorded(asked: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The arithmetic, line by line, at two widths; `PLAN_RECORD=1 pytest` records what is printed now."""
    unfitted = load_calibration().model_copy(update={"efficiencies": ()})
    monkeypatch.setattr("planner.catalog.calibration.load_calibration", lambda: unfitted)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run(*QUESTIONS[asked]).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    golden = GOLDEN / f"size_{asked}_{columns}.txt"
    if os.environ.get("PLAN_RECORD"):
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == golden.read_text(encoding="utf-8").splitlines()


def test_a_napkin_says_what_kind_of_figure_it_is() -> None:
    """It is what published runs reached; the best layout is what `plan solve` answers for."""
    told = " ".join(run(*DEEPSEEK).stdout.split())
    assert "typical What teams reached: median MFU of" in told
    assert "next `plan solve` answers for the best layout, not the typical one" in told


def test_the_json_says_what_the_text_says() -> None:
    """Bound, typical answer and range, with GPUs, hours and dollars as text."""
    answer = document(*DEEPSEEK)
    assert answer["format_version"] == 1
    assert (answer["model"], answer["accelerator"]) == ("deepseek-v3", "H800-80GB-SXM")
    assert answer["asked"] == {"tokens": 14_800_000_000_000, "wall_seconds": 60 * 86400, "gpus": None}
    assert answer["bound"]["gpu_hours"] < answer["typical"]["gpu_hours"]
    assert [one["name"] for one in answer["range"]] == ["slow quarter", "fast quarter"]
    assert answer["published"]["moe"] is True
    assert answer["memory"]["nodes"] == 18
    assert document(*DEEPSEEK, *PRICED)["typical"]["cost_usd"].replace(".", "").isdecimal()


def test_a_stated_mfu_replaces_what_is_typical() -> None:
    """One answer beside the bound, and no published runs behind it."""
    answer = document(*DEEPSEEK, "--mfu", "40%")
    assert answer["typical"]["mfu"] == 0.4
    assert answer["range"] == []
    assert answer["published"] is None


def test_an_mfu_above_the_bound_is_called_so() -> None:
    """It is answered, with a warning in words."""
    assert "above the bound" in run(*DEEPSEEK, "--mfu", "99%").stdout


def test_days_with_and_without_a_unit() -> None:
    """60, 60d and 1440h are one time."""
    answers = [document(*DEEPSEEK[:4], days, *DEEPSEEK[5:]) for days in ("60", "60d", "1440h")]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("changes", "message", "fix"),
    [
        ({0: "depseek-v3"}, "unknown model 'depseek-v3'", "did you mean deepseek-v3?"),
        ({0: "no/config.json"}, "no/config.json", "there is no such model config"),
        ({6: "H9000"}, "unknown accelerator 'H9000'", "plan catalog accelerators"),
        ({6: "A100-80GB"}, "may be any of", "A100-80GB-SXM4"),
        ({2: "14.8"}, "--tokens", "14.8T"),
        ({2: "-1T"}, "--tokens", "14.8T"),
        ({2: "1e40"}, "beyond the largest", "check the unit"),
        ({4: "0"}, "--days", "60d"),
        ({4: "3 months"}, "months differ in length", "30d"),
        ({8: "fp7"}, "unknown precision 'fp7'", "did you mean fp"),
        ({8: "fp4"}, "H800-80GB-SXM has no fp4", "--precision"),
    ],
)
def test_bad_input_is_told_in_a_line(changes: dict[int, str], message: str, fix: str) -> None:
    """Exit 2, nothing on stdout; what is wrong and what to write instead."""
    result = run(*(changes.get(place, word) for place, word in enumerate(DEEPSEEK)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert fix in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("gpt2", "--on", "H100-80GB-SXM5"),
        ("gpt2", "--on", "H100-80GB-SXM5", "--tokens", "1B"),
        ("gpt2", "--on", "H100-80GB-SXM5", "--tokens", "1B", "--days", "1", "--gpus", "8"),
    ],
)
def test_exactly_two_quantities_are_needed(arguments: tuple[str, ...]) -> None:
    """One equation has one unknown."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert "two of --tokens, --days and --gpus are needed" in result.stderr


@pytest.mark.parametrize("option", [("--mfu", "0"), ("--mfu", "140%"), ("--price", "$2"), ("--gpus", "0")])
def test_bad_options(option: tuple[str, str]) -> None:
    """Each named in the error."""
    result = run(*DEEPSEEK, *option)
    assert result.exit_code == 2
    assert option[0] in result.stderr


def test_nothing_that_solves_is_imported() -> None:
    """Neither the solver nor pandas nor scipy."""
    command = [sys.executable, "-c", RUN_PLAN, "size", *DEEPSEEK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout
    assert not set(done.stderr.split()) & {"ortools", "pandas", "scipy"}
