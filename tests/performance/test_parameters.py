"""Parameter counts: closed forms against published tensors, and laws that hold for every architecture."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.models import find_model, load_models
from planner.catalog.records import ModelArchitecture
from planner.performance import parameters as p
from planner.performance.symbols import Architecture

MODELS = list(load_models().values())


def of(name: str) -> Architecture:
    """The numbers of a catalog model."""
    return Architecture.of(find_model(name))


@pytest.mark.parametrize("record", [m for m in MODELS if m.published_parameters], ids=lambda m: m.name)
def test_total_is_what_the_publisher_says(record: ModelArchitecture) -> None:
    """Counted from tensors: equal to the unit. Rounded by the publisher: within one per cent."""
    total = float(p.total_parameters(Architecture.of(record)))
    tolerance = 0.0 if record.published_precision == "exact" else 0.01
    assert total == pytest.approx(record.published_parameters, rel=tolerance, abs=0)


@pytest.mark.parametrize("record", [m for m in MODELS if m.published_active_parameters], ids=lambda m: m.name)
def test_active_is_near_what_the_publisher_says(record: ModelArchitecture) -> None:
    """Publishers count active parameters with or without token table and head: one of the two is within 7 %."""
    a = Architecture.of(record)
    active, tables = float(p.active_parameters(a)), float(a.vocabulary * a.hidden)
    published = record.published_active_parameters or 0.0
    assert min(abs(active - k * tables - published) for k in (0, 1, 2)) / published < 0.07


@pytest.mark.parametrize("record", MODELS, ids=lambda m: m.name)
def test_parts_add_up_and_bound_each_other(record: ModelArchitecture) -> None:
    """The parts sum to the total; what is active, and what is multiplied, is part of it."""
    a = Architecture.of(record)
    total, active = p.total_parameters(a), p.active_parameters(a)
    assert sum(p.parameters_by_part(a).values()) == total
    assert 0 < active <= total
    assert (active < total) == record.is_moe
    assert p.layer_matrices_active(a) < active
    assert float(total).is_integer()


def test_multi_token_prediction_of_deepseek_v3() -> None:
    """The published 11.5B unique parameters, and the tensor count that the released files add up to."""
    a = of("deepseek-v3")
    extra = p.multi_token_prediction_parameters(a)
    scales = 41_540_496
    assert extra == pytest.approx(11.5e9, rel=0.01)
    assert p.total_parameters(a) + extra + 2 * a.vocabulary * a.hidden + scales == 684_531_386_000
    active = p.multi_token_prediction_matrices_active(a) + a.vocabulary * a.hidden
    assert active == pytest.approx(2.4e9, rel=0.06)  # published, token table included


@pytest.mark.parametrize(("name", "released"), [("glm-4.5", 358_337_791_296), ("glm-4.5-air", 110_468_824_832)])
def test_multi_token_prediction_of_glm(name: str, released: int) -> None:
    """GLM's files hold the prediction layer with copies of token table and head."""
    a = of(name)
    assert p.total_parameters(a) + p.multi_token_prediction_parameters(a) + 2 * a.vocabulary * a.hidden == released


def test_many_architectures_broadcast_as_one() -> None:
    """A stack of all models gives what each gives alone, for every function of an architecture."""
    singles = [Architecture.of(m) for m in MODELS]
    stacked = Architecture.stack(singles)
    for count in (p.total_parameters, p.active_parameters, p.matmul_parameters_active, p.attention_parameters):
        np.testing.assert_array_equal(count(stacked), [count(a) for a in singles])


def test_a_grid_axis_broadcasts() -> None:
    """Any field may stand on an axis of its own."""
    grid = replace(of("llama3.1-8b"), layers=np.arange(1.0, 5.0)[:, None], hidden=np.array([1024.0, 2048.0]))
    assert p.total_parameters(replace(grid, dense_layers=grid.layers)).shape == (4, 2)


def test_adapters_of_llama() -> None:
    """Rank 16 on all linear layers of Llama 3.1 8B, spelled out matrix by matrix (fused as Megatron does)."""
    h, f, q, kv = 4096, 14336, 4096, 2 * 1024
    layer = (h + q + kv) + (q + h) + (h + 2 * f) + (f + h)
    assert p.low_rank_adapter_parameters(of("llama3.1-8b"), np.asarray(16.0)) == 16 * 32 * layer


@given(st.integers(1, 64), st.sampled_from([64, 128]), st.sampled_from([1, 2, 4, 8]), st.integers(1, 4), st.booleans())
def test_grouped_attention_is_never_larger_than_full(
    layers: int, head: int, kv_heads: int, groups: int, gated: bool
) -> None:
    """Sharing key-value heads only ever removes parameters; a gate only ever adds them."""
    base = of("llama2-7b")
    full = replace(
        base,
        layers=np.asarray(float(layers)),
        dense_layers=np.asarray(float(layers)),
        heads=np.asarray(float(kv_heads * groups)),
        kv_heads=np.asarray(float(kv_heads * groups)),
        query_key_head=np.asarray(float(head)),
        value_head=np.asarray(float(head)),
        gated=np.asarray(float(gated)),
    )
    grouped = replace(full, kv_heads=np.asarray(float(kv_heads)))
    assert p.total_parameters(grouped) <= p.total_parameters(full)
    assert p.total_parameters(replace(full, gated=np.asarray(1.0))) >= p.total_parameters(full)


def test_every_record_field_reaches_the_symbols() -> None:
    """An architecture has no field without a value."""
    for f in fields(Architecture):
        assert getattr(of("deepseek-v3"), f.name).shape == ()
