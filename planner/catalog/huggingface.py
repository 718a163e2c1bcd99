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

from pydantic import ValidationError

from planner.catalog.config_blocks import blocks, indexer, mlp_blocks, sparse_layers
from planner.catalog.config_dialect import Facts, Scalar
from planner.catalog.config_fields import BOUNDS, Fields
from planner.catalog.config_layers import ONLY, layer_kinds
from planner.catalog.config_parts import are_harmless, first_unknown, left_out
from planner.catalog.config_shapes import per_block_shapes
from planner.catalog.dialects import DIALECTS, UNKNOWN, UNNAMED, UNSUPPORTED
from planner.catalog.inline_keys import INLINE_KEYS
from planner.catalog.json_file import read_json
from planner.catalog.records import ModelArchitecture
from planner.clock import today
from planner.errors import InputError, Issue, closest

MAX_NAME: Final = 200
"""Longest name that a model gets, in characters."""

_PLAIN_ACTIVATIONS: Final = frozenset(
    {"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2", "squared_relu", "quick_gelu"}
)
_GATED_ACTIVATIONS: Final = frozenset({"silu", "swish", "swiglu", "swigluoai", "geglu"})
_STATE_FIELDS: Final = (
    "mamba_num_heads",
    "mamba_d_state",
    "ssm_state_size",
    "ssm_cfg",
    "linear_num_key_heads",
    "linear_attn_config",
)
_TEXT_PARTS: Final = ("text_config", "llm_config", "language_config")
"""Objects that hold the text part of a multimodal config."""
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
    """The architecture that a problem spells out, or that an answer does, as a whole record.

    Other than in a file, a field that means nothing is refused. Raises InputError.
    """
    if data.keys() >= RECORD_KEYS:
        return _recorded(data)
    fields = _fields_of(data)
    facts = _facts(fields)
    known = fields.seen | _HARMLESS | {"name", "intermediate_size", *_TEXT_PARTS}
    fields.issues += [_meaningless(str(key)) for key in data if key not in known]
    return _record(fields, facts, fields.word("name") or "inline", "given inline", today())


RECORD_KEYS: Final = frozenset({"family", "source", "date"})
"""What a record of the catalog says of itself, and no inline model."""


def _recorded(data: Mapping[str, object]) -> ModelArchitecture:
    """A model as an answer writes it: every field of its record that has no default. Raises InputError."""
    try:
        found = ModelArchitecture.model_validate(data)
    except ValidationError as error:
        raise InputError(
            Issue(f"{'.'.join(map(str, one['loc']))[:MAX_NAME]}: {one['msg']}", path=one["loc"][:1])
            for one in error.errors(include_url=False, include_input=False)[:MOST_ISSUES]
        ) from None
    beyond = [name for name, bound in BOUNDS.items() if (getattr(found, name, 0) or 0) > bound]
    if beyond:
        raise InputError(Issue(f"{name} is more than {BOUNDS[name]:,}", path=(name,)) for name in beyond)
    return found


MOST_ISSUES: Final = 20
"""Issues of one record that are told."""


def _meaningless(key: str) -> Issue:
    """What is said of a field that means nothing in the model that it stands in."""
    if key in INLINE_KEYS:
        owner = "kv_lora_rank" if "lora" in key or "head_dim" in key else "n_routed_experts"
        return Issue(f"{key} means nothing without {owner}", fix=f"add {owner}", path=(key,), at_key=True)
    near = closest(key, INLINE_KEYS, least=CLEARLY_MEANT)
    fix = f"did you mean {near}?" if near else f"known: {', '.join(INLINE_KEYS)}"
    return Issue(f"unknown field {key[:MAX_NAME]!r} of an inline model", fix=fix, path=(key,), at_key=True)


CLEARLY_MEANT: Final = 0.8
"""Likeness of a spelling, 0 to 1, from which on another key is suggested instead of all of them."""


def architecture_from_config(data: Mapping[str, object], *, name: str, source: str, written: date) -> ModelArchitecture:
    """The architecture that a parsed config describes; `written` dates it. Raises InputError with every problem."""
    fields = _fields_of(data)
    facts = _facts(fields)
    if fields.dialect.simplified:
        facts = {**facts, "assumed": fields.dialect.simplified}
    if not fields.dialect.implementation_known:
        _refuse_unknown_fields(fields)
        facts = {**facts, "assumed": UNKNOWN_KIND.format(fields.word("model_type"))}
    towers = left_out(data, fields.dialect, fields.count("hidden_size", 1))
    return _record(fields, {**facts, **towers}, name, source, written)


