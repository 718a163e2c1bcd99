"""Forward and backward time of one layer for one micro-batch on one device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.performance.attention import attention_core_seconds
from planner.performance.data_parallel import WEIGHT_BYTES
from planner.performance.layer_communication import context_seconds, expert_seconds, tensor_seconds
from planner.performance.matmul import BANDWIDTH_SHARE, matmul_seconds
from planner.performance.parameters import expert_hidden
from planner.performance.pipeline import micro_batch_tokens
from planner.performance.sharding import dense_parameters_per_device, expert_parameters_per_device
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

DENSE_KERNELS = 20.0
"""Kernel launches of a dense layer's forward pass."""
FREE_HOST, WAITING_HOST = 4.0, 2.0
"""Sharpness of the larger of device and host time: a host that runs ahead, and one that waits once a layer."""
EXPERT_BIAS_BYTES, EXPERT_BIAS_HIDDEN_BYTES = 44.0, 10.0
"""Memory traffic per element of experts' inner and outer width where biases and clamps are kernels of their own.

Inner: the bias of both halves in and out (8 each), two clamps, sigmoid and products, 4 to 6 bytes each; outer: the
weighted bias and its sum.
"""
COPY_BYTES = 12.0
"""Memory traffic per element of a token copy: permuted forth and back, weighted and added."""
GROUPED_ROWS = 130.0
"""Rows per expert at which the weight gradient of a grouped product takes twice the time that its shape explains.

With its shape it then runs at 0.18, 0.54 and 0.83 of a large product's rate at 64, 256 and 1,024 rows; measured on one
H200: 0.21, 0.55 and 0.84. A forward product needs no more than its shape says: 0.82 at 256 rows, measured 0.80.
"""


@dataclass(frozen=True)
class LayerTime:
    """Seconds of one layer and one micro-batch, by what they are spent on."""

    compute_forward: Array
    compute_backward: Array
    """Without recompute."""
    attention_core_forward: Array
    """The part of `compute_forward` in the attention core."""
    linear_forward: Array
    """The part of `compute_forward` in linear layers."""
    tensor_forward: Array
    """Exposed tensor-parallel communication of the forward pass; the backward pass has as much."""
    context_forward: Array
    context_backward: Array
    expert_forward: Array
    """Exposed dispatch and combine of the forward pass; the backward pass has as much."""


@dataclass(frozen=True)
class Products:
    """Seconds of a set of matrix products, by pass."""

    forward: Array
    data_gradient: Array
    weight_gradient: Array

    def __add__(self, other: Products) -> Products:
        """Sum pass by pass."""
        return Products(
            self.forward + other.forward,
            self.data_gradient + other.data_gradient,
            self.weight_gradient + other.weight_gradient,
        )

    def times(self, count: Array) -> Products:
        """So many of them."""
        return Products(count * self.forward, count * self.data_gradient, count * self.weight_gradient)


def linear(
    rows: Array,
    columns: Array,
    inner: Array,
    device: Device,
    constants: Constants,
    *,
    count: Array | float = 1.0,
    flops_s: Array | None = None,
) -> Products:
    """`count` linear layers of inner → columns on `rows` tokens: forward, data gradient, weight gradient."""
    rate = device.low_matmul_flops_s if flops_s is None else flops_s

    def seconds(m: Array, n: Array, k: Array) -> Array:
        """Time of so many products of this shape."""
        return count * matmul_seconds(
            m,
            n,
            k,
            flops_s=rate,
            bytes_s=device.memory_bytes_s,
            units=device.compute_units,
            shape_elements=constants.shape_elements,
        )

    present = np.where((columns > 0) & (inner > 0) & (rows > 0), 1.0, 0.0)
    return Products(
        present * seconds(rows, columns, inner),
        present * seconds(rows, inner, columns),
        present * seconds(columns, inner, rows),
    )


