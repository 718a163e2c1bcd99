"""`plan trace stats`: figures of recorded capacity, and the keys that a problem file takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.problem.own_offer import OwnOffer


def run(*arguments: str) -> Result:
    """`plan trace stats` in this process."""
    return CliRunner().invoke(main, ["trace", "stats", *arguments], env={"COLUMNS": "100"})


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """Four nodes over two days: all there for 3 of 4 hours."""
    path = tmp_path / "zone.json"
    path.write_text(json.dumps({"metadata": {"gap_seconds": 3600}, "data": [4, 4, 4, 1] * 12}), encoding="utf-8")
    return str(path)


def test_document(trace: str) -> None:
    """All figures in one document, correlations of every pair."""
    found = json.loads(run(trace, trace, "--json").stdout)
    assert found["format_version"] == 1
    first = found["traces"][0]
    assert first["availability"] == pytest.approx(0.75)
    assert first["some_available"] == 1
    assert first["up"]["mean_hours"] == first["up"]["median_hours"] == 3
    assert found["correlations"][0]["correlation"] == pytest.approx(1)


def test_keys_fit_a_problem_file(trace: str) -> None:
    """What is printed as an offer's keys is accepted as such; availability is that of one node, 13 of 16 here."""
    keys = json.loads(run(trace, "--json").stdout)["traces"][0]["spot"]
    offer = OwnOffer.model_validate({"name": "ours", "accelerator": "H100-80GB-SXM5", "spot": "$1/GPU-h", **keys})
    assert offer.availability == pytest.approx(0.8125)
    shown = run(trace).stdout
    assert "availability: 0.8125" in shown
    assert "preemptions_per_node_day:" in shown


def test_text(trace: str) -> None:
    """Length, nodes, periods and how nodes go together."""
    shown = " ".join(run(trace, trace).stdout.split())
    for part in ("4 nodes at most", "a tick of 60 min", "all there", "P(all)/P(any) 0.75", "Correlation of"):
        assert part in shown


def test_bad_traces_are_refused(tmp_path: Path) -> None:
    """With exit code 2, the place and the fix."""
    path = tmp_path / "bad.csv"
    path.write_text("0,add,a\n10,remove,b\n", encoding="utf-8")
    result = run(str(path))
    assert result.exit_code == 2
    assert "bad.csv:2" in result.stderr
    assert "fix:" in result.stderr
    assert run().exit_code == 2
