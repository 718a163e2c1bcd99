"""The time of one optimizer step, by what it is spent on."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from planner.equations.data_parallel import gradient_exchange_seconds
from planner.equations.held import held_parameters, state_shards
from planner.equations.layer import LayerTime, layer_time, linear, recompute_seconds
from planner.equations.matmul import BANDWIDTH_SHARE
from planner.equations.pipeline import (
    mean_stage_seconds,
    micro_batch_tokens,
    microbatches,
    schedule_seconds,
    send_seconds,
    slowest_stage_seconds,
    stage_layers,
)
from planner.equations.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

OPTIMIZER_BYTES = 30.0
"""Memory traffic of a mixed-precision Adam step per parameter: states in and out, gradient in, weight out."""
LOGIT_BYTES = 16.0
"""Memory traffic per logit, forward and backward: 16-bit logits, fp32 softmax and gradient."""


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
    overhead: Array
    """Fixed time, and stragglers growing with the number of nodes."""

    @property
    def total(self) -> Array:
        """Seconds of the whole step."""
        return np.asarray(sum((getattr(self, part.name) for part in fields(self)), start=np.asarray(0.0)))


def logits_seconds(arch: Architecture, device: Device, job: Job, layout: Layout, c: Constants) -> Array:
    """Output projection and loss of one micro-batch, forward and backward; the vocabulary is padded to 128·t."""
    tokens = micro_batch_tokens(job, layout)
    columns = np.ceil(arch.vocabulary / (128 * layout.tensor)) * 128
    head = linear(tokens, columns, arch.hidden, device, c, flops_s=device.matmul_flops_s)
    traffic = tokens * arch.vocabulary / layout.tensor * LOGIT_BYTES / (BANDWIDTH_SHARE * device.memory_bytes_s)
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
    """Adam's memory traffic on the fullest stage over what it trains and `memory` keeps states for.

    That is its layers and a vocabulary table (both tables without pipelining), or the adapters alone, sharded over
    replicas from ZeRO-1 on.
    """
    held = held_parameters(arch, software, job, layout)
    by_dense, by_expert = (np.where(layout.zero > 0, ways, 1.0) for ways in state_shards(layout))
    owned = held.trained_dense / by_dense + held.trained_experts / by_expert
    return np.asarray(OPTIMIZER_BYTES * owned / (BANDWIDTH_SHARE * device.memory_bytes_s))


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
    full, last = stage_layers(arch, software, layout)
    slowest = slowest_stage_seconds(one_layer, head, full, last)
    mean = mean_stage_seconds(one_layer, head, arch.layers, layout.pipeline)
    m = microbatches(job, layout)
    passes = schedule_seconds(m, slowest, mean, software, layout.pipeline, layout.virtual)
    send = send_seconds(job, arch, device, software, layout, m)
    data = gradient_exchange_seconds(arch, device, software, job, layout, c, micro_batch_seconds=mean, microbatches=m)
    optimizer = optimizer_seconds(arch, device, software, job, layout)
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
        overhead=c.step_seconds + jitter_seconds(passes + send + data + optimizer, device, layout, c),
    )


def step_time(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> StepTime:
    """The time of one step, by part; every argument broadcasts."""
    layer = mean_layer_time(arch, device, software, job, layout, c)
    head = logits_seconds(arch, device, job, layout, c)
    return assemble_step(layer, head, arch, device, software, job, layout, c)
