"""What a config holds beside the text model: towers that are left out, and fields that change nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from planner.catalog.config_dialect import Dialect, Scalar

TOWERS: Final[Mapping[str, str]] = {
    "vision_config": "vision tower",
    "vit_config": "vision tower",
    "audio_config": "audio tower",
    "sound_config": "audio tower",
    "speech_config": "audio tower",
}
"""Objects of a multimodal config and what they describe."""
LARGEST: Final = 10**6
"""Largest figure of a tower that is believed."""

HARMLESS: Final = re.compile(
    r"_.*|architectures|auto_map|.*dtype|transformers_version|.*token_id|.*token_index|.*dropout.*|.*_pdrop|.*dropout_prob"
    r"|initializer_range|.*init_std|.*_init|use_cache|.*_eps|.*epsilon|rope_.*|.*_rope_.*|.*rotary.*|partial_rotary_factor"
    r"|.*_scaling|.*_coef|.*_loss.*|.*_alpha|output_.*|return_dict|is_decoder|pretraining_tp|tokenizer_class|id2label"
    r"|label2id|problem_type|task_specific_params|torchscript|quantization_config|norm_topk_prob|topk_.*|n_group"
    r"|scoring_func|seq_aux|ep_size|max_position_embeddings|model_max_length|max_window_layers|routed_scaling_factor"
    r"|.*_multiplier|logit_scale|.*softcap.*|chunk_size_feed_forward|name|name_or_path|use_flash.*|.*attn_implementation"
    r"|gradient_checkpointing|original_max_position_embeddings|max_sequence_length|seq_length|z_loss.*|ignore_index"
)
"""Fields that change no shape, whoever writes them."""


def are_harmless(names: set[str]) -> bool:
    """Whether none of some fields can change a layer."""
    return all(HARMLESS.fullmatch(name) for name in names)


def first_unknown(names: set[str], order: Mapping[str, object]) -> str:
    """The first of a file's fields that may change a layer."""
    return next(str(name) for name in order if str(name) in names and not HARMLESS.fullmatch(str(name)))


def left_out(data: Mapping[str, object], dialect: Dialect, text_hidden: int) -> dict[str, Scalar]:
    """The towers of a multimodal config, in words and with their parameters as far as it says."""
    found = {words: part for key, words in TOWERS.items() if isinstance(part := data.get(key), Mapping)}
    sizes = {words: _tower_parameters(part, dialect, text_hidden) for words, part in found.items()}
    if not sizes:
        return {}
    told = [f"a {words} of {_about(size)}" for words, size in sizes.items()]
    return {"left_out": " and ".join(told), "left_out_parameters": sum(sizes.values())}


def _about(parameters: float) -> str:
    return f"about {parameters / 1e9:.2g} billion parameters" if parameters else "a size that the file does not say"


def _tower_parameters(tower: Mapping[str, object], dialect: Dialect, text_hidden: int) -> float:
    """A transformer's blocks, 4·h² + 2·h·f each (f = 4·h unless stated), and the projections into the text part."""
    layers = _first(tower, "depth", "num_hidden_layers", "layers", "vt_num_hidden_layers")
    hidden = _first(tower, "embed_dim", "hidden_size", "width", "d_model", "vt_hidden_size")
    width = _first(tower, "intermediate_size", "encoder_ffn_dim", "vt_intermediate_size") or 4 * hidden
    merged = 4 * hidden
    projections = dialect.tower_mergers * merged * (merged + text_hidden)
    return float(layers * hidden * (4 * hidden + 2 * width) + projections) if layers and hidden else 0.0


def _first(part: Mapping[str, object], *names: str) -> int:
    """The first of some fields that holds a sound whole number, else 0."""
    values = (part.get(name) for name in names)
    return next((one for one in values if type(one) is int and 0 < one <= LARGEST), 0)
