"""Reading config.json: every known `model_type` gives its catalog record, and bad files are refused kindly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from families import FAMILIES
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.dialects import DIALECTS, UNSUPPORTED
from planner.catalog.huggingface import architecture_from_config, architecture_from_inline, read_config
from planner.catalog.inline_keys import INLINE_KEYS
from planner.catalog.json_file import MAX_BYTES
from planner.catalog.models import find_model
from planner.catalog.records import ModelArchitecture
from planner.errors import InputError
from planner.performance.parameters import active_parameters, layer_matrices_active, total_parameters
from planner.performance.symbols import Architecture

Config = Mapping[str, object]

LLAMA: Config = {
    "model_type": "llama", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "tie_word_embeddings": False, "attention_bias": False, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "architectures": ["LlamaForCausalLM"],
}  # fmt: skip
DEEPSEEK_V3: Config = {
    "model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_size": 7168, "intermediate_size": 18432,
    "kv_lora_rank": 512, "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61,
    "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 129280, "topk_group": 4, "n_group": 8,
    "attention_bias": False, "tie_word_embeddings": False, "max_position_embeddings": 163840,
}  # fmt: skip
LLAMA4_TEXT: Config = {
    "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
    "num_attention_heads": 40, "num_hidden_layers": 48, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 202048, "num_local_experts": 128, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2,
    "attention_chunk_size": 8192, "max_position_embeddings": 1048576, "attention_bias": False,
}  # fmt: skip

CONFIGS: dict[str, Config] = {
    "llama3.1-8b": LLAMA,
    "llama3.2-1b": {**LLAMA, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64,
                    "tie_word_embeddings": True},
    "mistral-7b": {"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 32000,
                   "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
                   "sliding_window": 4096, "tie_word_embeddings": False},
    "mistral-7b-v0.3": {"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "head_dim": None,
                        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
                        "vocab_size": 32768, "sliding_window": None},
    "mixtral-8x7b": {"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 32000,
                     "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
                     "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None},
    "qwen2.5-7b": {"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "vocab_size": 152064,
                   "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
                   "sliding_window": 131072, "use_sliding_window": False, "max_window_layers": 28},
    "qwen1.5-moe-a2.7b": {"model_type": "qwen2_moe", "hidden_size": 2048, "intermediate_size": 5632,
                          "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632, "num_experts": 60,
                          "num_experts_per_tok": 4, "num_attention_heads": 16, "num_hidden_layers": 24,
                          "num_key_value_heads": 16, "vocab_size": 151936, "decoder_sparse_step": 1,
                          "sliding_window": 32768, "use_sliding_window": False},
    "qwen3-8b": {"model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288, "vocab_size": 151936,
                 "num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8, "head_dim": 128,
                 "attention_bias": False, "use_sliding_window": False, "tie_word_embeddings": False},
    "qwen3-30b-a3b": {"model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "head_dim": 128,
                      "moe_intermediate_size": 768, "num_attention_heads": 32, "num_experts": 128,
                      "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
                      "vocab_size": 151936, "decoder_sparse_step": 1, "mlp_only_layers": [], "norm_topk_prob": True},
    "gemma-7b": {"model_type": "gemma", "hidden_size": 3072, "intermediate_size": 24576, "vocab_size": 256000,
                 "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 16, "head_dim": 256,
                 "hidden_act": "gelu_pytorch_tanh"},
    "gemma2-9b": {"model_type": "gemma2", "hidden_size": 3584, "intermediate_size": 14336, "vocab_size": 256000,
                  "num_attention_heads": 16, "num_hidden_layers": 42, "num_key_value_heads": 8, "head_dim": 256,
                  "sliding_window": 4096},
    "gemma3-1b": {"model_type": "gemma3_text", "hidden_size": 1152, "intermediate_size": 6912, "vocab_size": 262144,
                  "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "head_dim": 256,
                  "sliding_window": 512, "sliding_window_pattern": 6},
    "gemma3-4b": {"model_type": "gemma3", "text_config": {
        "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
        "sliding_window": 1024, "vocab_size": 262144}, "vision_config": {"hidden_size": 1152}},
    "falcon-7b": {"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32,
                  "vocab_size": 65024, "multi_query": True, "new_decoder_architecture": False, "parallel_attn": True,
                  "bias": False, "alibi": False},
    "falcon-40b": {"model_type": "falcon", "hidden_size": 8192, "num_attention_heads": 128, "num_hidden_layers": 60,
                   "num_kv_heads": 8, "vocab_size": 65024, "new_decoder_architecture": True, "parallel_attn": True,
                   "bias": False, "alibi": False},
    "bloom-176b": {"model_type": "bloom", "n_embed": 14336, "n_layer": 70, "num_attention_heads": 112,
                   "vocab_size": 250880, "seq_length": 2048},
    "mpt-7b": {"model_type": "mpt", "d_model": 4096, "n_heads": 32, "n_layers": 32, "vocab_size": 50432,
               "expansion_ratio": 4, "no_bias": True, "learned_pos_emb": True, "max_seq_len": 2048,
               "attn_config": {"alibi": True, "attn_type": "multihead_attention"}},
    "mpt-125m": {"model_type": "mpt", "d_model": 768, "n_heads": 12, "n_layers": 12, "vocab_size": 50368,
                 "no_bias": True, "learned_pos_emb": True, "max_seq_len": 2048, "attn_config": {"alibi": False}},
    "opt-6.7b": {"model_type": "opt", "hidden_size": 4096, "ffn_dim": 16384, "num_attention_heads": 32,
                 "num_hidden_layers": 32, "vocab_size": 50272, "max_position_embeddings": 2048,
                 "word_embed_proj_dim": 4096},
    "gpt2-xl": {"model_type": "gpt2", "n_embd": 1600, "n_head": 25, "n_layer": 48, "vocab_size": 50257,
                "n_positions": 1024, "n_inner": None},
    "starcoder-15b": {"model_type": "gpt_bigcode", "n_embd": 6144, "n_head": 48, "n_layer": 40, "vocab_size": 49152,
                      "n_positions": 8192, "n_inner": 24576, "multi_query": True},
    "starcoder2-15b": {"model_type": "starcoder2", "hidden_size": 6144, "intermediate_size": 24576,
                       "num_attention_heads": 48, "num_hidden_layers": 40, "num_key_value_heads": 4, "use_bias": True,
                       "vocab_size": 49152, "sliding_window": 4096, "tie_word_embeddings": False},
    "gpt-j-6b": {"model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_layer": 28, "vocab_size": 50400,
                 "n_positions": 2048, "n_inner": None, "tie_word_embeddings": False},
    "gpt-neox-20b": {"model_type": "gpt_neox", "hidden_size": 6144, "intermediate_size": 24576, "vocab_size": 50432,
                     "num_attention_heads": 64, "num_hidden_layers": 44, "tie_word_embeddings": False},
    "deepseek-moe-16b": {"model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944,
                         "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2,
                         "num_experts_per_tok": 6, "num_attention_heads": 16, "num_hidden_layers": 28,
                         "num_key_value_heads": 16, "vocab_size": 102400, "first_k_dense_replace": 1},
    "deepseek-v2-lite": {"model_type": "deepseek_v2", "hidden_size": 2048, "intermediate_size": 10944,
                         "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2,
                         "num_experts_per_tok": 6, "num_attention_heads": 16, "num_hidden_layers": 27,
                         "num_key_value_heads": 16, "vocab_size": 102400, "first_k_dense_replace": 1,
                         "kv_lora_rank": 512, "q_lora_rank": None, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
                         "v_head_dim": 128},
    "deepseek-v3": DEEPSEEK_V3,
    "kimi-k2": {**DEEPSEEK_V3, "model_type": "kimi_k2", "num_attention_heads": 64, "num_key_value_heads": 64,
                "n_routed_experts": 384, "first_k_dense_replace": 1, "vocab_size": 163840,
                "num_nextn_predict_layers": 0, "n_group": 1, "topk_group": 1},
    "glm-4.5": {"model_type": "glm4_moe", "hidden_size": 5120, "intermediate_size": 12288, "head_dim": 128,
                "num_attention_heads": 96, "num_key_value_heads": 8, "num_hidden_layers": 92, "vocab_size": 151552,
                "attention_bias": True, "use_qk_norm": True, "n_routed_experts": 160, "n_shared_experts": 1,
                "num_experts_per_tok": 8, "moe_intermediate_size": 1536, "first_k_dense_replace": 3,
                "num_nextn_predict_layers": 1},
    "glm-4-9b": {"model_type": "glm4", "hidden_size": 4096, "intermediate_size": 13696, "num_attention_heads": 32,
                 "num_key_value_heads": 2, "num_hidden_layers": 40, "vocab_size": 151552, "attention_bias": True,
                 "head_dim": 128},
    "dbrx": {"model_type": "dbrx", "d_model": 6144, "n_heads": 48, "n_layers": 40, "vocab_size": 100352,
             "attn_config": {"kv_n_heads": 8, "clip_qkv": 8},
             "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}},
    "grok-1": {"model_type": "grok-1", "hidden_size": 6144, "intermediate_size": 32768, "num_attention_heads": 48,
               "num_key_value_heads": 8, "num_hidden_layers": 64, "num_experts": 8, "num_experts_per_token": 2,
               "vocab_size": 131072, "tie_word_embeddings": True},
    "phi-2": {"model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 32,
              "num_hidden_layers": 32, "vocab_size": 51200, "hidden_act": "gelu_new"},
    "phi-3.5-moe": {"model_type": "phimoe", "hidden_size": 4096, "intermediate_size": 6400, "attention_bias": True,
                    "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32,
                    "lm_head_bias": True, "num_local_experts": 16, "num_experts_per_tok": 2, "vocab_size": 32064},
    "gpt-oss-120b": {"model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "head_dim": 64,
                     "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 36,
                     "num_local_experts": 128, "num_experts_per_tok": 4, "vocab_size": 201088, "sliding_window": 128,
                     "attention_bias": True, "layer_types": ["sliding_attention", "full_attention"] * 18},
    "olmo-7b": {"model_type": "olmo", "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
                "num_hidden_layers": 32, "vocab_size": 50304},
    "olmo2-13b": {"model_type": "olmo2", "hidden_size": 5120, "intermediate_size": 13824, "num_attention_heads": 40,
                  "num_hidden_layers": 40, "vocab_size": 100352},
    "olmo3-7b": {"model_type": "olmo3", "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
                 "num_hidden_layers": 32, "vocab_size": 100278, "sliding_window": 4096},
    "olmoe-1b-7b": {"model_type": "olmoe", "hidden_size": 2048, "intermediate_size": 1024, "num_attention_heads": 16,
                    "num_hidden_layers": 16, "num_experts": 64, "num_experts_per_tok": 8, "vocab_size": 50304},
    "nemotron4-340b": {"model_type": "nemotron", "hidden_size": 18432, "intermediate_size": 73728,
                       "num_attention_heads": 96, "num_key_value_heads": 8, "num_hidden_layers": 96,
                       "vocab_size": 256000, "hidden_act": "relu2"},
    "command-r-plus-104b": {"model_type": "cohere", "hidden_size": 12288, "intermediate_size": 33792,
                            "num_attention_heads": 96, "num_key_value_heads": 8, "num_hidden_layers": 64,
                            "vocab_size": 256000, "use_qk_norm": True},
    "internlm-7b": {"model_type": "internlm", "hidden_size": 4096, "intermediate_size": 11008, "bias": True,
                    "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 103168},
    "llama4-maverick": {"model_type": "llama4", "text_config": LLAMA4_TEXT, "vision_config": {"hidden_size": 1408}},
    "llama4-scout": {**LLAMA4_TEXT, "num_local_experts": 16, "interleave_moe_layer_step": 1},
    "yi-34b": {"num_hidden_layers": 60, "hidden_size": 7168, "num_attention_heads": 56, "num_key_value_heads": 8,
               "intermediate_size": 20480, "vocab_size": 64000, "hidden_act": "silu", "model_type": "something-new"},
}  # fmt: skip


def read(config: Mapping[str, object]) -> ModelArchitecture:
    """The record of a parsed config."""
    return architecture_from_config(config, name="test", source="a test", written=date(2026, 1, 1))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_its_catalog_record(name: str) -> None:
    """Read from config.json, a model is the same in every symbol as in the catalog."""
    given_, known = Architecture.of(read(CONFIGS[name])), Architecture.of(find_model(name))
    different = [
        f.name for f in fields(Architecture) if not np.isclose(getattr(given_, f.name), getattr(known, f.name))
    ]
    assert different == []


def test_every_dialect_has_an_example() -> None:
    """Of each known `model_type`, or of one that reads the same, the tables have a config."""
    configs = [*CONFIGS.values(), *(f.config for f in FAMILIES.values()), *(c["config"] for c in REFERENCES.values())]
    kinds = {str(config.get("model_type")) for config in configs}
    kinds |= {str(inner["model_type"]) for c in configs if isinstance(inner := c.get("text_config"), dict)}
    unread = {kind for kind in DIALECTS if not any(DIALECTS[kind] == DIALECTS.get(other) for other in kinds)}
    bailing = {"bailing_moe", "bailing_moe_v2", "bailing_moe_linear"}
    assert unread <= bailing | {"qwen3_5", "ernie4_5", "hunyuan_v1_dense", "dots1"}


REFERENCES: dict[str, Any] = json.loads((Path(__file__).parent / "reference_counts.json").read_text())
"""Configs of the Transformers library (5.23, 2026-11), and the parameters of the text part that its modules have.