def attention_projections(arch: Architecture, device: Device, layout: Layout, tokens: Array, c: Constants) -> Products:
    """Query, key, value and output projections, sharded over heads; low-rank ones (MLA) are not sharded.

    Nor is an indexer, which every rank runs whole.
    """
    heads = arch.heads / layout.tensor
    kv_heads = np.maximum(arch.kv_heads / layout.tensor, 1.0)
    latent = arch.kv_rank > 0
    head, value = arch.query_key_head, arch.value_head
    gate = arch.attention_gate * heads * value
    fused_qkv = np.where(latent, 0.0, heads * head + kv_heads * (head + value)) + gate
    low_rank_query = latent & (arch.query_rank > 0)
    query_inner = np.where(low_rank_query, arch.query_rank, arch.hidden)
    plain = linear(tokens, fused_qkv, arch.hidden, device, c) + linear(tokens, arch.hidden, heads * value, device, c)
    low_rank = (
        linear(tokens, np.where(low_rank_query, arch.query_rank, 0.0), arch.hidden, device, c)
        + linear(tokens, np.where(latent, heads * head, 0.0), query_inner, device, c)
        + linear(tokens, np.where(latent, arch.kv_rank + arch.rope_head, 0.0), arch.hidden, device, c)
        + linear(tokens, np.where(latent, heads * (head - arch.rope_head + value), 0.0), arch.kv_rank, device, c)
    )
    found = plain + low_rank if np.any(latent) else plain
    return found + indexer_products(arch, device, tokens, c) if np.any(arch.index_heads > 0) else found


def indexer_products(arch: Architecture, device: Device, tokens: Array, c: Constants) -> Products:
    """The projections of an attention's indexer: its queries, one key and a weight per head."""
    inner = np.where(arch.query_rank > 0, arch.query_rank, arch.hidden)
    queries = linear(tokens, arch.index_heads * arch.index_head, inner, device, c, count=arch.index_layers)
    return queries + linear(tokens, arch.index_head + arch.index_heads, arch.hidden, device, c, count=arch.index_layers)


SCAN_SHARE = 0.25
"""Share of the matrix rate that a mixer's scan is assumed to reach; its kernels are young and few are published."""


def mixer_products(arch: Architecture, device: Device, layout: Layout, tokens: Array, c: Constants) -> Products:
    """The projections into and out of a block without softmax attention, sharded over its heads."""
    columns = (arch.mixer_matrices / arch.hidden - arch.mixer_inner) / layout.tensor
    inner = arch.mixer_inner / layout.tensor
    return linear(tokens, columns, arch.hidden, device, c) + linear(tokens, arch.hidden, inner, device, c)


def scan_seconds(arch: Architecture, device: Device, layout: Layout, job: Job) -> Array:
    """Forward seconds of such a block's scan; the backward pass takes twice as long."""
    flop = micro_batch_tokens(job, layout) * arch.mixer_scan_flop / layout.tensor
    return flop / (SCAN_SHARE * device.matmul_flops_s)


def mlp(arch: Architecture, device: Device, width: Array, tokens: Array, c: Constants, scale: Array) -> Products:
    """A gated or plain MLP of `width` (already sharded) on `tokens` rows; gate and up run as one product."""
    up = linear(tokens, (1 + arch.gated) * width, arch.hidden, device, c, count=scale)
    down = linear(tokens, arch.hidden, width, device, c, count=scale)
    return up + down


def routed_experts(arch: Architecture, device: Device, layout: Layout, tokens: Array, c: Constants) -> Products:
    """The experts of one device as grouped products: rows per expert = tokens that all group members send it.

    Forward products and data gradients run like single ones of an expert's rows; the sums of weight gradients, over few
    rows each, start up for every expert.
    """
    local = arch.experts / layout.expert
    inside = replace(arch, hidden=expert_hidden(arch))
    copies = tokens / layout.tensor * layout.expert_tensor * arch.top_k
    rows = np.where(arch.experts > 0, copies / np.maximum(local, 1e-9), 0.0)
    width = arch.expert_ffn / layout.expert_tensor
    together = replace(device, compute_units=np.asarray(0.0))
    rate = together.low_matmul_flops_s / (1 + GROUPED_ROWS / np.maximum(rows, 1.0))
    starting = replace(together, low_matmul_flops_s=rate)
    weight_gradient = mlp(inside, starting, width, rows, c, local).weight_gradient
    return replace(mlp(inside, together, width, rows, c, local), weight_gradient=weight_gradient)


