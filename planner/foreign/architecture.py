"""From what a launch file says of a model to the way in which a run file names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planner.catalog.dialects import DIALECTS
from planner.catalog.huggingface import architecture_from_inline
from planner.catalog.models import load_models
from planner.catalog.records import ModelArchitecture
from planner.errors import InputError

Facts = Mapping[str, Any]
"""Fields of `ModelArchitecture` and their values."""

_WITHOUT_FIGURES: Final = frozenset(
    {
        "name",
        "aliases",
        "family",
        "source",
        "date",
        "note",
        "max_position_embeddings",
        "multi_token_prediction_layers",
        "published_parameters",
        "published_active_parameters",
        "published_precision",
    }
)
"""Fields of a model on which no figure depends."""


def same_figures(one: ModelArchitecture, other: ModelArchitecture) -> bool:
    """Whether two models are the same in all that figures depend on."""
    return one.model_dump(exclude=set(_WITHOUT_FIGURES)) == other.model_dump(exclude=set(_WITHOUT_FIGURES))


def reference_of(facts: Facts) -> tuple[str | dict[str, Any], list[str]]:
    """The model with these facts as a run file names it, and what was assumed.

    A model of the catalog that agrees in every fact goes by its name; others are spelt out in the fields of a
    `config.json`, under the `model_type` that says most of what the fields cannot. Raises InputError for what is no
    architecture, once the vocabulary is known.
    """
    known = next((model for model in load_models().values() if _agrees(model, facts)), None)
    if known is not None:
        return known.name, [f"the architecture is that of {known.name} in the catalog"]
    spelt = _spelt_out(facts)
    if facts.get("vocab_size"):
        architecture_from_inline(spelt)
    best, left = min(_readings(spelt, facts), key=lambda found: len(found[1]), default=(spelt, []))
    return best, [f"{name} is taken as {value}: an inline model cannot say otherwise" for name, value in left]


def _agrees(model: ModelArchitecture, facts: Facts) -> bool:
    return all(getattr(model, name) == value for name, value in facts.items())


def _readings(spelt: dict[str, Any], facts: Facts) -> Iterator[tuple[dict[str, Any], list[tuple[str, object]]]]:
    """The spelt-out model under every type of model, with the facts in which the reading differs."""
    for kind in (None, *DIALECTS):
        inline = spelt if kind is None else {"model_type": kind, **spelt}
        try:
            model = architecture_from_inline(inline)
        except InputError:
            continue
        yield inline, [(name, getattr(model, name)) for name, value in facts.items() if getattr(model, name) != value]


_SAME_NAME: Final = (
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "tie_word_embeddings",
    "sliding_window",
)
_EXPERTS: Final = ("n_routed_experts", "num_experts_per_tok", "n_group", "topk_group", "moe_intermediate_size")


def _spelt_out(facts: Facts) -> dict[str, Any]:
    """The facts in the fields of a `config.json`."""
    spelt: dict[str, Any] = {name: facts[name] for name in _SAME_NAME if facts.get(name)}
    if facts.get("kv_lora_rank"):
        rotary = facts["qk_rope_head_dim"]
        spelt |= {name: facts[name] for name in ("kv_lora_rank", "q_lora_rank", "v_head_dim") if facts.get(name)}
        spelt |= {"qk_rope_head_dim": rotary, "qk_nope_head_dim": facts["head_dim"] - rotary}
    elif "head_dim" in facts:
        spelt["head_dim"] = facts["head_dim"]
    if facts.get("intermediate_size"):
        spelt["intermediate_size"] = facts["intermediate_size"]
    if "gated_mlp" in facts:
        spelt["gated_mlp"] = facts["gated_mlp"]
    if facts.get("n_routed_experts"):
        spelt |= {name: facts[name] for name in _EXPERTS if name in facts}
        spelt |= {
            name: facts[key]
            for name, key in (
                ("shared_expert_intermediate_size", "shared_expert_intermediate_size"),
                ("first_k_dense_replace", "dense_layers"),
            )
            if facts.get(key)
        }
    if facts.get("learned_positions"):
        spelt["max_position_embeddings"] = facts["learned_positions"]
    return spelt
