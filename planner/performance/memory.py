"""What fills a device's memory at its peak, on the fullest pipeline stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.performance.data_parallel import WEIGHT_BYTES
from planner.performance.normal import normal_probability
from planner.performance.parameters import expert_hidden
from planner.performance.pipeline import (
    in_flight,
    in_flight_last,
    largest_stage_layers,
    last_stage_layers,
    micro_batch_tokens,
    microbatches,
)
from planner.performance.sharding import Held, embedding_parameters_per_device, held_parameters, state_shards
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
    context: Array
    """The part of it that is no cache of the allocator."""
    deviation: Array
    """Standard deviation of log(real peak / expected peak)."""

    @cached_property
    def allocated(self) -> Array:
        """Peak of what the framework itself allocates."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.other

    @property
    def expected(self) -> Array:
        """What the device is expected to show as used at the peak."""
        return self.allocated + self.reserve

    def margin(self, deviations: float) -> Array:
        """What to set aside beyond the expectation for the peak's quantile so many standard deviations above."""
        return self.expected * np.expm1(deviations * self.deviation)

    def reserved(self, deviations: float) -> Array:
        """The peak's quantile so many standard deviations above the expectation, its median; log-normal."""
        return self.expected + self.margin(deviations)

    def fit_probability(self, limit: Array | float) -> Array:
        """Probability that a run gets by with a device's memory.

        What the allocator caches it gives back before it fails. Source: PyTorch, CUDA semantics, memory management.
        """
        return normal_probability(np.log(limit / (self.allocated + self.context)) / self.deviation)


def linear_input_bytes(software: Software, job: Job) -> Array:
    """Bytes per element of what a linear layer keeps of its input: 2, or 1 where it is stored in 8 bit."""
    return np.where((software.stores_low_precision > 0) & (job.low_precision > 0), 1.0, 2.0)


UNFUSED_NORM_BYTES = 4.0
"""Bytes per element that a norm of separate kernels keeps beyond its input and output: 32-bit copies."""


def residual_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes per token of one norm's input, 2·h, and of its output, which a linear layer keeps.

    Sequence parallelism shards both, unless the stack keeps the gathered output instead of gathering it again. Copies
    that separate kernels make are cheap to compute again, as selective recompute does.
    """
    sharded = np.where(software.sequence_parallel > 0, layout.tensor, 1.0)
    kept = np.where(software.keeps_gathered > 0, 1.0, sharded)
    copies = (1 - layout.recompute_selective) * software.unfused_kept * UNFUSED_NORM_BYTES
    inputs = (2 + copies) * arch.hidden / sharded
    return np.asarray(inputs + linear_input_bytes(software, job) * arch.hidden / kept)


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
    gate = 2 * arch.attention_gate * arch.heads * arch.value_head
    indexer = arch.index_layers * 2 * (arch.index_heads + 1) * arch.index_head
    scores = np.where(software.fused_attention > 0, 0.0, 5 * arch.heads * job.sequence / t)
    kept_scores = scores * (1 - layout.recompute_selective * software.selective_attention)
    output = linear_input_bytes(software, job) * arch.heads * arch.value_head
    return np.asarray(residual + (2 * projected + output + gate) / t + 2 * latents + indexer + kept_scores)


def mlp_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout, *, moe: bool) -> Array:
    """Bytes per token that one layer's MLP keeps: norm input and output, both widths, and k copies for experts.

    An expert's output is kept only where its weight is applied to it at the end.
    """
    t = layout.tensor
    residual = residual_bytes(arch, software, job, layout)
    stored = linear_input_bytes(software, job)
    unfused = (1 - layout.recompute_selective) * software.unfused_kept
    per_width = 2 * (1 + arch.gated) + stored + 2 * arch.gated * unfused
    if not moe:
        return residual + per_width * arch.dense_ffn / t
    outputs = 2 * software.expert_outputs_kept * expert_hidden(arch) * layout.expert_tensor
    routed = arch.top_k * (outputs + per_width * arch.expert_ffn) / t
    return residual + per_width * arch.shared_ffn / t + routed + dispatched_bytes(arch, software, job, layout)


def dispatched_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes per token that a layer of experts keeps of what their exchange delivered: k copies."""
    each = linear_input_bytes(software, job) * expert_hidden(arch) * layout.expert_tensor / layout.tensor
    return np.asarray(arch.top_k * each)


