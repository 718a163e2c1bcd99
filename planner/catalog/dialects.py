"""How each `model_type` of a Hugging Face `config.json` writes an architecture, as data.

Facts about the reference implementations of the Transformers library (release 5, 2026) and, where a model brings its
own code, about that code: which fields the implementation fixes, and what a field means when the file is silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from planner.catalog.config_dialect import Dialect, Facts
from planner.catalog.config_layers import PICKED, POOLED

LAYERNORM: Final[Facts] = {"norm": "layernorm"}
ALL_BIASES: Final[Facts] = {"attention_qkv_bias": True, "attention_output_bias": True, "mlp_bias": True}
PLAIN_MLP: Final[Facts] = {"gated_mlp": False}
TIED: Final[Facts] = {"tie_word_embeddings": True}
QUERY_KEY_NORM: Final[Facts] = {"query_key_norm": True}
WIDE_QUERY_KEY_NORM: Final[Facts] = {"query_key_norm": True, "query_key_norm_width": "full"}
_GPT: Final[Facts] = {**LAYERNORM, **ALL_BIASES, **PLAIN_MLP}
_USE_BIAS: Final = ("use_bias",)

LLAMA: Final = Dialect()
"""The plain reading, that of Llama and of all that follow it."""
UNNAMED: Final = Dialect(activation_tells_gating=True)
"""What a config without a `model_type` is read as."""
UNKNOWN: Final = Dialect(activation_tells_gating=True, implementation_known=False)
"""What a config of an unknown `model_type` is read as, if it holds no field that is not known."""

_GPT2 = Dialect(fixed=_GPT, defaults=TIED, mlp_ratio=4, learned_positions=True)
_QWEN2 = Dialect(fixed={"attention_qkv_bias": True}, defaults={"use_sliding_window": False})
_QWEN3 = Dialect(fixed=QUERY_KEY_NORM, defaults={"use_sliding_window": False})
_GEMMA2 = Dialect(fixed={"norms_per_layer": 4}, defaults={**TIED, "head_dim": 256}, full_attention_every=2)
_GEMMA3 = Dialect(
    fixed={"norms_per_layer": 4, **QUERY_KEY_NORM},
    defaults={**TIED, "head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 262_208},
    full_attention_every=6,
)
_DEEPSEEK_V3 = Dialect(fixed={"router_bias": True})
_QWEN3_VL = Dialect(fixed=QUERY_KEY_NORM, defaults={"use_sliding_window": False}, tower_mergers=4)
_QWEN2_VL = Dialect(fixed={"attention_qkv_bias": True}, defaults={"use_sliding_window": False}, tower_mergers=1)
_QWEN3_NEXT = Dialect(
    fixed={**QUERY_KEY_NORM, "attention_output_gate": True},
    defaults={"full_attention_interval": 4},
    mixer="gated_delta",
    tower_mergers=1,
)
_QWEN3_NEXT_MOE = Dialect(
    fixed={**QUERY_KEY_NORM, "attention_output_gate": True, "shared_expert_gate": True},
    defaults={"full_attention_interval": 4},
    mixer="gated_delta",
    tower_mergers=1,
)
_MINIMAX = Dialect(expert_width_from=("intermediate_size",), mixer="lightning")
_LFM2 = Dialect(fixed=QUERY_KEY_NORM, defaults={**TIED, "conv_L_cache": 3}, mixer="short_convolution")
_ERNIE = Dialect(
    defaults={**TIED, "moe_layer_start_index": 1},
    qkv_bias_from=_USE_BIAS,
    output_bias_from=_USE_BIAS,
    mlp_bias_from=_USE_BIAS,
    fixed={"router_bias": True},
)
_GRANITE_MOE = Dialect(expert_width_from=("intermediate_size",), shared_width_from="shared_intermediate_size")
_NEMOTRON_NAS = Dialect()
_BAILING = Dialect(
    fixed={"router_bias": True},
    qkv_bias_from=("use_qkv_bias",),
    output_bias_from=("use_bias",),
    mlp_bias_from=("use_bias",),
    query_key_norm_from="use_qk_norm",
)
_GLM4_MOE = Dialect(fixed={"router_bias": True}, output_bias_from=(), query_key_norm_from="use_qk_norm")
_FALCON = Dialect(
    fixed={**LAYERNORM, **PLAIN_MLP},
    defaults={**TIED, "multi_query": True, "parallel_attn": True},
    mlp_ratio=4,
    qkv_bias_from=("bias",),
    output_bias_from=("bias",),
    mlp_bias_from=("bias",),
)
_GRANITE_SWA = Dialect(
    fixed={"attention_sinks": True},
    expert_width_from=("intermediate_size",),
    shared_width_from="shared_intermediate_size",
    full_attention_every=4,
)
_GEMMA4 = Dialect(
    fixed={"norms_per_layer": 4, **QUERY_KEY_NORM},
    defaults={**TIED, "head_dim": 256},
    full_attention_every=6,
    dense_mlps_beside_experts=1,
    gives_to_layers=True,
)
_GEMMA3N = Dialect(
    fixed={"norms_per_layer": 5, **QUERY_KEY_NORM},
    defaults={**TIED, "head_dim": 256},
    full_attention_every=5,
    gives_to_layers=True,
    simplified="Its residual streams are counted as one, without what mixes them: under 1 % of it",
)
_STREAMS = "Its residual streams (hyper-connections) are counted as one, in memory and in time"
_DEEPSEEK_V4 = Dialect(
    fixed={"router_bias": True},
    mixer="compressed_attention",
    layer_words=dict.fromkeys((PICKED, POOLED, "sliding_attention"), "mixer"),
    simplified=_STREAMS,
)
_ZAYA = Dialect(
    fixed={"router_bias": True, "zero_computation_experts": 1},
    defaults=TIED,
    layer_words={"hybrid": "attention"},
    simplified="The convolutions of its queries and keys and the layers of its routers are left out, under 1 % of it",
)
_GLM5_NEXT = Dialect(fixed={"router_bias": True}, mixer="kimi_delta", simplified=_STREAMS)
_MINIMAX_M3 = Dialect(
    fixed={**QUERY_KEY_NORM, "router_bias": True},
    expert_width_from=("intermediate_size",),
    dense_width_from=("dense_intermediate_size",),
    shared_width_from="shared_intermediate_size",
)
_MUSE_GLIMMER = Dialect(fixed={"norms_per_layer": 4, "attention_output_gate": True}, full_attention_every=4)
_MUSE_SPARK = Dialect(fixed={"norms_per_layer": 5, "attention_output_gate": True, "router_bias": True})
_INKLING = Dialect(
    fixed={**QUERY_KEY_NORM, "router_bias": True, "embedding_norm": True},
    dense_width_from=("dense_intermediate_size", "intermediate_size"),
    layer_words={"hybrid": "attention", "hybrid_sliding": "local"},
)
_STEP = Dialect(
    fixed={**QUERY_KEY_NORM, "router_bias": True},
    shared_width_from="share_expert_dim",
    expert_width_from=("moe_intermediate_size",),
)
_LLAMA4 = Dialect(
    fixed={"local_attention": "chunked"},
    defaults={"attention_chunk_size": 8192},
    full_attention_every=4,
    expert_width_from=("intermediate_size",),
    dense_width_from=("intermediate_size_mlp",),
    shared_width_from="intermediate_size",
)

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "llama": LLAMA,
        "mistral": LLAMA,
        "mistral3": LLAMA,
        "mixtral": LLAMA,
        "smollm3": Dialect(defaults=TIED),
        "internlm": Dialect(qkv_bias_from=("bias",), output_bias_from=("bias",)),
        "internlm2": Dialect(qkv_bias_from=("bias",), output_bias_from=("bias",)),
        "qwen2": _QWEN2,
        "qwen2_moe": Dialect(
            fixed={"attention_qkv_bias": True, "shared_expert_gate": True}, defaults={"use_sliding_window": False}
        ),
        "qwen3": _QWEN3,
        "qwen3_moe": _QWEN3,
        "gemma": Dialect(defaults={**TIED, "head_dim": 256}),
        "gemma2": _GEMMA2,
        "gemma3": _GEMMA3,
        "gemma3_text": _GEMMA3,
        "falcon": _FALCON,
        "RefinedWeb": _FALCON,
        "RefinedWebModel": _FALCON,
        "bloom": Dialect(fixed={**_GPT, "embedding_norm": True}, defaults=TIED, mlp_ratio=4),
        "mpt": Dialect(
            fixed={**LAYERNORM, **PLAIN_MLP},
            defaults={**TIED, "no_bias": True, "learned_pos_emb": True},
            mlp_ratio=4,
            biases_unless="no_bias",
        ),
        "opt": Dialect(fixed=_GPT, defaults=TIED, learned_positions=True, extra_positions=2),
        "gpt2": _GPT2,
        "gpt_bigcode": Dialect(fixed=_GPT, defaults={**TIED, "multi_query": True}, mlp_ratio=4, learned_positions=True),
        "gptj": Dialect(
            fixed={**LAYERNORM, **PLAIN_MLP, "mlp_bias": True, "norms_per_layer": 1, "head_bias": True}, mlp_ratio=4
        ),
        "gpt_neox": Dialect(fixed={**LAYERNORM, **PLAIN_MLP, "mlp_bias": True}, defaults={"attention_bias": True}),
        "starcoder2": Dialect(
            fixed={**LAYERNORM, **PLAIN_MLP},
            defaults={**TIED, "use_bias": True},
            qkv_bias_from=_USE_BIAS,
            output_bias_from=_USE_BIAS,
            mlp_bias_from=_USE_BIAS,
        ),
        "deepseek": LLAMA,
        "deepseek_v2": LLAMA,
        "deepseek_v3": _DEEPSEEK_V3,
        "kimi_k2": _DEEPSEEK_V3,
        "glm": Dialect(output_bias_from=()),
        "glm4": Dialect(fixed={"norms_per_layer": 4}, output_bias_from=()),
        "glm4_moe": _GLM4_MOE,
        "dbrx": Dialect(fixed={**LAYERNORM, "norm_bias": False}, expert_width_from=("ffn_hidden_size",)),
        "grok-1": Dialect(fixed={"norms_per_layer": 4}),
        "phi": Dialect(fixed={**_GPT, "norms_per_layer": 1, "head_bias": True}),
        "phi3": LLAMA,
        "phimoe": Dialect(fixed=LAYERNORM, defaults={"lm_head_bias": False}),
        "gpt_oss": Dialect(
            fixed={"attention_sinks": True, "router_bias": True, "expert_bias": True},
            defaults={"attention_bias": True},
            full_attention_every=2,
        ),
        "olmo": Dialect(fixed={**LAYERNORM, "norm_weights": False}),
        "olmo2": Dialect(fixed=WIDE_QUERY_KEY_NORM),
        "olmo3": Dialect(fixed=WIDE_QUERY_KEY_NORM, full_attention_every=4),
        "olmoe": Dialect(fixed=WIDE_QUERY_KEY_NORM),
        "nemotron": Dialect(fixed={**LAYERNORM, **PLAIN_MLP}),
        "cohere": Dialect(
            fixed={**LAYERNORM, "norm_bias": False, "norms_per_layer": 1, "query_key_norm_width": "full"},
            defaults=TIED,
            query_key_norm_from="use_qk_norm",
        ),
        "llama4": _LLAMA4,
        "llama4_text": _LLAMA4,
        "ministral": LLAMA,
        "ministral3": LLAMA,
        "helium": LLAMA,
        "exaone": LLAMA,
        "baichuan": LLAMA,
        "internlm3": Dialect(qkv_bias_from=("qkv_bias",), output_bias_from=("bias",), mlp_bias_from=("bias",)),
        "stablelm": Dialect(fixed=LAYERNORM, qkv_bias_from=("use_qkv_bias",), output_bias_from=()),
        "mimo": _QWEN2,
        "hunyuan_v1_moe": Dialect(defaults=TIED, query_key_norm_from="use_qk_norm"),
        "flex_olmo": Dialect(fixed=WIDE_QUERY_KEY_NORM),
        "afmoe": Dialect(
            fixed={**QUERY_KEY_NORM, "norms_per_layer": 4, "attention_output_gate": True, "router_bias": True},
            full_attention_every=4,
        ),
        "solar_open": Dialect(fixed={"router_bias": True}),
        "apertus": Dialect(fixed={**PLAIN_MLP, **QUERY_KEY_NORM}),
        "arcee": Dialect(fixed=PLAIN_MLP),
        "ernie4_5": Dialect(
            defaults=TIED, qkv_bias_from=_USE_BIAS, output_bias_from=_USE_BIAS, mlp_bias_from=_USE_BIAS
        ),
        "ernie4_5_moe": _ERNIE,
        "longcat_flash": Dialect(
            fixed={"router_bias": True, "norms_per_layer": 4}, attentions_per_layer=2, dense_mlps_beside_experts=2
        ),
        "seed_oss": Dialect(output_bias_from=("attention_out_bias",)),
        "exaone4": Dialect(fixed=QUERY_KEY_NORM, full_attention_every=4),
        "exaone_moe": Dialect(fixed={**QUERY_KEY_NORM, "router_bias": True}, full_attention_every=4),
        "hunyuan_v1_dense": Dialect(fixed=QUERY_KEY_NORM),
        "cohere2": Dialect(
            fixed={**LAYERNORM, "norm_bias": False, "norms_per_layer": 1}, defaults=TIED, full_attention_every=4
        ),
        "granite": LLAMA,
        "granitemoe": _GRANITE_MOE,
        "granitemoeshared": _GRANITE_MOE,
        "granitemoehybrid": Dialect(
            expert_width_from=("intermediate_size",),
            shared_width_from="shared_intermediate_size",
            dense_width_without_experts="shared_intermediate_size",
            defaults=TIED,
            mixer="mamba2",
        ),
        "bamba": Dialect(mixer="mamba2"),
        "jamba": Dialect(
            expert_width_from=("intermediate_size",),
            defaults={
                "mamba_expand": 2,
                "mamba_d_state": 16,
                "mamba_d_conv": 4,
                "attn_layer_period": 8,
                "attn_layer_offset": 4,
                "expert_layer_period": 2,
                "expert_layer_offset": 1,
            },
            mixer="mamba",
        ),
        "falcon_h1": Dialect(defaults={"mamba_expand": 2}, mixer="mamba2", mixer_in_every_layer=True),
        "nemotron_h": Dialect(
            fixed={**PLAIN_MLP, "norms_per_layer": 1, "router_bias": True},
            shared_width_from="moe_shared_expert_intermediate_size",
            expert_width_from=("moe_intermediate_size",),
            mixer="mamba2",
            one_block_a_layer=True,
        ),
        "qwen3_next": _QWEN3_NEXT_MOE,
        "qwen3_5": _QWEN3_NEXT,
        "qwen3_5_text": _QWEN3_NEXT,
        "qwen3_5_moe": _QWEN3_NEXT_MOE,
        "qwen3_5_moe_text": _QWEN3_NEXT_MOE,
        "kimi_linear": Dialect(fixed={"router_bias": True}, mixer="kimi_delta"),
        "minimax": _MINIMAX,
        "minimax_text_01": _MINIMAX,
        "minimax_m1": _MINIMAX,
        "minimax_m2": Dialect(
            fixed={"router_bias": True, **WIDE_QUERY_KEY_NORM}, expert_width_from=("intermediate_size",)
        ),
        "lfm2": Dialect(
            fixed=_LFM2.fixed,
            defaults={**_LFM2.defaults, "block_auto_adjust_ff_dim": True, "block_multiple_of": 256},
            mixer=_LFM2.mixer,
        ),
        "lfm2_moe": Dialect(fixed={**_LFM2.fixed, "router_bias": True}, defaults=_LFM2.defaults, mixer=_LFM2.mixer),
        "deepseek_v32": _DEEPSEEK_V3,
        "deepseek_v4": _DEEPSEEK_V4,
        "zaya": _ZAYA,
        "glm_moe_dsa": Dialect(fixed={"router_bias": True}, defaults={"first_k_dense_replace": 3}),
        "glm4_moe_lite": _DEEPSEEK_V3,
        "glm4v_moe": _GLM4_MOE,
        "glm4v_moe_text": _GLM4_MOE,
        "nemotron-nas": _NEMOTRON_NAS,
        "deci": _NEMOTRON_NAS,
        "dots1": Dialect(fixed={"router_bias": True, **QUERY_KEY_NORM}, expert_width_from=("moe_intermediate_size",)),
        "bailing_moe": _BAILING,
        "bailing_moe_v2": _BAILING,
        "bailing_moe_linear": Dialect(fixed=_BAILING.fixed, query_key_norm_from="use_qk_norm", mixer="lightning"),
        "bailing_hybrid": Dialect(
            fixed={"router_bias": True},
            mixer="lightning",
            other_mixer=("short_conv_kernel_size", "kimi_delta_whole"),
        ),
        "hy_v3": Dialect(fixed={**QUERY_KEY_NORM, "router_bias": True}, defaults={"first_k_dense_replace": 1}),
        "hy_v4": Dialect(
            fixed={"router_bias": True, "attention_output_gate": True, "attention_sinks": True}, simplified=_STREAMS
        ),
        "glm5_next": _GLM5_NEXT,
        "glm5_next_text": _GLM5_NEXT,
        "mistral4": LLAMA,
        "mistral_large4": LLAMA,
        "mistral_large4_text": LLAMA,
        "axk1": Dialect(fixed={"router_bias": True, "norms_per_layer": 3}),
        "youtu": Dialect(defaults=TIED),
        "minicpm": Dialect(defaults=TIED),
        "minicpm3": Dialect(defaults=TIED),
        "mimo_v2_flash": Dialect(
            fixed={"router_bias": True},
            expert_width_from=("moe_intermediate_size",),
            defaults={"local_kv_heads": 8},
        ),
        "step3p5": _STEP,
        "step3p7": _STEP,
        "gemma3n": _GEMMA3N,
        "gemma3n_text": _GEMMA3N,
        "gemma4": _GEMMA4,
        "gemma4_text": _GEMMA4,
        "gemma4_unified": _GEMMA4,
        "gemma4_unified_text": _GEMMA4,
        "vaultgemma": Dialect(defaults={**TIED, "head_dim": 256}),
        "cohere2_moe": Dialect(
            fixed={**LAYERNORM, "norm_bias": False, "norms_per_layer": 1},
            defaults=TIED,
            expert_width_from=("intermediate_size",),
            full_attention_every=4,
        ),
        "granite_swa": _GRANITE_SWA,
        "granitemoe_swa": _GRANITE_SWA,
        "mellum": Dialect(fixed=QUERY_KEY_NORM, expert_width_from=("moe_intermediate_size",)),
        "laguna": Dialect(fixed={**QUERY_KEY_NORM, "router_bias": True}, defaults={"first_k_dense_replace": 1}),
        "minimax_m3_vl": _MINIMAX_M3,
        "minimax_m3_vl_text": _MINIMAX_M3,
        "muse_glimmer": _MUSE_GLIMMER,
        "muse_glimmer_text": _MUSE_GLIMMER,
        "muse_spark": _MUSE_SPARK,
        "muse_spark_text": _MUSE_SPARK,
        "inkling_text": _INKLING,
        "inkling_mm_model": _INKLING,
        "olmo_hybrid": Dialect(fixed=WIDE_QUERY_KEY_NORM, mixer="gated_delta"),
        "lfm3": Dialect(
            fixed={**QUERY_KEY_NORM, "norms_per_layer": 4},
            defaults={**TIED, "conv_L_cache": 7},
            mixer="short_convolution",
        ),
        "phi4_multimodal": LLAMA,
        "phi4mm": Dialect(defaults=TIED),
        "hyperclovax": Dialect(fixed={"norms_per_layer": 4}),
        "bitnet": LLAMA,
        "nanochat": Dialect(fixed={**PLAIN_MLP, "norm_weights": False}),
        "jais2": Dialect(fixed={**LAYERNORM, **ALL_BIASES, **PLAIN_MLP}),
        "persimmon": Dialect(fixed={**_GPT, **QUERY_KEY_NORM}),
        "paddleocr_vl_text": Dialect(defaults=TIED),
        "qwen2_vl": _QWEN2_VL,
        "qwen2_vl_text": _QWEN2_VL,
        "qwen2_5_vl": _QWEN2_VL,
        "qwen2_5_vl_text": _QWEN2_VL,
        "qwen3_vl": _QWEN3_VL,
        "qwen3_vl_text": _QWEN3_VL,
        "qwen3_vl_moe": _QWEN3_VL,
        "qwen3_vl_moe_text": _QWEN3_VL,
    }
)
"""Every `model_type` whose implementation is known; another one is read only where every field of its file is known."""

UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        kind: reason
        for reason, kinds in {
            "has no attention at all, only state-space or recurrent layers": "mamba mamba2 falcon_mamba "
            "rwkv rwkv5 rwkv6 rwkv7 xlstm",
            "has recurrent layers of a kind that is not known": "recurrent_gemma plamo2 phi4flash",
            "shares its attention between layers": "zamba zamba2",
            "has an encoder": "t5 mt5 umt5 t5gemma t5gemma2 bart mbart plbart mvp pegasus bigbird_pegasus marian "
            "prophetnet whisper led m2m_100 blenderbot blenderbot-small pix2struct udop musicgen musicgen_melody",
            "is an encoder, which attends both ways": "bert bert-generation camembert data2vec-text deberta-v2 electra "
            "albert distilbert modernbert ernie megatron-bert big_bird rembert roberta roberta-prelayernorm roc_bert "
            "roformer xlm xlm-roberta xlm-roberta-xl xmod",
            "routes its attention heads like experts": "jetmoe",
            "reads bytes through a model of its own": "blt",
            "has latent attention of two shapes": "dots3_note dots3_note_text",
            "has tables of n-grams beside the token table": "qwen4_exp qwen4_exp_text longcat_flash_ngram",
            "has experts of two modalities": "ernie4_5_vl_moe",
            "is several models in one": "qwen2_5_omni qwen3_omni_moe kimi_k3",
        }.items()
        for kind in kinds.split()
    }
)
"""Every `model_type` that is known not to fit, and why."""
