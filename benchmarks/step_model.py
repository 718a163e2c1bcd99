"""A transformer in plain PyTorch, built from a record of its architecture: the layers that the estimator counts.

fp32 parameters and gradients, products and stored activations in bf16, fused attention, experts as grouped products.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.catalog.records import ModelArchitecture
from planner.errors import InputError

Tensor = Any
Weights = dict[str, Tensor]
torch: Any = importlib.import_module("torch")
functional: Any = importlib.import_module("torch.nn.functional")
ROPE_BASE = 500_000.0


@dataclass(frozen=True)
class Model:
    """Layers' weights, vocabulary tables, and the functions that run them."""

    record: ModelArchitecture
    layers: list[Weights]
    tables: Weights
    layer: Callable[..., Tensor]
    loss: Callable[..., Tensor]

    @property
    def parameters(self) -> list[Tensor]:
        """Every tensor that is trained."""
        return [*self.tables.values(), *(weight for layer in self.layers for weight in layer.values())]

    def __call__(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of a micro-batch; both of shape (sequences, positions)."""
        rope = rotations(tokens.shape[1], self.record.head_dim, tokens.device)
        hidden = self.tables["embedding"][tokens].bfloat16()
        for weights in self.layers:
            hidden = self.layer(hidden, weights, rope, self.record)
        return self.loss(hidden, self.tables, targets)


def build(record: ModelArchitecture, device: str, *, compiled: bool) -> Model:
    """Draw a model with random weights. Raises InputError for an architecture of another kind."""
    if record.kv_lora_rank or record.sliding_window or not record.gated_mlp or record.dense_layers:
        raise InputError(f"{record.name} has layers of another kind", fix="use grouped attention and gated MLPs")
    generator = torch.Generator(device).manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, device=device, generator=generator).mul_(0.02).requires_grad_()

    def scale() -> Tensor:
        return torch.ones(record.hidden_size, device=device, requires_grad=True)

    layers = [layer_weights(record, drawn, scale) for _ in range(record.num_hidden_layers)]
    table = (record.vocab_size, record.hidden_size)
    tables = {"embedding": drawn(*table), "head": drawn(*table), "norm": scale()}
    wrap = torch.compile if compiled else (lambda function: function)
    return Model(record, layers, tables, wrap(run_layer), wrap(cross_entropy))


def layer_weights(record: ModelArchitecture, drawn: Callable[..., Tensor], scale: Callable[[], Tensor]) -> Weights:
    """Weights of one layer, outputs × inputs; query, key and value stand in one matrix, gate and up in another."""
    hidden, head = record.hidden_size, record.head_dim
    queries = record.num_attention_heads * head
    projections = {
        "qkv": drawn(queries + 2 * record.num_key_value_heads * head, hidden),
        "out": drawn(hidden, queries),
        "attention_norm": scale(),
        "mlp_norm": scale(),
    }
    if not record.is_moe:
        width = record.intermediate_size
        return projections | {"up": drawn(2 * width, hidden), "down": drawn(hidden, width)}
    experts, width = record.n_routed_experts, record.moe_intermediate_size
    return projections | {
        "router": drawn(experts, hidden),
        "up": drawn(experts, 2 * width, hidden),
        "down": drawn(experts, hidden, width),
    }


def run_layer(hidden: Tensor, weights: Weights, rope: tuple[Tensor, Tensor], record: ModelArchitecture) -> Tensor:
    """Attention and MLP, each behind a norm and beside a residual."""
    hidden = hidden + attention(normed(hidden, weights["attention_norm"]), weights, rope, record)
    inputs = normed(hidden, weights["mlp_norm"])
    if record.is_moe:
        return hidden + experts(inputs.flatten(0, 1), weights, record.num_experts_per_tok).view_as(hidden)
    gate, value = product(inputs, weights["up"]).chunk(2, -1)
    return hidden + product(functional.silu(gate) * value, weights["down"])


def attention(hidden: Tensor, weights: Weights, rope: tuple[Tensor, Tensor], record: ModelArchitecture) -> Tensor:
    """Causal attention with grouped keys and values."""
    heads, shared, size = record.num_attention_heads, record.num_key_value_heads, record.head_dim
    split = product(hidden, weights["qkv"]).unflatten(-1, (heads + 2 * shared, size)).transpose(1, 2)
    query, key, value = split.split((heads, shared, shared), dim=1)
    out = functional.scaled_dot_product_attention(
        rotated(query, rope), rotated(key, rope), value, is_causal=True, enable_gqa=heads != shared
    )
    return product(out.transpose(1, 2).flatten(2), weights["out"])


def experts(rows: Tensor, weights: Weights, top_k: int) -> Tensor:
    """Send each row to its top experts, drop none, and add what they return by their weights."""
    scores = product(rows, weights["router"]).float().softmax(-1)
    gates, chosen = scores.topk(top_k)
    order = chosen.flatten().argsort()
    numbers = torch.arange(scores.shape[1], device=rows.device)
    ends = (chosen.flatten() == numbers[:, None]).sum(1).cumsum(0).int()
    up = grouped(rows.index_select(0, order // top_k), weights["up"], ends)
    gate, value = up.chunk(2, -1)
    out = grouped(functional.silu(gate) * value, weights["down"], ends)
    back = out.index_select(0, order.argsort()).unflatten(0, (-1, top_k))
    return (back * gates.bfloat16()[..., None]).sum(1)


def product(inputs: Tensor, weight: Tensor) -> Tensor:
    """Multiply by the bf16 copy of an fp32 weight."""
    return functional.linear(inputs, weight.bfloat16())


def grouped(rows: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Multiply rows sorted by expert, which end at `ends`, by their expert's weight."""
    return torch._grouped_mm(rows, weight.bfloat16().transpose(-2, -1), offs=ends)  # noqa: SLF001  (public since 2.10)


def normed(hidden: Tensor, scale: Tensor) -> Tensor:
    """RMS norm."""
    return functional.rms_norm(hidden, (hidden.shape[-1],), scale.bfloat16())


def rotations(positions: int, size: int, device: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401  (a torch.device)
    """Cosines and sines of rotary positions, shape (positions, size/2)."""
    rates = ROPE_BASE ** (-torch.arange(0, size, 2, device=device) / size)
    angles = torch.arange(positions, device=device)[:, None] * rates
    return angles.cos().bfloat16(), angles.sin().bfloat16()


def rotated(heads: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair of halves of a head by its position."""
    cosine, sine = rope
    first, second = heads.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)


def cross_entropy(hidden: Tensor, tables: Weights, targets: Tensor) -> Tensor:
    """Final norm, output projection and loss."""
    logits = product(normed(hidden, tables["norm"]), tables["head"])
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
