"""What published figures mean: from a metric to seconds per step, and from seconds per step to the metric."""

from __future__ import annotations

from planner.performance.flops import (
    CAUSAL,
    FULL,
    hardware_flops_per_token,
    lora_model_flops_per_token,
    model_flops_per_token,
)
from planner.validation.cases import Case
from planner.validation.published import SHARES

MODEL_FLOPS = {"model_tflops_per_gpu", "mfu"}
HARDWARE_FLOPS = {"hw_tflops_per_gpu", "hfu", "pct_peak", "aggregate_pflops"}
"""Sources that print a share of peak or an aggregate rate count what their hardware did."""
TIMES = (
    "step_time",
    "tokens_per_s_per_gpu",
    "samples_per_s",
    "tokens_per_s_total",
    "model_tflops_per_gpu",
    "mfu",
    "hw_tflops_per_gpu",
    "hfu",
    "pct_peak",
    "aggregate_pflops",
)
"""Metrics that give a step time, the most direct first."""
MEMORIES = {"mem_peak_gb": 1e9, "mem_peak_gib": 2.0**30, "mem_reserved_gib": 2.0**30}
"""Metrics that give a peak of memory, with the bytes of their unit."""
NOT_GIVEN = {
    "wall_time_days",
    "gpu_hours",
    "cost_usd",
    "time_to_train_min",
    "mlperf_official_score_min",
    "layer_fwd_time",
    "layer_bwd_time",
    "mem_activations_gib",
    "mem_activations_pct_of_baseline",
    "mem_params_optimizer_gib",
}
"""Metrics of publications that do not follow from a layout, or only from one that states more."""


def why_not_given(metric: str) -> str:
    """Why a metric is not predicted."""
    if metric in NOT_GIVEN:
        return f"a layout does not give {metric}"
    return f"metric {metric[:40]!r} is not known; known: {', '.join((*TIMES, *MEMORIES))}"


def flops_per_token(case: Case, metric: str) -> float:
    """FLOP per token as the case's source counts them for this metric.

    Attention is counted whole or causal by the stack's convention of that time; hardware figures add full recompute
    where the source counts it. Source of the conventions: `docs/validation.md`.
    """
    share = FULL if case.stack.attention_counted == "full" else CAUSAL
    sequence = case.job.sequence
    if case.adapter:
        return float(lora_model_flops_per_token(case.architecture, sequence, share))
    if metric in HARDWARE_FLOPS:
        layout = case.layouts[0]
        return float(
            hardware_flops_per_token(
                case.architecture, sequence, layout.recompute_selective, layout.recompute_full, share
            )
        )
    return float(model_flops_per_token(case.architecture, sequence, share))


def _tokens_per_step(case: Case) -> float:
    return float(case.job.global_batch * case.job.sequence)


def _rate_unit(case: Case, metric: str) -> float:
    """FLOP/s of all devices together that one unit of the metric stands for."""
    if metric in SHARES:
        return float(case.device.peak_flops_s) * case.gpus
    return 1e15 if metric == "aggregate_pflops" else 1e12 * case.gpus


def seconds_from(case: Case, metric: str, value: float) -> float | None:
    """Seconds per step that a published value implies; None when the metric does not give them."""
    tokens = _tokens_per_step(case)
    if metric == "step_time":
        return value
    if metric == "tokens_per_s_per_gpu":
        return tokens / (value * case.gpus)
    if metric == "tokens_per_s_total":
        return tokens / value
    if metric == "samples_per_s":
        return float(case.job.global_batch) / value
    if metric in MODEL_FLOPS | HARDWARE_FLOPS:
        return flops_per_token(case, metric) * tokens / (value * _rate_unit(case, metric))
    return None


def value_from(case: Case, metric: str, seconds: float) -> float | None:
    """The metric's value at a number of seconds per step; None when the metric does not follow from it.

    Every rate is inversely proportional to the step time, so the conversion is its own inverse.
    """
    return seconds_from(case, metric, seconds)


def measured_seconds(case: Case) -> float | None:
    """Seconds per step of a case by its most direct metric."""
    values = {row.metric: row.value for row in case.rows}
    for metric in TIMES:
        if metric in values:
            return seconds_from(case, metric, values[metric])
    return None
