"""One architecture in figures: parameters by part, FLOPs, cache and activations, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
from rich.console import RenderableType
from rich.table import Table

from planner.catalog.precisions import find_precision
from planner.catalog.records import ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, find_stack
from planner.performance import flops, memory, parameters
from planner.performance import kv_cache as footprint
from planner.performance.job import job_of
from planner.performance.symbols import Architecture, Array, Layout, Software
from planner.problem.training import Training
from planner.report.tables import text_table
from planner.units import format_bytes, format_count, format_share

FORMAT_VERSION: Final = 1


@dataclass(frozen=True)
class ModelReport:
    """What `plan model` answers; parameters as whole numbers, FLOP and bytes per token."""

    record: ModelArchitecture
    sequence_length: int
    by_part: dict[str, int]
    total: int
    active: int
    multiplied: int
    """Active weights that enter matrix products, logits included."""
    multi_token_prediction: int
    flops_per_token: dict[str, float]
    kv_cache_bytes: dict[str, float]
    activation_bytes: dict[str, float]
    """Per token and layer on one device, bf16, fused attention, nothing recomputed."""


def model_report(record: ModelArchitecture, sequence_length: int) -> ModelReport:
    """All figures of one model at one sequence length."""
    a, sequence = Architecture.of(record), np.asarray(float(sequence_length))
    return ModelReport(
        record=record,
        sequence_length=sequence_length,
        by_part={part: round(float(count)) for part, count in parameters.parameters_by_part(a).items() if count > 0},
        total=round(float(parameters.total_parameters(a))),
        active=round(float(parameters.active_parameters(a))),
        multiplied=round(float(parameters.matmul_parameters_active(a))),
        multi_token_prediction=round(float(parameters.multi_token_prediction_parameters(a))),
        flops_per_token={
            "training_causal": float(flops.causal_attention(a, sequence)),
            "training_full_attention": float(flops.full_attention(a, sequence)),
            "attention_causal": 3 * float(flops.attention_flops_per_token(a, sequence)),
            "lora_causal": float(flops.lora_causal_attention(a, sequence)),
        },
        kv_cache_bytes={
            "per_token": float(footprint.kv_bytes_per_token(a)),
            "per_sequence": float(footprint.kv_cache_bytes(a, sequence)),
        },
        activation_bytes=_activations(a, sequence),
    )


def _activations(a: Architecture, sequence: Array) -> dict[str, float]:
    """Bytes per token that each kind of layer keeps for its backward pass on one device."""
    one = Layout(**{f.name: np.asarray(1.0) for f in fields(Layout)} | _NOT_RECOMPUTED)
    job = job_of(Training(), find_precision("bf16"), sequence=round(float(sequence)), global_batch=1)
    software = Software.of(find_stack(DEFAULT_STACK).at())
    attention = memory.attention_activation_bytes(a, software, job, one)
    kinds = {"dense_layer": (False, a.dense_layers > 0), "moe_layer": (True, parameters.moe_layers(a) > 0)}
    return {
        kind: float(attention + memory.mlp_activation_bytes(a, software, job, one, moe=moe))
        for kind, (moe, there) in kinds.items()
        if there
    }


_NOT_RECOMPUTED: Final[dict[str, Array]] = {
    "recompute_full": np.asarray(0.0),
    "recompute_selective": np.asarray(0.0),
    "zero": np.asarray(0.0),
}


def as_document(report: ModelReport) -> dict[str, Any]:
    """The JSON of `plan model --json`."""
    record = report.record
    return {
        "format_version": FORMAT_VERSION,
        "model": record.name,
        "sequence_length": report.sequence_length,
        "parameters": {
            "total": report.total,
            "active": report.active,
            "multiplied": report.multiplied,
            "multi_token_prediction": report.multi_token_prediction,
            "published": record.published_parameters,
            "published_active": record.published_active_parameters,
            "published_precision": record.published_precision if record.published_parameters else None,
            "by_part": report.by_part,
        },
        **{name: asdict(report)[name] for name in ("flops_per_token", "kv_cache_bytes", "activation_bytes")},
        "architecture": record.model_dump(exclude_defaults=True),
    }


def model_tables(report: ModelReport) -> list[RenderableType]:
    """The report for people."""
    return [
        _heading(report.record),
        "",
        _parameter_table(report),
        "",
        _figure_table(report),
        "",
        *_notes(report.record),
    ]


def _heading(record: ModelArchitecture) -> str:
    experts = f", {record.num_experts_per_tok} of {record.n_routed_experts} experts" if record.is_moe else ""
    return (
        f"{record.name}: {record.num_hidden_layers} layers, hidden {record.hidden_size:,}, "
        f"{record.num_attention_heads} heads ({record.num_key_value_heads} for keys and values), "
        f"vocabulary {record.vocab_size:,}{experts}"
    )


def _parameter_table(report: ModelReport) -> Table:
    table = text_table("parameters", "count", "share")
    for part, count in report.by_part.items():
        table.add_row(part.replace("_", " "), f"{count:,}", format_share(count / report.total))
    table.add_section()
    table.add_row("total", f"{report.total:,}", format_count(report.total))
    table.add_row("active per token", f"{report.active:,}", format_count(report.active))
    table.add_row("in matrix products", f"{report.multiplied:,}", format_count(report.multiplied))
    if report.multi_token_prediction:
        extra = report.multi_token_prediction
        table.add_row("multi-token prediction, on top", f"{extra:,}", format_count(extra))
    published = report.record.published_parameters
    if published:
        off = f"{report.total / published - 1:+.2%}" if report.total != published else "the same"
        table.add_row(f"published ({report.record.published_precision})", f"{published:,.0f}", off)
    return table


def _figure_table(report: ModelReport) -> Table:
    table = text_table(f"at {report.sequence_length:,} tokens", "per token")
    work, cache = report.flops_per_token, report.kv_cache_bytes
    table.add_row("training FLOP, causal attention counted half", f"{work['training_causal'] / 1e9:,.2f} G")
    table.add_row("  of which attention scores", f"{work['attention_causal'] / 1e9:,.2f} G")
    table.add_row("training FLOP, attention counted whole", f"{work['training_full_attention'] / 1e9:,.2f} G")
    table.add_row("LoRA FLOP, base frozen", f"{work['lora_causal'] / 1e9:,.2f} G")
    table.add_row("key-value cache, 16 bit", format_bytes(cache["per_token"]))
    table.add_row("key-value cache of the whole sequence", format_bytes(cache["per_sequence"]))
    for kind, size in report.activation_bytes.items():
        table.add_row(f"activations of one {kind.replace('_', ' ').replace('moe', 'MoE')}, bf16", format_bytes(size))
    return table


def _notes(record: ModelArchitecture) -> list[RenderableType]:
    lines = [f"{record.assumed}."] if record.assumed else []
    lines += [f"Left out: {record.left_out}."] if record.left_out else []
    lines += [record.note] if record.note else []
    return [*lines, f"Source: {record.source} ({record.date})"]