Most are the library's defaults for a `model_type`; what changes no shape is left out.
"""


@pytest.mark.parametrize("name", REFERENCES)
def test_a_config_has_the_parameters_of_its_implementation(name: str) -> None:
    """Within half a per cent of what the library's own modules hold."""
    reference = REFERENCES[name]
    counted = float(total_parameters(Architecture.of(read(reference["config"]))))
    assert counted == pytest.approx(reference["parameters"], rel=0.005)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_2025_and_2026_are_counted(name: str) -> None:
    """Total within 2 % and active within 5 % of what was published, embedding and head included."""
    family = FAMILIES[name]
    known = Architecture.of(read(family.config))
    assert float(total_parameters(known)) == pytest.approx(family.total, rel=0.02)
    assert float(active_parameters(known)) == pytest.approx(family.active, rel=0.05)


def test_blocks_of_different_shapes_count_as_their_mean() -> None:
    """Blocks without attention, and MLPs of several widths, add up to the parameters that the blocks have."""
    attention = {"n_heads_in_group": 2, "no_op": False}
    listed = [
        {"attention": attention, "ffn": {"ffn_mult": 1.5}},
        {"attention": {"no_op": True}, "ffn": {"ffn_mult": 3.0}},
        {"attention": attention, "ffn": {"no_op": True}},
        {"attention": {"num_key_value_heads": 4}, "ffn": {"intermediate_size": 1024}},
    ]
    shape = {"hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 4, "vocab_size": 1000}
    found = Architecture.of(
        read({**shape, "model_type": "nemotron-nas", "hidden_act": "silu", "block_configs": listed})
    )
    attentions = 3 * (2 * 512 * 512 + 2 * 512 * 256)
    mlps = 3 * 512 * (512 + 1024 + 1024)
    assert float(layer_matrices_active(found)) == pytest.approx(attentions + mlps, rel=0.02)


def test_what_is_left_out_is_named() -> None:
    """A vision tower is no part of any figure, and its size is told."""
    record = read(FAMILIES["qwen3-vl-30b-a3b"].config)
    assert record.left_out == "a vision tower of about 0.55 billion parameters"
    assert float(total_parameters(Architecture.of(record))) + record.left_out_parameters == pytest.approx(
        31.1e9, rel=0.01
    )


def test_an_unknown_type_is_read_only_where_every_field_is_known() -> None:
    """A field that is not known may change the layers of a model that is not known either."""
    new = {**SHAPE, "model_type": "something-new", "hidden_act": "silu", "rope_theta": 1e4, "bos_token_id": 1}
    assert read(new).gated_mlp
    for unclear in (
        {"moe_experts": 8},
        {"hidden_act": None},
        {"hidden_act": "gelu"},
        {"architectures": ["SomethingForMaskedLM"]},
    ):
        with pytest.raises(InputError):
            read({**new, **unclear})


SHAPE: Config = {
    "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 99
}  # fmt: skip
EXPERTS: Config = {**SHAPE, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers is missing"),
        ({"vocab_size": None}, "vocab_size is missing"),
        ({"intermediate_size": None}, "intermediate_size is missing"),
        ({"num_hidden_layers": 0}, "between 1 and 10,000"),
        ({"num_hidden_layers": 10_001}, "between 1 and 10,000"),
        ({"hidden_size": 10**6 + 1}, "between 1 and 1,000,000"),
        ({"vocab_size": 10**7 + 1}, "between 1 and 10,000,000"),
        ({"vocab_size": -5}, "between 1"),
        ({"hidden_size": "64"}, "hidden_size must be a whole number"),
        ({"hidden_size": 64.0}, "hidden_size must be a whole number"),
        ({"hidden_size": True}, "hidden_size must be a whole number"),
        ({"hidden_size": [64]}, "hidden_size must be a whole number"),
        ({"hidden_size": 66}, "multiple of num_attention_heads"),
        ({"num_key_value_heads": 3}, "multiple of num_key_value_heads"),
        ({"num_key_value_heads": 0}, "num_key_value_heads must lie"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
        ({"attention_bias": 1}, "attention_bias must be true or false"),
        ({"model_type": 7}, "model_type must be a text"),
        ({"model_type": "mamba2"}, "state-space"),
        ({"model_type": "zamba2"}, "shares its attention"),
        ({"model_type": "qwen3_next"}, "mixer_heads is missing"),
        ({"model_type": "kimi_linear"}, "does not say which layers"),
        ({"linear_attn_config": {}}, "of a kind that is not known"),
        ({"cross_attention_layers": [1]}, "attends to another model"),
        ({"use_cla": True}, "shares keys and values"),
        ({"hidden_size": [64, 32]}, "hidden_size must be a whole number"),
        ({"hidden_act": "xielu"}, "does not say whether the MLP has a gate"),
        ({"model_type": "t5"}, "has an encoder"),
        ({"model_type": "bert"}, "is an encoder"),
        ({"is_encoder_decoder": True}, "has an encoder"),
        ({"ssm_cfg": {}}, "state-space"),
        ({"sliding_window": 8, "layer_types": ["full_attention"]}, "num_hidden_layers items"),
        ({"layer_types": ["linear_attention", "full_attention"]}, "of a kind that is not known"),
        ({"layer_types": ["strange", "full_attention"]}, "neither full, sliding nor chunked"),
        ({"block_configs": [{}, {}]}, "items with attention and ffn"),
        ({"num_experts": 4, "num_experts_per_tok": 2, "mlp_layer_types": ["sparse"]}, "num_hidden_layers items"),
        ({"layer_types": "full"}, "must be a list"),
        ({"layer_types": [["full_attention"], {}]}, "neither full, sliding nor chunked"),
        ({"num_experts": 2, "num_experts_per_tok": 1, "mlp_only_layers": [True]}, "must list whole numbers"),
        ({"num_experts": 100_001, "num_experts_per_tok": 2}, "n_routed_experts must lie"),
        ({"num_experts": 4, "num_experts_per_tok": 5}, "must not exceed n_routed_experts"),
        ({"num_experts": 4}, "num_experts_per_tok is missing"),
        ({"kv_lora_rank": 16}, "qk_rope_head_dim is missing"),
        ({"model_type": "opt", "word_embed_proj_dim": 32}, "must equal hidden_size"),
    ],
)
def test_what_is_wrong_is_said(change: Config, message: str) -> None:
    """Each kind of mistake has its sentence."""
    with pytest.raises(InputError, match=message):
        read({**SHAPE, **change})


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_models_that_do_not_fit_are_refused(kind: str) -> None:
    """A model with layers that are not planned is refused even when all fields are there."""
    with pytest.raises(InputError, match="cannot be planned"):
        read({**SHAPE, "model_type": kind})


def test_all_problems_are_told_at_once() -> None:
    """An empty config names every missing field."""
    with pytest.raises(InputError) as caught:
        read({})
    missing = {"num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size"}
    assert {issue.message.split()[0] for issue in caught.value.issues} == missing


@pytest.mark.parametrize(
    ("change", "dense"),
    [
        ({}, 0),
        ({"first_k_dense_replace": 1}, 1),
        ({"num_hidden_layers": 8, "decoder_sparse_step": 2}, 4),
        ({"num_hidden_layers": 8, "mlp_only_layers": [0, 7]}, 2),
        ({"num_hidden_layers": 8, "interleave_moe_layer_step": 4}, 6),
        ({"num_hidden_layers": 8, "first_k_dense_replace": 3, "moe_layer_freq": 2}, 6),
    ],
)
def test_dense_layers_of_a_mixture(change: Config, dense: int) -> None:
    """Every convention of saying which layers have experts."""
    assert read({**EXPERTS, **change}).dense_layers == dense


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ({"sliding_window": 16}, 0.0),
        ({"sliding_window": 16, "sliding_window_pattern": 2}, 0.5),
        ({"sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"]}, 0.5),
        ({"sliding_window": 16, "use_sliding_window": False}, 1.0),
        ({"sliding_window": 16, "use_sliding_window": True, "max_window_layers": 1}, 0.5),
        ({"sliding_window": None}, 1.0),
    ],
)
def test_share_of_full_attention(change: Config, share: float) -> None:
    """Every convention of saying which layers are local."""
    assert read({**SHAPE, **change}).full_attention_share == share


