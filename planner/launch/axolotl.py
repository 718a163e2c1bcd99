"""A phase as the YAML of axolotl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.catalog.launch_targets import Target
from planner.foreign.yaml_text import Sourced, yaml_text
from planner.launch.job import LaunchJob

PLACEHOLDER_RATE = 1.0e-05
"""Learning rate that holds the place of the user's own."""
PLACEHOLDER_DATA = "your-dataset"


def refusals(_: LaunchJob, __: Target) -> Iterator[str]:
    """What axolotl would refuse, beyond the values that it accepts."""
    yield from ()


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the file does not say."""
    if job.previous_phase is not None:
        yield "that base_model is the checkpoint of the phase before"


def body(job: LaunchJob, _: Target) -> str:
    """The file."""
    data: dict[str, Any] = {
        "base_model": Sourced(job.model.name, "problem.model; write the weights' path or their name on the hub"),
        "sequence_len": Sourced(job.sequence_length, "phase.sequence_length"),
        "micro_batch_size": Sourced(job.micro_batch, "plan.micro_batch"),
        "gradient_accumulation_steps": Sourced(job.microbatches, "plan.microbatches"),
        "max_steps": Sourced(job.steps, "plan.steps"),
        job.precision: Sourced(value=True, source="training.precision"),
        "optimizer": Sourced("adamw_torch_fused", f"training.optimizer: {job.training.optimizer}"),
        "learning_rate": Sourced(PLACEHOLDER_RATE, "yours"),
        "datasets": [{"path": PLACEHOLDER_DATA, "type": "completion"}],
        "attn_implementation": "flash_attention_2",
        "gradient_checkpointing": Sourced(job.recompute_kind == "full", f"plan.recompute: {job.recompute_kind}"),
        **_sharding(job),
        **_adapter(job),
        **_saving(job),
    }
    return yaml_text(data)


def _sharding(job: LaunchJob) -> dict[str, Any]:
    """Degrees; on one device there are none."""
    if job.gpus == 1:
        return {}
    context = {"context_parallel_size": Sourced(job.context, "plan.context")} if job.context > 1 else {}
    return {
        "dp_shard_size": Sourced(job.data // job.sharding_groups, "plan.data, shard"),
        "dp_replicate_size": Sourced(job.sharding_groups, "plan.data, shard"),
        **context,
        "fsdp_version": 2,
        "fsdp_config": {
            "reshard_after_forward": Sourced(job.zero == 3, f"plan.zero: {job.zero}"),
            "state_dict_type": "SHARDED_STATE_DICT",
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        },
    }


def _adapter(job: LaunchJob) -> dict[str, Any]:
    if job.training.method != "lora":
        return {}
    return {
        "adapter": Sourced("lora", "training.method"),
        "lora_r": Sourced(job.training.rank, "training.rank"),
        "lora_alpha": Sourced(2 * (job.training.rank or 1), "twice the rank, as usual; yours"),
        "lora_target_linear": Sourced(value=True, source="as the estimate assumes"),
    }


def _saving(job: LaunchJob) -> dict[str, Any]:
    every = job.steps_per_checkpoint
    source = "plan.checkpoint_interval_seconds"
    return {"output_dir": "./outputs", "save_steps": Sourced(every, source)}


def command(job: LaunchJob) -> list[str]:
    """Starts axolotl on one node."""
    return [
        'exec axolotl train "$CONFIG" --launcher torchrun -- --nnodes="$NNODES" --node-rank="$NODE_RANK" \\',
        f'    --nproc-per-node={job.gpus_per_node} --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT"',
    ]
