"""Layers that mix tokens without softmax attention: their weights, what they keep and what their scan costs.

State-space layers, linear attention and short convolutions run in chunks: products inside a chunk and a state that is
carried from chunk to chunk, so that time and memory grow with the tokens and not with their square.
Sources: Gu and Dao 2023, arXiv 2312.00752 (Mamba); Dao and Gu 2024, arXiv 2405.21060, section 6 (Mamba-2); Yang et al.
2024, arXiv 2412.06464 (gated delta nets); Kimi Team 2025, arXiv 2510.26692 (Kimi delta attention); MiniMax 2025, arXiv
2501.08313 (lightning attention); Liquid AI 2025, LFM2 (gated short convolutions). Vectors, projections and widths are
those of the models' released tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from planner.catalog.records import Mixer, ModelArchitecture

CHUNK: Mapping[Mixer, float] = MappingProxyType(
    {"mamba2": 256.0, "gated_delta": 64.0, "kimi_delta": 64.0, "lightning": 256.0}
)
"""Tokens of a chunk in the published kernels."""


@dataclass(frozen=True)
class MixerShape:
    """One mixer as numbers, each per block."""

    inner: float = 0.0
    """Width of its output before the last projection."""
    matrices: float = 0.0
    """Weights that enter a matrix product."""
    vectors: float = 0.0
    """Convolutions, decays, biases and norms."""
    kept: float = 0.0
    """Elements per token that the backward pass needs, beside the input."""
    scan_flop: float = 0.0
    """Forward FLOP per token of the scan, beside the matrices."""


def mamba(record: ModelArchitecture) -> MixerShape:
    """Mamba: inner width d, state N, Δ of rank h/16: h·2d + d·(R + 2N) + R·d + d·h weights, 9·d·N FLOP a token."""
    inner, state = _inner(record), record.mixer_state
    rank = -(-record.hidden_size // 16)
    matrices = 3 * record.hidden_size * inner + inner * (2 * rank + 2 * state)
    vectors = inner * (record.mixer_kernel + 3 + state) + rank + 2 * state
    return MixerShape(inner, matrices, vectors, 6.0 * inner, 9.0 * inner * state)


def mamba2(record: ModelArchitecture) -> MixerShape:
    """Mamba-2: H heads, inner width d = H·P, state N, G groups: h·(2d + 2GN + H) + d·h weights.

    The scan costs 4·d·N for the states and C·(G·N + d) inside chunks of C tokens, half of which causality skips.
    """
    inner, heads = _inner(record), record.mixer_heads
    shared = 2 * record.mixer_groups * record.mixer_state
    matrices = record.hidden_size * (2 * inner + shared + heads) + inner * record.hidden_size
    vectors = (inner + shared) * (record.mixer_kernel + 1) + 3 * heads + inner
    inside = CHUNK["mamba2"] * (shared / 2 + inner)
    return MixerShape(inner, matrices, vectors, 5.0 * inner + 2 * shared, 4.0 * inner * record.mixer_state + inside)


def gated_delta(record: ModelArchitecture) -> MixerShape:
    """Gated delta net: G key heads of N, H value heads of P: h·(2GN + 2HP + 2H) + HP·h weights."""
    keys, values, heads = record.mixer_groups * record.mixer_state, _inner(record), record.mixer_heads
    matrices = record.hidden_size * (2 * keys + 2 * values + 2 * heads) + values * record.hidden_size
    vectors = (2 * keys + values) * record.mixer_kernel + 2 * heads + record.mixer_head_dim
    return MixerShape(values, matrices, vectors, 4.0 * keys + 5.0 * values, _delta_flop(record, "gated_delta"))


def kimi_delta(record: ModelArchitecture) -> MixerShape:
    """Kimi delta attention: queries, keys, values and output of h·HP each, decay and gate of rank P, h·H for beta."""
    inner, heads, head = _inner(record), record.mixer_heads, record.mixer_head_dim
    matrices = record.hidden_size * (4 * inner + 2 * head + heads) + 2 * head * inner
    vectors = 3 * inner * record.mixer_kernel + inner + heads + head
    return MixerShape(inner, matrices, vectors, 10.0 * inner, _delta_flop(record, "kimi_delta"))


def kimi_delta_whole(record: ModelArchitecture) -> MixerShape:
    """Kimi delta attention whose decay and gate are of full rank: h·HP each, as Ling 3 has it."""
    inner, heads = _inner(record), record.mixer_heads
    matrices = record.hidden_size * (6 * inner + heads)
    vectors = 3 * inner * record.mixer_kernel + inner + heads + record.mixer_head_dim
    return MixerShape(inner, matrices, vectors, 10.0 * inner, _delta_flop(record, "kimi_delta"))


def local_attention(record: ModelArchitecture) -> MixerShape:
    """Softmax attention of a shape of its own over a window of w keys: h·(a·d + g·(d + d_v)) + a·d_v·h weights.

    The core costs 2·a·(d + d_v)·w, as where sequences are much longer than the window.
    """
    inner, heads = _inner(record), record.mixer_heads
    keys_and_values = own_keys(record) * record.mixer_groups * (record.mixer_state + record.mixer_head_dim)
    projected = heads * record.mixer_state + keys_and_values
    matrices = float(record.hidden_size * (projected + inner))
    scan = 2.0 * heads * (record.mixer_state + record.mixer_head_dim) * (record.sliding_window or 0)
    return MixerShape(inner, matrices, 2.0 * record.mixer_state, projected + inner, scan)


def compressed_attention(record: ModelArchitecture) -> MixerShape:
    """Attention over a window and pooled keys, with low-rank queries, one shared key-value head and a grouped output.

    h·r + r·a·d + h·d + R·a·d + G·R·h weights, r and R the ranks of queries and of an output group; 2·h·d more where a
    block pools its keys, and 4·h·d and an indexer where it picks k of them. The core costs 4·a·d for every key of the
    window and every picked one; what grows with the sequence (the indexer's scores, rarely pooled keys) is left out.
    Source: DeepSeek-AI 2026, DeepSeek-V4, section 2.3.
    """
    hidden, head, rank = record.hidden_size, record.mixer_head_dim, record.q_lora_rank
    queries, groups = _inner(record), record.mixer_groups * record.output_lora_rank
    picked = (record.index_blocks or 0) / record.mixer_blocks
    pooled = record.pooled_blocks / record.mixer_blocks
    index = record.index_heads * (rank * record.index_head_dim + hidden) + 4 * hidden * record.index_head_dim
    projected = hidden * (rank + head + groups) + (rank + record.output_lora_rank) * queries
    matrices = projected + pooled * 2 * hidden * head + picked * (4 * hidden * head + index)
    vectors = rank + 2 * head + record.mixer_heads + pooled * record.mixer_kernel * head
    keys = (record.sliding_window or 0) + picked * record.index_topk
    return MixerShape(groups, matrices, vectors, 2 * queries + rank + 2 * head + groups, 4.0 * queries * keys)


def lightning(record: ModelArchitecture) -> MixerShape:
    """Lightning attention: queries, keys, values, gate and output of h·HP each; 4·HP·P for the state, 2·C·HP inside."""
    inner = _inner(record)
    scan = 4.0 * inner * record.mixer_head_dim + 2 * CHUNK["lightning"] * inner
    return MixerShape(inner, 5.0 * record.hidden_size * inner, inner, 6.0 * inner, scan)


def short_convolution(record: ModelArchitecture) -> MixerShape:
    """Gated short convolution: h·3h + h·h weights and a kernel of k taps a channel."""
    hidden, taps = record.hidden_size, record.mixer_kernel
    return MixerShape(hidden, 4.0 * hidden**2, hidden * taps, 5.0 * hidden, 2.0 * hidden * taps)


def own_keys(record: ModelArchitecture) -> float:
    """Share of the layers that project keys and values of their own."""
    return 1 - record.shared_kv_layers / record.num_hidden_layers


def _inner(record: ModelArchitecture) -> float:
    return float(record.mixer_heads * record.mixer_head_dim)


def _delta_flop(record: ModelArchitecture, kind: Mixer) -> float:
    """A delta rule's scan: 6·N·P per head for reading and correcting the state, 2·C·(N + P) inside a chunk."""
    state, head = record.mixer_state, record.mixer_head_dim
    return record.mixer_heads * (6.0 * state * head + 2 * CHUNK[kind] * (state + head))


SHAPES: Mapping[Mixer, Callable[[ModelArchitecture], MixerShape]] = MappingProxyType(
    {
        "mamba": mamba,
        "mamba2": mamba2,
        "gated_delta": gated_delta,
        "kimi_delta": kimi_delta,
        "kimi_delta_whole": kimi_delta_whole,
        "lightning": lightning,
        "short_convolution": short_convolution,
        "local_attention": local_attention,
        "compressed_attention": compressed_attention,
    }
)
"""The shape of every kind."""


def mixer_shape(record: ModelArchitecture) -> MixerShape:
    """The mixer of a record; nothing where it has none."""
    return SHAPES[record.mixer](record) if record.mixer else MixerShape()
