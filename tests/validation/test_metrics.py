"""Metrics: each is a step time in other words, by the convention of its source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_runs import case

from planner.performance.flops import (
    causal_attention,
    full_attention,
    full_attention_with_full_recompute,
    full_attention_with_selective_recompute,
    lora_full_attention,
)
from planner.validation.cases import Case
from planner.validation.metrics import (
    HARDWARE_FLOPS,
    MEMORIES,
    MODEL_FLOPS,
    TIMES,
    flops_per_token,
    measured_seconds,
    seconds_from,
    value_from,
)

TOKENS = 128 * 8192
"""Tokens in a step of the ordinary run."""


def run(**cells: str) -> Case:
    """The ordinary run with other cells."""
    return case(cells)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("step_time", 2),
        ("tokens_per_s_per_gpu", TOKENS / 2 / 64),
        ("tokens_per_s_total", TOKENS / 2),
        ("samples_per_s", 64),
    ],
)
def test_throughput_of_a_two_second_step(metric: str, value: float) -> None:
    """Tokens and sequences per second, of one device and of all."""
    assert value_from(run(), metric, 2.0) == pytest.approx(value)


def test_rates_of_a_two_second_step() -> None:
    """TFLOP/s per device, its share of the dense peak, and petaflop/s of all devices together."""
    flop = flops_per_token(run(), "mfu") * TOKENS
    assert value_from(run(), "model_tflops_per_gpu", 2.0) == pytest.approx(flop / 2 / 64 / 1e12)
    assert value_from(run(), "mfu", 2.0) == pytest.approx(flop / 2 / 64 / 989.4e12, rel=1e-3)
    assert value_from(run(), "aggregate_pflops", 2.0) == pytest.approx(flop / 2 / 1e15)


@given(st.sampled_from(TIMES), st.floats(1e-6, 1e9))
def test_there_and_back(metric: str, seconds: float) -> None:
    """Seconds to the metric and back are the same seconds, and a faster step is never a smaller rate."""
    value = value_from(run(), metric, seconds)
    slower = value_from(run(), metric, 2 * seconds)
    assert value is not None
    assert slower is not None
    assert seconds_from(run(), metric, value) == pytest.approx(seconds)
    assert slower == pytest.approx(2 * value if metric == "step_time" else value / 2)


@pytest.mark.parametrize("metric", ["gpu_hours", "wall_time_days", "cost_usd", "layer_fwd_time", "", *MEMORIES])
def test_metrics_that_give_no_step_time(metric: str) -> None:
    """Hours, dollars, memory and what nobody knows."""
    assert seconds_from(run(), metric, 3.0) is None
    assert value_from(run(), metric, 3.0) is None


@pytest.mark.parametrize("metric", sorted(MODEL_FLOPS))
def test_model_flops_by_the_stack_of_that_time(metric: str) -> None:
    """Megatron counted attention whole until its releases of September 2025, causal since."""
    old, new = run(date="2024-06"), run(date="2025-10")
    sequence = new.job.sequence
    assert flops_per_token(old, metric) == full_attention(old.architecture, sequence)
    assert flops_per_token(new, metric) == causal_attention(new.architecture, sequence)


@pytest.mark.parametrize("metric", sorted(HARDWARE_FLOPS))
def test_hardware_flops_count_what_is_recomputed(metric: str) -> None:
    """Full recompute repeats the layers, selective recompute the attention core, none nothing."""
    runs = [run(date="2022-04", recompute=how) for how in ("full", "selective", "none")]
    rules = (
        full_attention_with_full_recompute,
        full_attention_with_selective_recompute,
        full_attention,
    )
    for one, rule in zip(runs, rules, strict=True):
        assert flops_per_token(one, metric) == rule(one.architecture, one.job.sequence)
        assert flops_per_token(one, "mfu") == full_attention(one.architecture, one.job.sequence)


def test_adapters_count_no_weight_gradients() -> None:
    """A LoRA run's model FLOP are those of a frozen base."""
    one = run(date="2024-06", notes="LoRA")
    assert flops_per_token(one, "mfu") == lora_full_attention(one.architecture, one.job.sequence)


def test_shares_are_of_the_precisions_own_peak() -> None:
    """An fp8 run's MFU is measured against the fp8 peak, twice the 16-bit one."""
    wide, low = (value_from(run(precision=p), "mfu", 2.0) for p in ("bf16", "fp8"))
    assert wide == pytest.approx(2 * (low or 0), rel=1e-3)


def test_the_most_direct_metric_counts() -> None:
    """A step time beats a throughput, a throughput a utilisation, whatever the order of the rows."""
    written = [
        {"id": "a-1/mfu", "metric": "mfu", "value": "0.4"},
        {"id": "a-1/tokens_per_s_per_gpu", "metric": "tokens_per_s_per_gpu", "value": "8192"},
        {"id": "a-1/step_time", "metric": "step_time", "value": "5"},
        {"id": "a-1/mem_peak_gb", "metric": "mem_peak_gb", "value": "60"},
    ]
    assert measured_seconds(case(*written)) == 5
    assert measured_seconds(case(*written[:2])) == pytest.approx(TOKENS / 64 / 8192)
    assert measured_seconds(case(*written[3:])) is None
