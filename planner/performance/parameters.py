"""How many parameters a transformer has, part by part, in closed form.

Every function takes an `Architecture` whose fields broadcast together and returns an array of that shape holding
a number of parameters (a whole number, exact in double precision up to 9·10¹⁵). Matrices that enter a matrix product
are counted apart from vectors (biases, norms, sinks), because only the former cost FLOPs worth counting.

Sources: Vaswani et al. 2017 (multi-head attention), Ainslie et al. 2023 (grouped queries), Shazeer 2020 (gated MLPs),
DeepSeek-AI 2024, arXiv 2405.04434, section 2.1 and appendix C (latent attention), DeepSeek-AI 2024, arXiv 2412.19437,
section 2.2 (multi-token prediction). The catalog's models are checked against their released tensors.
"""

from __future__ import annotations

import numpy as np

from planner.performance.symbols import Architecture, Array


def latent_attention(a: Architecture) -> Array:
    """Whether keys and values pass through a latent (MLA): True where `kv_rank` is above 0."""
    return np.asarray(a.kv_rank > 0)


def attention_matrices(a: Architecture) -> Array:
    """Weights of one layer's attention projections.

    h·(a·d + g·d + g·d_v) + a·d_v·h; under latent attention the queries cost h·r_q + r_q·a·d (h·a·d when r_q is 0) and
    keys and values h·(r_kv + d_rope) + r_kv·a·(d − d_rope + d_v).
    """
    queries = a.heads * a.query_key_head
    grouped = a.hidden * (queries + a.kv_heads * (a.query_key_head + a.value_head))
    latent_queries = np.where(a.query_rank > 0, a.query_rank * (a.hidden + queries), a.hidden * queries)
    expanded = a.heads * (a.query_key_head - a.rope_head + a.value_head)
    latent = latent_queries + a.hidden * (a.kv_rank + a.rope_head) + a.kv_rank * expanded
    projected = (
        np.where(latent_attention(a), latent, grouped) + (1 + a.attention_gate) * a.heads * a.value_head * a.hidden
    )
    return projected + a.index_layers * indexer_matrices(a)


def indexer_matrices(a: Architecture) -> Array:
    """Weights of the indexer that picks a query's keys: r_q·a_i·d_i + h·d_i + h·a_i.

    Source: DeepSeek-AI 2025, DeepSeek-V3.2-Exp, section 2.
    """
    queries = np.where(a.query_rank > 0, a.query_rank, a.hidden) * a.index_heads * a.index_head
    return queries + a.hidden * (a.index_head + a.index_heads)


def attention_vectors(a: Architecture) -> Array:
    """Biases, query/key norms, latent norms and sinks of one layer's attention.

    The latents carry an RMS norm each. A query/key norm spans one head (2·d) or all heads ((a + g)·d).
    """
    latent = latent_attention(a)
    projected = a.heads * a.query_key_head + a.kv_heads * (a.query_key_head + a.value_head)
    biases = a.qkv_bias * np.where(latent, a.query_rank + a.kv_rank + a.rope_head, projected) + a.output_bias * a.hidden
    normed_heads = np.where(a.query_key_norm == 2, a.heads + a.kv_heads, 2 * a.query_key_norm)
    norms = a.query_key_head * normed_heads
    latent_norms = np.where(latent, a.query_rank + a.kv_rank, 0.0)
    indexer = 2 * a.index_layers * a.index_head
    return biases + norms + latent_norms + a.attention_sinks * a.heads + indexer


def attention_parameters(a: Architecture) -> Array:
    """Parameters of one layer's attention, without the layer's norms."""
    return attention_matrices(a) + attention_vectors(a)


def dense_mlp_matrices(a: Architecture) -> Array:
    """Weights of one dense layer's MLP: 2·h·f, or 3·h·f when gated."""
    return (2 + a.gated) * a.hidden * a.dense_ffn


def dense_mlp_parameters(a: Architecture) -> Array:
    """Parameters of one dense layer's MLP with its biases."""
    return dense_mlp_matrices(a) + a.mlp_bias * ((1 + a.gated) * a.dense_ffn + a.hidden)


