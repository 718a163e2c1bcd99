"""What one token leaves in memory while a model is used or trained, before any parallelism."""

from __future__ import annotations

import numpy as np

from planner.performance.parameters import attention_layers, latent_attention
from planner.performance.symbols import Architecture, Array

CACHE_BYTES = 2.0
"""Bytes of a cached element: 16 bit."""


def cached_elements_per_layer(a: Architecture) -> Array:
    """Elements that one layer keeps of a token to generate the next: keys and values, or their latent and rotary part.

    g·(d + d_v), or r_kv + d_rope. Source: Ainslie et al. 2023; DeepSeek-AI 2024, arXiv 2405.04434, section 2.1.4.
    """
    grouped = a.kv_heads * (a.query_key_head + a.value_head)
    return np.where(latent_attention(a), a.kv_rank + a.rope_head, grouped)


def kv_bytes_per_token(a: Architecture, element_bytes: Array | float = CACHE_BYTES) -> Array:
    """Bytes that one token adds to the key-value cache of all layers while it is inside every window."""
    return attention_layers(a) * cached_elements_per_layer(a) * element_bytes


def kv_cache_bytes(a: Architecture, sequence: Array, element_bytes: Array | float = CACHE_BYTES) -> Array:
    """Bytes of the key-value cache of one sequence: local layers keep no more tokens than their window."""
    local: Array = np.minimum(sequence, a.window)
    tokens = a.full_attention_share * sequence + (1 - a.full_attention_share) * local
    return tokens * kv_bytes_per_token(a, element_bytes)
