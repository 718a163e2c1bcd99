"""A phase as the YAML of `accelerate launch`: FSDP2 with its parallelism configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.launch_targets import Target
from planner.foreign.yaml_text import Sourced, yaml_text
from planner.launch.job import LaunchJob

REQUIRED: Final = {"TRAIN_SCRIPT": "a training script that uses Accelerate"}
"""What a user must set."""


def refusals(job: LaunchJob, _: Target) -> Iterator[str]:
    """What Accelerate would refuse."""
    if job.tensor > 1 and job.data == 1:
        yield f"tensor {job.tensor} needs data-parallel replicas beside it"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the file does not say."""
    yield (
        f"{job.steps:,} steps of {job.global_batch:,} sequences of {job.sequence_length:,} tokens, {job.micro_batch} "
        f"at a time and {job.microbatches} accumulated: arguments of the training script"
    )


def body(job: LaunchJob, _: Target) -> str:
    """The file."""
    full = job.recompute_kind == "full"
    data: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP",
        "mixed_precision": Sourced(job.precision, "training.precision"),
        "num_machines": Sourced(job.nodes, "plan.nodes"),
        "num_processes": Sourced(job.gpus, "plan.gpus"),
        "machine_rank": 0,
        "rdzv_backend": "static",
        "main_training_function": "main",
        "fsdp_config": {
            "fsdp_version": 2,
            "fsdp_reshard_after_forward": Sourced(job.zero == 3, f"plan.zero: {job.zero}"),
            "fsdp_activation_checkpointing": Sourced(full, f"plan.recompute: {job.recompute_kind}"),
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        },
        "parallelism_config": {
            "parallelism_config_dp_replicate_size": Sourced(job.sharding_groups, "plan.data, shard"),
            "parallelism_config_dp_shard_size": Sourced(job.data // job.sharding_groups, "plan.data, shard"),
            "parallelism_config_tp_size": Sourced(job.tensor, "plan.tensor"),
            "parallelism_config_cp_size": Sourced(job.context, "plan.context"),
        },
    }
    return yaml_text(data)


def command(job: LaunchJob) -> list[str]:
    """Starts the user's training script on one node."""
    del job
    return [
        'exec accelerate launch --config_file "$CONFIG" --machine_rank "$NODE_RANK" \\',
        '    --main_process_ip "$MASTER_ADDR" --main_process_port "$MASTER_PORT" "$TRAIN_SCRIPT" "$@"',
    ]
