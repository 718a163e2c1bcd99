"""A global batch may be stated in tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.errors import InputError
from planner.session import load_problem

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


@pytest.mark.parametrize(
    ("stated", "length", "sequences"),
    [
        ("4M tokens", 4096, 1024),
        ("4194304 tokens", 4096, 1024),
        ("16M tokens", 8192, 2048),
        ("63M tokens", 4096, 15360),
        ("8k tokens", 4096, 2),
        (1024, 4096, 1024),
    ],
)
def test_tokens_are_sequences_that_layouts_divide(stated: object, length: int, sequences: int) -> None:
    """`4M tokens` is the number of sequences nearby that can be halved most often; the exact one where it is whole."""
    phase = "training.phases[0]"
    problem = load_problem(SPOT, {f"{phase}.global_batch": stated, f"{phase}.sequence_length": length})
    assert problem.training.phases[0].global_batch == sequences


def test_less_than_a_sequence_is_refused() -> None:
    """A batch of fewer tokens than one sequence is an error that says so."""
    with pytest.raises(InputError, match="less than a sequence of 4,096"):
        load_problem(SPOT, {"training.phases[0].global_batch": "4k tokens"})


def test_millions_of_sequences_are_warned_of() -> None:
    """A batch that was likely meant in tokens is warned of, with what to write."""
    result = CliRunner().invoke(main, ["check", str(SPOT), "--set", "training.phases[0].global_batch=4194304"])
    assert "if tokens were meant, write global_batch: 4194304 tokens" in result.stderr
