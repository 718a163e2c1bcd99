"""What fills a device's memory at its peak, on the fullest pipeline stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.performance.data_parallel import WEIGHT_BYTES
from planner.performance.pipeline import (
    in_flight,
    in_flight_last,
    largest_stage_layers,
    last_stage_layers,
    micro_batch_tokens,
    microbatches,
)
from planner.performance.sharding import held_parameters, state_shards
from planner.performance.symbols import Architecture, Array, Constants, Job, Layout, Software

GATHERED_LAYERS = 2.0
"""Layers that ZeRO-3 holds whole at a time: the one in use and the one being fetched."""


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest stage; the parts add up to `allocated`."""

    weights: Array
    gradients: Array
    optimizer: Array
    activations: Array
    other: Array
    """Logits, gathered layers and communication buffers."""
    reserve: Array
    """What the allocator, the driver context and the communication library take on top, as expected."""
    margin: Array
    """What 95 % of published peaks stay under, beyond the expectation."""

    @cached_property
    def allocated(self) -> Array:
        """Peak of what the framework itself allocates."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.other

    @property
    def expected(self) -> Array:
        """What the device is expected to show as used at the peak."""
        return self.allocated + self.reserve

    @property
    def reserved(self) -> Array:
        """What a plan must set aside so that the peak stays under it."""
        return self.expected + self.margin


def linear_input_bytes(software: Software, job: Job) -> Array:
    """Bytes per element of what a linear layer keeps of its input: 2, or 1 where it is stored in 8 bit."""
    return np.where((software.stores_low_precision > 0) & (job.low_precision > 0), 1.0, 2.0)


def residual_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes per token of one norm's input, 2·h, and of its output, which a linear layer keeps.

    Sequence parallelism shards both, unless the stack keeps the gathered output instead of gathering it again.
    """
    sharded = np.where(software.sequence_parallel > 0, layout.tensor, 1.0)
    kept = np.where(software.keeps_gathered > 0, 1.0, sharded)
    return np.asarray(2 * arch.hidden / sharded + linear_input_bytes(software, job) * arch.hidden / kept)


def attention_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes per token that one layer's attention keeps for its backward pass.

    Norm input and output (2·h each), queries, keys, values and the output that fused kernels recompute from; unfused
    attention keeps 5·a·s bytes of scores. Source: Korthikanti et al. 2022, section 4.1, generalised to grouped
    queries and latent attention.
    """
    t = layout.tensor
    residual = residual_bytes(arch, software, job, layout)
    latent = arch.kv_rank > 0
    kv_heads = np.where(latent, arch.heads, np.maximum(arch.kv_heads, t))
    projected = arch.heads * arch.query_key_head + kv_heads * (arch.query_key_head + arch.value_head)
    latents = np.where(latent, arch.query_rank + arch.kv_rank + arch.rope_head, 0.0)
    scores = np.where(software.fused_attention > 0, 0.0, 5 * arch.heads * job.sequence / t)
    kept_scores = scores * (1 - layout.recompute_selective * software.selective_attention)
    output = linear_input_bytes(software, job) * arch.heads * arch.value_head
    return np.asarray(residual + (2 * projected + output) / t + 2 * latents + kept_scores)


def mlp_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout, *, moe: bool) -> Array:
    """Bytes per token that one layer's MLP keeps: norm input and output, both widths, and k copies for experts."""
    t = layout.tensor
    residual = residual_bytes(arch, software, job, layout)
    stored = linear_input_bytes(software, job)
    per_width = 2 * (1 + arch.gated) + stored
    if not moe:
        return residual + per_width * arch.dense_ffn / t
    routed = arch.top_k * ((2 + stored) * arch.hidden * layout.expert_tensor + per_width * arch.expert_ffn) / t
    return residual + per_width * arch.shared_ffn / t + routed


