"""What `plan calibrate` does: fit the constants, score sources that the fit has not seen, make the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import tomli_w

from planner.catalog.calibration import Accuracy, Calibration, Efficiency
from planner.performance.predictive import CONFIDENCE, LARGE, NORMAL_80
from planner.performance.symbols import Array, Constants
from planner.validation.cases import Case, case_of, group
from planner.validation.imputation import Skipped
from planner.validation.memory_fit import fit_memory, memory_data, memory_leave_one_source_out, predict_bytes
from planner.validation.metrics import MEMORIES
from planner.validation.predict import Mask
from planner.validation.published import PublishedRow, builtin_runs, read_published
from planner.validation.robust_fit import root_weights
from planner.validation.score import log_deviation, summarise
from planner.validation.spread import (
    drift_of,
    held,
    interval_deviation,
    publisher,
    reliability_of,
    spread_of,
    unseen_spreads,
)
from planner.validation.step_time_fit import Fit, TimeData, fit_times, leave_out, relative_errors, time_data


def constants_as_numbers(constants: Constants) -> dict[str, float]:
    """The constants by name, as the calibration file holds them."""
    return {f.name: float(getattr(constants, f.name)) for f in fields(Constants)}


def calibration_of(
    cases: Sequence[Case], memory_cases: Sequence[Case], date: str, progress: Callable[[str], None]
) -> Calibration:
    """Fits everything, scores it leaving one source out, and returns the record that `plan calibrate` writes."""
    progress("fitting step times")
    data = time_data(cases)
    fit = fit_times(data)
    progress("fitting memory")
    peaks = memory_data(memory_cases, fit.constants)
    everything = np.ones(peaks.measured.size, dtype=bool)
    constants, memory_errors = fit_memory(peaks, everything, fit.constants)
    unseen = leave_out(data, data.sources, fit, lambda source: progress(f"leaving out {source}"))
    publishers = [publisher(source) for source in data.sources]
    apart = leave_out(data, publishers, fit, lambda one: progress(f"leaving out all of {one}"))
    progress("measuring the spread")
    drift = drift_of(data)
    spreads = unseen_spreads(data, (unseen, apart), drift)
    unseen_memory = memory_leave_one_source_out(peaks, fit.constants)
    votes = root_weights(peaks.sources) ** 2
    constants = replace(constants, memory_deviation=interval_deviation(np.log1p(unseen_memory), votes))
    fitted_memory = predict_bytes(peaks, constants) / peaks.measured - 1
    return Calibration(
        source="plan calibrate, on the catalog's published runs",
        date=date,
        constants=constants_as_numbers(constants),
        standard_errors=fit.constant_errors | memory_errors,
        efficiencies=_efficiencies(data, fit),
        accuracies=(
            *_time_accuracies(data, relative_errors(data, fit), unseen, held(data, unseen, spreads, CONFIDENCE)),
            _accuracy("memory", fitted_memory, unseen_memory, _held_memory(unseen_memory, constants.memory_deviation)),
        ),
        spread=spread_of(data, (unseen, apart), drift),
        reliability=reliability_of(data, unseen, spreads),
    )


def _efficiencies(data: TimeData, fit: Fit) -> tuple[Efficiency, ...]:
    accelerators = {case.accelerator.name: case.accelerator for case in data.cases}
    return tuple(
        Efficiency(
            accelerator=name,
            architecture=accelerators[name].architecture,
            vendor=accelerators[name].vendor,
            factor=float(fit.efficiencies[i]),
            standard_error=float(fit.efficiency_errors[i]),
            runs=int(np.sum(data.devices == i)),
        )
        for i, name in enumerate(data.device_names)
    )


def _time_accuracies(data: TimeData, fitted: Array, unseen: Array, inside: Mask) -> list[Accuracy]:
    masks = kinds_of(data)
    return [_accuracy(kind, fitted[mask], unseen[mask], inside[mask]) for kind, mask in masks.items() if mask.any()]


def kinds_of(data: TimeData) -> dict[str, Mask]:
    """The cases of each kind that is scored by itself."""
    adapters = np.asarray([case.adapter for case in data.cases])
    large = np.asarray([case.gpus > LARGE for case in data.cases])
    apart = [case.rows[0].scored_apart for case in data.cases]
    masks = {
        "all": data.scored,
        "dense": data.scored & ~data.is_moe & ~adapters,
        "moe": data.scored & data.is_moe & ~adapters,
        "adapters": data.scored & adapters,
        "large": data.scored & large,
    }
    return masks | {label: np.asarray([one == label for one in apart]) for label in sorted(set(apart) - {""})}


def _held_memory(unseen: Array, deviation: float) -> Mask:
    """Which peaks lie in the 80 % range of a normal distribution of their logarithms."""
    return np.asarray(np.abs(np.log1p(unseen)) <= NORMAL_80 * deviation, dtype=np.bool_)


def _accuracy(kind: str, fitted: Array, unseen: Array, inside: Mask) -> Accuracy:
    summary = summarise(unseen)
    return Accuracy(
        kind=kind,
        configs=summary.configs,
        median_ape=summary.median_ape,
        mean_ape=summary.mean_ape,
        within_10=summary.within_10,
        within_20=summary.within_20,
        fitted_median_ape=summarise(fitted).median_ape,
        log_deviation=log_deviation(unseen),
        in_range=float(np.mean(inside)),
    )


def usable_cases(rows: Sequence[PublishedRow], *, memory: bool) -> list[Case]:
    """The cases of a file that take part in the fit of step times, or of memory, each with those rows only."""
    found = []
    for members in group(rows):
        counted = tuple(row for row in members if not row.excluded and (row.metric in MEMORIES) == memory)
        if counted:
            with suppress(Skipped):
                found.append(case_of(counted))
    return found


HEADER: Final = """\
# Written by `plan calibrate`, and own runs by `plan learn`: the estimator's constants, how fast each accelerator's
# matrix products are in training against its measured share of peak, and the error on sources that the fit did not see.

"""
FIGURES: Final = 6
"""Significant digits of what is written."""


def calibration_toml(calibration: Calibration) -> str:
    """A record as the TOML that `catalogs/calibration.toml` holds."""
    return HEADER + tomli_w.dumps(_rounded(calibration.model_dump(exclude_defaults=True)))


def _rounded(value: Any) -> Any:  # noqa: ANN401  (whatever a record holds)
    """The same with every figure rounded."""
    match value:
        case float():
            return float(f"{value:.{FIGURES}g}")
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
        case _:
            return value


def calibrate_builtin(date: str, progress: Callable[[str], None]) -> Calibration:
    """Fits everything to the catalog's published runs."""
    rows = read_published(builtin_runs())
    return calibration_of(usable_cases(rows, memory=False), usable_cases(rows, memory=True), date, progress)
