"""What one layer's devices exchange while they compute: tensor, context and expert parallelism."""

from __future__ import annotations

import numpy as np

from planner.performance.collectives import exchange_seconds, exposed, gather_seconds, group_bandwidth
from planner.performance.parameters import expert_hidden
from planner.performance.pipeline import micro_batch_tokens
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software


def tensor_seconds(
    arch: Architecture,
    device: Device,
    software: Software,
    job: Job,
    layout: Layout,
    c: Constants,
    *,
    blocks: Array | float,
) -> Array:
    """Exposed tensor-parallel communication of one forward pass with `blocks` sharded blocks.

    Each block all-gathers and reduce-scatters (or all-reduces: the same volume) tokens·h 16-bit elements.
    Source: Shoeybi et al. 2019, section 3; Korthikanti et al. 2022, section 4.2.
    """
    size = 2 * micro_batch_tokens(job, layout) * arch.hidden
    bandwidth = group_bandwidth(device, layout.tensor, np.asarray(1.0))
    one = gather_seconds(size, layout.tensor, bandwidth, device.pace * c.collective_seconds)
    return 2 * blocks * one * np.where(software.tensor_overlap > 0, c.tensor_exposed, 1.0)


def context_seconds(
    arch: Architecture, device: Device, layout: Layout, job: Job, attention: Array, c: Constants, *, passes: float
) -> Array:
    """Exposed ring exchange of keys and values under context parallelism (Liu et al. 2023, section 3).

    `attention` is the attention core's time that hides it; `passes` is 1 forward, 2 backward (with gradients).
    """
    kv_width = np.where(
        arch.kv_rank > 0,
        arch.heads * (arch.query_key_head + arch.value_head),
        np.maximum(arch.kv_heads, layout.tensor) * (arch.query_key_head + arch.value_head),
    )
    size = 2 * layout.micro_batch * job.sequence * kv_width / layout.tensor * passes
    bandwidth = group_bandwidth(device, layout.context, layout.tensor)
    ring = gather_seconds(size, layout.context, bandwidth, device.pace * c.collective_seconds)
    return exposed(ring, attention, c.overlap_leak)


def expert_seconds(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> Array:
    """Exposed dispatch and combine of one forward pass: k copies of each token there and back, 16 bit.

    A token travels once per chosen expert or, where the stack deduplicates, once per device that holds any of them, and
    between scale-up domains once per domain. Source: DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.2.
    """
    one_copy = 2 * micro_batch_tokens(job, layout) / layout.tensor * layout.expert_tensor * expert_hidden(arch)
    inside = np.clip(device.scale_up_domain / layout.expert_tensor, 1.0, layout.expert)
    domains = layout.expert / inside
    each = arch.top_k * (domains - 1) / domains
    once = domains_reached(arch, domains) * (domains - 1) / domains
    crossing = one_copy * np.where(software.deduplicates > 0, once, each)
    ranks = layout.expert * (1 - (1 - 1 / layout.expert) ** np.maximum(arch.top_k, 1.0))
    copies = np.where(software.deduplicates > 0, ranks, arch.top_k)
    local = one_copy * copies * (inside - 1) / layout.expert
    one = exchange_seconds(crossing, local, layout.expert, device, device.pace * c.collective_seconds)
    return c.expert_exposed * (1 - software.expert_overlap) * 2 * one


def domains_reached(arch: Architecture, domains: Array) -> Array:
    """Scale-up domains that hold any of a token's experts, which are spread over so many: R·(1 − (1 − 1/R)^k).

    R are all of them, or those of the groups that a token's experts come from, which node-limited routing restricts.
    Source: DeepSeek-AI 2024, arXiv 2412.19437, section 2.1.2.
    """
    of_groups = arch.groups_per_token * np.maximum(domains / np.maximum(arch.expert_groups, 1.0), 1.0)
    open_to_token = np.where(arch.expert_groups > 1, np.minimum(domains, of_groups), domains)
    return open_to_token * (1 - (1 - 1 / open_to_token) ** np.maximum(arch.top_k, 1.0))
