"""Which blocks the layers of a config have: attention, what takes its place, and MLPs, under every way of saying so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.catalog.config_fields import BOUNDS, Fields
from planner.catalog.dialects import Scalar

KINDS: Final[Mapping[str, str]] = {
    "full_attention": "attention",
    "attention": "attention",
    "deepseek_sparse_attention": "attention",
    "*": "attention",
    "sliding_attention": "local",
    "chunked_attention": "local",
    "linear_attention": "mixer",
    "mamba": "mixer",
    "conv": "mixer",
    "M": "mixer",
    "mlp": "mlp",
    "-": "mlp",
    "moe": "moe",
    "E": "moe",
}
"""What words and letters for a layer mean."""
ONLY: Final = "only decoders whose layers are of known kinds can"


def layer_kinds(fields: Fields, layers: int) -> list[str]:
    """What each layer is: `attention`, `local` attention, `mixer`, and where a layer is one block `mlp` or `moe`.

    Empty where every layer is the same and has attention.
    """
    listed = fields.items("layer_types", BOUNDS["num_hidden_layers"])
    pattern = fields.word("hybrid_override_pattern") if fields.dialect.one_block_a_layer else ""
    words = list(pattern) if pattern else listed
    kinds = [KINDS.get(word, "") if isinstance(word, str) else "" for word in words]
    if not all(kinds):
        message = (
            "layer_types lists layers that are neither full, sliding nor chunked attention nor of another known kind"
        )
        fields.refuse(message, "hybrid_override_pattern" if pattern else "layer_types", ONLY)
        return []
    if kinds and len(kinds) != layers:
        name = "hybrid_override_pattern" if pattern else "layer_types"
        fields.refuse(f"{name} must have num_hidden_layers items", name)
        return []
    if "mixer" in kinds and not fields.dialect.mixer:
        fields.refuse("layers without softmax attention are of a kind that is not known", "layer_types", ONLY)
        return []
    if not kinds and fields.dialect.mixer and not fields.dialect.mixer_in_every_layer:
        return _by_rule(fields, layers)
    return kinds


def _by_rule(fields: Fields, layers: int) -> list[str]:
    """Layers of a hybrid that lists the ones with attention, or states a period."""
    everything = range(layers)
    stated = _attention_indices(fields, layers)
    if stated is None and fields.has("full_attention_interval"):
        every = fields.count("full_attention_interval", least=1)
        stated = {index for index in everything if (index + 1) % every == 0}
    if stated is None and fields.has("attn_layer_period"):
        period, offset = fields.count("attn_layer_period", least=1), fields.count("attn_layer_offset", 0)
        stated = {index for index in everything if index % period == offset}
    if stated is None:
        message = "the config does not say which layers have softmax attention"
        fields.refuse(message, "layer_types", "add layer_types")
        return []
    return ["attention" if index in stated else "mixer" for index in everything]


def _attention_indices(fields: Fields, layers: int) -> set[int] | None:
    """The layers that a list names, counted from 0; None without one."""
    for name, first in (("linear_attn_config.full_attn_layers", 1), ("attn_layer_indices", 0), ("full_attn_idxs", 0)):
        if fields.has(name):
            named = fields.items(name, layers)
            return {one - first for one in named if isinstance(one, int)}
    if fields.has("attn_type_list"):
        return {index for index, kind in enumerate(fields.items("attn_type_list", layers)) if kind == 1}
    return None


def blocks(fields: Fields, layers: int, kinds: list[str]) -> dict[str, Scalar]:
    """Attentions and mixers of all layers together, where they are not one attention in each."""
    dialect = fields.dialect
    if dialect.mixer_in_every_layer:
        return {"mixer_blocks": layers} | _mixer(fields)
    if dialect.attentions_per_layer > 1:
        return {"attention_blocks": dialect.attentions_per_layer * layers}
    attentions = sum(kind in {"attention", "local"} for kind in kinds)
    mixers = kinds.count("mixer")
    if not kinds or attentions == layers:
        return {}
    return {"attention_blocks": attentions, "mixer_blocks": mixers} | (_mixer(fields) if mixers else {})


def _mixer(fields: Fields) -> dict[str, Scalar]:
    """The shape of what takes the place of attention."""
    kind, hidden = fields.dialect.mixer, fields.count("hidden_size", least=1)
    if kind == "lightning":
        heads = fields.count("num_attention_heads", least=1)
        shape = {"mixer_heads": heads, "mixer_head_dim": fields.count("head_dim", max(hidden // heads, 1), least=1)}
    elif kind in {"mamba", "short_convolution"}:
        inner = hidden * (fields.count("mixer_expand", 2, least=1) if kind == "mamba" else 1)
        shape = {"mixer_heads": max(inner // CHANNELS, 1), "mixer_head_dim": CHANNELS}
        shape |= {"mixer_state": fields.count("mixer_state", 0), "mixer_kernel": fields.count("mixer_kernel", 4)}
    else:
        heads = fields.count("mixer_heads", least=1)
        head = _head_size(fields, heads, hidden)
        shape = {"mixer_heads": heads, "mixer_head_dim": head, "mixer_state": fields.count("mixer_state", head)}
        shape |= {"mixer_groups": fields.count("mixer_groups", heads), "mixer_kernel": fields.count("mixer_kernel", 4)}
    return {"mixer": kind, **shape}


CHANNELS: Final = 64
"""Channels that count as a head where a mixer has none of its own."""


def _head_size(fields: Fields, heads: int, hidden: int) -> int:
    """Size of a value head: stated, or what the expansion of the hidden size leaves each."""
    if not fields.has("mixer_head_dim") or fields.raw("mixer_head_dim") == "auto":
        inner = fields.count("mixer_inner", fields.count("mixer_expand", 2, least=1) * hidden, least=1)
        return max(inner // heads, 1)
    return fields.count("mixer_head_dim", least=1)


def sparse_layers(fields: Fields, layers: int, kinds: list[str]) -> list[int]:
    """The layers that have experts, under every convention of saying so."""
    everything = range(min(layers, BOUNDS["num_hidden_layers"]))
    if fields.dialect.one_block_a_layer:
        return [index for index, kind in enumerate(kinds) if kind == "moe"]
    for name, word in (("mlp_layer_types", "sparse"), ("moe_layer_freq", 1), ("is_moe_layer", True)):
        if isinstance(fields.raw(name), list | tuple):
            listed = fields.items(name, BOUNDS["num_hidden_layers"])
            if len(listed) != layers:
                fields.refuse(f"{name} must have num_hidden_layers items", name)
            return [index for index, kind in enumerate(listed) if kind == word]
    if fields.has("expert_layer_period"):
        period, offset = fields.count("expert_layer_period", least=1), fields.count("expert_layer_offset", 0)
        return [index for index in everything if index % period == offset]
    return _by_frequency(fields, layers)


def _by_frequency(fields: Fields, layers: int) -> list[int]:
    """Layers from a first to a last one, in steps, but those that are listed as dense."""
    if fields.has("moe_layer_start_index") and fields.raw("moe_num_experts") is not None:
        first, step = fields.count("moe_layer_start_index", 0), fields.count("moe_layer_interval", 1, least=1)
        last = fields.raw("moe_layer_end_index")
        end = layers - 1 if last in {None, -1} else fields.count("moe_layer_end_index", layers - 1)
        return [index for index in range(layers) if first <= index <= end and (index + 1) % step == 0]
    first = fields.count("first_k_dense_replace", 0)
    frequency = fields.count("moe_layer_freq", 1, least=1)
    step = fields.count("interleave_moe_layer_step", fields.count("decoder_sparse_step", 1, least=1), least=1)
    dense = fields.items("mlp_only_layers", layers)
    if any(isinstance(index, bool) or not isinstance(index, int) for index in dense):
        fields.refuse("mlp_only_layers must list whole numbers", "mlp_only_layers")
    return [
        index
        for index in range(min(layers, BOUNDS["num_hidden_layers"]))
        if index >= first and index % frequency == 0 and (index + 1) % step == 0 and index not in dense
    ]


def mlp_blocks(fields: Fields, layers: int, kinds: list[str], sparse: int) -> dict[str, Scalar]:
    """Dense MLPs and mixtures of experts of all layers together, where they are not one in each layer."""
    if fields.dialect.one_block_a_layer:
        return {"dense_mlp_blocks": kinds.count("mlp"), "moe_blocks": sparse}
    if beside := fields.dialect.dense_mlps_beside_experts:
        return {"dense_mlp_blocks": beside * layers, "moe_blocks": sparse}
    return {}


def indexer(fields: Fields, layers: int) -> dict[str, Scalar]:
    """The indexer of sparse attention, and the layers that run one where they share it."""
    heads = fields.count("index_heads", 0)
    if not heads:
        return {}
    modes = fields.items("indexer_types", BOUNDS["num_hidden_layers"])
    every, first = fields.count("index_topk_freq", 1, least=1), fields.count("index_skip_topk_offset", 2)
    stated = modes.count("full") if modes else sum(max(i - first + 1, 0) % every == 0 for i in range(layers))
    return {
        "index_heads": heads,
        "index_head_dim": fields.count("index_head_dim", least=1),
        "index_topk": fields.count("index_topk", least=1),
        "index_blocks": max(stated, 1),
    }
