"""How much arithmetic one token costs, and what publishers mean when they print TFLOP/s.

A multiply-add is 2 FLOP. Every function takes an `Architecture` and a sequence length in tokens, broadcasts, and
returns FLOP per token of the whole model. Norms, activations and softmax are not counted, as is customary
(Narayanan et al. 2021, arXiv 2104.04473, appendix; Chowdhery et al. 2022, arXiv 2204.02311, appendix B).

`attention_share` says how the attention scores are counted: 1 as if every query met every key of the sequence (or of
its window), 0.5 as a causal kernel does it, which skips the masked half.
"""

from __future__ import annotations

import numpy as np

from planner.performance.parameters import (
    attention_layers,
    layer_matrices_active,
    matmul_parameters_active,
    mixer_layers,
    multi_token_prediction_matrices_active,
    total_parameters,
)
from planner.performance.symbols import Architecture, Array

CAUSAL: Array = np.asarray(0.5)
"""The `attention_share` of a causal kernel that skips the masked half."""
FULL: Array = np.asarray(1.0)
"""The `attention_share` of the convention that counts the whole score matrix."""

_NONE: Array = np.asarray(0.0)
_ALL: Array = np.asarray(1.0)


def keys_per_query(sequence: Array, window: Array, attention_share: Array | float) -> Array:
    """Keys that a query meets under a sliding window, on average over the sequence.

    Counted in full, min(s, w). Causal, the mean over i = 1 … s of min(i, w), less one half because the diagonal counts
    half: w − w·(w − 1)/(2s) − 1/2, which is the customary s/2 for a window of the whole sequence.
    Tokens in, keys out; shares between 0.5 and 1 interpolate.
    """
    seen: Array = np.minimum(sequence, window)
    causal = seen - seen * (seen - 1) / (2 * sequence) - 0.5
    return causal + (2 * attention_share - 1) * (seen - causal)


def keys_per_query_in_chunks(sequence: Array, chunk: Array, attention_share: Array | float) -> Array:
    """Keys that a query meets when it sees its own chunk only, on average: share·(⌊s/w⌋·w² + (s mod w)²)/s.

    Tokens in, keys out. Source: Llama 4's chunked attention.
    """
    size: Array = np.minimum(sequence, chunk)
    whole: Array = np.floor(sequence / size)
    return attention_share * (whole * np.square(size) + np.square(sequence - whole * size)) / sequence


def mean_keys_per_query(a: Architecture, sequence: Array, attention_share: Array | float = CAUSAL) -> Array:
    """Keys that a query meets, averaged over the sequence and over full and local layers."""
    sliding = keys_per_query(sequence, a.window, attention_share)
    chunked = keys_per_query_in_chunks(sequence, a.window, attention_share)
    local = np.where(a.chunked > 0, chunked, sliding)
    return a.full_attention_share * sequence * attention_share + (1 - a.full_attention_share) * local


def attention_flops_per_token(a: Architecture, sequence: Array, attention_share: Array | float = CAUSAL) -> Array:
    """Forward FLOP of scores and weighted values in all layers: 2·L·a·(d + d_v)·keys.

    An indexer scores all keys, 2·a_i·d_i each, to pick those; layers without softmax attention cost their scan.
    """
    width = a.heads * (a.query_key_head + a.value_head)
    indexer = a.index_layers * a.index_heads * a.index_head * attention_share * sequence
    each = width * mean_keys_per_query(a, sequence, attention_share) + indexer
    return 2 * attention_layers(a) * each + mixer_layers(a) * a.mixer_scan_flop


def forward_matmul_flops_per_token(a: Architecture) -> Array:
    """Forward FLOP of all weights, logits included: 2 per active weight."""
    return 2 * matmul_parameters_active(a)


def model_flops_per_token(a: Architecture, sequence: Array, attention_share: Array | float = CAUSAL) -> Array:
    """Forward and backward FLOP that training needs, without any recomputation: three times the forward pass."""
    return 3 * (forward_matmul_flops_per_token(a) + attention_flops_per_token(a, sequence, attention_share))


