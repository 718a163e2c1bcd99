"""The attention core of one layer: scores, softmax and weighted values, by kernel."""

from __future__ import annotations

import numpy as np

from planner.performance.flops import mean_keys_per_query
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.pipeline import micro_batch_tokens
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

BACKWARD_ATTENTION = 2.9
"""Backward over forward time of fused attention: five products instead of two, at 0.86 of the rate (measured)."""
NARROW_HEAD = 64
"""Size of a head up to which the exponentials of a score take as long as its products, or longer."""
ATTENTION_BLOCK = 128.0
"""Queries that one block of a fused attention kernel handles."""
ATTENTION_OCCUPANCY = 1.2
"""Time of fused attention grows by this times units/blocks when few heads leave multiprocessors idle (measured)."""
UNFUSED_RATE = 0.9
"""Share of the matrix rate that batched score products of unfused attention reach."""
UNFUSED_BYTES_FORWARD, UNFUSED_BYTES_BACKWARD = 15.0, 22.0
"""Memory traffic per score element of unfused softmax, mask and dropout."""


def attended_tokens(job: Job) -> Array:
    """Tokens among which attention looks: the sequence, or a document of those that are packed into it."""
    document = np.asarray(job.document)
    return np.where(document > 0, np.minimum(document, job.sequence), job.sequence)


def attention_core_seconds(
    arch: Architecture, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> tuple[Array, Array]:
    """Scores, softmax and weighted values of one layer: forward and backward seconds.

    Fused kernels (Dao 2023) do 2·tokens·heads·keys·(d_qk + d_v) FLOP at a share of the matrix rate that falls
    with few keys; unfused ones compute the masked half too and stream the scores through memory. An
    indexer scores all keys to pick those that are met (DeepSeek-AI 2025, DeepSeek-V3.2-Exp, section 2).
    """
    tokens, heads = micro_batch_tokens(job, layout), arch.heads / layout.tensor
    sequence = attended_tokens(job)
    skipped = mean_keys_per_query(arch, sequence, 0.5)
    keys = np.where(software.skips_window > 0, skipped, 0.5 * sequence)
    head = arch.query_key_head + arch.value_head
    narrow = np.where(arch.value_head <= NARROW_HEAD, device.narrow_attention, 1.0)
    blocks = tokens * heads / ATTENTION_BLOCK
    idle = 1 + ATTENTION_OCCUPANCY * device.compute_units / blocks
    rate = device.matmul_flops_s * device.attention_share * c.attention * narrow / (1 + 128 / keys)
    indexer = arch.index_layers * arch.index_heads * arch.index_head / layout.tensor * sequence / 2
    fused = 2 * tokens * (heads * keys * head + indexer) / rate * idle
    scores = tokens * heads * job.sequence
    padded = np.ceil(arch.query_key_head / 64) * 64 + np.ceil(arch.value_head / 64) * 64
    shape = 1 + 2 * c.shape_elements / head
    products = 2 * scores * padded * shape / (UNFUSED_RATE * device.matmul_flops_s)
    stream = scores / (BANDWIDTH_SHARE * device.memory_bytes_s)
    unfused_forward = products + UNFUSED_BYTES_FORWARD * stream
    unfused_backward = 2 * products + UNFUSED_BYTES_BACKWARD * stream
    is_fused = software.fused_attention > 0
    return (
        np.where(is_fused, fused, unfused_forward),
        np.where(is_fused, BACKWARD_ATTENTION * fused, unfused_backward),
    )
