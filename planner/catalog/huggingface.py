"""Reads a Hugging Face `config.json`, or the same fields written inline, into a `ModelArchitecture`.

What differs between models is data (`planner.catalog.dialects`); this module holds the one way to read them. Every
value is checked for kind and bound, all problems are reported together, and nothing that a file contains is repeated
in a message: errors name the fields of this program only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from planner.catalog.config_fields import BOUNDS, Fields
from planner.catalog.dialects import DIALECTS, UNKNOWN, UNSUPPORTED, Facts, Scalar
from planner.catalog.json_file import read_json
from planner.catalog.records import ModelArchitecture
from planner.errors import InputError, Issue, did_you_mean

MAX_NAME: Final = 200
"""Longest name that a model gets, in characters."""

_PLAIN_ACTIVATIONS: Final = frozenset(
    {"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2", "squared_relu"}
)
_LAYER_KINDS: Final = ("full_attention", "sliding_attention", "chunked_attention")
_STATE_FIELDS: Final = ("mamba_num_heads", "mamba_d_state", "ssm_state_size", "ssm_cfg", "linear_num_key_heads")
_HARMLESS: Final = frozenset({"architectures", "torch_dtype", "dtype", "rope_theta", "rms_norm_eps", "layer_norm_eps"})


def read_config(path: Path) -> ModelArchitecture:
    """The architecture that a `config.json`, or the folder that holds one, describes. Raises InputError."""
    file = path / "config.json" if path.is_dir() else path
    config = read_json(file)
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC).date()
    try:
        return architecture_from_config(config.data, name=name or "config", source=f"file {file.name}", written=written)
    except InputError as error:
        raise InputError(replace(issue, place=config.place(issue.path)) for issue in error.issues) from None


def architecture_from_inline(data: Mapping[str, object]) -> ModelArchitecture:
    """The architecture that a problem spells out; other than in a file, a field that means nothing is refused."""
    fields = _fields_of(data)
    facts = _facts(fields)
    known = sorted(fields.seen | _HARMLESS | {"name", "text_config"})
    for key in data:
        if key not in known:
            message = f"unknown field {str(key)[:MAX_NAME]!r} of an inline model"
            fields.issues.append(Issue(message, fix=did_you_mean(str(key), known), path=(str(key),), at_key=True))
    return _record(fields, facts, fields.word("name") or "inline", "given inline", datetime.now(UTC).date())


def architecture_from_config(data: Mapping[str, object], *, name: str, source: str, written: date) -> ModelArchitecture:
    """The architecture that a parsed config describes; `written` dates it. Raises InputError with every problem."""
    fields = _fields_of(data)
    return _record(fields, _facts(fields), name, source, written)


def _record(fields: Fields, facts: Facts, name: str, source: str, written: date) -> ModelArchitecture:
    if fields.issues:
        raise InputError(fields.issues)
    return ModelArchitecture.model_validate(
        {**facts, "name": name[:MAX_NAME], "family": "given", "source": source, "date": written.isoformat()}
    )


def _fields_of(data: Mapping[str, object]) -> Fields:
    """The config seen through its dialect. Of a multimodal model, the text part."""
    inner, inside, outside = data.get("text_config"), "", frozenset[str]()
    if isinstance(inner, Mapping):
        shared = {key: data[key] for key in ("model_type", "tie_word_embeddings") if key in data and key not in inner}
        data, inside, outside = {**shared, **inner}, "text_config", frozenset(shared)
    kind = data.get("model_type")
    dialect = DIALECTS.get(kind, UNKNOWN) if isinstance(kind, str) else UNKNOWN
    fields = Fields(data, dialect, inside=inside, outside=outside)
    if isinstance(kind, str) and kind in UNSUPPORTED:
        message = f"a model of type {kind} cannot be planned: it {UNSUPPORTED[kind]}"
        raise InputError(Issue(message, fix=_ONLY, path=fields.path("model_type")))
    fields.word("model_type")
    if fields.flag("is_encoder_decoder"):
        fields.refuse("the model has an encoder", "is_encoder_decoder", _ONLY)
    if state := next((name for name in _STATE_FIELDS if name in data), None):
        fields.refuse("the model has state-space or linear-attention layers", state, _ONLY)
    return fields


_ONLY: Final = "only decoders whose every layer has softmax attention can"


def _facts(fields: Fields) -> dict[str, Scalar]:
    """Every field of the record, general rules first and what the dialect fixes last."""
    layers = fields.count("num_hidden_layers", least=1)
    facts: dict[str, Scalar] = {
        "num_hidden_layers": layers,
        "vocab_size": fields.count("vocab_size", least=1),
        "multi_token_prediction_layers": fields.count("num_nextn_predict_layers", 0),
    }
    facts |= _attention(fields) | _latent(fields) | _locality(fields, layers)
    facts |= _feed_forward(fields, layers) | _embedding(fields) | _norms_and_biases(fields)
    return {**facts, **fields.dialect.fixed}


def _attention(fields: Fields) -> dict[str, Scalar]:
    told = len(fields.issues)
    hidden = fields.count("hidden_size", least=1)
    heads = fields.count("num_attention_heads", least=1)
    sound = len(fields.issues) == told
    one = fields.flag("multi_query") and not fields.flag("new_decoder_architecture")
    kv_heads = 1 if one else fields.count("num_key_value_heads", heads, least=1)
    if sound and not fields.has("head_dim") and not fields.has("kv_lora_rank") and hidden % heads:
        fields.refuse("hidden_size must be a multiple of num_attention_heads", "hidden_size", "or give head_dim")
    if heads % kv_heads:
        fields.refuse("num_attention_heads must be a multiple of num_key_value_heads", "num_key_value_heads")
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": fields.count("head_dim", max(hidden // heads, 1), least=1),
    }


def _latent(fields: Fields) -> dict[str, Scalar]:
    """Multi-head latent attention, where the config has a rank for keys and values."""
    rank = fields.count("kv_lora_rank", 0)
    if not rank:
        return {}
    rotary = fields.count("qk_rope_head_dim", least=1)
    return {
        "kv_lora_rank": rank,
        "q_lora_rank": fields.count("q_lora_rank", 0),
        "qk_rope_head_dim": rotary,
        "head_dim": fields.count("qk_nope_head_dim", least=1) + rotary,
        "v_head_dim": fields.count("v_head_dim", least=1),
    }


def _locality(fields: Fields, layers: int) -> dict[str, Scalar]:
    """Sliding or chunked windows, and the share of layers that see everything."""
    window_name = "attention_chunk_size" if fields.has("attention_chunk_size") else "sliding_window"
    window = fields.count(window_name, 0)
    switched_off = fields.has("use_sliding_window") and not fields.flag("use_sliding_window")
    kinds = fields.items("layer_types", BOUNDS["num_hidden_layers"])
    if any(kind not in _LAYER_KINDS for kind in kinds):
        message = "layer_types lists layers that are neither full, sliding nor chunked attention"
        fields.refuse(message, "layer_types", _ONLY)
    if kinds and len(kinds) != layers:
        fields.refuse("layer_types must have num_hidden_layers items", "layer_types")
    if not window or (switched_off and window_name == "sliding_window"):
        return {}
    every = fields.count("sliding_window_pattern", fields.dialect.full_attention_every)
    full = kinds.count("full_attention") if kinds else layers // every if every else _first_full(fields, layers)
    return {"sliding_window": window, "full_attention_share": full / layers}


def _first_full(fields: Fields, layers: int) -> int:
    """The first layers that see everything where a file says how many (Qwen2)."""
    return min(fields.count("max_window_layers", 0), layers) if fields.flag("use_sliding_window") else 0


def _feed_forward(fields: Fields, layers: int) -> dict[str, Scalar]:
    experts = fields.count("n_routed_experts", 0)
    ratio = fields.count("expansion_ratio", fields.dialect.mlp_ratio or 0)
    hidden = fields.count("hidden_size", least=1)
    default = ratio * hidden if ratio else None
    gated = _gated(fields)
    if not experts:
        return {"intermediate_size": fields.count("intermediate_size", default, least=1), "gated_mlp": gated}
    dense = _dense_layers(fields, layers)
    width_name = next((name for name in fields.dialect.expert_width_from if fields.has(name)), "moe_intermediate_size")
    width = fields.count(width_name, least=1)
    top_k = fields.count("num_experts_per_tok", least=1)
    if top_k > experts:
        fields.refuse("num_experts_per_tok must not exceed n_routed_experts", "num_experts_per_tok")
    return {
        "intermediate_size": fields.count(fields.dialect.dense_width_from, least=1) if dense else 0,
        "gated_mlp": gated,
        "n_routed_experts": experts,
        "num_experts_per_tok": top_k,
        "moe_intermediate_size": width,
        "shared_expert_intermediate_size": _shared_width(fields, width),
        "dense_layers": dense,
    }


def _gated(fields: Fields) -> bool:
    """Whether the MLP has a gate: as the file says, else as the activation suggests where no dialect knows."""
    plain = fields.word("hidden_act") in _PLAIN_ACTIVATIONS and fields.dialect.activation_tells_gating
    return fields.flag("gated_mlp") if fields.has("gated_mlp") else not plain


def _shared_width(fields: Fields, expert_width: int) -> int:
    """Width of the shared experts together: given as such, as a number of experts, or fixed by the dialect."""
    always = fields.dialect.shared_width_from
    given = fields.count(always or "shared_expert_intermediate_size", 0)
    return given or fields.count("n_shared_experts", 0) * expert_width


def _dense_layers(fields: Fields, layers: int) -> int:
    """How many layers of a mixture of experts have a dense MLP, under every convention of saying so."""
    first = fields.count("first_k_dense_replace", 0)
    frequency = fields.count("moe_layer_freq", 1, least=1)
    step = fields.count("interleave_moe_layer_step", fields.count("decoder_sparse_step", 1, least=1), least=1)
    dense = fields.items("mlp_only_layers", layers)
    if any(isinstance(index, bool) or not isinstance(index, int) for index in dense):
        fields.refuse("mlp_only_layers must list whole numbers", "mlp_only_layers")
    sparse = [
        index
        for index in range(min(layers, BOUNDS["num_hidden_layers"]))
        if index >= first and index % frequency == 0 and (index + 1) % step == 0 and index not in dense
    ]
    return layers - len(sparse)


def _embedding(fields: Fields) -> dict[str, Scalar]:
    """Token table, learned positions and head."""
    positions = fields.count("max_position_embeddings", 0)
    learned = fields.dialect.learned_positions or (
        fields.flag("learned_pos_emb") and not fields.flag("alibi") and not fields.flag("rope")
    )
    if fields.has("word_embed_proj_dim") and fields.raw("word_embed_proj_dim") != fields.raw("hidden_size"):
        message, why = "word_embed_proj_dim must equal hidden_size", "projected embeddings are not supported"
        fields.refuse(message, "word_embed_proj_dim", why)
    facts: dict[str, Scalar] = {
        "tie_word_embeddings": fields.flag("tie_word_embeddings"),
        "head_bias": fields.flag("lm_head_bias"),
        "learned_positions": positions + fields.dialect.extra_positions if learned else 0,
    }
    return facts | ({"max_position_embeddings": positions} if positions else {})


def _norms_and_biases(fields: Fields) -> dict[str, Scalar]:
    dialect = fields.dialect
    everywhere = bool(dialect.biases_unless) and not fields.flag(dialect.biases_unless)
    norms = fields.count("num_ln_in_parallel_attn", 2 if fields.flag("new_decoder_architecture") else 1, least=1)
    return {
        "attention_qkv_bias": everywhere or fields.any_flag(dialect.qkv_bias_from),
        "attention_output_bias": everywhere or fields.any_flag(dialect.output_bias_from),
        "mlp_bias": everywhere or fields.any_flag(dialect.mlp_bias_from),
        "norm_bias": everywhere or not dialect.biases_unless,
        "norms_per_layer": norms if fields.flag("parallel_attn") else 2,
        "query_key_norm": bool(dialect.query_key_norm_from) and fields.flag(dialect.query_key_norm_from),
    }
