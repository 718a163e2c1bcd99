"""A problem or run written out reads back as itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.problem.document import parse_document
from planner.problem.problem import Problem, load_problem
from planner.problem.run import Run, load_run
from planner.problem.written import as_written

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = sorted((ROOT / "problems").glob("*.yaml"))
RUNS = sorted((ROOT / "problems" / "runs").glob("*.yaml"))
STATED = (
    "limits={deadline: 90.5s, budget: '$1234567.89', gpus: 4096, memory_headroom: 0.05, growth: 1.5}",
    "layout={tensor: '<=8', pipeline: [2, 4], data: '>=3', zero: '>=1', recompute: [none, {full_layers: 3}]}",
    "risk={confidence: 95%, spare_nodes: 2.5%, spot_price: p99.9}",
    "market={capacity: {aws: unlimited, any: 12}, purchase: [spot], spot_price: 1.25}",
    (
        "market.offers=[{name: a, accelerator: H100-80GB-SXM5, spot: $1.2345/GPU-h, network: 12.3456789 GB/s, "
        "availability: 0.7, preemptions_per_node_day: 1e-7}]"
    ),
)


def test_problems_read_back() -> None:
    """Every problem that is shipped equals what its written form says."""
    assert PROBLEMS
    for path in PROBLEMS:
        problem = load_problem(path)
        text = json.dumps(as_written(problem))
        assert Problem.of(parse_document(text, "answer.json", path.parent)).model_dump() == problem.model_dump()


def test_runs_read_back() -> None:
    """Every run that is shipped equals what its written form says."""
    assert RUNS
    for path in RUNS:
        run = load_run(path)
        assert (
            Run.of(parse_document(json.dumps(as_written(run)), "run.json", path.parent)).model_dump()
            == run.model_dump()
        )


@pytest.mark.parametrize("stated", STATED)
def test_every_kind_of_value_reads_back(stated: str) -> None:
    """Pins, bounds, shares, percentiles, prices, grants and odd numbers come back exactly."""
    problem = load_problem(ROOT / "problems" / "deepseek_v3.yaml", [stated, "limits.deadline=65d"])
    assert Problem.of(parse_document(json.dumps(as_written(problem)), "-", Path())).model_dump() == problem.model_dump()


def test_defaults_are_filled_in() -> None:
    """What a file leaves to its defaults is written out."""
    written = as_written(load_problem(ROOT / "problems" / "deepseek_v3.yaml"))
    assert written["limits"]["memory_headroom"] == 0.1
    assert written["schema"] == "plan/1"
    assert written["training"]["optimizer"] == "adamw"
