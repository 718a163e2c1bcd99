"""Published peaks of memory: as arrays, fitted, and predicted for sources that a fit has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.performance.symbols import Array, Constants
from planner.validation.cases import Case
from planner.validation.metrics import MEMORIES
from planner.validation.predict import Labels, Mask, SymbolTable, memories, settle, table_of
from planner.validation.priors import MEMORY_PRIORS
from planner.validation.robust_fit import robust, root_weights, solve


@dataclass(frozen=True)
class MemoryData:
    """Published peaks of memory: arrays of shape (rows,)."""

    table: SymbolTable
    measured: Array
    kinds: Labels
    """`allocated` by the framework, `reserved` by its allocator, or `device` as the driver shows it."""
    sources: tuple[str, ...]
    ids: tuple[str, ...]


def memory_kind(metric: str, notes: str) -> str:
    """Which peak a published row means."""
    if "nvidia-smi" in notes:
        return "device"
    return "reserved" if "reserved" in metric else "allocated"


def memory_data(cases: Sequence[Case], constants: Constants) -> MemoryData:
    """The memory rows of the cases."""
    found = [(settle(case, constants), row) for case in cases for row in case.rows if row.metric in MEMORIES]
    return MemoryData(
        table=table_of([case for case, _ in found]),
        measured=np.asarray([row.value * MEMORIES[row.metric] for _, row in found]),
        kinds=np.asarray([memory_kind(row.metric, row.text["notes"]) for _, row in found]),
        sources=tuple(row.source for _, row in found),
        ids=tuple(row.text["id"] for _, row in found),
    )


def predict_bytes(data: MemoryData, constants: Constants) -> Array:
    """Predicted peak of each row, of the kind that the row measured."""
    peak = memories(data.table, constants)
    reserved = peak.allocated * (1 + constants.fragmentation)
    return np.select([data.kinds == "device", data.kinds == "reserved"], [peak.expected, reserved], peak.allocated)


def fit_memory(data: MemoryData, mask: Mask, base: Constants) -> tuple[Constants, dict[str, float]]:
    """Fits the three memory constants, one vote per row, pulled to their priors."""
    rows = replace(
        data,
        table=data.table.rows(mask),
        measured=data.measured[mask],
        kinds=data.kinds[mask],
        sources=tuple(source for source, inside in zip(data.sources, mask.tolist(), strict=True) if inside),
    )
    weights = root_weights(rows.sources)

    def unpack(z: Array) -> Constants:
        changed = {p.name: float(p.value * np.exp(step)) for p, step in zip(MEMORY_PRIORS, z, strict=True)}
        return replace(base, **changed)

    def residuals(z: Array) -> Array:
        error = robust(np.log(predict_bytes(rows, unpack(z)) / rows.measured)) * weights
        return np.concatenate([error, z / np.asarray([prior.log_sd for prior in MEMORY_PRIORS])])

    z, errors = solve(residuals, np.zeros(len(MEMORY_PRIORS)))
    return unpack(z), {p.name: float(e) for p, e in zip(MEMORY_PRIORS, errors, strict=True)}


def memory_leave_one_source_out(data: MemoryData, base: Constants) -> Array:
    """Relative error of every memory row under constants that have not seen its source."""
    errors = np.zeros(data.measured.size)
    for source in sorted(set(data.sources)):
        left = np.asarray([one == source for one in data.sources])
        constants, _ = fit_memory(data, ~left, base)
        errors[left] = (predict_bytes(data, constants) / data.measured - 1)[left]
    return errors