UNKNOWN_KIND: Final = "Nothing is known of model_type {}: what its file does not say is taken to be as in Llama"


def _refuse_unknown_fields(fields: Fields) -> None:
    """Refuses unknown fields of an unknown `model_type`: any of them may change the layers."""
    unknown = {str(name) for name in fields.data} - fields.seen
    if not are_harmless(unknown):
        place = first_unknown(unknown, fields.data)
        message = "neither this model_type nor this field of it is known: the field may change the layers"
        fix = "leave the field out if it changes none, or write the architecture inline"
        fields.issues.append(Issue(message, fix=fix, path=(*((fields.inside,) if fields.inside else ()), place)))


def _record(fields: Fields, facts: Facts, name: str, source: str, written: date) -> ModelArchitecture:
    if fields.issues:
        raise InputError(fields.issues)
    return ModelArchitecture.model_validate(
        {**facts, "name": name[:MAX_NAME], "family": "given", "source": source, "date": written.isoformat()}
    )


def _fields_of(data: Mapping[str, object]) -> Fields:
    """The config seen through its dialect. Of a multimodal model, the text part."""
    inside, outside, whole = "", frozenset[str](), data.get("model_type")
    part = next((name for name in _TEXT_PARTS if isinstance(data.get(name), Mapping)), None)
    inner = data.get(part) if part else None
    if part and isinstance(inner, Mapping):
        shared = {key: data[key] for key in ("model_type", "tie_word_embeddings") if key in data and key not in inner}
        data, inside, outside = {**shared, **inner}, part, frozenset(shared)
    kind = data.get("model_type")
    if isinstance(whole, str) and whole in UNSUPPORTED:
        kind = whole
    dialect = DIALECTS.get(kind, UNKNOWN) if isinstance(kind, str) else UNNAMED
    fields = Fields(data, dialect, inside=inside, outside=outside)
    if isinstance(kind, str) and kind in UNSUPPORTED:
        message = f"a model of type {kind} cannot be planned: it {UNSUPPORTED[kind]}"
        raise InputError(Issue(message, fix=ONLY, path=fields.path("model_type")))
    fields.word("model_type")
    _refuse_other_models(fields)
    return fields


def _refuse_other_models(fields: Fields) -> None:
    """Encoders, cross attention, and layers without softmax attention of a model that is not known to have them."""
    if fields.flag("is_encoder_decoder"):
        fields.refuse("the model has an encoder", "is_encoder_decoder", ONLY)
    known = () if fields.dialect.gives_to_layers else ("num_kv_shared_layers",)
    for name in ("use_cla", *known):
        if fields.raw(name):
            fields.refuse("the model shares keys and values between layers", name, ONLY)
    if fields.raw("hidden_size_per_layer_input") and not fields.dialect.gives_to_layers:
        fields.refuse("the model adds an embedding to every layer", "hidden_size_per_layer_input", ONLY)
    if fields.has("cross_attention_layers"):
        fields.refuse("the model attends to another model's output", "cross_attention_layers", ONLY)
    state = next((name for name in _STATE_FIELDS if name in fields.data), None)
    if state and not fields.dialect.mixer:
        fields.refuse("the model has state-space or linear-attention layers of a kind that is not known", state, ONLY)
    named = [] if fields.dialect.implementation_known else fields.items("architectures", 100)
    if named and not any(str(one).endswith(_DECODERS) for one in named):
        fields.refuse("architectures names no decoder", "architectures", ONLY)


_DECODERS: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
"""What the names of decoders' implementations end in."""


def _facts(fields: Fields) -> dict[str, Scalar]:
    """Every field of the record, general rules first and what the dialect fixes last."""
    layers = _layer_count(fields)
    kinds = layer_kinds(fields, layers)
    facts: dict[str, Scalar] = {
        "num_hidden_layers": layers,
        "vocab_size": fields.count("vocab_size", least=1),
        "multi_token_prediction_layers": fields.count("num_nextn_predict_layers", 0),
    }
    shapes = per_block_shapes(fields, layers) if fields.has("block_configs") else {}
    facts |= _attention(fields) | _latent(fields) | _locality(fields, layers, kinds) | indexer(fields, layers)
    facts |= blocks(fields, layers, kinds) | _feed_forward(fields, layers, kinds, shapes)
    facts |= _embedding(fields) | _norms_and_biases(fields) | shapes | dict(fields.dialect.fixed)
    return facts | (_given_to_layers(fields, layers, facts) if fields.dialect.gives_to_layers else {})


