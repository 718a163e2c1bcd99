"""A phase as arguments of Megatron-LM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planner.catalog.launch_targets import Target
from planner.catalog.records import ModelArchitecture
from planner.launch.job import LaunchJob
from planner.launch.launchers import torchrun
from planner.launch.text import Argument, array_lines
from planner.problem.layout_rules import cuts_sequence, key_value_heads

PLAN: Final = "plan"
"""What the source of a figure that the plan decided is called."""
REQUIRED: Final = {
    "MEGATRON_DIR": "a checkout of Megatron-LM",
    "DATA_PATH": "the training data",
    "TOKENIZER_MODEL": "a tokenizer of Hugging Face",
    "LEARNING_RATE": "the learning rate",
}
"""What a user must set."""


def refusals(job: LaunchJob, _: Target) -> Iterator[str]:
    """What Megatron's parser, configuration or process groups would refuse."""
    model = job.model
    kv_heads = key_value_heads(model)
    if kv_heads % job.tensor:
        yield f"tensor {job.tensor} does not divide the {kv_heads} query groups"
    if not cuts_sequence(job.sequence_length, job.context):
        yield f"sequence_length {job.sequence_length} is not a multiple of twice context {job.context}"
    if job.gpus % (job.expert * job.pipeline):
        yield f"expert {job.expert} × pipeline {job.pipeline} does not divide {job.gpus} GPUs"
    if (job.recompute.full_layers or 0) % job.virtual_pipeline:
        yield f"{job.recompute.full_layers} recomputed layers a stage are not whole for {job.virtual_pipeline} chunks"
    chunks = job.pipeline * job.virtual_pipeline
    if job.virtual_pipeline > 1 and model.num_hidden_layers % chunks and (model.num_hidden_layers + 2) % chunks:
        yield f"{model.num_hidden_layers} layers cannot be dealt evenly to {job.virtual_pipeline} chunks a device"
    if 0 < model.learned_positions < job.sequence_length:
        yield f"a learned table of {model.learned_positions} positions is shorter than a sequence"
    biases = (model.attention_qkv_bias, model.attention_output_bias, model.mlp_bias)
    if biases not in {(False, False, False), (True, True, True), (True, False, False)}:
        yield "the model has biases in some linear layers only"
    if model.full_attention_share < 1 and model.full_attention_share and (1 / model.full_attention_share) % 1:
        yield "layers with a sliding window do not alternate in a fixed rhythm"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the arguments do not say."""
    if job.stack not in {"megatron", "typical", "primus"}:
        yield f"the schedule of the stack {job.stack}, for which the plan's seconds hold; Megatron runs its own 1F1B"
    if job.model.multi_token_prediction_layers:
        yield "multi-token prediction, which the plan leaves out: add --mtp-num-layers to train it"
    if job.model.dense_layers:
        yield "which layers have no experts: the plan only counts them; here they are the first"
    if not job.model.gated_mlp:
        yield "the activation of the MLP, which the plan does not need to know: GELU unless you add another"


def arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Every argument with its source."""
    yield from _model_arguments(job, target)
    yield from _batch_arguments(job, target)
    yield from _layout_arguments(job, target)
    yield from _precision_arguments(job, target)
    yield from _running_arguments(job)


def body(job: LaunchJob, target: Target) -> str:
    """The script: its arguments as an array."""
    return "\n".join(array_lines("ARGS", arguments(job, target))) + "\n"


def command(job: LaunchJob) -> list[str]:
    """Starts the arguments on one node."""
    connections = [] if job.zero >= 2 else ["export CUDA_DEVICE_MAX_CONNECTIONS=1"]
    return [*connections, 'cd "$MEGATRON_DIR"', *torchrun(job, 'pretrain_gpt.py "${ARGS[@]}" "$@"')]


def _named(job: LaunchJob, target: Target, field: str, source: str) -> Argument:
    """A field that Megatron takes one to one."""
    return Argument((target.names[field], str(job.value(field))), f"{source}.{field}")


