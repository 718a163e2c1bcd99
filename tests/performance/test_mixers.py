"""Layers without softmax attention: weights by hand, and time and memory that grow with the tokens only."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import toy

from planner.catalog.huggingface import architecture_from_inline
from planner.catalog.records import Mixer
from planner.performance import flops
from planner.performance.mixers import SHAPES
from planner.performance.parameters import mixer_layers, total_parameters
from planner.performance.symbols import Architecture

HYBRID = {
    "attentions": 0.25,
    "mixers": 0.75,
    "mixer_inner": 2048.0,
    "mixer_matrices": 6 * 1024.0 * 1024,
    "mixer_kept": 8192.0,
}


def test_a_hybrid_counts_each_kind_of_block() -> None:
    """Two of eight layers have attention, six a mixer; every layer has its MLP and norms."""
    plain, hybrid = toy.architecture(), toy.architecture(**HYBRID)
    assert mixer_layers(hybrid) == 6
    attention = 4 * 1024**2
    assert total_parameters(plain) - total_parameters(hybrid) == 6 * (attention - 6 * 1024**2)


def test_time_and_memory_grow_with_the_tokens() -> None:
    """Without any attention, twice the sequence at half the batch is the same work."""
    only = toy.architecture(**HYBRID | {"attentions": 0.0, "mixers": 1.0, "mixer_scan_flop": 1e6})
    short, long = (
        toy.toy(only).with_job(sequence=length, global_batch=batch)
        for length, batch in ((2048.0, 64.0), (4096.0, 32.0))
    )
    assert float(short.evaluate(micro_batch=2.0).time.total) == pytest.approx(float(long.evaluate().time.total))
    assert flops.attention_flops_per_token(only, np.asarray(2048.0)) == 8 * 1e6


def test_an_indexer_picks_the_keys_that_are_met() -> None:
    """Attention meets at most the picked keys; the indexer scores all of them."""
    found = toy.architecture(window=256.0, full_attention_share=0.0, index_heads=2.0, index_head=64.0, index_layers=1.0)
    scores = 2 * 8 * (2 * 1024 * flops.keys_per_query(np.asarray(2048.0), np.asarray(256.0), 0.5) + 2 * 64 * 1024)
    assert flops.attention_flops_per_token(found, np.asarray(2048.0)) == pytest.approx(scores)


def test_every_kind_has_a_shape() -> None:
    """The catalog's record and the equations know the same kinds."""
    assert set(SHAPES) == set(get_args(Mixer))


def test_layers_with_a_window_may_have_attention_of_their_own() -> None:
    """Their projections are counted by their own heads, and their core by the window's keys."""
    config = {
        "num_hidden_layers": 4, "hidden_size": 1024, "num_attention_heads": 8, "num_key_value_heads": 2,
        "head_dim": 128, "intermediate_size": 4096, "vocab_size": 1000, "sliding_window": 512, "hidden_act": "silu",
        "layer_types": ["full_attention", *["sliding_attention"] * 3], "swa_num_key_value_heads": 8,
    }  # fmt: skip
    found, plain = (
        Architecture.of(architecture_from_inline({**config, "swa_num_key_value_heads": kv})) for kv in (8, 2)
    )
    assert float(found.mixer_matrices) == 1024 * 128 * (8 + 8 + 8 + 8)
    grown = float(total_parameters(found) - total_parameters(plain))
    assert grown == pytest.approx(3 * 1024 * 128 * (6 + 6), rel=1e-3)
    tokens = np.asarray(65_536.0)
    assert float(flops.attention_flops_per_token(found, tokens)) == pytest.approx(
        float(flops.attention_flops_per_token(plain, tokens)), rel=0.01
    )