def _given_to_layers(fields: Fields, layers: int, facts: Facts) -> dict[str, Scalar]:
    """What layers of Gemma 3n and 4 take from tables of their own and from each other; some have MLPs twice as wide.

    A low-rank update of every layer, 2·h·r, counts as that much of a gated MLP, which has 3·h a column.
    """
    shared = fields.count("num_kv_shared_layers", 0)
    if shared >= layers:
        fields.refuse("num_kv_shared_layers must be less than num_hidden_layers", "num_kv_shared_layers")
    wider = shared if fields.flag("use_double_wide_mlp") else 0
    width, updates = fields.count("hidden_size_per_layer_input", 0), fields.count("laurel_rank", 0)
    vocabulary = fields.count("vocab_size", least=1)
    return {
        "shared_kv_layers": shared,
        "intermediate_size": int(facts["intermediate_size"]) * (layers + wider) // layers + updates * 2 // 3,
        "layer_input_size": width,
        "layer_input_vocabulary": fields.count("vocab_size_per_layer_input", vocabulary) if width else 0,
        "norms_per_layer": int(facts["norms_per_layer"]) + (width > 0),
    }


def _layer_count(fields: Fields) -> int:
    """Layers: stated, or as many as are listed one by one."""
    listed = fields.word("hybrid_override_pattern") if fields.dialect.one_block_a_layer else ""
    return fields.count("num_hidden_layers", len(listed) or len(fields.items("layer_types", 10_000)) or None, least=1)


def _attention(fields: Fields) -> dict[str, Scalar]:
    told = len(fields.issues)
    hidden = fields.count("hidden_size", least=1)
    heads = fields.count("num_attention_heads", least=1)
    sound = len(fields.issues) == told
    one = fields.flag("multi_query") and not fields.flag("new_decoder_architecture")
    grouped = heads if fields.has("block_configs") else fields.count("num_key_value_heads", heads, least=1)
    kv_heads = 1 if one else grouped
    latent = fields.has("kv_lora_rank")
    if sound and not fields.has("head_dim") and not latent and hidden % heads:
        fields.refuse("hidden_size must be a multiple of num_attention_heads", "hidden_size", "or give head_dim")
    if heads % kv_heads:
        fields.refuse("num_attention_heads must be a multiple of num_key_value_heads", "num_key_value_heads")
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": fields.count("head_dim", max(hidden // heads, 1), least=not latent),
        "v_head_dim": fields.count("v_head_dim", 0),
    }


def _latent(fields: Fields) -> dict[str, Scalar]:
    """Multi-head latent attention, where the config has a rank for keys and values."""
    rank = fields.count("kv_lora_rank", 0)
    if not rank:
        return {}
    rotary = fields.count("qk_rope_head_dim")
    return {
        "kv_lora_rank": rank,
        "q_lora_rank": fields.count("q_lora_rank", 0),
        "qk_rope_head_dim": rotary,
        "head_dim": fields.count("qk_nope_head_dim", least=1) + rotary,
        "v_head_dim": fields.count("v_head_dim", least=1),
    }


def _locality(fields: Fields, layers: int, kinds: list[str]) -> dict[str, Scalar]:
    """Sliding or chunked windows, and the share of layers that see everything."""
    window_name = "attention_chunk_size" if fields.has("attention_chunk_size") else "sliding_window"
    window = fields.count(window_name, 0)
    switched_off = fields.has("use_sliding_window") and not fields.flag("use_sliding_window")
    if not window or (switched_off and window_name == "sliding_window"):
        return {}
    if kinds:
        full, local = kinds.count("attention"), kinds.count("local")
        return {"sliding_window": window, "full_attention_share": full / (full + local)} if local else {}
    return {"sliding_window": window, "full_attention_share": _full_layers(fields, layers) / layers}


def _full_layers(fields: Fields, layers: int) -> int:
    """Layers that see everything where a file lists none: one of so many, a pattern of letters, or the first ones."""
    pattern = fields.raw("sliding_window_pattern")
    if isinstance(pattern, str) and 0 < len(pattern) <= layers and set(pattern) <= {"L", "G"}:
        return sum(pattern[index % len(pattern)] == "G" for index in range(layers))
    every = fields.count("sliding_window_pattern", fields.dialect.full_attention_every)
    return layers // every if every else _first_full(fields, layers)