def layer_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes that one average layer keeps for one micro-batch without recompute."""
    attention = attention_activation_bytes(arch, software, job, layout)
    dense = mlp_activation_bytes(arch, software, job, layout, moe=False)
    share = arch.dense_layers / arch.layers
    mlp = share * dense + (arch.mlps - share) * mlp_activation_bytes(arch, software, job, layout, moe=True)
    mixed = arch.attentions * attention + arch.mixers * mixer_activation_bytes(arch, software, job, layout)
    return micro_batch_tokens(job, layout) * (mixed + mlp)


def mixer_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Bytes per token that a block without softmax attention keeps: norm input and output, and 2 per kept element."""
    return np.asarray(residual_bytes(arch, software, job, layout) + 2 * arch.mixer_kept / layout.tensor)


def selectively_kept(arch: Architecture, software: Software, job: Job, layout: Layout) -> Array:
    """Share of an average layer's activations that selective recompute keeps: the stack's of what layers compute.

    It repeats no exchange, so that what experts were sent stays whole.
    """
    sparse = arch.mlps - arch.dense_layers / arch.layers
    dispatched = micro_batch_tokens(job, layout) * sparse * dispatched_bytes(arch, software, job, layout)
    exchanged = dispatched / layer_activation_bytes(arch, software, job, layout)
    return software.selective_kept * (1 - exchanged) + exchanged


def stored_activation_bytes(arch: Architecture, software: Software, job: Job, layout: Layout, whole: Array) -> Array:
    """Bytes that one layer keeps for one micro-batch under the layout's recompute.

    Full recompute keeps the layer's input, 2·s·b·h, sharded only under sequence parallelism. Source: Korthikanti et al.
    2022, section 5.
    """
    sharded = np.where(software.sequence_parallel > 0, layout.tensor, 1.0)
    inputs = 2 * micro_batch_tokens(job, layout) * arch.hidden / sharded
    plain = 1 - layout.recompute_full - layout.recompute_selective
    selective = layout.recompute_selective * selectively_kept(arch, software, job, layout)
    return (plain + selective) * whole + layout.recompute_full * inputs


def weight_bytes_held(held: Held, software: Software, job: Job, layout: Layout) -> tuple[Array, Array]:
    """Bytes of dense and of expert weights before any sharding: trained ones, and a frozen base in its own format.

    Vocabulary tables, norms and adapters stay in 16 bit.
    """
    sharded = layout.zero >= 3
    own = np.minimum(software.zero3_weight_bytes, software.weight_bytes)
    trained = np.where(sharded, own, software.weight_bytes)
    spared = (1 - job.trains_base) * (WEIGHT_BYTES - job.base_bytes)
    each = np.where(job.trains_base > 0, trained, WEIGHT_BYTES)
    return each * held.dense - spared * held.layers, each * held.experts - spared * held.expert_layers


@dataclass(frozen=True)
class States:
    """Bytes of what a device holds whatever its micro-batches; no recompute changes them."""

    weights: Array
    gradients: Array
    optimizer: Array
    gathered: Array
    """Layers that ZeRO-3 holds whole."""
    context: Array
    """What the driver's context and the communication library take."""


def memory(arch: Architecture, software: Software, job: Job, layout: Layout, constants: Constants) -> Memory:
    """Peak memory of the fullest stage by part, bytes; every argument broadcasts."""
    activations, logits = activation_peak(arch, software, job, layout, constants)
    return peak_memory(model_states(arch, software, job, layout, constants), activations, logits, constants)


def model_states(arch: Architecture, software: Software, job: Job, layout: Layout, constants: Constants) -> States:
    """Weights, gradient buffer, optimizer states; ZeRO-1 shards the last, 2 the gradients too, 3 all.

    They depend neither on the micro-batch nor on recompute. Offloaded and paged states take no room; offloaded weights
    no more than the layers that ZeRO-3 holds whole at a time. Sources: Rajbhandari et al. 2020, section 5; Ren et al.
    2021, arXiv 2101.06840 (optimizer on the host); Rajbhandari et al. 2021, arXiv 2104.07857 (parameters).
    """
    held = held_parameters(arch, software, job, layout)
    by_dense, by_expert = state_shards(layout)

    def sharded(dense: Array, experts: Array, from_stage: int) -> Array:
        """Bytes a device, divided among replicas from a ZeRO stage on."""
        is_sharded = layout.zero >= from_stage
        return dense / np.where(is_sharded, by_dense, 1.0) + experts / np.where(is_sharded, by_expert, 1.0)

    on_host = np.maximum(job.offloads_optimizer, job.pages_optimizer)
    state_bytes = (1 - on_host) * (job.state_bytes + software.gradient_copy_bytes)
    weights = sharded(*weight_bytes_held(held, software, job, layout), 3)
    gradients = gradient_bytes_held(software, job, layout) * sharded(held.trained_dense, held.trained_experts, 2)
    whole = GATHERED_LAYERS * held.largest_layer + embedding_parameters_per_device(arch, layout)
    return States(
        weights=weights * (1 - job.offloads_parameters * (layout.zero >= 3)),
        gradients=gradients * (1 - job.offloads_optimizer * (layout.zero >= 2)),
        optimizer=state_bytes * sharded(held.trained_dense, held.trained_experts, 1),
        gathered=np.where(layout.zero >= 3, WEIGHT_BYTES * whole * (by_dense > 1), 0.0),
        context=context_bytes(software, layout, constants),
    )


