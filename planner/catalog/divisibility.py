"""What a degree of parallelism must divide: the rules that a model sets, for layouts that are written or searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.catalog.records import ModelArchitecture


@dataclass(frozen=True)
class Undivided:
    """Something of a model that a tensor degree does not divide."""

    message: str
    fix: str


def undivided_by_tensor(model: ModelArchitecture, tensor: int) -> Iterator[Undivided]:
    """The heads and widths that a tensor degree does not share out evenly; key-value heads may be repeated."""
    cannot, kv_heads = f"tensor {tensor} does not divide the", key_value_heads(model)
    if model.num_attention_heads % tensor:
        message = f"{cannot} {model.num_attention_heads} attention heads of {model.name}"
        yield Undivided(message, "use a degree that divides them")
    if kv_heads % tensor and tensor % kv_heads:
        message = f"tensor {tensor} and the {kv_heads} key-value heads of {model.name} do not divide"
        yield Undivided(message, "use a divisor or a multiple of them")
    if model.mixer_heads % tensor:
        message = f"{cannot} {model.mixer_heads} heads of the layers without attention"
        yield Undivided(message, "use a degree that divides them")
    widths = {"MLP": model.intermediate_size, "shared experts'": model.shared_expert_intermediate_size}
    for name, width in widths.items():
        if width % tensor:
            yield Undivided(f"{cannot} {name} width {width} of {model.name}", "use a degree that divides it")


def key_value_heads(model: ModelArchitecture) -> int:
    """Heads whose keys and values differ; latent attention expands them to all heads."""
    return model.num_attention_heads if model.kv_lora_rank else model.num_key_value_heads


def layer_slots(model: ModelArchitecture, *, counts_embedding: bool) -> tuple[int, ...]:
    """How many layers a pipeline may deal to its stages: some stacks count the embedding and the loss as one each."""
    layers = model.num_hidden_layers
    return (layers, layers + 2) if counts_embedding else (layers,)


def divides_experts(model: ModelArchitecture, expert: int) -> bool:
    """Whether every expert group holds as many experts; a model without any has one group."""
    return max(model.n_routed_experts, 1) % expert == 0
