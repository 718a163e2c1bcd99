"""Published step times: as arrays, fitted, and predicted for sources that a fit has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.performance.symbols import Array, Constants
from planner.validation.cases import Case
from planner.validation.metrics import measured_seconds
from planner.validation.predict import Index, Mask, SymbolTable, settle, table_of, times
from planner.validation.priors import DEVICE_SD, TIME_PRIORS, VENDOR_MEAN, VENDOR_SD, hand_set
from planner.validation.robust_fit import robust, root_weights, solve


@dataclass(frozen=True)
class TimeData:
    """Cases with a measured step time, as the fit needs them; arrays have shape (cases,)."""

    cases: tuple[Case, ...]
    tables: tuple[tuple[Index, SymbolTable], ...]
    """Row numbers and table of the dense and of the mixture-of-experts cases, so that dense ones skip experts."""
    measured: Array
    sources: tuple[str, ...]
    devices: Index
    device_names: tuple[str, ...]
    device_vendors: Index
    vendor_names: tuple[str, ...]

    @property
    def is_moe(self) -> Mask:
        """Which cases have experts."""
        return np.asarray([float(case.architecture.experts) > 0 for case in self.cases])

    @property
    def scored(self) -> Mask:
        """Which cases count in the overall score."""
        return np.asarray([not case.rows[0].scored_apart for case in self.cases])


def time_data(cases: Sequence[Case]) -> TimeData:
    """The cases that have a step time, with gaps filled by the hand-set constants."""
    constants = hand_set()
    pairs = [(settle(case, constants), seconds) for case in cases if (seconds := measured_seconds(case)) is not None]
    kept = tuple(case for case, _ in pairs)
    names = tuple(sorted({case.accelerator.name for case in kept}))
    vendor_of = {case.accelerator.name: case.accelerator.vendor for case in kept}
    vendors = tuple(sorted(set(vendor_of.values())))
    moe = np.asarray([float(case.architecture.experts) > 0 for case in kept])
    kinds = [np.flatnonzero(mask) for mask in (~moe, moe) if mask.any()]
    return TimeData(
        cases=kept,
        tables=tuple((rows, table_of([kept[i] for i in rows])) for rows in kinds),
        measured=np.asarray([seconds for _, seconds in pairs]),
        sources=tuple(case.rows[0].source for case in kept),
        devices=np.asarray([names.index(case.accelerator.name) for case in kept]),
        device_names=names,
        device_vendors=np.asarray([vendors.index(vendor_of[name]) for name in names]),
        vendor_names=vendors,
    )


def subset(data: TimeData, mask: Mask) -> TimeData:
    """The cases of a mask; device and vendor numbers stay those of the whole."""
    chosen = np.flatnonzero(mask)
    position = {int(row): new for new, row in enumerate(chosen)}
    tables: list[tuple[Index, SymbolTable]] = []
    for rows, table in data.tables:
        inside = np.asarray([int(row) in position for row in rows], dtype=bool)
        if inside.any():
            tables.append((np.asarray([position[int(row)] for row in rows[inside]]), table.rows(inside)))
    return replace(
        data,
        cases=tuple(data.cases[i] for i in chosen),
        tables=tuple(tables),
        measured=data.measured[chosen],
        sources=tuple(data.sources[i] for i in chosen),
        devices=data.devices[chosen],
    )


def predict_seconds(data: TimeData, constants: Constants, efficiencies: Array) -> Array:
    """Predicted seconds per step, shape (cases,); `efficiencies` has shape (devices,)."""
    seconds = np.zeros(len(data.cases))
    for rows, table in data.tables:
        seconds[rows] = times(table.scaled(efficiencies[data.devices[rows]]), constants).total
    return seconds


@dataclass(frozen=True)
class Fit:
    """Fitted constants and efficiencies with the standard errors of their logarithms."""

    constants: Constants
    efficiencies: Array
    constant_errors: dict[str, float]
    efficiency_errors: Array
    parameters: Array
    """The optimiser's own vector, to start a similar fit from."""


def fit_times(data: TimeData, start: Array | None = None) -> Fit:
    """Fits the twelve constants and one efficiency per device, each pulled to its prior.

    Residuals are log(predicted/measured), pseudo-Huber; a case weighs 1/√(cases of its source). An efficiency is a
    vendor's effect times a device's, so that a device without runs inherits its vendor's.
    """
    n, vendors = len(TIME_PRIORS), len(data.vendor_names)
    deviations = np.asarray([prior.log_sd for prior in TIME_PRIORS])
    weights = root_weights(data.sources)
    base = hand_set()

    def unpack(z: Array) -> tuple[Constants, Array]:
        changed = {p.name: float(p.value * np.exp(step)) for p, step in zip(TIME_PRIORS, z[:n], strict=True)}
        return replace(base, **changed), np.exp(z[n : n + vendors][data.device_vendors] + z[n + vendors :])

    def residuals(z: Array) -> Array:
        predicted = predict_seconds(data, *unpack(z))
        error = robust(np.log(predicted / data.measured)) * weights
        vendor, device = (z[n : n + vendors] - VENDOR_MEAN) / VENDOR_SD, z[n + vendors :] / DEVICE_SD
        return np.concatenate([error, z[:n] / deviations, vendor, device])

    size = n + vendors + len(data.device_names)
    z, errors = solve(residuals, np.zeros(size) if start is None else start)
    constants, efficiencies = unpack(z)
    named = {prior.name: float(error) for prior, error in zip(TIME_PRIORS, errors[:n], strict=True)}
    return Fit(constants, efficiencies, named, errors[n + vendors :], z)


def relative_errors(data: TimeData, fit: Fit) -> Array:
    """predicted/measured − 1 of all cases."""
    return np.asarray(predict_seconds(data, fit.constants, fit.efficiencies) / data.measured - 1)


def leave_out(data: TimeData, groups: Sequence[str], whole: Fit, progress: Callable[[str], None]) -> Array:
    """Relative error of every case under a fit that has not seen its group: its source, or all of its publisher's."""
    errors = np.zeros(len(data.cases))
    labels = np.asarray(groups)
    for group in sorted(set(groups)):
        progress(group)
        left = labels == group
        fit = fit_times(subset(data, ~left), whole.parameters)
        errors[left] = relative_errors(subset(data, left), fit)
    return errors
