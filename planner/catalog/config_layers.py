"""What each layer of a config is, under every way of saying so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.catalog.config_fields import BOUNDS, Fields

KINDS: Final[Mapping[str, str]] = {
    "full_attention": "attention",
    "attention": "attention",
    "indexed_attention": "attention",
    "deepseek_sparse_attention": "attention",
    "minimax_m3_sparse": "attention",
    "*": "attention",
    "sliding_attention": "local",
    "chunked_attention": "local",
    "reference_sliding_attention": "local",
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
INDEXED: Final = frozenset({"indexed_attention", "deepseek_sparse_attention", "minimax_m3_sparse"})
"""Words for a layer whose keys an indexer picks."""
ONLY: Final = "only decoders whose layers are of known kinds can"


PICKED: Final = "compressed_sparse_attention"
"""The word for a layer whose indexer picks among pooled keys."""
POOLED: Final = "heavily_compressed_attention"
"""The word for a layer that meets all of its pooled keys, which are few."""
COMPRESSED: Final[Mapping[int, str]] = {0: "sliding_attention", 4: PICKED, 128: POOLED}
"""What the number of tokens behind a pooled key says of a layer (DeepSeek-V4)."""


def layer_kinds(fields: Fields, layers: int) -> list[str]:
    """What each layer is: `attention`, `local` attention, `mixer`, and where a layer is one block `mlp` or `moe`.

    Empty where every layer is the same and has attention.
    """
    name, words = listed_layers(fields)
    known = {**KINDS, **fields.dialect.layer_words}
    kinds = [known.get(word, "") if isinstance(word, str) else "" for word in words]
    if not all(kinds):
        message = (
            "layer_types lists layers that are neither full, sliding nor chunked attention nor of another known kind"
        )
        fields.refuse(message, name, ONLY)
        return []
    if len(kinds) == layers + fields.count("num_nextn_predict_layers", 0):
        kinds = kinds[:layers]
    if kinds and len(kinds) != layers:
        fields.refuse(f"{name} must have num_hidden_layers items", name)
        return []
    if "mixer" in kinds and not fields.dialect.mixer:
        fields.refuse("layers without softmax attention are of a kind that is not known", "layer_types", ONLY)
        return []
    if not kinds and fields.dialect.mixer and not fields.dialect.mixer_in_every_layer:
        return _by_rule(fields, layers)
    return kinds or _local_by_index(fields, layers)


def listed_layers(fields: Fields) -> tuple[str, list[object]]:
    """The field that lists all layers, and its words: letters, words, or 1 where attention has a window (MiMo)."""
    if pattern := fields.word("hybrid_override_pattern") if fields.dialect.one_block_a_layer else "":
        return "hybrid_override_pattern", list(pattern)
    bound = BOUNDS["num_hidden_layers"]
    if ratios := fields.items("compress_ratios", bound):
        return "compress_ratios", [COMPRESSED.get(one) if type(one) is int else None for one in ratios]
    if windows := fields.items("hybrid_layer_pattern", bound):
        return "hybrid_layer_pattern", ["sliding_attention" if one == 1 else "full_attention" for one in windows]
    return "layer_types", fields.items("layer_types", bound)


def _local_by_index(fields: Fields, layers: int) -> list[str]:
    """Layers of a model that lists the ones with a window."""
    local = fields.items("local_layer_ids", layers)
    return ["local" if index in local else "attention" for index in range(layers)] if local else []


def _by_rule(fields: Fields, layers: int) -> list[str]:
    """Layers of a hybrid that lists the ones with attention, or states a period."""
    everything = range(layers)
    stated = _attention_indices(fields, layers)
    if stated is None and fields.has("full_attention_interval"):
        every = fields.count("full_attention_interval", least=1)
        stated = {index for index in everything if (index + 1) % every == 0}
    if stated is None and fields.has("layer_group_size"):
        every = fields.count("layer_group_size", least=1)
        stated = {index for index in everything if (index + 1) % every == 0 or index >= layers // every * every}
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
