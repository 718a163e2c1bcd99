"""Configs that list a shape for every block (DeciLM, Nemotron's pruned models): their means, which count the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from planner.catalog.config_dialect import Scalar
from planner.catalog.config_fields import BOUNDS, Fields

ALIGNMENT: Final = 64
"""A mean width is rounded to a multiple of this, so that tensor parallelism divides it like the blocks' own."""
FFN_MULTIPLE: Final = 256
"""A block's `ffn_mult` gives a width that is rounded up to a multiple of this: 2/3 · mult · h."""


def per_block_shapes(fields: Fields, layers: int) -> dict[str, Scalar]:
    """Attentions, MLPs and their mean shape where `block_configs` lists them; parameters and FLOP are linear in both.

    A block that a plain h × h layer replaces counts as h/3 more width of a gated MLP, which has as many weights.
    """
    listed = fields.items("block_configs", BOUNDS["num_hidden_layers"])
    attentions = [_part(one, "attention") for one in listed]
    mlps = [_part(one, "ffn") for one in listed]
    if len(listed) != layers or None in attentions or None in mlps:
        fields.refuse("block_configs must have num_hidden_layers items with attention and ffn", "block_configs")
        return {}
    hidden, heads = fields.count("hidden_size", least=1), fields.count("num_attention_heads", least=1)
    groups = [_kv_heads(one, heads) for one in attentions if one and _is_there(one)]
    widths = [_width(one, hidden) for one in mlps if one and not one.get("no_op")]
    linear = sum(bool(one and one.get("replace_with_linear")) for one in attentions)
    if not groups or not widths or None in groups or None in widths:
        fields.refuse("block_configs lists blocks whose shape is not clear", "block_configs")
        return {}
    mean_width = (sum(one or 0 for one in widths) + linear * hidden // 3) / len(widths)
    return {
        "attention_blocks": len(groups),
        "dense_mlp_blocks": len(widths),
        "num_attention_heads": heads,
        "num_key_value_heads": _nearest_divisor(sum(one or 0 for one in groups) / len(groups), heads),
        "intermediate_size": max(round(mean_width / ALIGNMENT), 1) * ALIGNMENT,
    }


def _part(block: object, name: str) -> Mapping[str, object] | None:
    part = block.get(name) if isinstance(block, Mapping) else None
    return part if isinstance(part, Mapping) else None


def _is_there(attention: Mapping[str, object]) -> bool:
    return not attention.get("no_op") and not attention.get("replace_with_linear")


def _number(part: Mapping[str, object], name: str, kind: Callable[[object], bool]) -> float | None:
    value = part.get(name)
    return float(value) if isinstance(value, int | float) and kind(value) and 0 < value <= 10**7 else None


def _kv_heads(attention: Mapping[str, object], heads: int) -> int | None:
    """Key-value heads of one block: stated, or heads over the size of a group."""
    stated = _number(attention, "num_key_value_heads", lambda value: isinstance(value, int))
    group = _number(attention, "n_heads_in_group", lambda value: isinstance(value, int) and heads % value == 0)
    return int(stated) if stated else heads // int(group) if group else None


def _width(mlp: Mapping[str, object], hidden: int) -> int | None:
    """Width of one block's MLP: stated, from its multiplier, or that of a plain layer in its place."""
    if mlp.get("replace_with_linear"):
        return hidden // 3
    stated = _number(mlp, "intermediate_size", lambda value: isinstance(value, int))
    multiplier = _number(mlp, "ffn_mult", lambda value: not isinstance(value, bool))
    if stated or not multiplier:
        return int(stated) if stated else None
    return -(-int(2 * multiplier * hidden / 3) // FFN_MULTIPLE) * FFN_MULTIPLE


def _nearest_divisor(mean: float, heads: int) -> int:
    """The number of key-value heads nearest to the mean that groups all heads evenly."""
    return min((value for value in range(1, heads + 1) if heads % value == 0), key=lambda value: abs(value - mean))
