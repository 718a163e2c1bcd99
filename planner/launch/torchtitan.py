"""A phase as a Python module for torchtitan: a function that returns `Trainer.Config`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planner.catalog.launch_targets import Target
from planner.launch.job import LaunchJob
from planner.launch.launchers import torchrun
from planner.launch.text import one_line

REQUIRED: Final = {"HF_ASSETS_PATH": "a folder with the model's tokenizer"}
"""What a user must set."""
FUNCTION: Final = "planned"
"""The function in the module."""


def refusals(job: LaunchJob, target: Target) -> Iterator[str]:
    """What torchtitan would refuse."""
    if job.model.name not in target.words["model"]:
        yield f"its registry has no {job.model.name}"
    if job.virtual_pipeline > 1 and _stages(job)[1] is None:
        yield f"{job.model.num_hidden_layers} layers cannot be dealt evenly to {job.virtual_pipeline} chunks a device"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the module does not say."""
    if job.zero == 1:
        yield "ZeRO 1: torchtitan shards weights and gradients too; kept gathered after the forward pass it is nearest"
    if job.recompute_kind == "selective":
        yield "selective recompute: torchtitan's own choice of operations stands for it"
    if job.pipeline > 1:
        yield "CUDA graphs, which torchtitan refuses with a pipeline"


def local_batch(job: LaunchJob) -> int:
    """Sequences per replica and accumulated step: with a pipeline all micro-batches, else one."""
    return job.micro_batch * job.microbatches if job.pipeline > 1 else job.micro_batch


def body(job: LaunchJob, target: Target) -> str:
    """The module."""
    package, flavor = target.written_for("model", job.model.name)
    lines = [
        *_imports(package, job),
        "",
        "",
        f"def {FUNCTION}() -> Trainer.Config:",
        f'    """The phase {_plain(job.phase)} of a plan."""',
        *_model_lines(job, target, flavor),
        "    return Trainer.Config(",
        "        loss=ChunkedLossWrapper.Config(",
        "            loss_fn=CrossEntropyLoss.Config(global_vocab_size=decoder_vocab_size(model_spec)),",
        "        ),",
        '        hf_assets_path=os.environ["HF_ASSETS_PATH"],',
        "        model_spec=model_spec,",
        "        training=TrainingConfig(",
        *_keywords(_training(job)),
        "        ),",
        "        parallelism=ParallelismConfig(",
        *_keywords(_parallelism(job, target)),
        "        ),",
        f"        activation_checkpoint={_policy(job, target)},  # plan.recompute: {job.recompute_kind}",
        *_checkpoint_lines(job),
        '        compile=CompileConfig(enable=True, components=["model", "loss"]),',
        "    )",
    ]
    return "\n".join(lines) + "\n"


def _policy(job: LaunchJob, target: Target) -> str:
    return target.written_for("recompute_kind", job.recompute_kind)[0]


def _plain(text: str) -> str:
    """A user's text inside of a docstring."""
    return one_line(text).replace("\\", "/").replace('"', "'")


def _imports(package: str, job: LaunchJob) -> Iterator[str]:
    yield "import os"
    yield ""
    yield "from torchtitan.components.checkpoint import CheckpointManager"
    yield "from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss"
    if job.precision != "bf16":
        yield "from torchtitan.components.quantization import Float8LinearConverter"
    yield "from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig"
    if job.recompute_kind != "none":
        yield f"from torchtitan.distributed.activation_checkpoint import {job.recompute_kind.capitalize()}AC"
    yield "from torchtitan.models.common.config_utils import decoder_vocab_size"
    yield f"from torchtitan.models.{package} import model_registry"
    yield "from torchtitan.trainer import Trainer"


def _model_lines(job: LaunchJob, target: Target, flavor: str) -> Iterator[str]:
    """The model, with 8-bit linear layers where the plan has them."""
    recipe = target.written_for("precision", job.precision)
    if not recipe:
        yield f'    model_spec = model_registry("{flavor}")  # problem.model: {job.model.name}'
        return
    yield f"    model_spec = model_registry(  # problem.model: {job.model.name}"
    yield f'        "{flavor}",'
    yield f'        converters=[Float8LinearConverter.Config(recipe_name="{recipe[0]}", filter_fqns=["lm_head"])],'
    yield "    )"


Keyword = tuple[str, object, str]
"""A keyword argument: name, value, source."""


def _training(job: LaunchJob) -> Iterator[Keyword]:
    yield "local_batch_size", local_batch(job), "plan.micro_batch" + (", microbatches" if job.pipeline > 1 else "")
    yield "global_batch_size", job.global_batch, "phase.global_batch"
    yield "seq_len", job.sequence_length, "phase.sequence_length"
    yield "steps", job.steps, "plan.steps"
    if job.pipeline > 1 or job.expert > 1:
        yield "disable_cuda_graphs", True, "refused with a pipeline or experts"


def _parallelism(job: LaunchJob, target: Target) -> Iterator[Keyword]:
    yield "data_parallel_shard_degree", job.data // job.sharding_groups, "plan.data, shard"
    yield "data_parallel_replicate_degree", job.sharding_groups, "plan.data, shard"
    reshard = target.written_for("fsdp_reshard_after_forward", job.zero)[0]
    yield "fsdp_reshard_after_forward", reshard, f"plan.zero: {job.zero}"
    yield "tensor_parallel_degree", job.tensor, "plan.tensor"
    yield "context_parallel_degree", job.context, "plan.context"
    yield "expert_parallel_degree", job.expert, "plan.expert"
    yield "pipeline_parallel_degree", job.pipeline, "plan.pipeline"
    if job.pipeline > 1:
        yield "pipeline_parallel_microbatch_size", job.micro_batch, "plan.micro_batch"
        schedule = "Interleaved1F1B" if job.virtual_pipeline > 1 else "1F1B"
        yield "pipeline_parallel_schedule", schedule, "plan.virtual_pipeline"
        counted, layers = _stages(job)
        yield "pipeline_parallel_first_stage_less_layers", counted, "the embedding, where it counts as a layer"
        yield "pipeline_parallel_last_stage_less_layers", counted, "the loss, where it counts as a layer"
        if layers is not None:
            yield "pipeline_parallel_layers_per_stage", layers, "plan.pipeline, virtual_pipeline"


def _stages(job: LaunchJob) -> tuple[int, int | None]:
    """Layers that embedding and loss each count as, and those of a chunk where all chunks have as many."""
    layers, chunks = job.model.num_hidden_layers, job.pipeline * job.virtual_pipeline
    if layers % chunks == 0:
        return 0, layers // chunks
    return (1, (layers + 2) // chunks) if (layers + 2) % chunks == 0 else (0, None)


def _checkpoint_lines(job: LaunchJob) -> Iterator[str]:
    every = job.steps_per_checkpoint
    source = "plan.checkpoint_interval_seconds"
    yield f"        checkpoint=CheckpointManager.Config(enable=True, interval={every}),  # {source}"


def _keywords(keywords: Iterator[Keyword]) -> Iterator[str]:
    """Keyword arguments, one a line, each with its source."""
    for name, value, source in keywords:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
        yield f"            {name}={text},  # {source}"


def command(job: LaunchJob) -> list[str]:
    """Starts torchtitan on one node with the module under a name of its own."""
    module = f"plan_{job.number:02d}"
    return [
        f'cp "$CONFIG" "$CHECKPOINT_DIR/{module}.py"',
        'export PYTHONPATH="$CHECKPOINT_DIR:${PYTHONPATH:-}"',
        *torchrun(job, f'-m torchtitan.train --module {module} --config {FUNCTION} "$@"'),
    ]
