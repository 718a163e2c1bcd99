"""What one exact layout costs: seconds, bytes, days and dollars, with how well that is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final

import numpy as np

from planner.catalog.calibration import Calibration
from planner.catalog.known_devices import device_deviation
from planner.catalog.known_runs import KnownRun, known_runs_of
from planner.catalog.precisions import substitution
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.estimator.certainty import beyond_what_is_known, evidence
from planner.estimator.failures import Failures, expected_failures
from planner.estimator.price import HourlyPrice, catalog_price, stated_price
from planner.estimator.remedies import Remedy, remedies_of
from planner.estimator.resolve import Subject, Symbols, resolve, symbols_of, traits_of_subject
from planner.market.money import gpu_hours_usd
from planner.performance import flops
from planner.performance.attention import attended_tokens
from planner.performance.memory_account import MemoryAccount
from planner.performance.normal import normal_quantile
from planner.performance.own_runs import with_own_runs
from planner.performance.parameters import active_parameters, layer_matrices_active, total_parameters
from planner.performance.predictive import Predictive, Unseen, kind_of, predictive, software_deviation
from planner.performance.step import StepTime
from planner.performance.symbols import Architecture, Software
from planner.performance.work import model_flop_per_token
from planner.problem.run import Run
from planner.problem.training import MEMORY_CONFIDENCE, Training
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@dataclass(frozen=True)
class ModelFigures:
    """What the model asks for."""

    parameters: float
    active_parameters: float
    model_flop_per_token: float
    """Causal attention counted half; with a frozen base, without its weight gradients."""
    hardware_flop_per_token: float
    """The same and what recomputation repeats."""


@dataclass(frozen=True)
class Estimate:
    """Everything that `plan estimate` answers."""

    subject: Subject
    calibration: Calibration
    """That it rests on."""
    work: ModelFigures
    time: Mapping[str, float]
    """Seconds of a step by part."""
    memory: MemoryAccount
    peak_flops_s: float
    """Dense peak of a device in the precision of the linear layers: the denominator of MFU."""
    error: Predictive
    """Distribution of the real over the estimated time."""
    failures: Failures
    price: HourlyPrice | None = None
    remedies: tuple[Remedy, ...] = ()
    """Single changes of the layout that would fit, when it does not."""
    known_runs: tuple[KnownRun, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def gpus(self) -> int:
        """Devices."""
        return self.subject.run.cluster.gpus

    @property
    def nodes(self) -> int:
        """Nodes that hold them."""
        return nodes_of(self.gpus, self.subject.accelerator)

    @property
    def step_tokens(self) -> int:
        """Tokens of one step."""
        return self.subject.run.training.global_batch * self.subject.run.training.sequence_length

    @property
    def steps(self) -> int:
        """Steps of the run, the last one rounded up."""
        return -(-self.subject.run.training.tokens // self.step_tokens)

    @property
    def step_seconds(self) -> float:
        """Seconds of one step."""
        return math.fsum(self.time.values())

    @property
    def wall_seconds(self) -> float:
        """Seconds of the whole run when nothing fails."""
        return self.steps * self.step_seconds

    @property
    def days(self) -> float:
        """The same in days."""
        return self.wall_seconds / SECONDS_PER_DAY

    @property
    def gpu_hours(self) -> float:
        """Device-hours of the whole run."""
        return self.wall_seconds * self.gpus / SECONDS_PER_HOUR

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars for the devices, whole cents; None without a price."""
        return self._cost(self.gpu_hours)

    @property
    def expected_wall_seconds(self) -> float:
        """Wall seconds with start-up, checkpoints and the failures to expect."""
        return self.failures.wall_seconds(self.wall_seconds)

    @property
    def expected_gpu_hours(self) -> float:
        """Device-hours of that time."""
        return self.expected_wall_seconds * self.gpus / SECONDS_PER_HOUR

    @property
    def expected_cost_usd(self) -> Decimal | None:
        """US dollars of that time; None without a price, or when the job never ends."""
        return self._cost(self.expected_gpu_hours)

    def _cost(self, gpu_hours: float) -> Decimal | None:
        return gpu_hours_usd(gpu_hours, self.price.usd) if self.price and math.isfinite(gpu_hours) else None

    @property
    def gpu_hours_per_trillion_tokens(self) -> float:
        """What runs of different length are compared by."""
        return self.gpu_hours / self.subject.run.training.tokens * 1e12

    def over(self, run: KnownRun) -> float:
        """Device-hours per token over those of a published run."""
        return self.gpu_hours_per_trillion_tokens / run.gpu_hours_per_trillion_tokens

    @property
    def tokens_per_second(self) -> float:
        """Tokens per second and device."""
        return self.step_tokens / (self.step_seconds * self.gpus)

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation, a fraction of the dense peak."""
        return self.work.model_flop_per_token * self.tokens_per_second / self.peak_flops_s

    @property
    def hfu(self) -> float:
        """Hardware FLOPs utilisation: recomputation counts too."""
        return self.work.hardware_flop_per_token * self.tokens_per_second / self.peak_flops_s

    @property
    def interval(self) -> tuple[float, float]:
        """Factors on time, device-hours and cost between which the real figure lies with `CONFIDENCE`."""
        return self.error.interval()


def estimate(run: Run, calibration: Calibration) -> Estimate:
    """What a run costs. Raises InputError at the key that is wrong."""
    subject = resolve(run)
    symbols = symbols_of(subject, calibration)
    evaluation = symbols.evaluate()
    memory = MemoryAccount.of(evaluation.memory, subject.accelerator.memory_usable_gib, MARGIN_DEVIATIONS)
    price = _price(subject)
    return Estimate(
        subject=subject,
        calibration=calibration,
        work=_work(symbols),
        time={part.name: float(getattr(evaluation.time, part.name)) for part in fields(StepTime)},
        memory=memory,
        peak_flops_s=float(symbols.device.peak_flops_s),
        error=predictive(calibration.spread, _unseen(subject, calibration)),
        failures=expected_failures(symbols, nodes_of(run.cluster.gpus, subject.accelerator)),
        price=price,
        remedies=() if memory.is_sure else remedies_of(run, symbols, memory.limit, MARGIN_DEVIATIONS),
        known_runs=_comparable(subject),
        assumptions=tuple(_assumptions(subject, calibration, price)),
    )


def _unseen(subject: Subject, calibration: Calibration) -> Unseen:
    """What decides how well the run's time is known."""
    run = subject.run
    unseen = Unseen(
        kind_of(moe=subject.model.is_moe, adapters=not run.training.trains_base),
        run.cluster.gpus,
        subject.release,
        rounds=run.microbatches,
        device_deviation=device_deviation(calibration, subject.accelerator),
        software_deviation=software_deviation(
            subject.software.generic, calibration.constants["generic_stack"], moe=subject.model.is_moe
        ),
        has_unmeasured_kernels=subject.model.has_unmeasured_kernels,
    )
    return with_own_runs(unseen, calibration.own_runs, traits_of_subject(subject))


