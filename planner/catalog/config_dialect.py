"""What one `model_type` of a Hugging Face `config.json` fixes, and what its fields mean when the file is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = bool | int | float | str
"""What a field of a record can hold."""

Facts = Mapping[str, Scalar]
"""Fields of a record (or of a config) and their values."""


@dataclass(frozen=True)
class Dialect:
    """One `model_type`: what its code fixes and what its config leaves unsaid."""

    fixed: Facts = field(default_factory=dict)
    """Record fields that the implementation decides, whatever the file says."""
    defaults: Facts = field(default_factory=dict)
    """Config fields that the file may leave out."""
    mlp_ratio: int | None = None
    """Width of the MLP in hidden sizes when the file gives none."""
    full_attention_every: int = 0
    """One layer of so many sees everything when the file lists no layer types; 0: none does."""
    qkv_bias_from: tuple[str, ...] = ("attention_bias",)
    """Config fields that switch the bias of queries, keys and values on."""
    output_bias_from: tuple[str, ...] = ("attention_bias",)
    mlp_bias_from: tuple[str, ...] = ("mlp_bias",)
    expert_width_from: tuple[str, ...] = ("moe_intermediate_size", "intermediate_size")
    """Config fields that may hold the width of an expert, the first that is there."""
    dense_width_from: tuple[str, ...] = ("intermediate_size",)
    shared_width_from: str = ""
    """Config field that is the width of the shared expert, where there always is one."""
    biases_unless: str = ""
    """Config field that switches every bias off, those of norms too."""
    query_key_norm_from: str = ""
    """Config field that switches the norm of queries and keys on."""
    extra_positions: int = 0
    """Rows that a learned position table has beyond the sequence length."""
    learned_positions: bool = False
    activation_tells_gating: bool = False
    """Whether `hidden_act` decides if the MLP has a gate: GELU and ReLU go without, SiLU with one."""
    layer_words: Mapping[str, str] = field(default_factory=dict)
    """Words for a kind of layer that mean something else elsewhere."""
    mixer: str = ""
    """What layers without softmax attention do; empty where there are none."""
    other_mixer: tuple[str, str] = ("", "")
    """A config field, and what those layers do where the file has it."""
    mixer_in_every_layer: bool = False
    """Whether a mixer runs beside attention in every layer."""
    one_block_a_layer: bool = False
    """Whether a layer is an attention, a mixer, an MLP or a mixture of experts, and not two of them."""
    attentions_per_layer: int = 1
    dense_mlps_beside_experts: int = 0
    """Dense MLPs of a layer that has experts too."""
    dense_width_without_experts: str = ""
    """Config field that is the width of the MLP in the releases without experts."""
    tower_mergers: int = 0
    """Projections of 2 × 2 merged patches from the vision tower into the text part."""
    gives_to_layers: bool = False
    """Whether layers may be given inputs from tables of their own, and keys and values of earlier layers."""
    simplified: str = ""
    """What a reading leaves out, in one sentence."""
    implementation_known: bool = True
    """Whether fields beyond those that are read cannot change the layers."""