def gradient_bytes_held(software: Software, job: Job, layout: Layout) -> Array:
    """Bytes of the gradient buffer per trained parameter: as stated, or the stack's own."""
    least = np.minimum(software.zero3_gradient_bytes, software.gradient_bytes)
    own = np.where(layout.zero >= 3, least, software.gradient_bytes)
    return np.where(np.asarray(job.gradient_bytes) > 0, job.gradient_bytes, own)


MOST_CONNECTED = 256.0
"""Devices beyond which communication buffers are not taken to grow: peaks were published for up to some 400."""


def context_bytes(software: Software, layout: Layout, constants: Constants) -> Array:
    """The driver's context, and the communication library's buffers, if any, for each doubling of the devices."""
    devices = layout.tensor * layout.pipeline * layout.context * layout.data
    doublings = np.log2(np.minimum(devices, MOST_CONNECTED))
    return np.asarray(
        constants.context_bytes + software.communication_buffers * constants.communicator_bytes * doublings
    )


def peak_memory(states: States, activations: Array, logits: Array, constants: Constants) -> Memory:
    """The memory of layouts from their states, which expert degree and ZeRO decide, and what micro-batches keep."""
    other = logits + states.gathered
    allocated = states.weights + states.gradients + states.optimizer + activations + other
    reserve = constants.fragmentation * allocated + states.context
    deviation = np.asarray(constants.memory_deviation)
    return Memory(
        states.weights, states.gradients, states.optimizer, activations, other, reserve, states.context, deviation
    )


FUSED_LOSS_SHARE = 1 / 16
"""Share of the logits that a fused or chunked loss holds at a time (Hsu et al. 2024, arXiv 2410.10989, section 3.2)."""
RESIDENT_LAYERS = 2.0
"""Layers whose activations stay on the device while others are on the host: one in use, one on its way."""


def activation_peak(
    arch: Architecture, software: Software, job: Job, layout: Layout, c: Constants
) -> tuple[Array, Array]:
    """Activations and logits on the stage where their sum is largest, the first or the last.

    Both stages are computed. Neither the expert degree nor the ZeRO stage changes them.
    """
    whole = c.activations * layer_activation_bytes(arch, software, job, layout)
    stored = stored_activation_bytes(arch, software, job, layout, whole)
    kept = selectively_kept(arch, software, job, layout)
    again = np.where(layout.recompute_full > 0, 1.0, np.sign(layout.recompute_selective) * (1 - kept))
    working = again * whole
    m = microbatches(job, layout)
    tokens = micro_batch_tokens(job, layout)
    most = np.where(np.asarray(job.offloads_activations) > 0, RESIDENT_LAYERS, np.inf)
    extra = job.trains_mtp * arch.mtp_layers
    full = largest_stage_layers(arch, software, layout)
    first = np.minimum(full * in_flight(software, layout, m), most) * stored + working
    beside = last_stage_layers(arch, software, layout) + extra
    last = np.minimum(beside * in_flight_last(layout, m), most) * stored + working
    logits = tokens * arch.vocabulary / layout.tensor * software.logits_bytes
    logits = logits * np.where(np.asarray(job.fused_loss) > 0, FUSED_LOSS_SHARE, 1.0)
    alone = layout.pipeline <= 1
    first = np.where(alone, np.minimum((full + extra) * in_flight(software, layout, m), most) * stored + working, first)
    on_last = alone | (last + logits > first)
    return np.where(on_last & ~alone, last, first), np.where(on_last, logits, 0.0)
