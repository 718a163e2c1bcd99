"""What all commands print has in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main

SMALL = """\
schema: plan/1
name: small
model: llama3.2-1b
training:
  phases:
    - {name: train, tokens: 5B, sequence_length: 2048, global_batch: 64}
market:
  clouds: []
  purchase: [on_demand, spot]
  offers:
    - {name: own, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $3/GPU-h, spot: $2/GPU-h}
    - {name: old, accelerator: A100-80GB-SXM4, nodes: 4, on_demand: $2/GPU-h}
limits: {deadline: 2d, gpus: 32}
"""
RUN = """\
schema: run/1
model: llama3.2-1b
training: {tokens: 5B, sequence_length: 2048, global_batch: 64}
cluster: {accelerator: H100-80GB-SXM5, gpus: 8}
"""
COMMANDS = [
    "solve -",
    "solve - --set limits.deadline=1h",
    "solve - --set limits.gpus=1",
    "frontier - --points 3",
    "alternatives -",
    "layouts - --top 3",
    "check -",
    "init",
    "size llama3.1-8b --tokens 1T --days 30 --on H800-80GB",
    "estimate -",
    "model deepseek-v3",
    "model llama3.1-8b",
    "catalog accelerators",
    "catalog accelerators H800",
    "catalog offers",
    "catalog models",
    "catalog reliability",
    "catalog check",
    "validate",
    "schema",
]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_ends_in_blanks(command: str) -> None:
    """Printed tables do not fill their lines with blanks, so that output can be compared and pasted."""
    stdin = RUN if command.startswith("estimate") else SMALL
    result = CliRunner().invoke(main, command.split(), input=stdin)
    assert result.exit_code in {0, 3}, result.stderr
    assert result.stdout
    assert [line for line in result.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.slow
def test_no_line_of_a_replay_or_difference_ends_in_blanks(tmp_path: Path) -> None:
    """The commands that read a plan keep to it too."""
    file = str(tmp_path / "plan.json")
    assert CliRunner().invoke(main, ["solve", "-", "--out", file], input=SMALL).exit_code == 0
    for command in (["replay", file], ["diff", file, file]):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.stderr
        assert [line for line in result.stdout.splitlines() if line != line.rstrip()] == []
