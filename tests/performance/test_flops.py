"""FLOPs per token: published figures, exact averages over masks, and the conventions of publishers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.models import find_model, load_models
from planner.performance import flops as f
from planner.performance.kv_cache import kv_bytes_per_token, kv_cache_bytes
from planner.performance.parameters import matmul_parameters_active, total_parameters
from planner.performance.symbols import Architecture, Array


def of(name: str) -> Architecture:
    """The numbers of a catalog model."""
    return Architecture.of(find_model(name))


def tokens(count: int) -> Array:
    """A sequence length."""
    return np.asarray(float(count))


@pytest.mark.parametrize(
    ("name", "sequence", "convention", "published"),
    [
        # NeMo 24.07 and Megatron-Bridge 25.09 print 57.9, 51.5 and 449 GFLOP per token
        ("llama3-8b", 8192, f.full_attention, 57.9e9),
        ("llama3-8b", 8192, f.causal_attention, 51.5e9),
        ("llama3-70b", 8192, f.causal_attention, 449e9),
        # nanotron's logs: 9.06 GFLOP per token
        ("nanotron-llama-1b", 4096, f.full_attention, 9.06e9),
    ],
)
def test_published_flops_per_token(
    name: str, sequence: int, convention: Callable[[Architecture, Array], Array], published: float
) -> None:
    """What frameworks print per token, to the digits that they print."""
    assert convention(of(name), tokens(sequence)) == pytest.approx(published, rel=0.004)


def test_narayanan_formula() -> None:
    """96·B·s·l·h²·(1 + s/6h + V/16lh), spelled out for GPT-3 175B: full attention, full recompute, logits once."""
    layers, hidden, sequence, vocabulary = 96, 12288, 2048, 51200
    printed = 96 * layers * hidden**2 * (1 + sequence / (6 * hidden) + vocabulary / (16 * layers * hidden))
    computed = f.full_attention_with_full_recompute(of("gpt3-175b"), tokens(sequence))
    assert computed == pytest.approx(printed, rel=1e-12)


def test_korthikanti_formula() -> None:
    """72·s·L·h²·(1 + s/6h + V/12hL), and selective recompute repeats the attention core once."""
    layers, hidden, sequence, vocabulary = 48, 6144, 2048, 51200
    a = of("mgpt-22b")
    printed = 72 * layers * hidden**2 * (1 + sequence / (6 * hidden) + vocabulary / (12 * hidden * layers))
    assert f.full_attention(a, tokens(sequence)) == pytest.approx(printed, rel=1e-12)
    repeated = f.full_attention_with_selective_recompute(a, tokens(sequence)) - f.full_attention(a, tokens(sequence))
    assert repeated == pytest.approx(4 * layers * hidden * sequence, rel=1e-9)


def test_llm_foundry_formula() -> None:
    """6·N + 12·L·d·s with N all parameters, the tied token table too."""
    a = of("mpt-7b")
    printed = 6 * total_parameters(a) + 12 * 32 * 4096 * 2048
    assert f.all_parameters(a, tokens(2048)) == pytest.approx(printed, rel=1e-12)


@given(st.integers(1, 400), st.integers(1, 500))
def test_causal_window_is_counted_exactly(sequence: int, window: int) -> None:
    """The closed form is the mean of min(i, w) with half a key off for the diagonal; no window gives s/2."""
    mean = np.mean(np.minimum(np.arange(1, sequence + 1), window)) - 0.5
    assert f.keys_per_query(tokens(sequence), tokens(window), f.CAUSAL) == pytest.approx(mean, abs=1e-9)
    assert f.keys_per_query(tokens(sequence), np.asarray(np.inf), f.CAUSAL) == pytest.approx(sequence / 2)
    assert f.keys_per_query(tokens(sequence), tokens(window), f.FULL) == pytest.approx(min(sequence, window))


@given(st.integers(1, 400), st.integers(1, 500))
def test_causal_chunks_are_counted_exactly(sequence: int, chunk: int) -> None:
    """Each query sees its own chunk up to itself, the diagonal counted half."""
    mean = np.mean(np.arange(sequence) % chunk + 0.5)
    assert f.keys_per_query_in_chunks(tokens(sequence), tokens(chunk), f.CAUSAL) == pytest.approx(mean, abs=1e-9)


@given(st.sampled_from(sorted(load_models())), st.integers(1, 200_000))
def test_order_of_conventions(name: str, sequence: int) -> None:
    """Causal is at most full, recompute only adds, a frozen base only saves."""
    a, s = Architecture.of(load_models()[name]), tokens(sequence)
    assert f.causal_attention(a, s) <= f.full_attention(a, s)
    assert f.full_attention(a, s) <= f.full_attention_with_selective_recompute(a, s)
    assert f.full_attention_with_selective_recompute(a, s) <= f.full_attention_with_full_recompute(a, s)
    assert f.lora_causal_attention(a, s) < f.causal_attention(a, s)
    assert f.causal_attention(a, s) >= 6 * matmul_parameters_active(a)


def test_causal_flops_grow_with_the_sequence_and_windows_cap_them() -> None:
    """Attention's mean cost rises with length; under a sliding window it approaches the window."""
    lengths = np.geomspace(256, 1e6, 30)
    assert np.all(np.diff(f.attention_flops_per_token(of("llama3.1-8b"), lengths)) > 0)
    assert np.all(f.mean_keys_per_query(of("mistral-7b"), lengths) <= 4096)
    assert f.mean_keys_per_query(of("mistral-7b"), tokens(10**7)) == pytest.approx(4096, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("llama3.1-8b", 32 * 2 * 8 * 128 * 2),
        ("deepseek-v3", 61 * (512 + 64) * 2),
        ("falcon-7b", 32 * 2 * 64 * 2),
    ],
)
def test_cache_per_token(name: str, size: int) -> None:
    """Grouped, latent and single-head keys and values in 16 bit."""
    assert kv_bytes_per_token(of(name)) == size


def test_cache_of_local_layers_stops_growing() -> None:
    """Half of gpt-oss's layers keep 128 tokens only."""
    a = of("gpt-oss-20b")
    assert kv_cache_bytes(a, tokens(8192)) == kv_bytes_per_token(a) * (8192 + 128) / 2
