"""What a team's own runs say of its other runs: a Gaussian posterior in closed form.

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, equations 2.22 to 2.24.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from planner.catalog.own_runs import LayoutTraits, OwnPeak, OwnRun, RunTraits
from planner.catalog.records import Accelerator
from planner.performance.predictive import Unseen
from planner.performance.run_covariance import (
    LAYOUT,
    PRIOR,
    REACH,
    RunPrior,
    RunTable,
    alike_by_job,
    columns,
    covariance,
    measure_of,
    prior_variance,
)
from planner.performance.symbols import Architecture, Array, Constants, Device, Layout


@dataclass(frozen=True)
class LayoutPace:
    """By which factor each layout of one job on one accelerator takes longer than its others, as own runs say."""

    strength: Array
    """What a layout alike in everything takes from each own run, shape (runs,)."""
    measured: Array
    """The layouts of the own runs by the names of `LAYOUT`, shape (names, runs)."""
    least: float
    """No layout is as much faster that its products beat the data sheet's peak."""

    def alike(self, name: str, values: Array) -> Array:
        """What values of a figure have in common with each own run, shape (…, runs)."""
        there = self.measured[LAYOUT.index(name)]
        apart = np.abs(np.subtract.outer(measure_of(name, values), there)) / REACH[name]
        return np.asarray(np.nan_to_num(np.exp(-apart), nan=0.0))

    def factor(self, logarithm: Array) -> Array:
        """The factors of sums over own runs of strength times all that is alike."""
        return np.maximum(np.exp(logarithm), self.least)

    def of(self, figures: Mapping[str, Any]) -> Array:
        """The factors of layouts by the names of `LAYOUT`, in their shape."""
        alike = [self.alike(name, np.asarray(figures[name])) for name in LAYOUT]
        return self.factor(np.asarray(math.prod(alike) @ self.strength))


@dataclass(frozen=True)
class Posterior:
    """What own runs leave to say of other runs; without runs nothing is known beyond the calibration."""

    runs: tuple[OwnRun, ...]
    inverse: Array
    """Of the covariance of the measured ratios, shape (runs, runs)."""
    prior: RunPrior = PRIOR

    @cached_property
    def table(self) -> RunTable:
        """The own runs as columns."""
        return RunTable.of(self.runs)

    @cached_property
    def pull(self) -> Array:
        """The measured ratios by that inverse, shape (runs,)."""
        return np.asarray(self.inverse @ columns(self.runs, "log_ratio"))

    def log_pace(self, run: RunTraits) -> float:
        """Mean of log(real/estimated time) of another run with as many devices as the largest that was measured.

        What is learned of communication and host is in the calibration's constants.
        """
        if not self.runs:
            return 0.0
        at_largest = RunTable.of([run.model_copy(update={"gpus": max(own.gpus for own in self.runs)})])
        return float(covariance(at_largest, self.table, self.prior)[0] @ self.pull)

    def layout_pace(self, run: RunTraits, least: float) -> LayoutPace:
        """What that mean says of each layout of a job, beside what all of its layouts have in common."""
        strength = self.prior.layout**2 * alike_by_job(RunTable.of([run]), self.table, self.prior)[0] * self.pull
        return LayoutPace(strength, np.stack([self.table.measures[name] for name in LAYOUT]), least)

    def in_own_layouts(self, run: RunTraits) -> list[RunTraits]:
        """A run whose layout is not decided in each of those that were measured."""
        layouts = dict.fromkeys(own.layout for own in self.runs)
        return [run.model_copy(update={"layout": layout}) for layout in layouts]

    def learned(self, name: str) -> float:
        """Mean of the logarithm by which `communication` or `host` take longer than the calibration says."""
        return getattr(self.prior, name) ** 2 * float(columns(self.runs, name) @ self.pull) if self.runs else 0.0

    def variance_left(self, run: RunTraits) -> float:
        """Share of the variance of another run's log(real/estimated time) that is left, noise included."""
        return float(self.variances_left(RunTable.of([run]))[0])

    def variances_left(self, runs: RunTable) -> Array:
        """The same of several runs, shape (runs,)."""
        before = prior_variance(runs, self.prior)
        if not self.runs:
            return np.ones_like(before)
        across = covariance(runs, self.table, self.prior)
        return np.asarray(1 - np.sum(across @ self.inverse * across, axis=1) / before)

    def variance_left_between(self, one: RunTraits, other: RunTraits) -> float:
        """The same of the ratio of two runs."""
        if not self.runs:
            return 1.0
        ours, theirs = RunTable.of([one]), RunTable.of([other])
        alone = sum(float(prior_variance(table, self.prior)[0]) for table in (ours, theirs))
        before = alone - 2 * float(covariance(ours, theirs, self.prior)[0, 0])
        across = (covariance(ours, self.table, self.prior) - covariance(theirs, self.table, self.prior))[0]
        return (before - float(across @ self.inverse @ across)) / before


