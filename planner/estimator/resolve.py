"""From what a run file writes to the records that it names, and from those to the equations' symbols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalog.accelerators import accelerator_from
from planner.catalog.calibration import Calibration
from planner.catalog.models import model_from
from planner.catalog.own_runs import RunTraits
from planner.catalog.precisions import TrainingPrecision, find_precision, used_precision
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, Stack, StackProperties, find_stack
from planner.errors import InputError
from planner.performance.evaluate import Evaluation, constants_of, evaluate
from planner.performance.job import job_of
from planner.performance.own_runs import layout_traits, paced, traits_of
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software
from planner.problem.run import Recompute, Run, check_layout


@dataclass(frozen=True)
class Subject:
    """A run with every name resolved."""

    run: Run
    model: ModelArchitecture
    accelerator: Accelerator
    precision: TrainingPrecision
    """As asked for."""
    stack: Stack
    software: StackProperties
    """What the stack does at the run's release."""

    @property
    def release(self) -> str:
        """Year and month of the software: the run's own, or the stack's usual one."""
        written = self.run.training.software
        return (written.release if written else None) or self.stack.default_release

    @property
    def used_precision(self) -> TrainingPrecision:
        """The precision that the device computes in."""
        return used_precision(self.precision, self.accelerator)


@dataclass(frozen=True)
class Symbols:
    """The equations' arguments, every field of shape ()."""

    architecture: Architecture
    device: Device
    software: Software
    job: Job
    layout: Layout
    constants: Constants

    def evaluate(self, layout: Layout | None = None) -> Evaluation:
        """Time and memory, of another layout if one is given."""
        return evaluate(self.architecture, self.device, self.software, self.job, layout or self.layout, self.constants)


def resolve(run: Run) -> Subject:
    """The records that a run names, checked against its layout. Raises InputError at the key that is wrong."""
    with run.at("model"):
        model = model_from(run.model, run.base_directory)
    with run.at("cluster", "accelerator"):
        accelerator = accelerator_from(run.cluster.accelerator, run.base_directory)
    written = run.training.software
    with run.at("training", "software", "stack"):
        stack = find_stack(written.stack if written else DEFAULT_STACK)
    software = stack.at(written.release if written else None)
    check_layout(run, model, accelerator, counts_embedding=software.counts_embedding)
    _check_network(run, accelerator)
    return Subject(run, model, accelerator, find_precision(run.training.precision), stack, software)


def _check_network(run: Run, accelerator: Accelerator) -> None:
    """A network of zero joins nothing: it will do inside one scale-up domain only."""
    if run.cluster.network == 0 and run.cluster.gpus > accelerator.scale_up_domain:
        reach = f"the {accelerator.scale_up_domain} of one {accelerator.scale_up_fabric} domain"
        message = f"a network of 0 does not join {run.cluster.gpus:,} GPUs, more than {reach}"
        raise InputError(message, place=run.place("cluster", "network"), fix="write for example network: 400 Gb/s")


def symbols_of(subject: Subject, calibration: Calibration) -> Symbols:
    """The symbols of a resolved run under a calibration."""
    device = Device.of(
        subject.accelerator,
        subject.precision,
        subject.software,
        efficiency=calibration.efficiency(subject.accelerator),
        network_gbit_s=_gbit_s(subject.run.cluster.network),
    )
    return Symbols(
        Architecture.of(subject.model),
        paced(device, calibration.own_runs, traits_of_subject(subject)),
        Software.of(subject.software, subject.precision),
        _job(subject),
        layout_of(subject.run, subject.model.num_hidden_layers),
        constants_of(calibration),
    )


def traits_of_subject(subject: Subject) -> RunTraits:
    """What decides how much own runs say of a run."""
    run = subject.run
    layout = layout_of(run, subject.model.num_hidden_layers)
    return traits_of(
        subject.accelerator,
        Architecture.of(subject.model),
        low_precision=subject.precision.is_low,
        adapters=not run.training.trains_base,
        gpus=run.cluster.gpus,
        layout=layout_traits(layout, np.asarray(run.training.sequence_length)),
    )


def _gbit_s(bytes_s: float | None) -> float | None:
    """Gbit/s as the catalogs have it; None, the device's usual network, where none is stated or needed."""
    return bytes_s * 8 / 1e9 if bytes_s else None


def _job(subject: Subject) -> Job:
    training = subject.run.training
    return job_of(training, subject.precision, sequence=training.sequence_length, global_batch=training.global_batch)


def layout_of(run: Run, layers: float) -> Layout:
    """The written layout as numbers; states are sharded over all replicas unless it says over how many."""
    written = run.layout
    full, selective = recomputed_shares(written.recompute, layers / written.pipeline)
    return Layout(
        tensor=_number(written.tensor),
        pipeline=_number(written.pipeline),
        virtual_pipeline=_number(written.virtual_pipeline),
        context=_number(written.context),
        expert=_number(written.expert),
        expert_tensor=_number(written.expert_tensor),
        data=_number(run.replicas),
        micro_batch=_number(written.micro_batch),
        recompute_full=_number(full),
        recompute_selective=_number(selective),
        zero=_number(written.zero),
        shard=_number(written.shard or run.replicas * written.context),
    )


def recomputed_shares(recompute: Recompute, layers_per_stage: float) -> tuple[float, float]:
    """Shares of the layers under full and under selective recompute."""
    if recompute.full_layers:
        return min(recompute.full_layers / layers_per_stage, 1.0), 0.0
    return float(recompute.kind == "full"), float(recompute.kind == "selective")


def _number(value: float) -> Array:
    return np.asarray(float(value))
