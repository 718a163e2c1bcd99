"""The time of one optimizer step, by what it is spent on."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from planner.performance.data_parallel import gradient_exchange_seconds
from planner.performance.layer import LayerTime, layer_time, linear, recompute_seconds
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.memory import layer_activation_bytes, stored_activation_bytes
from planner.performance.offload import (
    activation_offload_seconds,
    optimizer_offload_seconds,
    owned_parameters,
    parameter_offload_seconds,
)
from planner.performance.pipeline import (
    largest_stage_layers,
    mean_stage_seconds,
    micro_batch_tokens,
    microbatches,
    schedule_seconds,
    send_seconds,
    slowest_stage_seconds,
    stage_layers,
)
from planner.performance.sharding import held_parameters
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

UPDATE_BYTES = 6.0
"""Memory traffic of an optimizer step per parameter beside its states, which go in and out: gradient in, weight out."""
NEWTON_SCHULZ_FLOP = 6.0
"""FLOP per parameter, element of a matrix's shorter side and iteration: two products of n·m·m and one of m·m·m.

Source: Liu et al. 2025, arXiv 2502.16982, section 2.
"""
LOGIT_BYTES = 16.0
"""Memory traffic per logit, forward and backward: 16-bit logits, fp32 softmax and gradient."""
FUSED_LOSS_TRAFFIC = 0.5
"""The same of a fused loss, which writes logits and their gradient once (Hsu et al. 2024, arXiv 2410.10989, 3.2)."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step; the parts add up to `total`."""

    compute: Array
    """Forward and backward passes of all micro-batches on the slowest stage."""
    recompute: Array
    tensor: Array
    context: Array
    expert: Array
    pipeline_bubble: Array
    pipeline_send: Array
    data: Array
    optimizer: Array
    offload: Array
    """Transfers to and from the host, and what is updated there."""
    overhead: Array
    """Fixed time, and stragglers growing with the number of nodes."""

    @property
    def total(self) -> Array:
        """Seconds of the whole step."""
        return np.asarray(sum((getattr(self, part.name) for part in fields(self)), start=np.asarray(0.0)))

    def slowed(self, factor: Array) -> StepTime:
        """The same where every part takes `factor` times as long."""
        return StepTime(**{part.name: getattr(self, part.name) * factor for part in fields(self)})


def logits_seconds(arch: Architecture, device: Device, job: Job, layout: Layout, c: Constants) -> Array:
    """Output projection and loss of one micro-batch, forward and backward; the vocabulary is padded to 128·t."""
    tokens = micro_batch_tokens(job, layout)
    columns = np.ceil(arch.vocabulary / (128 * layout.tensor)) * 128
    head = linear(tokens, columns, arch.hidden, device, c, flops_s=device.matmul_flops_s)
    whole = np.where(np.asarray(job.fused_loss) > 0, FUSED_LOSS_TRAFFIC, 1.0)
    traffic = whole * tokens * arch.vocabulary / layout.tensor * LOGIT_BYTES / (BANDWIDTH_SHARE * device.memory_bytes_s)
    return head.forward + head.data_gradient + job.trains_base * head.weight_gradient + traffic


