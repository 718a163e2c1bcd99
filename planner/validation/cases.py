"""From published rows to the estimator's symbols: names resolved, gaps filled, the rest skipped with a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from planner.catalog.accelerators import find_accelerator
from planner.catalog.models import find_model
from planner.catalog.precisions import TrainingPrecision, find_precision
from planner.catalog.records import Accelerator
from planner.catalog.software import StackProperties, stack_of_framework
from planner.errors import InputError
from planner.performance.parameters import total_parameters
from planner.performance.symbols import Architecture, Array, Device, Job, Layout, Software
from planner.validation.imputation import Known, Skipped, devices_of, possible_layouts
from planner.validation.published import PublishedRow

ADAMW_STATE_BYTES = 12.0
"""fp32 master weights and two fp32 moments."""
ADAPTER_RANK = 16.0
"""LoRA rank where a run does not state it."""
USUAL_HEAD = 128
"""Head size where a run does not state its heads."""


UNSTATED_ROUNDS = 8.0
"""Micro-batches per replica and stage where a run does not state its global batch."""


@dataclass(frozen=True)
class Case:
    """One published configuration as symbols, with one layout per way to fill its gaps."""

    configuration: str
    rows: tuple[PublishedRow, ...]
    architecture: Architecture
    accelerator: Accelerator
    precision: TrainingPrecision
    stack_name: str
    stack: StackProperties
    device: Device
    software: Software
    job: Job
    layouts: tuple[Layout, ...]
    gpus: float
    adapter: bool = False
    has_gaps: bool = False
    """Whether the source leaves part of the layout open, which the prediction fills in."""


def group(rows: Sequence[PublishedRow]) -> list[tuple[PublishedRow, ...]]:
    """Rows by configuration, in the order of the file."""
    found: dict[str, list[PublishedRow]] = {}
    for row in rows:
        found.setdefault(row.configuration, []).append(row)
    return [tuple(members) for members in found.values()]


def _scalar(value: float) -> Array:
    return np.asarray(value, dtype=np.float64)


@cache
def _catalog_architecture(name: str) -> Architecture | None:
    try:
        return Architecture.of(find_model(name))
    except InputError:
        return None


def architecture_of(row: PublishedRow) -> Architecture:
    """The row's own shape over the catalog's model of that name; without either, Skipped."""
    known = _catalog_architecture(row.text["model"])
    n = row.numbers
    needed = ("layers", "hidden", "vocab")
    if known is None and any(n[key] is None for key in needed):
        raise Skipped(f"model {row.text['model'][:60]!r} is not in the catalog and its shape is not stated")
    if known is None:
        if re.search(r"mamba|nemotron-?h|nemotron3", row.text["model"], re.IGNORECASE):
            raise Skipped("hybrid state-space models are not covered")
        return _from_columns(row)
    stated = {
        "layers": n["layers"],
        "hidden": n["hidden"],
        "heads": n["heads"],
        "vocabulary": n["vocab"],
        "kv_heads": None if float(known.kv_rank) else n["kv_heads"],
    }
    changed = {key: _scalar(value) for key, value in stated.items() if value is not None}
    if float(known.experts) == 0 and n["layers"]:
        changed["dense_layers"] = _scalar(n["layers"])
    if float(known.experts) == 0 and n["ffn"]:
        changed["dense_ffn"] = _scalar(n["ffn"])
    return replace(known, **changed)


def _from_columns(row: PublishedRow) -> Architecture:
    n = row.numbers
    layers, hidden, vocabulary = (float(n[key] or 0) for key in ("layers", "hidden", "vocab"))
    heads = n["heads"] or max(round(hidden / USUAL_HEAD), 1)
    experts = n["n_experts"] or 0.0
    ffn = n["ffn"] or 4 * hidden
    head = n["head_dim"] or hidden / heads
    zero = {name: _scalar(0.0) for name in Architecture.__dataclass_fields__}
    base = Architecture(
        **zero
        | {
            key: _scalar(value)
            for key, value in {
                "layers": layers,
                "dense_layers": 0.0 if experts else layers,
                "attentions": 1.0,
                "mlps": 1.0,
                "hidden": hidden,
                "heads": heads,
                "kv_heads": n["kv_heads"] or heads,
                "query_key_head": head,
                "value_head": head,
                "dense_ffn": 0.0 if experts else ffn,
                "vocabulary": vocabulary,
                "norm_size": 1.0,
                "norms_per_layer": 2.0,
                "window": np.inf,
                "full_attention_share": 1.0,
                "experts": experts,
                "top_k": n["top_k"] or 0.0,
                "expert_ffn": ffn if experts else 0.0,
            }.items()
        }
    )
    return _closest_size(base, n["params_total"])


def _closest_size(base: Architecture, published: float | None) -> Architecture:
    """The choice of gated or plain MLP and tied or own head that meets the published size best."""
    choices = [replace(base, gated=_scalar(gated), tied=_scalar(tied)) for gated in (0.0, 1.0) for tied in (1.0, 0.0)]
    if published is None:
        return choices[0] if float(base.dense_ffn) == 4 * float(base.hidden) else choices[3]
    return min(choices, key=lambda choice: abs(float(total_parameters(choice)) - published))


def _adapter(rows: Sequence[PublishedRow]) -> bool:
    words = " ".join((rows[0].text["model"], rows[0].text["notes"])).lower()
    return "lora" in words


def _unstated_batch(row: PublishedRow) -> float:
    """Sequences per step such that every replica runs `UNSTATED_ROUNDS` micro-batches per stage."""
    n = row.numbers
    pipeline = n["pp"] or 1.0
    replicas = n["dp"] or max((n["n_gpus"] or 1.0) / (pipeline * (n["tp"] or 1.0) * (n["cp"] or 1.0)), 1.0)
    return UNSTATED_ROUNDS * pipeline * (n["micro_batch"] or 1.0) * replicas


def _job(row: PublishedRow, precision: TrainingPrecision, *, adapter: bool) -> Job:
    n = row.numbers
    sequence = n["seq"]
    if sequence is None:
        raise Skipped("the sequence length is not stated")
    batch = n["global_batch"] or _unstated_batch(row)
    return Job(
        sequence=_scalar(sequence),
        global_batch=_scalar(batch),
        low_precision=_scalar(precision.is_low),
        cast_bytes=_scalar(precision.cast_bytes),
        trains_base=_scalar(not adapter),
        adapter_rank=_scalar(ADAPTER_RANK if adapter else 0.0),
        state_bytes=_scalar(ADAMW_STATE_BYTES),
    )


def case_of(rows: tuple[PublishedRow, ...], efficiency: dict[str, float] | None = None) -> Case:
    """One configuration as symbols. Raises Skipped with the reason when too little is stated."""
    row = rows[0]
    if not row.text["gpu"]:
        raise Skipped("the accelerator is not stated")
    try:
        accelerator = find_accelerator(row.text["gpu"], usual=True)
        precision = find_precision(row.text["precision"] or "bf16")
    except InputError as error:
        raise Skipped(error.issues[0].message) from None
    if precision.is_low and precision.arithmetic not in accelerator.peak_tflops:
        raise Skipped(f"{accelerator.name} has no {precision.arithmetic} arithmetic")
    architecture = architecture_of(row)
    found = stack_of_framework(row.text["framework"])
    stack = found.at(row.text["date"][:7] or None)
    adapter = _adapter(rows)
    job = _job(row, precision, adapter=adapter)
    gpus = devices_of(row, [one.metric for one in rows], accelerator)
    factor = (efficiency or {}).get(accelerator.name, 1.0)
    device = Device.of(accelerator, precision, stack, efficiency=factor, network_gbit_s=row.network_gbit_s)
    layouts = possible_layouts(Known(row, architecture, accelerator, found.name, stack, gpus))
    return Case(
        row.configuration,
        rows,
        architecture,
        accelerator,
        precision,
        found.name,
        stack,
        device,
        Software.of(stack, precision),
        job,
        layouts,
        gpus,
        adapter,
        has_gaps=len(layouts) > 1,
    )
