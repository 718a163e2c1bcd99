"""Warnings about figures that can hardly be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main

PROBLEMS = Path(__file__).parents[2] / "problems"
DEEPSEEK = str(PROBLEMS / "deepseek_v3.yaml")
SMALL = str(PROBLEMS / "startup_7b.yaml")
RUN = str(PROBLEMS / "runs" / "llama3.1-405b.yaml")
SIZE = ("size", "deepseek-v3", "--gpus", "2048", "--on", "H800-80GB", "--tokens")


@pytest.mark.parametrize(
    ("command", "warning"),
    [
        (
            ("check", DEEPSEEK, "--set", "training.phases[0].tokens=14"),
            "of 62.9M tokens; is a unit missing, such as 14T",
        ),
        (("check", DEEPSEEK, "--set", "training.phases[0].tokens=14k"), "is a unit missing, such as 1T?"),
        (
            ("whatif", SMALL, "--vary", "training.phases[0].tokens=14,1T"),
            "pretrain: 14 tokens are less than one step of 2.1M",
        ),
        (
            ("estimate", RUN, "--set", "training.tokens=15"),
            "training.tokens: 15 tokens are less than one step of 16.8M",
        ),
        (
            (*SIZE, "15"),
            "--tokens: 15 tokens are less than one sequence of 4,096 tokens; is a unit missing, such as 15T",
        ),
    ],
)
def test_a_forgotten_unit_is_warned_of(command: tuple[str, ...], warning: str) -> None:
    """Tokens that do not fill a step are answered as asked, with one line on stderr."""
    result = CliRunner().invoke(main, list(command))
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")
    assert warning in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("check", DEEPSEEK), ("estimate", RUN), (*SIZE, "14.8T")])
def test_what_can_be_meant_is_not_warned_of(command: tuple[str, ...]) -> None:
    """Ordinary files and options leave stderr empty."""
    result = CliRunner().invoke(main, list(command))
    assert (result.exit_code, result.stderr) == (0, "")