def lora_model_flops_per_token(a: Architecture, sequence: Array, attention_share: Array | float = CAUSAL) -> Array:
    """Model FLOP when the base is frozen: its weights need no gradient, so 2× forward; attention stays at 3×.

    The adapters' own FLOP (6 per adapter parameter, under 1 % at customary ranks) are left out, as publishers do.
    """
    return 2 * forward_matmul_flops_per_token(a) + 3 * attention_flops_per_token(a, sequence, attention_share)


def multi_token_prediction_flops_per_token(a: Architecture, sequence: Array) -> Array:
    """Training FLOP of the multi-token-prediction modules, causal attention counted half.

    Source: DeepSeek-AI 2024, arXiv 2412.19437, section 2.2.
    """
    scores = a.heads * (a.query_key_head + a.value_head) * mean_keys_per_query(a, sequence)
    return 3 * (2 * multi_token_prediction_matrices_active(a) + 2 * a.mtp_layers * scores)


def recomputed_flops_per_token(
    a: Architecture, sequence: Array, selective: Array, full: Array, attention_share: Array | float = CAUSAL
) -> Array:
    """FLOP of the second forward pass under activation recomputation.

    `selective` and `full` are the shares of the layers that repeat only their attention core, or everything; logits
    are never repeated. Source: Korthikanti et al. 2022, arXiv 2205.05198, section 5 and appendix A.
    """
    attention = attention_flops_per_token(a, sequence, attention_share)
    return selective * attention + full * (2 * layer_matrices_active(a) + attention)


def hardware_flops_per_token(
    a: Architecture, sequence: Array, selective: Array, full: Array, attention_share: Array | float = CAUSAL
) -> Array:
    """Model FLOP plus what recomputation repeats: the numerator of hardware FLOPs utilisation (HFU)."""
    model = model_flops_per_token(a, sequence, attention_share)
    return model + recomputed_flops_per_token(a, sequence, selective, full, attention_share)


def causal_attention(a: Architecture, sequence: Array) -> Array:
    """Model FLOP, causal attention counted half: Megatron-Bridge 25.09 on, MaxText since August 2025, this program."""
    return model_flops_per_token(a, sequence, CAUSAL)


def full_attention(a: Architecture, sequence: Array) -> Array:
    """Model FLOP, attention counted whole: Korthikanti 2022, Megatron-LM's H100 table, NeMo, torchtitan, nanotron."""
    return model_flops_per_token(a, sequence, FULL)


def full_attention_with_full_recompute(a: Architecture, sequence: Array) -> Array:
    """Hardware FLOP under full recomputation: Narayanan et al. 2021, BLOOM, OPT, GLM-130B, MT-NLG, InternEvo."""
    return hardware_flops_per_token(a, sequence, _NONE, _ALL, FULL)


def full_attention_with_selective_recompute(a: Architecture, sequence: Array) -> Array:
    """Hardware FLOP when the attention core is recomputed: HFU of Korthikanti et al. 2022."""
    return hardware_flops_per_token(a, sequence, _ALL, _NONE, FULL)


def all_parameters(a: Architecture, sequence: Array) -> Array:
    """6·N + 12·L·a·d·s with N all parameters, the token table too: llm-foundry's MFU."""
    return 6 * total_parameters(a) + 3 * attention_flops_per_token(a, sequence, FULL)


def lora_causal_attention(a: Architecture, sequence: Array) -> Array:
    """Model FLOP with a frozen base, causal attention counted half: Megatron-Bridge's LoRA rows."""
    return lora_model_flops_per_token(a, sequence, CAUSAL)


def lora_full_attention(a: Architecture, sequence: Array) -> Array:
    """Model FLOP with a frozen base, attention counted whole: NeMo's LoRA rows."""
    return lora_model_flops_per_token(a, sequence, FULL)
