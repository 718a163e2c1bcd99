"""A phase as DeepSpeed's JSON configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.launch_targets import Target
from planner.launch.job import LaunchJob
from planner.launch.launchers import torchrun

REQUIRED: Final = {"TRAIN_SCRIPT": "a training script that calls deepspeed.initialize"}
"""What a user must set."""


def refusals(job: LaunchJob, _: Target) -> Iterator[str]:
    """What DeepSpeed would refuse."""
    if job.tensor > 1 and job.zero > 2:
        yield f"tensor parallelism goes with ZeRO stages up to 2, not {job.zero}"
    if job.context > 1 and job.model.num_attention_heads % job.context:
        yield f"context {job.context} deals out whole heads, and does not divide {job.model.num_attention_heads}"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the configuration does not say."""
    yield f"{job.steps:,} steps of sequences of {job.sequence_length:,} tokens: arguments of the training script"
    if job.recompute.kind != "none":
        yield f"recompute: {job.recompute_kind}"
    if job.context > 1:
        yield "context is split over heads (Ulysses), where the plan's seconds are those of a ring"


def body(job: LaunchJob, _: Target) -> str:
    """The configuration; JSON has no comments, so a key that DeepSpeed passes over says where its values come from."""
    return json.dumps(config(job), indent=2) + "\n"


def config(job: LaunchJob) -> dict[str, Any]:
    """The configuration as plain data."""
    data: dict[str, Any] = {
        "train_batch_size": job.global_batch,
        "train_micro_batch_size_per_gpu": job.micro_batch,
        "gradient_accumulation_steps": job.microbatches,
        job.precision: {"enabled": True},
        "zero_optimization": {"stage": job.zero, "overlap_comm": bool(job.software.data_overlap)},
    }
    if job.tensor > 1:
        data["tensor_parallel"] = {"autotp_size": job.tensor}
    if job.context > 1:
        data["sequence_parallel_size"] = job.context
    return data


SOURCES: Final = {
    "train_batch_size": "phase.global_batch",
    "train_micro_batch_size_per_gpu": "plan.micro_batch",
    "gradient_accumulation_steps": "plan.microbatches",
    "zero_optimization.stage": "plan.zero",
    "zero_optimization.overlap_comm": "training.software",
    "tensor_parallel.autotp_size": "plan.tensor",
    "sequence_parallel_size": "plan.context",
    "bf16, fp16": "training.precision",
}
"""Where each value comes from."""


def command(job: LaunchJob) -> list[str]:
    """Starts the user's training script on one node."""
    return torchrun(job, '"$TRAIN_SCRIPT" --deepspeed --deepspeed_config "$CONFIG" "$@"')