def _first_full(fields: Fields, layers: int) -> int:
    """The first layers that see everything where a file says how many (Qwen2)."""
    return min(fields.count("max_window_layers", 0), layers) if fields.flag("use_sliding_window") else 0


def _feed_forward(fields: Fields, layers: int, kinds: list[str], shapes: Facts) -> dict[str, Scalar]:
    experts = fields.count("n_routed_experts", 0)
    gated = _gated(fields)
    if not experts:
        dense_width = 0 if shapes else _dense_width(fields)
        return {**mlp_blocks(fields, layers, kinds, 0), "intermediate_size": dense_width, "gated_mlp": gated}
    sparse = len(sparse_layers(fields, layers, kinds))
    dense = layers - sparse if not fields.dialect.one_block_a_layer else kinds.count("mlp")
    beside = fields.dialect.dense_mlps_beside_experts
    width_name = next((name for name in fields.dialect.expert_width_from if fields.has(name)), "moe_intermediate_size")
    dense_name = next((name for name in fields.dialect.dense_width_from if fields.has(name)), "intermediate_size")
    width = fields.count(width_name, least=1)
    top_k = fields.count("num_experts_per_tok", least=1)
    if top_k > experts:
        fields.refuse("num_experts_per_tok must not exceed n_routed_experts", "num_experts_per_tok")
    idle = fields.count("zero_computation_experts", 0)
    return {
        **mlp_blocks(fields, layers, kinds, sparse),
        "intermediate_size": fields.count(dense_name, least=1) if dense or beside else 0,
        "gated_mlp": gated,
        "n_routed_experts": experts,
        "num_experts_per_tok": max(round(top_k * experts / (experts + idle)), 1),
        "zero_computation_experts": idle,
        **_expert_groups(fields, experts),
        "expert_hidden_size": fields.count("expert_hidden_size", 0),
        "moe_intermediate_size": width,
        "shared_expert_intermediate_size": _shared_width(fields, width),
        "dense_layers": dense,
    }


def _expert_groups(fields: Fields, experts: int) -> dict[str, Scalar]:
    """The groups that experts are dealt into and those open to a token, where routing is limited to some of them."""
    groups = fields.count("n_group", 1, least=1)
    open_to_token = fields.count("topk_group", groups, least=1)
    if groups == 1 or open_to_token >= groups or experts % groups:
        return {}
    return {"n_group": groups, "topk_group": open_to_token}


def _dense_width(fields: Fields) -> int:
    """Width of the MLP of a model without experts."""
    ratio = fields.count("expansion_ratio", fields.dialect.mlp_ratio or 0)
    default = ratio * fields.count("hidden_size", least=1) if ratio else None
    name = fields.dialect.dense_width_without_experts or "intermediate_size"
    width = fields.count(name, default, least=1)
    if not fields.flag("block_auto_adjust_ff_dim"):
        return width
    multiple = fields.count("block_multiple_of", 1, least=1)
    return -(-2 * width // 3 // multiple) * multiple


def _gated(fields: Fields) -> bool:
    """Whether the MLP has a gate: as the file says, else as the activation suggests where no dialect knows."""
    activation = fields.word("hidden_act")
    told = fields.has("gated_mlp") or "gated_mlp" in fields.dialect.fixed
    clear = _GATED_ACTIVATIONS | (_PLAIN_ACTIVATIONS | {""} if fields.dialect.implementation_known else frozenset())
    if not told and activation.lower() not in clear:
        fix = "add gated_mlp: true for three matrices, false for two"
        fields.refuse("hidden_act does not say whether the MLP has a gate", "hidden_act", fix)
    plain = fields.word("hidden_act") in _PLAIN_ACTIVATIONS and fields.dialect.activation_tells_gating
    return fields.flag("gated_mlp") if fields.has("gated_mlp") else not plain


def _shared_width(fields: Fields, expert_width: int) -> int:
    """Width of the shared experts together: given as such, as a number of experts, or fixed by the dialect."""
    always = fields.dialect.shared_width_from
    given = fields.count(always or "shared_expert_intermediate_size", 0)
    return given or fields.count("n_shared_experts", 0) * expert_width


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