def _of_the_model(model: ModelArchitecture, training: Training) -> Iterator[str]:
    """What of a model is not planned, or not known well."""
    if model.multi_token_prediction_layers and not training.multi_token_prediction:
        yield "Multi-token-prediction modules are left out; training.multi_token_prediction trains them."
    if model.assumed:
        yield f"{model.assumed}."
    if model.left_out:
        yield f"Left out: {model.left_out}."
    if model.has_unmeasured_kernels:
        yield "No published run has layers of this kind (state-space, linear or indexed attention): the range is wider."
    if training.offload or training.optimizer.startswith("paged"):
        yield "The hosts' memory is taken to hold what is offloaded."


def nodes_of(gpus: int, accelerator: Accelerator) -> int:
    """Nodes that hold so many devices."""
    return -(-gpus // accelerator.accelerators_per_node)


MARGIN_DEVIATIONS: Final = float(normal_quantile(np.asarray(MEMORY_CONFIDENCE)))
"""Standard deviations that a plan sets aside unless it states another confidence."""


def _work(symbols: Symbols) -> ModelFigures:
    """Parameters and FLOP per token."""
    architecture = symbols.architecture
    model = float(model_flop_per_token(architecture, symbols.job))
    return ModelFigures(
        float(total_parameters(architecture)),
        float(active_parameters(architecture)),
        model,
        model + _repeated_flop_per_token(architecture, symbols.software, symbols),
    )


def _repeated_flop_per_token(architecture: Architecture, software: Software, symbols: Symbols) -> float:
    """FLOP of a token that the layout's recomputation runs again: what `selective` repeats depends on the stack."""
    layout = symbols.layout
    core = layout.recompute_selective * software.selective_attention
    linear = layout.recompute_selective * software.selective_linear * 2 * layer_matrices_active(architecture)
    again = flops.recomputed_flops_per_token(architecture, attended_tokens(symbols.job), core, layout.recompute_full)
    return float(again + linear)


def _comparable(subject: Subject) -> tuple[KnownRun, ...]:
    """Published runs of the same model on the same device; they train every parameter."""
    full = subject.run.training.trains_base
    return known_runs_of(subject.model, subject.accelerator) if full else ()


def _price(subject: Subject) -> HourlyPrice | None:
    """The run's own price, or the catalog's."""
    cluster = subject.run.cluster
    if cluster.price:
        return stated_price(cluster.price, subject.accelerator)
    return catalog_price(subject.accelerator, cluster.gpus)


def _assumptions(subject: Subject, calibration: Calibration, price: HourlyPrice | None) -> Iterator[str]:
    """What the estimate takes for granted, one sentence each."""
    run, device = subject.run, subject.accelerator
    yield "Wall time, device-hours and cost are those of the steps alone; the line with failures adds the rest."
    if not (run.training.software and run.training.software.release):
        stack = f"{subject.stack.title}, as of {subject.stack.default_release}"
        yield f"Software: {stack}; training.software states another."
    if newer := beyond_what_is_known(calibration, subject.stack, subject.release):
        yield f"Software: {newer}."
    if subject.used_precision is not subject.precision:
        told = substitution(subject.precision, subject.used_precision, [device.name])
        yield f"Precision: {told}."
    if run.cluster.network is None and run.cluster.gpus > device.scale_up_domain:
        usual = f"{device.nic_gbit_s:g} Gb/s per device, as is usual with {device.name}"
        yield f"Network: {usual}; cluster.network states another."
    if rests_on := evidence(calibration, device):
        yield f"{rests_on}."
    yield from _of_the_model(subject.model, run.training)
    if price is None:
        yield f"Cost: no on-demand price of {device.name} in the catalog carries this job; state cluster.price."