def expert_hidden(a: Architecture) -> Array:
    """Width that routed experts read and write: the hidden size unless tokens are projected to a narrower one."""
    return np.where(a.expert_hidden > 0, a.expert_hidden, a.hidden)


def expert_matrices(a: Architecture) -> Array:
    """Weights of one routed expert: 2·h·f_e, or 3·h·f_e when gated; 0 without experts."""
    return np.sign(a.experts) * (2 + a.gated) * expert_hidden(a) * a.expert_ffn


def latent_projection_matrices(a: Architecture) -> Array:
    """Weights that lead a mixture of experts' tokens into the experts' narrower width and back, 2·h·h_e; usually 0.

    Source: NVIDIA 2026, Nemotron 3 (latent mixtures of experts).
    """
    return np.sign(a.experts) * 2 * a.hidden * a.expert_hidden


def expert_parameters(a: Architecture) -> Array:
    """Parameters of one routed expert with its biases; 0 without experts."""
    return expert_matrices(a) + np.sign(a.experts) * a.expert_bias * ((1 + a.gated) * a.expert_ffn + a.hidden)


def shared_expert_parameters(a: Architecture) -> Array:
    """Weights of one layer's shared experts together, and of the gate on their output (h) where there is one."""
    return (2 + a.gated) * a.hidden * a.shared_ffn + a.shared_gate * a.hidden


def router_matrices(a: Architecture) -> Array:
    """Weights of one layer's router, h·E, experts without computation included, and of the way into narrow experts."""
    return a.hidden * (a.experts + a.zero_experts) + latent_projection_matrices(a)


def router_parameters(a: Architecture) -> Array:
    """Parameters of one layer's router with its per-expert bias where there is one."""
    return router_matrices(a) + a.router_bias * (a.experts + a.zero_experts)


def norm_parameters(a: Architecture) -> Array:
    """Parameters of one layer's norms of hidden size."""
    return a.norms_per_layer * a.norm_size * a.hidden


def embedding_parameters(a: Architecture) -> Array:
    """Parameters of the token table, the learned positions and the norm right after them."""
    return a.hidden * (a.vocabulary + a.learned_positions + a.embedding_norm * a.norm_size)


def head_parameters(a: Architecture) -> Array:
    """Parameters of the output projection: V·h, or nothing but its bias when it shares the token table."""
    return (1 - a.tied) * a.vocabulary * a.hidden + a.head_bias * a.vocabulary


def final_norm_parameters(a: Architecture) -> Array:
    """Parameters of the norm before the output projection."""
    return a.norm_size * a.hidden


def moe_layers(a: Architecture) -> Array:
    """Layers whose MLP is a mixture of experts."""
    return a.layers * a.mlps - a.dense_layers


def attention_layers(a: Architecture) -> Array:
    """Softmax attentions of the whole model."""
    return a.layers * a.attentions


def mixer_layers(a: Architecture) -> Array:
    """Blocks of the whole model that mix tokens without softmax attention."""
    return a.layers * a.mixers


def mixer_parameters(a: Architecture) -> Array:
    """Parameters of one such block, without the layer's norms."""
    return a.mixer_matrices + a.mixer_vectors


def parameters_by_part(a: Architecture) -> dict[str, Array]:
    """Parameters of the whole model by part, without multi-token prediction; the parts add up to the total."""
    sparse = moe_layers(a)
    return {
        "embedding": embedding_parameters(a),
        "attention": attention_layers(a) * attention_parameters(a),
        "mixers": mixer_layers(a) * mixer_parameters(a),
        "dense_mlp": a.dense_layers * dense_mlp_parameters(a),
        "routed_experts": sparse * a.experts * expert_parameters(a),
        "shared_experts": sparse * shared_expert_parameters(a),
        "router": sparse * router_parameters(a),
        "norms": a.layers * norm_parameters(a) + final_norm_parameters(a),
        "head": head_parameters(a),
    }


def total_parameters(a: Architecture) -> Array:
    """All parameters of the model, without multi-token prediction."""
    return sum(parameters_by_part(a).values(), start=np.zeros(()))


def active_parameters(a: Architecture) -> Array:
    """Parameters that one token meets: all but the experts it is not routed to. The token table counts."""
    return total_parameters(a) - moe_layers(a) * (a.experts - a.top_k) * expert_parameters(a)


