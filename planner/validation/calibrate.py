"""What `plan calibrate` does: fit the constants, score sources that the fit has not seen, make the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace

import numpy as np

from planner.catalog.calibration import Accuracy, Calibration, Efficiency
from planner.equations.symbols import Array, Constants
from planner.validation.cases import Case, case_of, group
from planner.validation.gaps import Skipped
from planner.validation.metrics import MEMORIES
from planner.validation.peaks import fit_memory, memory_data, memory_leave_one_source_out, predict_bytes
from planner.validation.published import PublishedRow, builtin_runs, read_published
from planner.validation.score import log_deviation, summarise
from planner.validation.timing import Fit, TimeData, fit_times, leave_one_source_out, relative_errors, time_data


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
    unseen = leave_one_source_out(data, fit, lambda source: progress(f"leaving out {source}"))
    unseen_memory = memory_leave_one_source_out(peaks, fit.constants)
    constants = replace(constants, memory_deviation=log_deviation(unseen_memory))
    fitted_memory = predict_bytes(peaks, constants) / peaks.measured - 1
    return Calibration(
        source="plan calibrate, on the catalog's published runs",
        date=date,
        constants=constants_as_numbers(constants),
        standard_errors=fit.constant_errors | memory_errors,
        efficiencies=_efficiencies(data, fit),
        accuracies=(
            *_time_accuracies(data, relative_errors(data, fit), unseen),
            _accuracy("memory", fitted_memory, unseen_memory),
        ),
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


def _time_accuracies(data: TimeData, fitted: Array, unseen: Array) -> list[Accuracy]:
    apart = [case.rows[0].scored_apart for case in data.cases]
    masks = {"all": data.scored, "dense": data.scored & ~data.is_moe, "moe": data.scored & data.is_moe}
    masks |= {label: np.asarray([one == label for one in apart]) for label in sorted(set(apart) - {""})}
    return [_accuracy(kind, fitted[mask], unseen[mask]) for kind, mask in masks.items() if mask.any()]


def _accuracy(kind: str, fitted: Array, unseen: Array) -> Accuracy:
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


def calibrate_builtin(date: str, progress: Callable[[str], None]) -> Calibration:
    """Fits everything to the catalog's published runs."""
    rows = read_published(builtin_runs())
    return calibration_of(usable_cases(rows, memory=False), usable_cases(rows, memory=True), date, progress)