@pytest.mark.parametrize(("activation", "gated"), [("gelu", False), ("relu2", False), ("silu", True), ("swiglu", True)])
def test_gate_of_an_inline_model(activation: str, gated: bool) -> None:
    """Without a `model_type` the activation tells whether the MLP has a gate, unless it is said."""
    assert architecture_from_inline({**SHAPE, "hidden_act": activation}).gated_mlp == gated
    assert architecture_from_inline({**SHAPE, "hidden_act": activation, "gated_mlp": True}).gated_mlp


def test_a_misspelt_inline_field_is_refused() -> None:
    """Inline, a field that means nothing gets a suggestion; in a file it may mean something to somebody else."""
    with pytest.raises(InputError, match="did you mean tie_word_embeddings"):
        architecture_from_inline({**SHAPE, "tie_word_embedings": True})
    assert read({**SHAPE, "tie_word_embedings": True})


@pytest.mark.parametrize("key", INLINE_KEYS)
def test_documented_keys_of_an_inline_model_are_read(key: str) -> None:
    """Every documented key means something in some model: a value of a wrong kind is refused, not the key."""
    experts = {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
    latent = {"kv_lora_rank": 4, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    given = {**SHAPE, **experts, **latent, "first_k_dense_replace": 1, "sliding_window": 8, key: {}}
    with pytest.raises(InputError) as caught:
        architecture_from_inline(given)
    assert not [one.message for one in caught.value.issues if "unknown" in one.message or "nothing" in one.message]


@pytest.mark.parametrize(
    ("key", "told"),
    [("n_shared_experts", "n_routed_experts"), ("q_lora_rank", "kv_lora_rank"), ("wings", "hidden_size")],
)
def test_a_field_without_meaning_is_answered_with_what_helps(key: str, told: str) -> None:
    """The key that it belongs to, or all that are known; never a key that only looks a little like it."""
    with pytest.raises(InputError) as caught:
        architecture_from_inline({**SHAPE, key: 2})
    assert told in (caught.value.issues[0].fix or "")


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "text": (b"hidden_size: 64", "not JSON"),
    "list": (b"[]", "must be a JSON object"),
    "number": (b"12", "must be a JSON object"),
    "latin": (b'{"a": "\xe9"}', "not UTF-8"),
    "utf16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "twice": (b'{"hidden_size": 64, "hidden_size": 32}', "one name twice"),
    "twice-inside": (b'{"text_config": {"secret": 1, "secret": 2}}', "one name twice"),
    "nan": (b'{"a": NaN}', "not finite"),
    "infinity": (b'{"a": -Infinity}', "not finite"),
    "overflow": (b'{"a": 1e999}', "not finite"),
    "digits": (b'{"hidden_size": ' + b"9" * 5000 + b"}", "too many digits"),
    "nested": (b'{"a": ' * 20 + b"1" + b"}" * 20, "nested deeper"),
    "abyss": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
    "large": (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "larger than 1 MiB"),
    "cut": (json.dumps(LLAMA).encode()[:-5], "not JSON"),
    "secret": (b'{"api_key": "hunter2", "hidden_size": "hunter2"}', "must be a whole number"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    """A bad file is refused with its path and without its content."""
    content, message = BAD_FILES[name]
    file = tmp_path / f"{name}.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_config(file)
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value).replace(str(file), "")
    assert all(issue.place and issue.place.file == str(file) for issue in caught.value.issues)


PLACES = [
    ('{\n  "hidden_size": 64,\n  "hidden_size": 32}', "one name twice", (3, 3)),
    ('{"a": [1,\n "b,]", NaN]}', "not finite", (2, 9)),
    ('{"a":\n' + "9" * 5000 + "}", "too many digits", (2, 1)),
    ('{"a": ' * 17 + "1" + "}" * 17, "nested deeper", (1, 6 * 17 + 1)),
    (json.dumps({**SHAPE, "n_layer": 0}, indent=1).replace("num_hidden_layers", "x"), "layers must", (7, 13)),
    (json.dumps({"x": {}, "text_config": {**SHAPE, "head_dim": "7"}}, indent=1), "head_dim must", (9, 15)),
    (json.dumps({"x": {}, "text_config": {}}, indent=1), "vocab_size is missing", (3, 17)),
    (json.dumps({"model_type": "zamba2", **SHAPE}, indent=1), "cannot be planned", (2, 16)),
    (json.dumps({"model_type": "new", "hidden_act": "silu", **SHAPE, "hc_mult": 4}, indent=1), "may change", (9, 13)),
]


@pytest.mark.parametrize(("text", "message", "place"), PLACES)
def test_errors_of_a_file_name_line_and_column(text: str, message: str, place: tuple[int, int], tmp_path: Path) -> None:
    """Each error points to the value, the repeated name, or the object that lacks something."""
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_config(file)
    found = next(issue.place for issue in caught.value.issues if message in issue.message)
    assert found
    assert (found.line, found.column) == place


def test_not_a_file(tmp_path: Path) -> None:
    """A folder without a config, and nothing at all."""
    for path in (tmp_path, tmp_path / "no.json", Path("/dev/null")):
        with pytest.raises(InputError, match="no such model config"):
            read_config(path)


def test_a_file_names_its_folder(tmp_path: Path) -> None:
    """The usual `config.json` is called after its folder, another file after itself."""
    folder = tmp_path / "Llama-3.1-8B"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "small.json").write_text(json.dumps(SHAPE))
    assert read_config(folder).name == "Llama-3.1-8B"
    assert read_config(tmp_path / "small.json").name == "small"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*LLAMA, *DEEPSEEK_V3, *LLAMA4_TEXT, "text_config", "layer_types"]), JSON))
