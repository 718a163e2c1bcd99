"""Layers with a window whose attention has another shape than that of the layers that see everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.catalog.config_dialect import Scalar
from planner.catalog.config_fields import Fields
from planner.catalog.config_layers import ONLY

Shape = dict[str, int]
"""Heads of one attention and their sizes, by the config's names."""

PARTS: Final[Mapping[str, str]] = {
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "v_head_dim": "v_head_dim",
}
"""The names of a shape, and what follows `local_` or `global_` where layers of a kind have their own."""


def attention_shapes(fields: Fields, kinds: list[str]) -> tuple[Shape, Shape]:
    """The shape of the layers that see everything, and that of those with a window."""
    heads = fields.count("num_attention_heads", least=1)
    size = fields.count("head_dim", max(fields.count("hidden_size", least=1) // heads, 1))
    stated = {
        "num_attention_heads": heads,
        "num_key_value_heads": fields.count("num_key_value_heads", heads, least=1),
        "head_dim": size,
        "v_head_dim": fields.count("v_head_dim", size),
    }
    full, local = (_of_kind(fields, stated, kinds, *names) for names in (("attention", "global"), ("local", "local")))
    return full, local


def _of_kind(fields: Fields, stated: Shape, kinds: list[str], kind: str, prefix: str) -> Shape:
    """The shape of one kind of layer: what is stated for all, for its kind, or for the first layer of it."""
    first = kinds.index(kind) if kind in kinds else 0
    own = {name: fields.count(f"{prefix}_{part}", stated[name], least=1) for name, part in PARTS.items()}
    if not fields.has(f"{prefix}_v_head_dim") and stated["v_head_dim"] == stated["head_dim"]:
        own["v_head_dim"] = own["head_dim"]
    heads = fields.items("num_attention_heads_per_layer", len(kinds))
    listed = {"num_attention_heads": heads[first]} if len(heads) > first else {}
    return own | _whole_numbers(fields, {**listed, **_of_layer(fields, first)})


def _of_layer(fields: Fields, layer: int) -> dict[str, object]:
    """What `per_layer_config` states of one layer; a head size is that of values too."""
    every = fields.raw("per_layer_config")
    if not isinstance(every, Mapping):
        return {}
    found = next((every[name] for name in (str(layer), f"{layer:02}", f"{layer:03}") if name in every), None)
    own = {str(name): value for name, value in found.items()} if isinstance(found, Mapping) else {}
    return {"v_head_dim": own["head_dim"], **own} if "head_dim" in own else own


def _whole_numbers(fields: Fields, found: Mapping[str, object]) -> Shape:
    """The parts of a layer's own shape. Refuses what a shape does not hold."""
    sound = {name: value for name, value in found.items() if type(value) is int and 0 < value < 10**6}
    if set(sound) == set(found) <= set(PARTS):
        return sound
    fields.refuse("layers differ in more than the number and the size of their heads", "per_layer_config", ONLY)
    return {}


def local_blocks(fields: Fields, kinds: list[str]) -> dict[str, Scalar]:
    """Layers with a window as blocks of their own, where their attention has a shape of its own; else nothing."""
    full, local = attention_shapes(fields, kinds)
    if "local" not in kinds or full == local:
        return {}
    if fields.has("kv_lora_rank") or fields.dialect.mixer:
        fields.refuse("the model has attention of two shapes beside other blocks", "layer_types", ONLY)
    return {
        **full,
        "full_attention_share": 1.0,
        "attention_blocks": kinds.count("attention"),
        "mixer_blocks": kinds.count("local"),
        "mixer": "local_attention",
        "mixer_heads": local["num_attention_heads"],
        "mixer_groups": local["num_key_value_heads"],
        "mixer_state": local["head_dim"],
        "mixer_head_dim": local["v_head_dim"],
    }