def elementwise_bytes(
    arch: Architecture,
    software: Software,
    job: Job,
    layout: Layout,
    *,
    width: Array,
    quantised: Array,
    biased: Array,
    moe: Array | float,
    traffic: Array,
) -> Array:
    """Memory traffic of norms, residuals, rotary, activation and routing in one forward pass, bytes.

    Per token 10·h a block (sharded under sequence parallelism), 4·(a + g)·d, 6·f gated or 4·f plain, the quantising
    casts in 8 bit of `quantised` columns, for experts 12 bytes per element of each token copy, times what permutation
    and padding cost, 44·f + 10·h per copy where biases of experts are kernels of their own (`biased`), and 4 bytes per
    element that a block without softmax attention keeps.
    """
    t = layout.tensor
    residual = 10 * blocks(arch) * arch.hidden / np.where(software.sequence_parallel > 0, t, 1.0)
    heads = 4 * arch.attentions * (arch.heads + arch.kv_heads) * arch.query_key_head / t
    activation = (4 + 2 * arch.gated) * width
    outputs = arch.attentions * arch.heads * arch.value_head + arch.mixers * arch.mixer_inner
    casts = software.cast_traffic * job.cast_bytes * (blocks(arch) * arch.hidden + 2 * outputs / t + 3 * quantised)
    expert_share = (1 + layout.expert_tensor) / 2
    copies = moe * COPY_BYTES * arch.mlps * arch.top_k * expert_hidden(arch) / t * expert_share * traffic
    biases = moe * arch.mlps * arch.expert_bias * biased * arch.top_k / t
    added = biases * (EXPERT_BIAS_BYTES * arch.expert_ffn + EXPERT_BIAS_HIDDEN_BYTES * expert_hidden(arch))
    heads = heads + 4 * arch.mixers * arch.mixer_kept / t
    return micro_batch_tokens(job, layout) * (residual + heads + activation + casts + copies + added)


def blocks(arch: Architecture) -> Array:
    """Blocks of an average layer, each with its norm and residual: 2, an attention and an MLP, unless stated."""
    return arch.attentions + arch.mixers + arch.mlps


def dequantise_seconds(arch: Architecture, device: Device, job: Job, layout: Layout) -> Array:
    """Restoring one layer's quantised frozen weights to 16 bit before a pass: memory traffic, read and written.

    Source: Dettmers et al. 2023, arXiv 2305.14314, section 3, equation 5.
    """
    base = np.asarray(job.base_bytes)
    quantised = (1 - job.trains_base) * (base < WEIGHT_BYTES)
    if not np.any(quantised):
        return np.zeros(())
    alone = replace(layout, pipeline=np.asarray(1.0))
    held = dense_parameters_per_device(arch, alone) + expert_parameters_per_device(arch, alone)
    moved = held / arch.layers * (base + WEIGHT_BYTES)
    return quantised * moved / (BANDWIDTH_SHARE * device.memory_bytes_s)


def smooth_max(first: Array, second: Array, sharpness: float) -> Array:
    """(xⁿ + yⁿ)^(1/n): the larger of device time and host time, more where they are close and n is low."""
    scale = np.maximum(np.maximum(first, second), 1e-30)
    return scale * ((first / scale) ** sharpness + (second / scale) ** sharpness) ** (1 / sharpness)


def layer_products(
    arch: Architecture, device: Device, layout: Layout, tokens: Array, c: Constants, *, moe: bool
) -> Products:
    """All matrix products of one layer outside the attention core: projections, MLPs, router and experts."""
    width = (arch.shared_ffn if moe else arch.dense_ffn) / layout.tensor
    always = attention_projections(arch, device, layout, tokens, c).times(arch.attentions)
    always = always + mlp(arch, device, width, tokens, c, arch.mlps)
    if np.any(arch.mixers > 0):
        always = always + mixer_products(arch, device, layout, tokens, c).times(arch.mixers)
    if not moe:
        return always
    router = linear(tokens, arch.experts + arch.zero_experts, arch.hidden, device, c, flops_s=device.matmul_flops_s)
    if np.any(arch.expert_hidden > 0):
        into = linear(tokens, arch.expert_hidden, arch.hidden, device, c)
        router = router + into + linear(tokens, arch.hidden, arch.expert_hidden, device, c)
    return always + (routed_experts(arch, device, layout, tokens, c) + router).times(arch.mlps)


def fused_experts(arch: Architecture, device: Device) -> Array:
    """Share of runs whose kernels fuse all that surrounds the experts' products; they are written for gated MLPs only.

    Source: Megatron-Bridge performance summary 26.06: Qwen3 and DeepSeek gained, Nemotron 3 (no gate) did not.
    """
    return device.fused_experts * arch.gated


