"""The names under which configs write one and the same field, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "model_type": ("model_type",),
        "num_hidden_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        "hidden_size": ("hidden_size", "n_embd", "d_model", "n_embed"),
        "num_attention_heads": ("num_attention_heads", "n_head", "n_heads"),
        "num_key_value_heads": (
            "num_key_value_heads",
            "num_kv_heads",
            "n_head_kv",
            "num_attention_groups",
            "attn_config.kv_n_heads",
        ),
        "local_heads": (
            "swa_num_attention_heads",
            "num_sliding_attention_heads",
            "attention_other_setting.num_attention_heads",
        ),
        "local_kv_heads": ("swa_num_key_value_heads", "attention_other_setting.num_attention_groups"),
        "local_head_dim": ("swa_head_dim", "attention_other_setting.head_dim"),
        "local_v_head_dim": ("swa_v_head_dim",),
        "global_kv_heads": ("num_global_key_value_heads",),
        "global_head_dim": ("global_head_dim",),
        "sliding_window": ("sliding_window", "sliding_window_size"),
        "intermediate_size": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"),
        "ffn_hidden_size": ("ffn_config.ffn_hidden_size",),
        "hidden_act": ("hidden_act", "hidden_activation", "activation_function", "mlp_hidden_act"),
        "head_dim": ("head_dim", "attention_head_dim"),
        "tie_word_embeddings": ("tie_word_embeddings", "tie_embedding"),
        "moe_intermediate_size": ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size"),
        "n_shared_experts": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert"),
        "share_expert_dim": ("share_expert_dim", "shared_expert_intermediate_size"),
        "first_k_dense_replace": ("first_k_dense_replace", "num_dense_layers", "dense_mlp_idx"),
        "num_nextn_predict_layers": (
            "num_nextn_predict_layers",
            "mtp_num_hidden_layers",
            "num_mtp_modules",
            "num_mtp_layers",
        ),
        "expert_hidden_size": ("expert_hidden_size", "moe_latent_size", "routed_expert_hidden_size", "moe_hidden_size"),
        "zero_computation_experts": ("zero_computation_experts", "zero_expert_num"),
        "index_heads": ("index_heads", "index_n_heads", "sparse_attention_config.sparse_num_index_heads"),
        "index_head_dim": ("index_head_dim", "sparse_attention_config.sparse_index_dim"),
        "index_block_size": ("index_block_size", "sparse_attention_config.sparse_block_size"),
        "index_topk_blocks": ("index_topk_blocks", "sparse_attention_config.sparse_topk_blocks"),
        "layer_types": ("layer_types", "layers_block_type"),
        "mixer_heads": (
            "mixer_heads",
            "mamba_num_heads",
            "mamba_n_heads",
            "linear_num_value_heads",
            "linear_num_heads",
            "linear_attn_config.num_heads",
        ),
        "mixer_head_dim": (
            "mixer_head_dim",
            "mamba_head_dim",
            "mamba_d_head",
            "linear_value_head_dim",
            "linear_head_dim",
            "linear_attn_config.head_dim",
        ),
        "mixer_state": ("mixer_state", "ssm_state_size", "mamba_d_state", "linear_key_head_dim"),
        "mixer_groups": ("mixer_groups", "n_groups", "mamba_n_groups", "linear_num_key_heads"),
        "mixer_kernel": (
            "mixer_kernel",
            "conv_kernel",
            "mamba_d_conv",
            "linear_conv_kernel_dim",
            "conv_L_cache",
            "short_conv_kernel_size",
            "linear_attn_config.short_conv_kernel_size",
        ),
        "mixer_expand": ("mixer_expand", "mamba_expand", "expand"),
        "mixer_inner": ("mixer_inner", "mamba_d_ssm"),
        "max_position_embeddings": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
        "n_routed_experts": (
            "n_routed_experts",
            "num_local_experts",
            "num_experts",
            "moe_num_experts",
            "ffn_config.moe_num_experts",
        ),
        "num_experts_per_tok": (
            "num_experts_per_tok",
            "num_experts_per_token",
            "moe_k",
            "moe_topk",
            "moe_top_k",
            "top_k_experts",
            "ffn_config.moe_top_k",
        ),
        "alibi": ("attn_config.alibi", "alibi"),
        "rope": ("attn_config.rope",),
    }
)
"""Config fields that go by several names; a dot reaches into a nested object. Other fields have their own name only."""
