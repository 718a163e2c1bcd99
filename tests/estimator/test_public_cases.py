"""Runs from public reports of which the outcome is known: whether they fitted, and what their devices showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from planner.catalog.calibration import load_calibration
from planner.estimator.estimate import Estimate, estimate
from planner.problem.run import Run

GIB, GB = 1.0, 1e9 / 2**30
BRIDGE = {"software": {"stack": "megatron", "release": "2026-07"}}
FULLY_SHARDED = {"recompute": "full", "zero": 3}


@dataclass(frozen=True)
class Report:
    """A run, what was reported of its memory, and where."""

    source: str
    model: str
    training: dict[str, Any]
    accelerator: str
    gpus: int
    layout: dict[str, Any]
    fits: bool
    peak_gib: float | None = None
    within: float = 0.1

    def estimated(self) -> Estimate:
        """What the program says of it."""
        written = {
            "schema": "run/1",
            "model": self.model,
            "training": {"tokens": "10M", **self.training},
            "cluster": {"accelerator": self.accelerator, "gpus": self.gpus},
            "layout": self.layout,
        }
        return estimate(Run.model_validate(written), load_calibration())


A100, H100 = "A100-80GB-SXM4", "H100-80GB-SXM5"
LONG_32B = {"sequence_length": 20480, "global_batch": 4}
LLAMA_70B = {"sequence_length": 4096, "global_batch": 8, "weights": "bf16", "optimizer": "paged-adamw-8bit"}
ADAPTERS_30B = {"sequence_length": 3000, "global_batch": 16, "method": "lora", "rank": 8}

REPORTS: dict[str, Report] = {
    "qwen3-8b-pretrain": Report(
        "Megatron-Bridge performance card, 2026-07", "qwen3-8b",
        {"sequence_length": 4096, "global_batch": 1024, **BRIDGE}, H100, 16, {"zero": 1}, fits=True,
    ),
    "qwen3-8b-sft": Report(
        "Megatron-Bridge performance card, 2026-07", "qwen3-8b",
        {"sequence_length": 8192, "global_batch": 8, **BRIDGE}, H100, 4, {"tensor": 4, "zero": 1}, fits=True,
    ),
    "qwen3-30b-pretrain": Report(
        "Megatron-Bridge performance card, 2026-07", "qwen3-30b-a3b",
        {"sequence_length": 4096, "global_batch": 1024, "gradients": "bf16", "moments": "bf16", **BRIDGE}, H100, 16,
        {"expert": 16, "zero": 1}, fits=True,
    ),
    "qwen3-30b-sft": Report(
        "Megatron-Bridge performance card, 2026-07", "qwen3-30b-a3b",
        {"sequence_length": 2048, "global_batch": 32, **BRIDGE}, H100, 16, {"expert": 16, "zero": 1}, fits=True,
    ),
    "qwen3-30b-gb200": Report(
        "Megatron-Bridge performance card, 2026-06", "qwen3-30b-a3b",
        {"sequence_length": 4096, "global_batch": 512, "precision": "fp8", **BRIDGE}, "GB200", 8,
        {"expert": 8, "micro_batch": 4, "zero": 1}, fits=True,
    ),
    "qwen3-30b-gb300": Report(
        "Megatron-Bridge performance card, 2026-08", "qwen3-30b-a3b",
        {"sequence_length": 4096, "global_batch": 512, "precision": "fp8", **BRIDGE}, "GB300", 8,
        {"expert": 8, "micro_batch": 4, "zero": 1}, fits=True,
    ),
    "32b-fused-loss": Report(
        "ms-swift examples: 32B with Liger's fused loss on 8 × 80 GB", "qwen2.5-32b",
        {"sequence_length": 8192, "global_batch": 16, "fused_loss": True}, H100, 8, FULLY_SHARDED, fits=True,
    ),
    "7b-whole-loss": Report(
        "ms-swift examples: 54 GB", "qwen2.5-7b", {"sequence_length": 8192, "global_batch": 8}, A100, 4, FULLY_SHARDED,
        fits=True, peak_gib=54 * GB,
    ),
    "7b-fused-loss": Report(
        "ms-swift examples: 42 GB", "qwen2.5-7b", {"sequence_length": 8192, "global_batch": 8, "fused_loss": True},
        A100, 4, FULLY_SHARDED, fits=True, peak_gib=42 * GB,
    ),
    "30b-adapters-ep2": Report(
        "ms-swift examples: 62 GiB", "qwen3-30b-a3b",
        {"sequence_length": 2048, "global_batch": 16, "method": "lora", "rank": 8, "software": {"stack": "megatron"}},
        A100, 2, {"expert": 2, "micro_batch": 8, "recompute": "full", "zero": 1}, fits=True, peak_gib=62,
    ),
    "7b-adapters": Report(
        "ms-swift examples: 16 GiB", "qwen2.5-7b",
        {"sequence_length": 1024, "global_batch": 16, "method": "lora", "rank": 8}, A100, 2, FULLY_SHARDED, fits=True,
        peak_gib=16, within=0.25,
    ),
    "7b-megatron": Report(
        "ms-swift examples: 56 GiB", "qwen2.5-7b",
        {"sequence_length": 8192, "global_batch": 16, "software": {"stack": "megatron"}}, H100, 4,
        {"tensor": 2, "recompute": "full", "zero": 1}, fits=True, peak_gib=56,
    ),
    "30b-adapters-4090": Report(
        "ms-swift issue 5615: ran, with parameters on the host", "qwen3-30b-a3b",
        {**ADAPTERS_30B, "offload": ["parameters"]}, "RTX4090", 4, FULLY_SHARDED, fits=True,
    ),
    "32b-long": Report(
        "accelerate issue 3647: out of memory", "qwen2.5-32b", LONG_32B, A100, 4, FULLY_SHARDED, fits=False,
    ),
    "32b-long-offloaded": Report(
        "accelerate issue 3647: ran with offloading, checkpointing and a chunked loss", "qwen2.5-32b",
        {**LONG_32B, "offload": ["optimizer", "parameters"], "fused_loss": True}, A100, 4, FULLY_SHARDED, fits=True,
    ),
    "70b-paged-8bit": Report(
        "torchtune issue 987: 51 GB in pure bf16 with paged 8-bit Adam", "llama2-70b", LLAMA_70B, A100, 8,
        FULLY_SHARDED, fits=True, peak_gib=51 * GB,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_the_verdict_is_what_happened(name: str) -> None:
    """A run that ran is said to fit, and one that ran out of memory not to."""
    report = REPORTS[name]
    assert report.estimated().memory.fits == report.fits


@pytest.mark.parametrize("name", [name for name, report in REPORTS.items() if report.peak_gib])
def test_the_peak_is_what_was_reported(name: str) -> None:
    """What the device showed at its peak."""
    report = REPORTS[name]
    assert report.estimated().memory.expected == pytest.approx(report.peak_gib, rel=report.within)


def test_a_layout_that_does_not_fit_is_told_what_would_help() -> None:
    """Number formats, offloading, a fused loss and more devices are proposed beside recompute and ZeRO."""
    plain = {"sequence_length": 4096, "global_batch": 64}
    found = Report("", "llama3.1-70b", plain, H100, 16, FULLY_SHARDED, fits=False).estimated()
    assert not found.memory.fits
    proposed = {remedy.override for remedy in found.remedies}
    assert {"training.offload=[optimizer]", "training.optimizer=adamw-8bit", "cluster.gpus=32"} <= proposed
