"""What `plan learn` does: hold a team's runs against the calibration, weigh them, and say what they taught."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import OwnPeak, OwnRun
from planner.errors import InputError
from planner.learning.measurements import Measurement
from planner.performance.evaluate import constants_of
from planner.performance.own_runs import (
    COMMUNICATION,
    HOST,
    Posterior,
    learned_activations,
    measured_covariance,
    posterior_of,
    scaled_constants,
)
from planner.performance.run_covariance import PRIOR, RunPrior, RunTable, kinship, layout_covariance
from planner.performance.symbols import Array

ROUNDS: Final = 30
"""Rounds of weighing; the weights hardly move after ten."""
TRUSTED: Final = 2.0
"""Standard deviations from what the other runs say up to which a run counts in full."""
STEEPNESS: Final = 4
"""Power with which the weight falls beyond."""
LEAST_WEIGHT: Final = 1e-4
AT_ODDS: Final = 0.25
"""A run of less weight is named as being at odds with the others."""
MOST_RUNS: Final = 1000
"""Configurations that one calibration learns from: the posterior takes their cube in time."""
DERIVATIVE: Final = 0.05
"""Change of a logarithm over which sensitivities are taken."""


@dataclass(frozen=True)
class Lesson:
    """What was learned, beside the calibration that says it."""

    calibration: Calibration
    measurements: tuple[Measurement, ...]
    """Those with a step time, aligned with the last of the calibration's own runs."""

    @property
    def posterior(self) -> Posterior:
        """What the runs say of others."""
        return posterior_of(self.calibration.own_runs)

    def learned_ratio(self, measurement: Measurement) -> float:
        """Estimated over measured seconds of a step, now that it is known."""
        estimated = measurement.estimated_seconds(self.calibration, constants_of(self.calibration))
        return estimated / (measurement.seconds or estimated)

    @property
    def at_odds(self) -> tuple[OwnRun, ...]:
        """Runs that the others contradict."""
        return tuple(run for run in self.calibration.own_runs if run.weight < AT_ODDS)


def learn(measurements: Sequence[Measurement], base: Calibration) -> Lesson:
    """The calibration with what was measured added to its own runs. Raises InputError when there is nothing."""
    plain = base.model_copy(update={"own_runs": (), "own_peaks": ()})
    timed = [one for one in measurements if one.seconds is not None]
    runs = [*base.own_runs, *(own_run_of(one, plain) for one in timed)]
    peaks = [*base.own_peaks, *(_own_peak(one, plain) for one in measurements if one.allocated_bytes is not None)]
    if not measurements:
        raise InputError("nothing was measured", fix="give a CSV, or a run file with measured: {step: 18.9s}")
    if len(runs) > MOST_RUNS:
        message = f"{len(runs):,} configurations are more than the {MOST_RUNS:,} that are learned from"
        raise InputError(message, fix="leave out those that the plan resembles least")
    learned = {"own_runs": tuple(weighed(runs)), "own_peaks": tuple(peaks)}
    return Lesson(base.model_copy(update=learned), tuple(timed))


def weighed(runs: Sequence[OwnRun], prior: RunPrior = PRIOR) -> list[OwnRun]:
    """The runs with weights: one far from what all others say of it counts less, and hardly at all when far away.

    Each run is held against its prediction from the others; beyond `TRUSTED` standard deviations z its noise grows by
    (z/`TRUSTED`)^`STEEPNESS`, and the others are asked again.
    """
    if not runs:
        return []
    ratios = np.asarray([run.log_ratio for run in runs])
    known, noise = measured_covariance(runs, prior), prior.noise**2
    weights = np.ones(len(runs))
    for _ in range(ROUNDS):
        weights = 0.5 * weights + 0.5 * _weights(known, noise, weights, ratios)
    return [run.model_copy(update={"weight": float(one)}) for run, one in zip(runs, weights, strict=True)]