def _spelt(job: LaunchJob, target: Target, field: str, source: str) -> Iterator[Argument]:
    """A field that has words of its own for each value."""
    words = target.written_for(field, job.value(field))
    if words:
        yield Argument(words, f"{source}.{field}: {job.value(field)}")


def _model_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """The architecture."""
    model = job.model
    for field in ("num_hidden_layers", "hidden_size", "num_attention_heads"):
        yield _named(job, target, field, "model")
    width = model.intermediate_size or model.moe_intermediate_size
    yield Argument(("--ffn-hidden-size", str(width)), "model.intermediate_size")
    yield from _attention_arguments(job, target)
    for field in ("norm", "gated_mlp", "tie_word_embeddings", "query_key_norm"):
        yield from _spelt(job, target, field, "model")
    yield from _bias_arguments(model)
    yield from _position_arguments(job)
    yield _named(job, target, "vocab_size", "model")
    tokenizer = '"$TOKENIZER_MODEL"'
    yield Argument(("--tokenizer-type HuggingFaceTokenizer --tokenizer-model", tokenizer), "yours", quoted=True)
    if model.is_moe:
        yield from _expert_arguments(job, target)


def _attention_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Heads, grouped or latent, and windows."""
    model = job.model
    if model.kv_lora_rank:
        yield Argument(("--multi-latent-attention",), "model.kv_lora_rank")
        for field in ("q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "v_head_dim"):
            if job.value(field):
                yield _named(job, target, field, "model")
        yield Argument(("--qk-head-dim", str(model.head_dim - model.qk_rope_head_dim)), "model.head_dim")
    else:
        yield Argument(("--kv-channels", str(model.head_dim)), "model.head_dim")
        if model.num_key_value_heads != model.num_attention_heads:
            groups = ("--group-query-attention", "--num-query-groups", str(model.num_key_value_heads))
            yield Argument(groups, "model.num_key_value_heads")
    if model.sliding_window and model.full_attention_share < 1:
        yield Argument(("--window-size", f"{model.sliding_window - 1},0"), "model.sliding_window")
        if model.full_attention_share:
            every = str(round(1 / model.full_attention_share))
            yield Argument(("--window-attn-skip-freq", every), "model.full_attention_share")


def _bias_arguments(model: ModelArchitecture) -> Iterator[Argument]:
    """Biases of linear layers, which Megatron has unless told otherwise."""
    if not model.mlp_bias:
        yield Argument(("--disable-bias-linear",), "model.mlp_bias")
        if model.attention_qkv_bias:
            yield Argument(("--add-qkv-bias",), "model.attention_qkv_bias")


def _position_arguments(job: LaunchJob) -> Iterator[Argument]:
    """Rotary positions, or a learned table."""
    learned = job.model.learned_positions
    kind = "learned_absolute" if learned else "rope"
    most = max(learned, job.sequence_length, job.model.max_position_embeddings or 0 if not learned else 0)
    yield Argument(("--position-embedding-type", kind), "model.learned_positions")
    yield Argument(("--max-position-embeddings", str(most)), "model.max_position_embeddings")


def _expert_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Experts and their router."""
    model = job.model
    for field in ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size"):
        yield _named(job, target, field, "model")
    if model.n_group > 1:
        for field in ("n_group", "topk_group"):
            yield _named(job, target, field, "model")
    if model.shared_expert_intermediate_size:
        yield _named(job, target, "shared_expert_intermediate_size", "model")
    if model.dense_layers:
        layers = f"([0]*{model.dense_layers}+[1]*{model.num_hidden_layers - model.dense_layers})"
        yield Argument(("--moe-layer-freq", layers), "model.dense_layers")
    for field in ("router_bias", "shared_expert_gate"):
        yield from _spelt(job, target, field, "model")
    yield Argument(("--moe-grouped-gemm", "--moe-token-dispatcher-type", "alltoall"), "as the estimate assumes")


