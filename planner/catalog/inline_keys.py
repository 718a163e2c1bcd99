"""The keys by which a problem spells out a model's architecture, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REQUIRED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "num_hidden_layers": "layers",
        "hidden_size": "width of a token between the layers",
        "num_attention_heads": "query heads of a layer",
        "vocab_size": "rows of the token table",
    }
)
"""Keys that every inline model needs."""
OPTIONAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "what answers call it; default inline",
        "intermediate_size": "width of the MLP, which layers without experts need",
        "num_key_value_heads": "heads of keys and values; default as many as query heads",
        "head_dim": "width of a head; default hidden_size / num_attention_heads",
        "hidden_act": "activation: `silu` (with a gate) or `gelu`, `relu` (without); default `silu`",
        "gated_mlp": "whether the MLP has a gate, whatever its activation",
        "tie_word_embeddings": "whether token table and head are one; default false",
        "max_position_embeddings": "longest sequence",
        "sliding_window": "tokens that a layer with local attention sees",
        "layer_types": "a list with `full_attention` or `sliding_attention` for each layer",
        "attention_bias": "whether attention has biases; default false",
        "mlp_bias": "whether the MLP has biases; default false",
        "n_routed_experts": "experts of a layer; default none",
        "num_experts_per_tok": "experts that a token goes through",
        "moe_intermediate_size": "width of an expert",
        "n_shared_experts": "experts that every token goes through; default none",
        "shared_expert_intermediate_size": "width of the shared experts together, instead of their number",
        "first_k_dense_replace": "first layers without experts; default 0",
        "moe_layer_freq": "one layer of so many has experts; default every one",
        "kv_lora_rank": "rank of keys and values in latent attention; default none",
        "q_lora_rank": "rank of queries in latent attention; default none",
        "qk_rope_head_dim": "rotary width of a head in latent attention",
        "qk_nope_head_dim": "width of a head without rotation in latent attention",
        "v_head_dim": "width of a value; default `head_dim`",
        "num_nextn_predict_layers": "multi-token-prediction modules; default none",
    }
)
"""Keys with a default, or for architectures that have the part that they describe."""
INLINE_KEYS: Final[Mapping[str, str]] = MappingProxyType({**REQUIRED, **OPTIONAL})
"""Every key that people are told of; the other spellings of a Hugging Face `config.json` are read too."""
