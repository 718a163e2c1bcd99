"""One estimate as the JSON that `plan estimate --json` prints; `phase` has the form that plans share."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from planner.catalog.known_runs import KnownRun
from planner.estimator.estimate import Estimate
from planner.estimator.resolve import traits_of_subject
from planner.performance.predictive import CONFIDENCE
from planner.problem.run import Run
from planner.report.learned import learned_document
from planner.units import round_usd, usd_text

FORMAT_VERSION: Final = 1


def as_document(estimate: Estimate) -> dict[str, Any]:
    """The JSON of `plan estimate --json`; money as decimal strings."""
    return {
        "format_version": FORMAT_VERSION,
        "phase": phase_object(estimate),
        "wall_seconds": estimate.wall_seconds,
        "gpu_hours": estimate.gpu_hours,
        "cost_usd": _decimal(estimate.cost_usd),
        "with_failures": {
            "wall_seconds": _finite(estimate.expected_wall_seconds),
            "gpu_hours": _finite(estimate.expected_gpu_hours),
            "cost_usd": _decimal(estimate.expected_cost_usd),
            "failures_per_day": estimate.failures.per_day,
            "checkpoint_seconds": estimate.failures.checkpoint_seconds,
            "checkpoint_interval_seconds": estimate.failures.interval_seconds,
        },
        "interval": _interval_object(estimate),
        "price": _price_object(estimate),
        "model": {
            "name": estimate.subject.model.name,
            "parameters": estimate.work.parameters,
            "active_parameters": estimate.work.active_parameters,
            "model_flop_per_token": estimate.work.model_flop_per_token,
            "hardware_flop_per_token": estimate.work.hardware_flop_per_token,
        },
        "accelerator": estimate.subject.accelerator.name,
        "hfu": estimate.hfu,
        "groups": _groups(estimate.subject.run),
        "tokens_per_second_per_gpu": estimate.tokens_per_second,
        "remedies": [
            {"set": [one.override], "memory_gib": one.memory_gib, "step_factor": one.step_factor}
            for one in estimate.remedies
        ],
        "published": [_known_run_object(run, estimate) for run in estimate.known_runs],
        "learned": learned_document(estimate.calibration, traits_of_subject(estimate.subject)),
        "assumptions": list(estimate.assumptions),
    }


def _groups(run: Run) -> dict[str, int]:
    """Degrees that only a run file states: devices that states are sharded over, and tensor parallelism of experts."""
    return {"shard": run.layout.shard or run.replicas * run.layout.context, "expert_tensor": run.layout.expert_tensor}


def phase_object(estimate: Estimate) -> dict[str, Any]:
    """One phase in the form that plans share: degrees, seconds, and GiB and seconds by part."""
    run = estimate.subject.run
    layout, substituted = run.layout, estimate.subject.used_precision is not estimate.subject.precision
    return {
        "name": run.name or estimate.subject.model.name,
        "nodes": estimate.nodes,
        "gpus": estimate.gpus,
        "tensor": layout.tensor,
        "pipeline": layout.pipeline,
        "context": layout.context,
        "expert": layout.expert,
        "data": run.replicas,
        "virtual_pipeline": layout.virtual_pipeline,
        "micro_batch": layout.micro_batch,
        "microbatches": run.microbatches,
        "recompute": layout.model_dump()["recompute"],
        "zero": layout.zero,
        "precision": estimate.subject.used_precision.name if substituted else run.training.precision,
        "step_seconds": estimate.step_seconds,
        "steps": estimate.steps,
        "wall_seconds": estimate.wall_seconds,
        "mfu": estimate.mfu,
        "memory": estimate.memory.document(),
        "time": dict(estimate.time),
    }


def _finite(figure: float) -> float | None:
    """A figure that JSON can hold; None when it is infinite."""
    return figure if math.isfinite(figure) else None


def _decimal(usd: Decimal | None) -> str | None:
    return None if usd is None else str(usd)


def _interval_object(estimate: Estimate) -> dict[str, Any]:
    """The lower and upper end of what was predicted."""
    low, high = estimate.interval
    figures = ("step_seconds", "wall_seconds", "gpu_hours")
    cost = estimate.cost_usd
    return {
        "confidence": CONFIDENCE,
        "log_deviation": estimate.error.deviation,
        **{name: [getattr(estimate, name) * low, getattr(estimate, name) * high] for name in figures},
        "cost_usd": None if cost is None else [str(_scaled(cost, low)), str(_scaled(cost, high))],
    }


def _scaled(usd: Decimal, factor: float) -> Decimal:
    return round_usd(usd * Decimal(factor))


def _price_object(estimate: Estimate) -> dict[str, str] | None:
    price = estimate.price
    return {"usd_per_gpu_hour": usd_text(price.usd), "origin": price.origin} if price else None


def _known_run_object(run: KnownRun, estimate: Estimate) -> dict[str, Any]:
    """A published run beside the estimate."""
    return {
        "name": run.name,
        "gpu_hours": run.gpu_hours,
        "gpus": run.gpus,
        "tokens": run.tokens,
        "gpu_hours_per_trillion_tokens": run.gpu_hours_per_trillion_tokens,
        "estimate_over_published": estimate.over(run),
        "source": run.source,
        "date": run.date,
        "note": run.note,
    }