def _batch_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Sequences and steps."""
    yield _named(job, target, "sequence_length", f"phase {job.phase}")
    yield _named(job, target, "global_batch", f"phase {job.phase}")
    yield _named(job, target, "micro_batch", PLAN)
    yield _named(job, target, "steps", PLAN)


def _layout_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Degrees, stages, sharding and recompute."""
    for field in ("tensor", "pipeline", "context"):
        yield _named(job, target, field, PLAN)
    if job.tensor > 1:
        yield Argument(("--sequence-parallel",), "with tensor > 1, as the estimate assumes")
    if job.model.is_moe:
        yield _named(job, target, "expert", PLAN)
        yield Argument(("--expert-tensor-parallel-size", "1"), "experts are whole on their device")
    yield from _stage_arguments(job)
    yield from _spelt(job, target, "zero", PLAN)
    if job.software.data_overlap:
        yield Argument(("--overlap-grad-reduce",), f"training.software: {job.stack}")
        if job.zero and not job.software.parameter_gather_exposed:
            yield Argument(("--overlap-param-gather",), f"training.software: {job.stack}")
    yield from _spelt(job, target, "recompute_kind", PLAN)
    if job.recompute.full_layers:
        layers = str(job.recompute.full_layers // job.virtual_pipeline)
        yield Argument(("--recompute-num-layers", layers), f"{PLAN}.recompute, layers of a chunk")


def _stage_arguments(job: LaunchJob) -> Iterator[Argument]:
    """How layers are cut into stages: evenly, evenly with embedding and loss counted, or chunk by chunk."""
    layers, chunks = job.model.num_hidden_layers, job.pipeline * job.virtual_pipeline
    if job.pipeline == 1:
        return
    counted = bool(layers % chunks) and (layers + 2) % chunks == 0
    if counted:
        words = ("--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split")
        yield Argument(words, f"{PLAN}.pipeline: {layers} layers, embedding and loss are dealt to {chunks} chunks")
    elif layers % chunks:
        words = ("--pipeline-model-parallel-layout", _uneven_stages(layers, job.pipeline))
        yield Argument(words, f"{PLAN}.pipeline: {layers} layers on {job.pipeline} stages")
    if job.virtual_pipeline > 1:
        per_chunk = (layers + 2 * counted) // chunks
        yield Argument(("--num-layers-per-virtual-pipeline-stage", str(per_chunk)), f"{PLAN}.virtual_pipeline")


def _uneven_stages(layers: int, stages: int) -> str:
    """Megatron's layout of an uneven cut: the fullest stages first, embedding and loss at the ends."""
    full = -(-layers // stages)
    counts = [0] * stages
    for stage in range(stages):
        counts[stage] = min(full, layers - sum(counts) - (stages - 1 - stage))
    return "|".join(["E" * (not stage) + "t" * count for stage, count in enumerate(counts)]) + "L"


def _precision_arguments(job: LaunchJob, target: Target) -> Iterator[Argument]:
    """Number formats."""
    yield from _spelt(job, target, "precision", "training")
    yield Argument(("--attention-dropout", "0", "--hidden-dropout", "0"), "as the estimate assumes")


def _running_arguments(job: LaunchJob) -> Iterator[Argument]:
    """Data, learning rate and checkpoints: mostly the user's own."""
    data = '"$DATA_PATH"'
    yield Argument(("--data-path", data), "yours", quoted=True)
    yield Argument(("--lr", '"$LEARNING_RATE"'), "yours", quoted=True)
    folder = '"$CHECKPOINT_DIR"'
    yield Argument(("--save", folder, "--load", folder), "yours", quoted=True)
    if job.previous_phase is not None:
        yield Argument(("--pretrained-checkpoint", '"$PREVIOUS_CHECKPOINT"'), "the phase before", quoted=True)
    every = job.steps_per_checkpoint
    source = f"{PLAN}.checkpoint_interval_seconds"
    yield Argument(("--save-interval", str(every)), source)
