"""`plan layouts`: which rows are marked as more than can be had."""

from __future__ import annotations

import csv
import io

from click.testing import CliRunner

from planner.cli import main

CLOUD = """\
schema: plan/1
model: llama3.2-1b
training:
  phases: [{tokens: 5B, sequence_length: 2048, global_batch: 1024}]
market: {clouds: [nebius], accelerators: [B200-SXM]}
limits: {gpus: 1024}
"""
FEW_CHOICES = [
    "--set",
    "layout.tensor=1",
    "--set",
    "layout.pipeline=1",
    "--set",
    "layout.zero=1",
    "--set",
    "training.phases[0].global_batch=1024",
]


def rows(*arguments: str) -> list[dict[str, str]]:
    """The rows of the comma-separated values."""
    result = CliRunner().invoke(main, ["layouts", "-", "--csv", *FEW_CHOICES, *arguments], input=CLOUD)
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_rows_beyond_capacity_are_marked_and_only_listed_when_asked_for() -> None:
    """Within what is granted no row is marked; beyond it every row says how many nodes can be had."""
    within, beyond = rows(), rows("--beyond")
    assert max(int(row["nodes"]) for row in within) <= 64
    assert not any(row["sold_nodes"] for row in within)
    assert {row["sold_nodes"] for row in beyond if int(row["nodes"]) > 64} == {"64"}
    assert not any(row["sold_nodes"] for row in beyond if int(row["nodes"]) <= 64)


def test_where_nothing_within_capacity_is_feasible_the_others_are_listed() -> None:
    """The same rule as for the answer of plan solve."""
    pinned = ("--set", "layout.data=1024")
    assert {row["sold_nodes"] for row in rows(*pinned)} == {"64"}
