"""The run files that the benchmark of real steps trains on one GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.catalog.calibration import load_calibration
from planner.estimator.estimate import estimate
from planner.problem.run import load_run

RUNS = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "runs").glob("*.yaml"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_step_fits_one_gpu(path: Path) -> None:
    """Each fits an 80 GB device with every parameter's states on it, and sums the gradients of two micro-batches."""
    result = estimate(load_run(path), load_calibration())
    assert result.memory.fits
    assert result.gpus == 1
    assert result.subject.run.training.global_batch == 2 * result.subject.run.layout.micro_batch


def test_there_are_runs_with_and_without_experts() -> None:
    """Dense layers and mixtures of experts are both timed."""
    experts = {estimate(load_run(path), load_calibration()).subject.model.is_moe for path in RUNS}
    assert experts == {True, False}