def test_any_value_anywhere_is_read_or_refused(change: dict[str, object]) -> None:
    """Whatever stands in a known field, the answer is a record or an InputError."""
    with suppress(InputError):
        assert isinstance(read({**DEEPSEEK_V3, **change}), ModelArchitecture)


def test_a_pattern_of_letters_says_which_layers_see_everything() -> None:
    """One of four layers in EXAONE's `LLLG`."""
    record = read(FAMILIES["k-exaone-236b-a23b"].config)
    assert record.sliding_window == 128
    assert record.full_attention_share == pytest.approx(1 / 4)


def test_an_unknown_kind_is_never_read_in_silence() -> None:
    """What is taken for granted of it is said."""
    plain = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    config = {**plain, "vocab_size": 32000, "hidden_act": "silu"}
    assert "foo_bar" in read({**config, "model_type": "foo_bar"}).assumed
    assert read({**config, "model_type": "llama"}).assumed == ""


def test_layers_that_share_keys_have_none_of_their_own() -> None:
    """A quarter of a Gemma's layers without keys and values, and with MLPs twice as wide where the file says so."""
    base = {
        "model_type": "gemma4_text", "hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 128, "intermediate_size": 1024, "vocab_size": 1000,
        "layer_types": ["full_attention"] * 8, "hidden_activation": "gelu_pytorch_tanh",
    }  # fmt: skip

    def parameters(**changes: object) -> float:
        return float(total_parameters(Architecture.of(read(base | changes))))

    whole = parameters()
    assert whole - parameters(num_kv_shared_layers=2) == 2 * 2 * 2 * 128 * 512
    wider = parameters(num_kv_shared_layers=2, use_double_wide_mlp=True)
    assert wider - parameters(num_kv_shared_layers=2) == 2 * 3 * 512 * 1024
    given = parameters(hidden_size_per_layer_input=64, vocab_size_per_layer_input=1000)
    assert given - whole == 8 * (64 * 1000 + 3 * 512 * 64 + 512)
