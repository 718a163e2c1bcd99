"""What a team's own runs say of its other runs: a Gaussian posterior in closed form.

The logarithm of real over estimated time of a team's runs is a sum of Gaussian parts: what its software has in common
on everything, on an accelerator and its relatives, on one kind of job, and what grows with the number of devices.
Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, equations 2.22 to 2.24.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from planner.catalog.own_runs import OwnPeak, OwnRun, RunTraits
from planner.catalog.records import Accelerator
from planner.performance.predictive import Unseen
from planner.performance.symbols import Architecture, Array, Constants, Device


@dataclass(frozen=True)
class RunPrior:
    """Deviations of the logarithm of real over estimated time before any own run, and how far each part reaches."""

    source: float = 0.06
    """Common to all runs of a team."""
    device: float = 0.06
    """Of an accelerator."""
    same_architecture: float = 0.5
    """Share of it that accelerators of one generation have in common."""
    same_vendor: float = 0.25
    """Share of it that accelerators of one vendor have in common."""
    job: float = 0.08
    """Of one kind of job: shape, experts, precision."""
    doublings: float = 0.8
    """Doublings of hidden size or layers after which jobs have 1/e of it in common."""
    other_precision: float = 0.2
    """Share of it that jobs in another precision, with or without experts or adapters, have in common."""
    scale: float = 0.015
    """Of each doubling of the devices."""
    communication: float = 0.15
    """Of the exposed communication."""
    host: float = 0.1
    """Of host time and fixed time."""
    activations: float = 0.15
    """Of the activations' bytes: their prior in the calibration."""
    memory_common: float = 0.1
    """Of all peaks of a team, from what is not activations: workspaces, buffers, the framework's own use."""
    memory_noise: float = 0.08
    """Of one peak of memory: the median error on published peaks."""
    noise: float = 0.07
    """Of one run: the same layout measured twice differs by 4.5 %, and layouts differ among themselves."""


PRIOR: Final = RunPrior()
"""Chosen by hand on the published runs on which `benchmarks/learning.py` measures it, each against a fit that had not
seen its publisher: a dozen figures of which neighbours do as well, but what the benchmark says of them is in-sample."""


def _columns(runs: Sequence[RunTraits], name: str) -> Array:
    return np.asarray([float(getattr(run, name)) for run in runs])


def _same(ours: Sequence[RunTraits], theirs: Sequence[RunTraits], name: str) -> Array:
    """1 where a name is the same; shape (ours, theirs)."""
    pairs = [[float(getattr(one, name) == getattr(other, name)) for other in theirs] for one in ours]
    return np.asarray(pairs).reshape(len(ours), len(theirs))


def covariance(ours: Sequence[RunTraits], theirs: Sequence[RunTraits], prior: RunPrior = PRIOR) -> Array:
    """Covariance of log(real/estimated time) between runs before any is measured, without noise; (ours, theirs)."""
    vendor, architecture = _same(ours, theirs, "vendor"), _same(ours, theirs, "architecture")
    kin = np.maximum(prior.same_vendor * vendor, prior.same_architecture * architecture)
    kin = np.maximum(kin, _same(ours, theirs, "accelerator"))
    apart = np.zeros((len(ours), len(theirs)))
    for name in ("hidden", "layers"):
        apart = apart + np.subtract.outer(np.log2(_columns(ours, name)), np.log2(_columns(theirs, name))) ** 2
    alike = np.exp(-np.sqrt(apart) / prior.doublings)
    for name in ("experts", "low_precision", "adapters"):
        alike = alike * np.where(_same(ours, theirs, name) > 0, 1.0, prior.other_precision)
    shared_doublings = np.log2(np.minimum.outer(_columns(ours, "gpus"), _columns(theirs, "gpus")))
    grown = prior.scale**2 * np.maximum(shared_doublings, 0.0)
    return prior.source**2 + prior.device**2 * kin + prior.job**2 * alike + grown


@dataclass(frozen=True)
class Posterior:
    """What own runs leave to say of other runs; without runs nothing is known beyond the calibration."""

    runs: tuple[OwnRun, ...]
    inverse: Array
    """Of the covariance of the measured ratios, shape (runs, runs)."""
    prior: RunPrior = PRIOR

    @property
    def pull(self) -> Array:
        """The measured ratios by that inverse, shape (runs,)."""
        return np.asarray(self.inverse @ _columns(self.runs, "log_ratio"))

    def log_pace(self, run: RunTraits) -> float:
        """Mean of log(real/estimated time) of another run with as many devices as the largest that was measured.

        What is learned of communication and host is in the calibration's constants.
        """
        return float(self._across(self._at_largest(run)) @ self.pull) if self.runs else 0.0

    def learned(self, name: str) -> float:
        """Mean of the logarithm by which `communication` or `host` take longer than the calibration says."""
        return getattr(self.prior, name) ** 2 * float(_columns(self.runs, name) @ self.pull) if self.runs else 0.0

    def variance_left(self, run: RunTraits) -> float:
        """Share of the variance of another run's log(real/estimated time) that is left, noise included."""
        across = self._across(run)
        noise = self.prior.noise**2
        before = float(covariance([run], [run], self.prior)[0, 0]) + noise
        return (before - float(across @ self.inverse @ across)) / before if self.runs else 1.0

    def variance_left_between(self, one: RunTraits, other: RunTraits) -> float:
        """The same of the ratio of two runs."""
        pair = [one, other]
        sign = np.asarray([1.0, -1.0])
        before = float(sign @ covariance(pair, pair, self.prior) @ sign) + 2 * self.prior.noise**2
        across = self._across(one) - self._across(other)
        return (before - float(across @ self.inverse @ across)) / before if self.runs else 1.0

    def _at_largest(self, run: RunTraits) -> RunTraits:
        return run.model_copy(update={"gpus": max(own.gpus for own in self.runs)})

    def _across(self, run: RunTraits) -> Array:
        return covariance([run], self.runs, self.prior)[0] if self.runs else np.zeros(0)


def measured_covariance(runs: Sequence[OwnRun], prior: RunPrior = PRIOR) -> Array:
    """Covariance of the ratios of measured runs without their noise, shape (runs, runs)."""
    found = covariance(runs, runs, prior)
    for name in ("communication", "host"):
        sensitivity = _columns(runs, name)
        found = found + getattr(prior, name) ** 2 * np.outer(sensitivity, sensitivity)
    return found


@lru_cache(maxsize=8)
def posterior_of(runs: tuple[OwnRun, ...], prior: RunPrior = PRIOR) -> Posterior:
    """The posterior of own runs, each with its noise over its weight."""
    noise = np.diag(prior.noise**2 / _columns(runs, "weight"))
    inverse: Array = np.asarray(np.linalg.inv(measured_covariance(runs, prior) + noise), dtype=np.float64)
    return Posterior(runs, inverse, prior)


def traits_of(
    accelerator: Accelerator, architecture: Architecture, *, low_precision: bool, adapters: bool, gpus: float
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
    )


def paced(device: Device, own_runs: tuple[OwnRun, ...], run: RunTraits) -> Device:
    """A device as fast as own runs say that it is for a run."""
    return device.slowed(math.exp(posterior_of(own_runs).log_pace(run))) if own_runs else device


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