def _weights(known: Array, noise: float, weights: Array, ratios: Array) -> Array:
    """Weights from how far each ratio is from what the others say of it.

    Source: Rasmussen and Williams 2006, equations 5.12 (leave one out in closed form).
    """
    inverse = np.linalg.inv(known + np.diag(noise / weights))
    own = np.diag(inverse)
    apart, variance = inverse @ ratios / own, 1 / own - noise / weights + noise
    deviations = np.abs(apart) / np.sqrt(np.maximum(variance, noise))
    return np.clip((TRUSTED / np.maximum(deviations, TRUSTED)) ** STEEPNESS, LEAST_WEIGHT, 1.0)


def own_run_of(measurement: Measurement, calibration: Calibration) -> OwnRun:
    """A measured step against the calibration without own runs."""
    if measurement.seconds is None:
        raise ValueError(f"{measurement.name} has no step time")
    constants = constants_of(calibration)
    estimated = measurement.estimated_seconds(calibration, constants)

    def sensitivity(names: Iterable[str]) -> float:
        """Derivative of the log of the estimate by some constants together."""
        more = scaled_constants(constants, dict.fromkeys(names, DERIVATIVE))
        return math.log(measurement.estimated_seconds(calibration, more) / estimated) / DERIVATIVE

    return OwnRun(
        **measurement.traits.model_dump(),
        name=measurement.name,
        log_ratio=math.log(measurement.seconds / estimated),
        weight=1.0,
        communication=sensitivity(COMMUNICATION),
        host=sensitivity(HOST),
    )


def _own_peak(measurement: Measurement, calibration: Calibration) -> OwnPeak:
    """A measured peak against the calibration without own runs."""
    constants = constants_of(calibration)
    more = scaled_constants(constants, {"activations": DERIVATIVE})
    low, high = (measurement.estimated_bytes(calibration, one) for one in (constants, more))
    ratio = math.log((measurement.allocated_bytes or low) / low)
    return OwnPeak(name=measurement.name, log_ratio=ratio, activations=math.log(high / low) / DERIVATIVE)


@dataclass(frozen=True)
class Moved:
    """How far own runs moved a constant, and how much of what was not known of it is left."""

    name: str
    factor: float
    deviation_before: float
    deviation_left: float


def moved_constants(calibration: Calibration) -> list[Moved]:
    """What was learned, part by part: of everything, each accelerator, layouts, communication, host and memory."""
    runs, posterior = calibration.own_runs, posterior_of(calibration.own_runs)
    found = [_moved("all runs", PRIOR.source, np.ones(len(runs)), posterior)]
    devices = dict.fromkeys(run.accelerator for run in runs)
    found.extend(_moved(name, PRIOR.device, _shared_with(runs, name), posterior) for name in devices)
    if runs:
        found.append(_moved_layouts(posterior))
    for name in ("communication", "host"):
        sensitivity = np.asarray([float(getattr(run, name)) for run in runs])
        found.append(_moved(name, getattr(PRIOR, name), sensitivity, posterior))
    if calibration.own_peaks:
        found.append(_moved_activations(calibration.own_peaks))
    return found


def _moved(name: str, deviation: float, loads: Array, posterior: Posterior) -> Moved:
    """One Gaussian part: its share of each ratio is `loads` times it."""
    across = deviation**2 * loads
    left = deviation**2 - float(across @ posterior.inverse @ across)
    return Moved(name, math.exp(float(across @ posterior.pull)), deviation, math.sqrt(max(left, 0.0)))


def _moved_layouts(posterior: Posterior) -> Moved:
    """What is of a layout, on average over those that were measured."""
    across = layout_covariance(posterior.table, posterior.table, PRIOR)
    left = PRIOR.layout**2 - np.sum(across @ posterior.inverse * across, axis=1)
    factor = math.exp(float(np.mean(across @ posterior.pull)))
    return Moved("layouts as measured", factor, PRIOR.layout, math.sqrt(max(float(np.mean(left)), 0.0)))


def _shared_with(runs: Sequence[OwnRun], accelerator: str) -> Array:
    """Share of an accelerator's own factor that each run has in common with it."""
    like = next(run for run in runs if run.accelerator == accelerator)
    return np.asarray(kinship(RunTable.of([like]), RunTable.of(runs), PRIOR)[0])


def _moved_activations(peaks: Sequence[OwnPeak]) -> Moved:
    learned = learned_activations(peaks)
    return Moved("activations", math.exp(learned.mean), PRIOR.activations, learned.deviation)
