"""One training job in the symbols of the equations: model, phases, precision, stack and calibration."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Final

import numpy as np

from planner.availability.checkpointing import checkpoint_bytes
from planner.catalog.calibration import Calibration, calibration_from
from planner.catalog.models import model_from
from planner.catalog.own_runs import LayoutTraits, RunTraits
from planner.catalog.precisions import TrainingPrecision, find_precision
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, StackProperties, find_stack
from planner.errors import InputError
from planner.layouts.caching import numbers
from planner.layouts.stack_pins import hybrid_zero_of, pins_of
from planner.market.placements import Machine
from planner.performance.evaluate import constants_of
from planner.performance.job import job_of
from planner.performance.normal import normal_quantile
from planner.performance.own_runs import LayoutPace, paced, posterior_of, traits_of
from planner.performance.run_covariance import RunTable
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software
from planner.problem.problem import LayoutPins, Phase, Problem
from planner.problem.training import Training


@dataclass(frozen=True)
class PhaseWork:
    """One phase: so many steps of one shape."""

    name: str
    tokens: int
    sequence_length: int
    global_batch: int

    @property
    def steps(self) -> int:
        """Optimizer steps: ⌈tokens/(B·s)⌉."""
        return ceil(self.tokens / self.tokens_per_step)

    @property
    def tokens_per_step(self) -> int:
        """B·s."""
        return self.global_batch * self.sequence_length


@dataclass(frozen=True)
class Workload:
    """What is trained and how, whatever it runs on."""

    model: ModelArchitecture
    architecture: Architecture
    precision: TrainingPrecision
    stack_name: str
    stack: StackProperties
    release: str
    """Year and month of the software."""
    calibration: Calibration
    constants: Constants
    phases: tuple[PhaseWork, ...]
    training: Training
    pins: LayoutPins
    hybrid_zero: tuple[int, ...]
    """ZeRO stages that may be applied to a part of the replicas."""
    headroom: float
    """Share of a device's memory that the expected peak leaves free."""
    memory_deviations: float
    """Standard deviations above the expected peak that a device must hold."""
    growth: float

    @property
    def trains_base(self) -> bool:
        """Whether every parameter is trained."""
        return self.training.trains_base

    @cached_property
    def software(self) -> Software:
        """The stack as the equations take it."""
        return Software.of(self.stack, self.precision)

    @cached_property
    def checkpoint_bytes(self) -> Array:
        """What is written so that the job can begin again: weights and optimizer states."""
        return checkpoint_bytes(self.architecture, self.job(self.phases[0]))

    def grown(self) -> Architecture:
        """The model `growth` times larger: as many times more layers."""
        return replace(
            self.architecture,
            layers=self.architecture.layers * self.growth,
            dense_layers=self.architecture.dense_layers * self.growth,
        )

    def job(self, phase: PhaseWork) -> Job:
        """One phase as numbers, each field of shape ()."""
        return job_of(self.training, self.precision, sequence=phase.sequence_length, global_batch=phase.global_batch)

    def device(self, machine: Machine) -> Device:
        """One device of a machine, each field of shape ()."""
        device = Device.of(
            machine.accelerator,
            self.precision,
            self.stack,
            efficiency=self.calibration.efficiency(machine.accelerator),
            network_gbit_s=max(machine.network_gbit_s, UNCONNECTED_GBIT_S),
        )
        device = paced(device, self.calibration.own_runs, self.traits(machine.accelerator))
        return replace(device, scale_up_domain=_scalar(machine.domain), node=_scalar(machine.per_node))

    def layout_pace(self, machine: Machine) -> LayoutPace | None:
        """How much longer than on that device each layout takes, as own runs say; None without any."""
        runs = self.calibration.own_runs
        traits, least = self.traits(machine.accelerator), self.device(machine).least_pace
        return posterior_of(runs).layout_pace(traits, least) if runs else None

    def pace_key(self, machine: Machine) -> Hashable:
        """All numbers that it depends on, see `layout_pace`."""
        own = self.layout_pace(machine)
        return numbers(own) if own else ()

    def variances_left(self, accelerator: Accelerator, layout: Layout, sequence: int, gpus: Array) -> Array:
        """Share of the estimate's variance that own runs leave of each layout on so many devices; shape (layouts,)."""
        runs = self.calibration.own_runs
        if not runs:
            return np.ones(len(gpus))
        laid_out = RunTable.laid_out(self.traits(accelerator), layout, np.asarray(sequence), gpus)
        return posterior_of(runs).variances_left(laid_out)

    def traits(self, accelerator: Accelerator, *, gpus: float = 1.0, layout: LayoutTraits | None = None) -> RunTraits:
        """What decides how much own runs say of the job on so many devices."""
        low, adapters = self.precision.is_low, not self.trains_base
        return traits_of(accelerator, self.architecture, low_precision=low, adapters=adapters, gpus=gpus, layout=layout)


UNCONNECTED_GBIT_S: Final = 1e-6
"""Network of machines without one: no layout crosses it, but a rate must not be zero."""


def _scalar(value: float) -> Array:
    return np.asarray(value, dtype=np.float64)


def workload_of(problem: Problem) -> Workload:
    """The job that a problem states. Raises InputError for an unknown model or stack."""
    training = problem.training
    with problem.at("model"):
        model = model_from(problem.model, problem.base_directory)
    _check_modules(problem, model)
    if training.adapter_rank > model.hidden_size:
        place = problem.place("training", "rank")
        raise InputError(f"rank {training.rank} is more than the hidden size of {model.name}", place=place)
    with problem.at("calibration"):
        calibration = calibration_from(problem.calibration, problem.base_directory)
    stack_name, stack, release = _stack(problem)
    return Workload(
        model=model,
        architecture=Architecture.of(model),
        precision=find_precision(training.precision),
        stack_name=stack_name,
        stack=stack,
        release=release,
        calibration=calibration,
        constants=constants_of(calibration),
        phases=tuple(_phase(phase) for phase in training.phases),
        training=training,
        pins=pins_of(problem, release),
        hybrid_zero=hybrid_zero_of(problem),
        headroom=problem.limits.memory_headroom,
        memory_deviations=float(normal_quantile(np.asarray(problem.limits.memory_confidence))),
        growth=problem.limits.growth,
    )


def _check_modules(problem: Problem, model: ModelArchitecture) -> None:
    """Multi-token-prediction modules are trained where the model has them. Raises InputError."""
    if problem.training.multi_token_prediction and not model.multi_token_prediction_layers:
        place = problem.place("training", "multi_token_prediction")
        raise InputError(f"{model.name} has no multi-token-prediction modules", place=place, fix="leave the key out")


def _stack(problem: Problem) -> tuple[str, StackProperties, str]:
    """The stack that the problem names, or the default one, its properties and its release."""
    software = problem.training.software
    if software is None:
        usual = find_stack(DEFAULT_STACK)
        return DEFAULT_STACK, usual.at(), usual.default_release
    with problem.at("training", "software", "stack"):
        stack = find_stack(software.stack)
    return software.stack, stack.at(software.release), software.release or stack.default_release


def _phase(phase: Phase) -> PhaseWork:
    return PhaseWork(phase.name, phase.tokens, phase.sequence_length, phase.global_batch)