def layer_matrices_active(a: Architecture) -> Array:
    """Weights that multiply one token in all layers together: attention, MLPs, router, chosen and shared experts."""
    sparse = router_matrices(a) + a.top_k * expert_matrices(a) + shared_expert_parameters(a)
    mixing = attention_layers(a) * attention_matrices(a) + mixer_layers(a) * a.mixer_matrices
    return mixing + a.dense_layers * dense_mlp_matrices(a) + moe_layers(a) * sparse


def head_matrix(a: Architecture) -> Array:
    """Weights of the logits: V·h, whether tied or not."""
    return a.vocabulary * a.hidden


def matmul_parameters_active(a: Architecture) -> Array:
    """Weights that enter a matrix product per token: all layers' and the logits'; no table look-up, no vector."""
    return layer_matrices_active(a) + head_matrix(a)


def multi_token_prediction_parameters(a: Architecture) -> Array:
    """Parameters of the multi-token-prediction modules; the token table and the head are shared with the model.

    Each has one more layer of the model's last kind, a projection 2·h → h and three norms.
    Source: DeepSeek-AI 2024, arXiv 2412.19437, section 2.2.
    """
    sparse = a.experts * expert_parameters(a) + shared_expert_parameters(a) + router_parameters(a)
    mlp = np.where(a.experts > 0, sparse, dense_mlp_parameters(a))
    layer = attention_parameters(a) + mlp + norm_parameters(a)
    return a.mtp_layers * (layer + 2 * a.hidden * a.hidden + 3 * a.norm_size * a.hidden)


def multi_token_prediction_matrices_active(a: Architecture) -> Array:
    """Weights that multiply one token in the multi-token-prediction modules, their use of the shared head included."""
    sparse = router_matrices(a) + a.top_k * expert_matrices(a) + shared_expert_parameters(a)
    layer = attention_matrices(a) + np.where(a.experts > 0, sparse, dense_mlp_matrices(a))
    return a.mtp_layers * (layer + 2 * a.hidden * a.hidden + head_matrix(a))


def _mlp_adapter_width(a: Architecture, width: Array) -> Array:
    return 2 * a.hidden + (2 + a.gated) * width


def dense_adapter_parameters(a: Architecture, rank: Array) -> Array:
    """Parameters of LoRA adapters of the given rank on every linear layer but routed experts, router and head.

    A matrix n × m gets rank·(n + m); queries, keys and values share one adapter, as do the two inner matrices of a
    gated MLP. Source: Hu et al. 2021, arXiv 2106.09685, section 4; the fused placement is that of Megatron's
    `linear_qkv, linear_proj, linear_fc1, linear_fc2`.
    """
    queries = a.heads * a.query_key_head
    grouped = a.hidden + queries + a.kv_heads * (a.query_key_head + a.value_head)
    latent_queries = np.where(a.query_rank > 0, a.hidden + 2 * a.query_rank + queries, a.hidden + queries)
    expanded = a.heads * (a.query_key_head - a.rope_head + a.value_head)
    latent = latent_queries + a.hidden + 2 * a.kv_rank + a.rope_head + expanded
    attention = np.where(latent_attention(a), latent, grouped) + a.heads * a.value_head + a.hidden
    shared = np.sign(a.shared_ffn) * _mlp_adapter_width(a, a.shared_ffn)
    mlps = a.dense_layers * _mlp_adapter_width(a, a.dense_ffn) + moe_layers(a) * shared
    mixer = 2 * a.hidden + a.mixer_matrices / a.hidden
    return rank * (attention_layers(a) * attention + mixer_layers(a) * mixer + mlps)


def expert_adapter_parameters(a: Architecture, rank: Array) -> Array:
    """Parameters of LoRA adapters on the routed experts, each with its own."""
    of_each = 2 * expert_hidden(a) + (2 + a.gated) * a.expert_ffn
    return rank * moe_layers(a) * a.experts * of_each


def low_rank_adapter_parameters(a: Architecture, rank: Array) -> Array:
    """Parameters of all LoRA adapters of the given rank."""
    return dense_adapter_parameters(a, rank) + expert_adapter_parameters(a, rank)
