"""Which blocks the layers of a config have: attention, what takes its place, and MLPs."""

from __future__ import annotations

from typing import Final

from planner.catalog.config_dialect import Scalar
from planner.catalog.config_fields import BOUNDS, Fields
from planner.catalog.config_layers import INDEXED, PICKED, POOLED, listed_layers
from planner.catalog.config_local import local_blocks


def blocks(fields: Fields, layers: int, kinds: list[str]) -> dict[str, Scalar]:
    """Attentions and mixers of all layers together, where they are not one attention in each."""
    dialect = fields.dialect
    if dialect.mixer_in_every_layer:
        return {"mixer_blocks": layers} | _mixer(fields)
    if dialect.attentions_per_layer > 1:
        return {"attention_blocks": dialect.attentions_per_layer * layers}
    if own := local_blocks(fields, kinds):
        return own
    attentions = sum(kind in {"attention", "local"} for kind in kinds)
    mixers = kinds.count("mixer")
    if not kinds or attentions == layers:
        return {}
    return {"attention_blocks": attentions, "mixer_blocks": mixers} | (_mixer(fields) if mixers else {})


def _mixer(fields: Fields) -> dict[str, Scalar]:
    """The shape of what takes the place of attention."""
    other, meaning = fields.dialect.other_mixer
    kind = meaning if other and fields.has(other) else fields.dialect.mixer
    hidden = fields.count("hidden_size", least=1)
    if kind == "lightning":
        heads = fields.count("num_attention_heads", least=1)
        shape = {"mixer_heads": heads, "mixer_head_dim": fields.count("head_dim", max(hidden // heads, 1), least=1)}
    elif kind in {"mamba", "short_convolution"}:
        inner = hidden * (fields.count("mixer_expand", 2, least=1) if kind == "mamba" else 1)
        shape = {"mixer_heads": max(inner // CHANNELS, 1), "mixer_head_dim": CHANNELS}
        shape |= {"mixer_state": fields.count("mixer_state", 0), "mixer_kernel": fields.count("mixer_kernel", 4)}
    elif kind == "compressed_attention":
        shape = _compressed_attention(fields)
    else:
        usual = fields.count("num_attention_heads", least=1) if kind == "kimi_delta_whole" else None
        heads = fields.count("mixer_heads", usual, least=1)
        head = _head_size(fields, heads, hidden)
        shape = {"mixer_heads": heads, "mixer_head_dim": head, "mixer_state": fields.count("mixer_state", head)}
        shape |= {"mixer_groups": fields.count("mixer_groups", heads), "mixer_kernel": fields.count("mixer_kernel", 4)}
    return {"mixer": kind, **shape}


def _compressed_attention(fields: Fields) -> dict[str, int]:
    """Attention over a window and pooled keys (DeepSeek-V4)."""
    _, words = listed_layers(fields)
    layers = fields.count("num_hidden_layers", len(words), least=1)
    return {
        "mixer_heads": fields.count("num_attention_heads", least=1),
        "mixer_head_dim": fields.count("head_dim", least=1),
        "mixer_groups": fields.count("o_groups", least=1),
        "mixer_kernel": fields.count("compress_rate", POOLED_TOKENS, least=1),
        "q_lora_rank": fields.count("q_lora_rank", least=1),
        "output_lora_rank": fields.count("o_lora_rank", least=1),
        "index_heads": fields.count("index_heads", least=1),
        "index_head_dim": fields.count("index_head_dim", least=1),
        "index_topk": fields.count("index_topk", least=1),
        "index_blocks": max(words[:layers].count(PICKED), 1),
        "pooled_blocks": words[:layers].count(POOLED),
        "sliding_window": fields.count("sliding_window", least=1),
    }


POOLED_TOKENS: Final = 128
"""Tokens behind a pooled key where a file does not say."""
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
    if fields.has("moe_layers_enum"):
        named = {one.strip() for one in fields.word("moe_layers_enum").split(",")}
        return [index for index in everything if str(index) in named]
    for name, means in _SPARSE:
        if isinstance(fields.raw(name), list | tuple):
            listed = fields.items(name, BOUNDS["num_hidden_layers"])
            if len(listed) == layers + fields.count("num_nextn_predict_layers", 0):
                listed = listed[:layers]
            if len(listed) != layers:
                fields.refuse(f"{name} must have num_hidden_layers items", name)
            return [index for index, kind in enumerate(listed) if kind in means]
    if fields.has("expert_layer_period"):
        period, offset = fields.count("expert_layer_period", least=1), fields.count("expert_layer_offset", 0)
        return [index for index in everything if index % period == offset]
    return _by_frequency(fields, layers)


_SPARSE: Final[tuple[tuple[str, tuple[object, ...]], ...]] = (
    ("mlp_layer_types", ("sparse", "moe", "hash_moe")),
    ("moe_layer_freq", (1,)),
    ("is_moe_layer", (True,)),
)
"""Fields that list the layers, and what stands in them for one with experts."""


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
    listed = fields.items("layer_types", BOUNDS["num_hidden_layers"])
    indexed = sum(isinstance(word, str) and word in INDEXED for word in listed)
    if not heads or (listed and not indexed):
        return {}
    modes = fields.items("indexer_types", BOUNDS["num_hidden_layers"])
    every, first = fields.count("index_topk_freq", 1, least=1), fields.count("index_skip_topk_offset", 2)
    stated = modes.count("full") if modes else sum(max(i - first + 1, 0) % every == 0 for i in range(layers))
    return {
        "index_heads": heads,
        "index_head_dim": fields.count("index_head_dim", least=1),
        "index_topk": _indexed_keys(fields),
        "index_blocks": max(min(stated, indexed or stated), 1),
    }


def _indexed_keys(fields: Fields) -> int:
    """Keys that an indexer leaves a query: stated, or as blocks of so many."""
    if fields.has("index_topk_blocks"):
        return fields.count("index_topk_blocks", least=1) * fields.count("index_block_size", least=1)
    return fields.count("index_topk", least=1)