def elementwise_seconds(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants, *, moe: bool
) -> Array:
    """Memory-bound operators of one layer's forward pass; the backward pass takes twice as long."""
    routed = arch.top_k * arch.expert_ffn
    width = arch.mlps * (routed + arch.shared_ffn if moe else arch.dense_ffn) / layout.tensor
    fused = fused_experts(arch, device)
    traffic = fused + (1 - fused) * c.moe_traffic * software.moe_traffic
    quantised = width - moe * fused * arch.mlps * routed / layout.tensor
    moved = elementwise_bytes(
        arch,
        software,
        job,
        layout,
        width=width,
        quantised=quantised,
        biased=1 - fused,
        moe=float(moe),
        traffic=traffic,
    )
    return software.elementwise_traffic * c.elementwise * moved / (BANDWIDTH_SHARE * device.memory_bytes_s)


def sharded_blocks(arch: Architecture, layout: Layout, *, moe: bool) -> Array:
    """Blocks of a layer that tensor parallelism shards: attention, and the MLP unless its experts are whole."""
    whole_experts = (arch.shared_ffn <= 0) & (layout.expert_tensor <= 1)
    return blocks(arch) - arch.mlps * np.where(moe & whole_experts, 1.0, 0.0)


def host_seconds(
    arch: Architecture, device: Device, software: Software, layout: Layout, c: Constants, *, moe: bool
) -> Array:
    """Kernel launches of one layer's forward pass; the backward pass has twice as many.

    Experts are launched one by one unless fused kernels take the number of rows of each from the device: then the host
    need not wait for it, and whole steps are replayed as one graph.
    """
    local = arch.experts / layout.expert
    of_experts = software.moe_host_kernels + software.expert_host_kernels * local
    kernels = (DENSE_KERNELS + of_experts) * (1 - fused_experts(arch, device)) if moe else DENSE_KERNELS
    return np.asarray(device.pace * c.host * software.host_seconds * kernels)


def layer_time(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants, *, moe: bool
) -> LayerTime:
    """All times of one dense (`moe` false) or mixture-of-experts layer, each of the arguments' broadcast shape.

    Kernels take `Constants.generic_stack` times as long on generic stacks, and a pass no less than its launches. The
    host runs ahead of the device, but in a mixture it waits for the device to say how many rows each expert has.
    """
    products = layer_products(arch, device, layout, micro_batch_tokens(job, layout), c, moe=moe)
    slow = c.generic_stack**software.generic
    each = attention_core_seconds(arch, device, software, job, layout, c)
    core_forward, core_backward = (slow * arch.attentions * x for x in each)
    scan = slow * arch.mixers * scan_seconds(arch, device, layout, job)
    restored = dequantise_seconds(arch, device, job, layout)
    stream = elementwise_seconds(arch, device, software, job, layout, c, moe=moe)
    gradients = products.data_gradient + job.trains_base * products.weight_gradient
    host = host_seconds(arch, device, software, layout, c, moe=moe)
    sharpness = WAITING_HOST if moe else FREE_HOST
    forward = slow * products.forward + core_forward + scan + stream + restored
    backward = slow * gradients + core_backward + 2 * (scan + stream) + restored
    return LayerTime(
        compute_forward=smooth_max(forward, host, sharpness),
        compute_backward=smooth_max(backward, 2 * host, sharpness),
        attention_core_forward=core_forward,
        linear_forward=slow * products.forward,
        tensor_forward=tensor_seconds(
            arch, device, software, job, layout, c, blocks=sharded_blocks(arch, layout, moe=moe)
        ),
        context_forward=arch.attentions * context_seconds(arch, device, layout, job, slow * each[0], c, passes=1.0),
        context_backward=arch.attentions * context_seconds(arch, device, layout, job, slow * each[1], c, passes=2.0),
        expert_forward=moe * arch.mlps * expert_seconds(arch, device, software, job, layout, c),
    )


def recompute_seconds(layer: LayerTime, software: Software, layout: Layout) -> Array:
    """What one layer's backward pass runs again, communication included (Korthikanti et al. 2022, section 5)."""
    again = layer.compute_forward + layer.tensor_forward + layer.context_forward + layer.expert_forward
    selective = (
        software.selective_linear * layer.linear_forward + software.selective_attention * layer.attention_core_forward
    )
    return layout.recompute_full * again + layout.recompute_selective * selective