def layer_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes that one average layer keeps for one micro-batch without recompute."""
    attention = attention_activation_bytes(arch, software, job, layout)
    dense = mlp_activation_bytes(arch, software, job, layout, moe=False)
    share = arch.dense_layers / arch.layers
    mlp = share * dense + (1 - share) * mlp_activation_bytes(arch, software, job, layout, moe=True)
    return micro_batch_tokens(job, layout) * (attention + mlp)


def stored_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout, whole: Array) -> Array:
    """Bytes that one layer keeps for one micro-batch under the layout's recompute.

    Full recompute keeps the layer's input, 2·s·b·h, sharded only under sequence parallelism; selective recompute
    keeps the stack's share. Source: Korthikanti et al. 2022, section 5.
    """
    sharded = np.where(software.sequence_parallel > 0, layout.tensor, 1.0)
    inputs = 2 * micro_batch_tokens(job, layout) * arch.hidden / sharded
    plain = 1 - layout.recompute_full - layout.recompute_selective
    return plain * whole + layout.recompute_selective * software.selective_kept * whole + layout.recompute_full * inputs


@dataclass(frozen=True)
class States:
    """Bytes of what a device holds of the model, whatever its micro-batches; no recompute changes them."""

    weights: Array
    gradients: Array
    optimizer: Array
    gathered: Array
    """Layers that ZeRO-3 holds whole."""


def memory(arch: Architecture, software: Software, job: Job, layout: Layout, constants: Constants) -> Memory:
    """Peak memory of the fullest stage by part, bytes; every argument broadcasts."""
    activations, logits = activation_peak(arch, software, job, layout, constants)
    return peak_memory(model_states(arch, software, job, layout), activations, logits, constants)


def model_states(arch: Architecture, software: Software, job: Job, layout: Layout) -> States:
    """16-bit weights, gradient buffer, optimizer states; ZeRO-1 shards the last, 2 the gradients too, 3 all.

    They depend neither on the micro-batch nor on recompute. Source: Rajbhandari et al. 2020, section 5.
    """
    held = held_parameters(arch, software, job, layout)
    by_dense, by_expert = state_shards(layout)

    def sharded(dense: Array, experts: Array, from_stage: int) -> Array:
        is_sharded = layout.zero >= from_stage
        return dense / np.where(is_sharded, by_dense, 1.0) + experts / np.where(is_sharded, by_expert, 1.0)

    whole_layers = GATHERED_LAYERS * WEIGHT_BYTES * held.largest_layer * (1 - 1 / by_dense)
    return States(
        weights=WEIGHT_BYTES * sharded(held.dense, held.experts, 3),
        gradients=software.gradient_bytes * sharded(held.trained_dense, held.trained_experts, 2),
        optimizer=job.state_bytes * sharded(held.trained_dense, held.trained_experts, 1),
        gathered=np.where(layout.zero >= 3, whole_layers, 0.0),
    )


def peak_memory(states: States, activations: Array, logits: Array, constants: Constants) -> Memory:
    """The memory of layouts from their states, which expert degree and ZeRO decide, and what micro-batches keep."""
    other = logits + states.gathered
    allocated = states.weights + states.gradients + states.optimizer + activations + other
    reserve = constants.fragmentation * allocated + constants.context_bytes
    margin = constants.memory_margin * (allocated + reserve)
    return Memory(states.weights, states.gradients, states.optimizer, activations, other, reserve, margin)


def activation_peak(
    arch: Architecture, software: Software, job: Job, layout: Layout, c: Constants
) -> tuple[Array, Array]:
    """Activations and logits on the stage where their sum is largest, the first or the last.

    Both stages are computed. Neither the expert degree nor the ZeRO stage changes them.
    """
    whole = c.activations * layer_activation_bytes(arch, software, job, layout)
    stored = stored_activation_bytes(arch, software, job, layout, whole)
    again = np.where(
        layout.recompute_full > 0, 1.0, np.sign(layout.recompute_selective) * (1 - software.selective_kept)
    )
    working = again * whole
    m = microbatches(job, layout)
    tokens = micro_batch_tokens(job, layout)
    first = largest_stage_layers(arch, software, layout) * stored * in_flight(software, layout, m) + working
    last = last_stage_layers(arch, software, layout) * stored * in_flight_last(layout, m) + working
    logits = tokens * arch.vocabulary / layout.tensor * software.logits_bytes
    alone = layout.pipeline <= 1
    on_last = alone | (last + logits > first)
    return np.where(on_last & ~alone, last, first), np.where(on_last, logits, 0.0)
