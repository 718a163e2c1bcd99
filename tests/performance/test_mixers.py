"""Layers without softmax attention: weights by hand, and time and memory that grow with the tokens only."""

from __future__ import annotations

import numpy as np
import pytest
import toy

from planner.performance import flops
from planner.performance.mixers import SHAPES
from planner.performance.parameters import mixer_layers, total_parameters

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
    assert set(SHAPES) == {"mamba", "mamba2", "gated_delta", "kimi_delta", "lightning", "short_convolution"}