def mean_layer_time(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> LayerTime:
    """The average layer of the model, over its dense and its mixture-of-experts layers."""
    dense = layer_time(arch, device, software, job, layout, c, moe=False)
    if not np.any(arch.experts > 0):
        return dense
    moe = layer_time(arch, device, software, job, layout, c, moe=True)
    share = arch.dense_layers / np.maximum(arch.layers * arch.mlps, 1e-9)
    parts = {part.name: (getattr(dense, part.name), getattr(moe, part.name)) for part in fields(LayerTime)}
    return LayerTime(**{name: share * of_dense + (1 - share) * of_moe for name, (of_dense, of_moe) in parts.items()})


def optimizer_seconds(arch: Architecture, device: Device, software: Software, job: Job, layout: Layout) -> Array:
    """The optimizer's memory traffic on the fullest stage over what it trains and `memory` keeps states for.

    That is its layers and a vocabulary table (both tables without pipelining), or the adapters alone, sharded over
    replicas from ZeRO-1 on. States on the host are updated there. An optimizer that orthogonalises matrices computes
    6·m FLOP per parameter and iteration, m the shorter side.
    """
    owned = owned_parameters(held_parameters(arch, software, job, layout), layout)
    here = 1 - job.offloads_optimizer
    stream = here * optimizer_traffic(job) * owned / (BANDWIDTH_SHARE * device.memory_bytes_s)
    flop = NEWTON_SCHULZ_FLOP * job.orthogonalisation_steps * arch.hidden
    return np.asarray(stream + flop * owned / device.matmul_flops_s)


def optimizer_traffic(job: Job) -> Array:
    """Memory traffic of a step per parameter, bytes: 30 for mixed-precision Adam."""
    return 2 * job.state_bytes + UPDATE_BYTES


def offload_seconds(
    arch: Architecture,
    device: Device,
    software: Software,
    job: Job,
    layout: Layout,
    c: Constants,
    *,
    one_stage: Array,
    m: Array,
) -> Array:
    """What a step waits for the host; `one_stage` are the seconds of a micro-batch, which hide transfers."""
    held = held_parameters(arch, software, job, layout)
    rounds = np.where(layout.pipeline > 1, 1.0, m)
    whole = c.activations * layer_activation_bytes(arch, software, job, layout)
    stage = largest_stage_layers(arch, software, layout) * stored_activation_bytes(arch, software, job, layout, whole)
    return (
        optimizer_offload_seconds(held, device, job, layout, optimizer_traffic(job))
        + parameter_offload_seconds(held, device, job, layout, c, hidden_by=one_stage, rounds=rounds)
        + activation_offload_seconds(stage, device, job, c, hidden_by=one_stage, microbatches=m)
    )


def uses_host(job: Job) -> bool:
    """Whether anything is kept on the host."""
    kept = (job.offloads_optimizer, job.offloads_parameters, job.offloads_activations, job.pages_optimizer)
    return any(bool(np.any(np.asarray(one) > 0)) for one in kept)


def with_more_predictions(
    head: Array, one_layer: Array, arch: Architecture, device: Device, job: Job, layout: Layout, c: Constants
) -> Array:
    """The logits with the multi-token-prediction modules beside them: a layer, a projection 2·h → h and logits each.

    Source: DeepSeek-AI 2024, arXiv 2412.19437, section 2.2.
    """
    into = linear(micro_batch_tokens(job, layout), arch.hidden, 2 * arch.hidden, device, c)
    each = head + one_layer + into.forward + into.data_gradient + job.trains_base * into.weight_gradient
    return head + job.trains_mtp * arch.mtp_layers * each


def jitter_seconds(busy: Array, device: Device, layout: Layout, c: Constants) -> Array:
    """Stragglers and network noise: a share of the busy time per doubling of the nodes."""
    nodes = layout.tensor * layout.pipeline * layout.context * layout.data / device.node
    return c.jitter * np.log2(np.maximum(nodes, 1.0)) * busy


def one_layer_seconds(layer: LayerTime, again: Array) -> Array:
    """Both passes of one layer and one micro-batch with what they wait for and what runs `again`."""
    exchanged = 2 * layer.tensor_forward + layer.context_forward + layer.context_backward + 2 * layer.expert_forward
    return layer.compute_forward + layer.compute_backward + exchanged + again


def assemble_step(
    layer: LayerTime,
    head: Array,
    arch: Architecture,
    device: Device,
    software: Software,
    job: Job,
    layout: Layout,
    c: Constants,
) -> StepTime:
    """The step from the times of its mean layer and of its logits, which depend on few of the degrees.

    The slowest stage has the most layers, or the logits beside fewer layers.
    """
    again = recompute_seconds(layer, software, layout)
    tensor, expert = 2 * layer.tensor_forward, 2 * layer.expert_forward
    context = layer.context_forward + layer.context_backward
    one_layer = one_layer_seconds(layer, again)
    if np.any(np.asarray(job.trains_mtp) > 0):
        head = with_more_predictions(head, one_layer, arch, device, job, layout, c)
    full, last = stage_layers(arch, software, layout)
    slowest = slowest_stage_seconds(one_layer, head, full, last)
    mean = mean_stage_seconds(one_layer, head, arch.layers, layout.pipeline)
    m = microbatches(job, layout)
    passes = schedule_seconds(m, slowest, mean, software, layout.pipeline, layout.virtual_pipeline)
    send = send_seconds(job, arch, device, software, layout, m)
    data = gradient_exchange_seconds(arch, device, software, job, layout, c, micro_batch_seconds=mean, microbatches=m)
    optimizer = optimizer_seconds(arch, device, software, job, layout)
    offload = np.broadcast_to(0.0, np.shape(optimizer))
    if uses_host(job):
        offload = offload_seconds(arch, device, software, job, layout, c, one_stage=mean, m=m)
    stage = m * full
    return StepTime(
        compute=m * slowest - stage * (again + tensor + context + expert),
        recompute=stage * again,
        tensor=stage * tensor,
        context=stage * context,
        expert=stage * expert,
        pipeline_bubble=passes - m * slowest,
        pipeline_send=send,
        data=data,
        optimizer=optimizer,
        offload=offload,
        overhead=device.pace * c.step_seconds
        + jitter_seconds(passes + send + data + optimizer + offload, device, layout, c),
    )


def step_time(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> StepTime:
    """The time of one step, by part; every argument broadcasts."""
    layer = mean_layer_time(arch, device, software, job, layout, c)
    head = logits_seconds(arch, device, job, layout, c)
    return assemble_step(layer, head, arch, device, software, job, layout, c)