def measured_covariance(runs: Sequence[OwnRun], prior: RunPrior = PRIOR) -> Array:
    """Covariance of the ratios of measured runs without their noise, shape (runs, runs)."""
    table = RunTable.of(runs)
    found = covariance(table, table, prior)
    for name in ("communication", "host"):
        sensitivity = columns(runs, name)
        found = found + getattr(prior, name) ** 2 * np.outer(sensitivity, sensitivity)
    return found


@lru_cache(maxsize=8)
def posterior_of(runs: tuple[OwnRun, ...], prior: RunPrior = PRIOR) -> Posterior:
    """The posterior of own runs, each with its noise over its weight."""
    noise = np.diag(prior.noise**2 / columns(runs, "weight"))
    inverse: Array = np.asarray(np.linalg.inv(measured_covariance(runs, prior) + noise), dtype=np.float64)
    return Posterior(runs, inverse, prior)


def traits_of(
    accelerator: Accelerator,
    architecture: Architecture,
    *,
    low_precision: bool,
    adapters: bool,
    gpus: float,
    layout: LayoutTraits | None = None,
) -> RunTraits:
    """What decides how much own runs say of a run."""
    return RunTraits(
        accelerator=accelerator.name,
        architecture=accelerator.architecture,
        vendor=accelerator.vendor,
        hidden=float(architecture.hidden),
        layers=float(architecture.layers),
        gpus=float(gpus),
        experts=bool(architecture.experts > 0),
        low_precision=low_precision,
        adapters=adapters,
        layout=layout,
    )


def layout_traits(layout: Layout, sequence: Array) -> LayoutTraits:
    """What of one layout decides how much own runs say of it."""
    figures = vars(layout) | {"sequence": sequence}
    return LayoutTraits(**{name: float(figures[name]) for name in LAYOUT})


def paced(device: Device, own_runs: tuple[OwnRun, ...], run: RunTraits) -> Device:
    """A device as fast as own runs say that it is for a run, or where its layout is not decided for any."""
    if not own_runs:
        return device
    posterior = posterior_of(own_runs)
    usual = device.slowed(math.exp(posterior.log_pace(run.model_copy(update={"layout": None}))))
    if run.layout is None:
        return usual
    return usual.slowed(float(posterior.layout_pace(run, usual.least_pace).of(dict(run.layout))))


def with_own_runs(unseen: Unseen, own_runs: tuple[OwnRun, ...], run: RunTraits) -> Unseen:
    """What decides how well a run's time is known, with what own runs leave of it."""
    left = posterior_of(own_runs).variance_left(run) if own_runs else 1.0
    return replace(unseen, traits=run, variance_left=left)


COMMUNICATION: Final = ("tensor_exposed", "expert_exposed", "overlap_leak", "collective_seconds")
"""Constants that communication takes its time by."""
HOST: Final = ("host", "step_seconds")
"""Constants of host and fixed time."""


def with_own_constants(base: Constants, own_runs: tuple[OwnRun, ...], own_peaks: tuple[OwnPeak, ...]) -> Constants:
    """The constants as far as own runs move them."""
    if not (own_runs or own_peaks):
        return base
    posterior = posterior_of(own_runs)
    moved = dict.fromkeys(COMMUNICATION, posterior.learned("communication"))
    moved |= dict.fromkeys(HOST, posterior.learned("host"))
    moved["activations"] = learned_activations(own_peaks).mean
    return scaled_constants(base, moved)


def scaled_constants(base: Constants, logarithms: Mapping[str, float]) -> Constants:
    """The constants with some of them larger by e to so much."""
    return replace(base, **{name: getattr(base, name) * math.exp(by) for name, by in logarithms.items()})


@dataclass(frozen=True)
class LearnedActivations:
    """The logarithm by which activations are larger than calibrated: mean and deviation."""

    mean: float
    deviation: float


def learned_activations(own_peaks: Sequence[OwnPeak], prior: RunPrior = PRIOR) -> LearnedActivations:
    """One Gaussian constant by the mean of the measured ratios, which have an error in common: closed form."""
    if not own_peaks:
        return LearnedActivations(0.0, prior.activations)
    load = float(np.mean([peak.activations for peak in own_peaks]))
    ratio = float(np.mean([peak.log_ratio for peak in own_peaks]))
    error = prior.memory_common**2 + prior.memory_noise**2 / len(own_peaks)
    gain = prior.activations**2 * load / (prior.activations**2 * load**2 + error)
    left = prior.activations**2 * (1 - gain * load)
    return LearnedActivations(gain * ratio, math.sqrt(left))
