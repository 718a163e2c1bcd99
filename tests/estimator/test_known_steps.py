"""Steps that people reported of runs which no fit has seen: they end inside the range that is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.catalog.calibration import load_calibration
from planner.errors import InputError
from planner.estimator.estimate import Estimate, estimate
from planner.problem.run import Run, load_run

QWEN_8B: dict[str, Any] = {
    "model": "qwen3-8b",
    "training": {"sequence_length": 4096, "global_batch": 1024},
    "cluster": {"accelerator": "H100-80GB-SXM5", "gpus": 16},
    "layout": {"micro_batch": 1, "zero": 1},
}
TUNED_8B: dict[str, Any] = {
    "model": "qwen3-8b",
    "training": {"sequence_length": 8192, "global_batch": 8},
    "cluster": {"accelerator": "H100-80GB-SXM5", "gpus": 4},
    "layout": {"tensor": 4, "micro_batch": 1, "zero": 1},
}
QWEN_30B: dict[str, Any] = {
    "model": "qwen3-30b-a3b",
    "training": {"sequence_length": 4096, "global_batch": 1024},
    "cluster": {"accelerator": "H100-80GB-SXM5", "gpus": 16},
    "layout": {"expert": 16, "micro_batch": 1, "zero": 1},
}
FINE_TUNED_30B: dict[str, Any] = {
    "model": "qwen3-30b-a3b",
    "training": {"sequence_length": 2048, "global_batch": 32},
    "cluster": {"accelerator": "H100-80GB-SXM5", "gpus": 16},
    "layout": {"expert": 16, "micro_batch": 1, "zero": 1},
}
FUSED_30B: dict[str, Any] = {
    "model": "qwen3-30b-a3b",
    "training": {"precision": "mxfp8", "sequence_length": 4096, "global_batch": 512},
    "cluster": {"accelerator": "GB300", "gpus": 8},
    "layout": {"expert": 8, "micro_batch": 4, "zero": 1},
}
STEPS = [
    pytest.param(QWEN_8B, "2026-07", 24.36, id="qwen3-8b"),
    pytest.param(TUNED_8B, "2026-07", 2.027, id="qwen3-8b-tuned"),
    pytest.param(QWEN_30B, "2026-07", 30.29, id="qwen3-30b"),
    pytest.param(FINE_TUNED_30B, "2026-07", 1.206, id="qwen3-30b-of-two-micro-batches"),
    pytest.param(FUSED_30B, "2026-08", 5.86, id="qwen3-30b-fused-experts"),
]
"""Model cards of Megatron-Bridge of 2026-07 and -08: run, release and seconds per step."""


def answer(run: dict[str, Any], stack: str, release: str) -> Estimate:
    """The estimate of a run under a release of a stack."""
    software = {"tokens": "10B", "software": {"stack": stack, "release": release}}
    written = run | {"schema": "run/1", "training": run["training"] | software}
    return estimate(Run.model_validate(written), load_calibration())


@pytest.mark.parametrize(("run", "release", "seconds"), STEPS)
def test_reported_steps_lie_in_their_range(run: dict[str, Any], release: str, seconds: float) -> None:
    """The step that was reported lies between the ends of the 80 % range."""
    found = answer(run, "megatron", release)
    low, high = (found.step_seconds * factor for factor in found.interval)
    assert low <= seconds <= high


def test_deepseek_v3_ends_inside_the_range_of_an_unstated_stack() -> None:
    """Its authors took 180,000 H800-hours for 10¹² tokens (arXiv 2412.19437, section 1), on a stack of their own."""
    for stack in ("dualpipe", "typical"):
        run = load_run(
            Path(__file__).parents[2] / "problems/runs/deepseek-v3.yaml", [f"training.software.stack={stack}"]
        )
        found = estimate(run, load_calibration())
        low, high = (found.gpu_hours_per_trillion_tokens * factor for factor in found.interval)
        assert low <= 180_000 <= high


def test_a_release_changes_what_its_notes_say() -> None:
    """Fused products of experts shorten steps of mixtures on Blackwell from 2026-06 on, and leave dense ones alone."""
    before, after = (answer(FUSED_30B, "megatron", release).step_seconds for release in ("2026-04", "2026-06"))
    assert after < 0.8 * before
    dense = QWEN_8B | {"cluster": {"accelerator": "GB300", "gpus": 8}}
    assert answer(dense, "megatron", "2026-06").step_seconds == answer(dense, "megatron", "2026-04").step_seconds


def test_eager_execution_is_slower_than_compiled() -> None:
    """Unfused kernels of norms, rotary embedding and activations move more and are launched one by one."""
    eager, compiled = (answer(QWEN_8B, stack, "2025-06").step_seconds for stack in ("pytorch-eager", "pytorch-fsdp"))
    assert 1.05 * compiled < eager < 1.5 * compiled


def test_deepspeed_of_today_fuses_attention() -> None:
    """Megatron-DeepSpeed streamed scores through memory in 2022 and does not since 2023."""
    old, new = (answer(TUNED_8B, "megatron-deepspeed", release).step_seconds for release in ("2022-06", "2024-01"))
    assert new < 0.6 * old


def test_newer_software_is_named_and_less_sure() -> None:
    """A release after everything that is known is said to be one, and its range is wider and reaches lower."""
    known, newer = (answer(QWEN_8B, "megatron", release) for release in ("2026-06", "2027-06"))
    assert newer.step_seconds == known.step_seconds
    assert newer.interval[0] < known.interval[0]
    assert any("2027-06 is estimated as" in one for one in newer.assumptions)
    assert not any("is estimated as" in one for one in known.assumptions)


def test_embedding_and_loss_may_fill_a_chunk_each() -> None:
    """94 layers on 32 stages of three chunks are a layout where both count as layers, and none where they do not."""
    layout = {"pipeline": 32, "virtual_pipeline": 3, "expert": 8, "micro_batch": 4, "recompute": "full", "zero": 1}
    run: dict[str, Any] = {
        "model": "qwen3-235b-a22b",
        "training": {"sequence_length": 4096, "global_batch": 4096},
        "cluster": {"accelerator": "H800-80GB-SXM", "gpus": 256},
        "layout": layout,
    }
    assert answer(run, "megatron", "2025-12").step_seconds > 0
    with pytest.raises(InputError, match="more than the 94 layers"):
        answer(run, "megatron", "2024-06")
