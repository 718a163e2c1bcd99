"""A phase as the YAML with which MaxText overrides its base configuration."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any, Final

from planner.catalog.launch_targets import Target
from planner.foreign.yaml_text import Sourced, yaml_text
from planner.launch.job import LaunchJob

REQUIRED: Final = {"OUTPUT_DIRECTORY": "a folder or bucket for checkpoints"}
"""What a user must set."""


def refusals(job: LaunchJob, target: Target) -> Iterator[str]:
    """What MaxText would refuse."""
    if job.model.name not in target.words["model"]:
        yield f"it has no configuration of the model {job.model.name}"
    if job.precision == "fp8" and job.pipeline == 1 and job.microbatches > 1:
        yield f"fp8 does not go with gradient accumulation, here of {job.microbatches} micro-batches"
    if job.data % job.expert:
        yield f"expert {job.expert} has an axis of its own and does not divide data {job.data}"
    elif job.data // job.expert % job.sharding_groups:
        yield f"{job.sharding_groups} sharding groups do not divide the replicas beside the axis of experts"
    if job.pipeline > 1 and job.model.num_hidden_layers % (job.pipeline * job.virtual_pipeline):
        yield f"{job.model.num_hidden_layers} layers do not divide by pipeline {job.pipeline} and its chunks"
    if job.pipeline > 1 and job.microbatches % job.pipeline:
        yield f"{job.microbatches} micro-batches are no multiple of pipeline {job.pipeline}"
    if _inside(job) is None:
        yield f"its axes do not fill a node's {job.placement.machine.per_node} devices"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the file does not say."""
    if job.recompute_kind == "selective":
        yield "selective recompute: the nearest policy of MaxText stands for it"
    if job.pipeline > 1:
        yield "the schedule: MaxText runs a circular pipeline where the plan's seconds are those of 1F1B"


def axes(job: LaunchJob) -> dict[str, int]:
    """Degrees by axis, those that talk most first; experts take replicas of their own."""
    replicas = job.data // job.expert
    return {
        "tensor": job.tensor,
        "context": job.context,
        "expert": job.expert,
        "fsdp": replicas // job.sharding_groups if job.zero > 1 else 1,
        "data": job.sharding_groups if job.zero > 1 else replicas,
        "pipeline": job.pipeline,
    }


def _inside(job: LaunchJob) -> dict[str, int] | None:
    """The part of each axis inside a node, the talkative ones first; None when they cannot fill it."""
    room, inside = job.gpus_per_node, {}
    for axis, degree in axes(job).items():
        inside[axis] = gcd(degree, room)
        room //= inside[axis]
    return inside if room == 1 else None


def body(job: LaunchJob, target: Target) -> str:
    """The file."""
    inside = _inside(job) or {}
    sources = {"fsdp": "data, zero, shard", "data": "data, zero, shard"}
    data: dict[str, Any] = {
        "base_config": "base.yml",
        "model_name": Sourced(target.written_for("model", job.model.name)[0], "problem.model"),
        "hardware": Sourced("tpu" if job.accelerator.vendor.casefold() == "google" else "gpu", job.accelerator.name),
        "max_target_length": Sourced(job.sequence_length, "phase.sequence_length"),
        "per_device_batch_size": Sourced(_per_device(job), "phase.global_batch over the devices and accumulated steps"),
        "steps": Sourced(job.steps, "plan.steps"),
        "quantization": Sourced(
            target.written_for("precision", job.precision)[0], f"training.precision: {job.precision}"
        ),
        "remat_policy": Sourced(target.written_for("recompute_kind", job.recompute_kind)[0], "plan.recompute"),
        "shard_optimizer_over_data": Sourced(job.zero == 1, f"plan.zero: {job.zero}"),
    }
    for axis, degree in axes(job).items():
        source = f"plan.{sources.get(axis, axis)}"
        data[f"ici_{axis}_parallelism"] = Sourced(inside[axis], source)
        data[f"dcn_{axis}_parallelism"] = Sourced(degree // inside[axis], source)
    if job.pipeline > 1:
        data["num_pipeline_microbatches"] = Sourced(job.microbatches, "plan.microbatches")
        data["num_pipeline_repeats"] = Sourced(job.virtual_pipeline, "plan.virtual_pipeline")
        per_stage = job.model.num_hidden_layers // (job.pipeline * job.virtual_pipeline)
        data["num_layers_per_pipeline_stage"] = Sourced(per_stage, "plan.pipeline")
    else:
        data["gradient_accumulation_steps"] = Sourced(job.microbatches, "plan.microbatches")
    every = job.steps_per_checkpoint
    source = "plan.checkpoint_interval_seconds"
    data |= {"dataset_type": Sourced("synthetic", "yours"), "enable_checkpointing": True}
    data["checkpoint_period"] = Sourced(every, source)
    return yaml_text(data)


def _per_device(job: LaunchJob) -> float:
    """Sequences per device and forward pass; a pipeline takes all micro-batches in one."""
    whole = job.global_batch / job.gpus
    return whole if job.pipeline > 1 else whole / job.microbatches


def command(job: LaunchJob) -> list[str]:
    """Starts MaxText on one node, one process for all of its devices."""
    return [
        'export JAX_COORDINATOR_IP="$MASTER_ADDR" JAX_COORDINATOR_PORT="$MASTER_PORT" NODE_RANK NNODES',
        f'exec python3 -m maxtext.trainers.pre_train.train "$CONFIG" run_name={job.number:02d} \\',
        '    base_output_directory="$OUTPUT_DIRECTORY" "$@"',
    ]
