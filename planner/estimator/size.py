"""The back-of-the-envelope size of a job: of GPUs, days and tokens two are given, the third is bounded and answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean

import numpy as np

from planner.catalog.calibration import Calibration
from planner.catalog.precisions import TrainingPrecision
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, find_stack
from planner.catalog.utilisation import Utilisation, typical_utilisation
from planner.errors import InputError, Place, did_you_mean
from planner.estimator.price import HourlyPrice, catalog_price
from planner.market.money import gpu_hours_usd
from planner.performance import sizing
from planner.performance.flops import attention_flops_per_token, causal_attention
from planner.performance.own_runs import posterior_of, traits_of
from planner.performance.parameters import active_parameters, matmul_parameters_active, total_parameters
from planner.performance.symbols import Architecture, Device
from planner.units import GIB, SECONDS_PER_DAY, SECONDS_PER_HOUR

STATED = "stated"
"""The name of the answer at a utilisation that the user states."""


@dataclass(frozen=True)
class Question:
    """What is asked; exactly one of tokens, seconds and gpus is None."""

    model: ModelArchitecture
    accelerator: Accelerator
    precision: TrainingPrecision
    sequence_length: int
    tokens: int | None
    seconds: float | None
    gpus: int | None


@dataclass(frozen=True)
class SizedJob:
    """What the model asks for and what the device offers."""

    parameters: float
    active_parameters: float
    multiplied: float
    """Active weights that enter matrix products, logits included."""
    attention_flop: float
    """FLOP per token of attention scores, forward and backward, without the masked half."""
    flop_per_token: float
    """6 × multiplied weights + attention."""
    peak_flops_s: float
    """Dense peak of a device in the precision asked for."""


@dataclass(frozen=True)
class MemoryFloor:
    """Devices without which weights, gradients and optimizer states do not fit, however they are sharded."""

    state_bytes: float
    devices: float
    nodes: int


@dataclass(frozen=True)
class SizeAnswer:
    """The job at one utilisation."""

    name: str
    utilisation: float
    tokens: float
    device_seconds: float
    devices: float
    """Devices that the arithmetic gives."""
    nodes: int
    """The same in whole nodes, and not fewer than the training states need."""
    gpus: int
    cost_usd: Decimal | None

    @property
    def days(self) -> float:
        """Time on those whole nodes, in days."""
        return self.device_seconds / self.gpus / SECONDS_PER_DAY

    @property
    def gpu_hours(self) -> float:
        """Device-hours of the work."""
        return self.device_seconds / SECONDS_PER_HOUR


@dataclass(frozen=True)
class Size:
    """Everything that `plan size` answers."""

    question: Question
    work: SizedJob
    memory: MemoryFloor
    bound: SizeAnswer
    """No plan is faster: every product at the rate of a large one, no communication, no memory traffic."""
    typical: tuple[SizeAnswer, ...]
    """Answers at the stated utilisation, or at median, lower and upper quartile of published runs."""
    published: Utilisation | None
    """The published runs behind the typical answers; None when the utilisation was stated."""
    measured: bool
    """Whether the bound rests on a measured matrix product of this device, or on an assumed one."""
    price: HourlyPrice | None
    own_pace: float = 1.0
    """How many times longer than estimated a team's own runs take, which moves the typical answers."""


def size(question: Question, calibration: Calibration, mfu: float | None, price: HourlyPrice | None) -> Size:
    """The bound and the typical answers. Raises InputError when the device does not compute in that precision."""
    work = work_of(question)
    floor = memory_floor(work, question.accelerator)
    published = None if mfu else _published(question)
    price = price or catalog_price(
        question.accelerator, question.gpus or 2 * question.accelerator.accelerators_per_node
    )
    pace = _own_pace(question, calibration)
    bound, *typical = (
        answer_at(share, question, work, name=name, floor=floor, price=price)
        for name, share in _utilisations(question, calibration, mfu, published, pace).items()
    )
    measured = question.precision.arithmetic in question.accelerator.matmul_share
    return Size(question, work, floor, bound, tuple(typical), published, measured, price, pace)


def work_of(question: Question) -> SizedJob:
    """FLOP per token of the model and the peak that they run against."""
    arithmetic, device = question.precision.arithmetic, question.accelerator
    if arithmetic not in device.peak_tflops:
        fix = did_you_mean(arithmetic, device.peak_tflops)
        raise InputError(f"{device.name} has no {arithmetic}", place=Place("--precision"), fix=fix)
    architecture, sequence = Architecture.of(question.model), np.asarray(float(question.sequence_length))
    return SizedJob(
        float(total_parameters(architecture)),
        float(active_parameters(architecture)),
        float(matmul_parameters_active(architecture)),
        float(3 * attention_flops_per_token(architecture, sequence)),
        float(causal_attention(architecture, sequence)),
        device.peak_tflops[arithmetic] * 1e12,
    )


def memory_floor(work: SizedJob, accelerator: Accelerator) -> MemoryFloor:
    """The fewest devices and nodes that hold the training states."""
    devices = sizing.devices_for_states(work.parameters, accelerator.memory_usable_gib * GIB)
    nodes = sizing.whole_nodes(devices, accelerator.accelerators_per_node)
    return MemoryFloor(sizing.STATE_BYTES * work.parameters, float(devices), int(nodes))


def attainable_share(question: Question, calibration: Calibration) -> float:
    """Share of the peak at which every plan computes its largest matrix products: none is faster.

    The measured share, or what is assumed without a measurement; calibration's factor counts where it is above 1.
    """
    efficiency = max(1.0, calibration.efficiency(question.accelerator))
    stack = find_stack(DEFAULT_STACK).at()
    device = Device.of(question.accelerator, question.precision, stack, efficiency=efficiency)
    return min(1.0, float(device.low_matmul_flops_s / device.peak_flops_s))


def _published(question: Question) -> Utilisation:
    low = question.precision.is_low
    return typical_utilisation(question.accelerator, low_precision=low, moe=question.model.is_moe)


def _utilisations(
    question: Question, calibration: Calibration, mfu: float | None, published: Utilisation | None, pace: float
) -> Mapping[str, float]:
    """The utilisations to answer at, the bound first; own runs that are faster or slower move what is typical."""
    bound = {"bound": min(1.0, attainable_share(question, calibration) * max(1.0, 1 / pace))}
    if mfu:
        bound[STATED] = mfu
    if published:
        quartiles = {"slow quarter": published.lower_quartile, "fast quarter": published.upper_quartile}
        typical = {"typical": published.median, **quartiles}
        bound |= {name: min(share / pace, bound["bound"]) for name, share in typical.items()}
    return bound


def _own_pace(question: Question, calibration: Calibration) -> float:
    """How many times longer than estimated a team's own runs of such a job take, in its layouts; 1 without any."""
    if not calibration.own_runs:
        return 1.0
    architecture, low = Architecture.of(question.model), question.precision.is_low
    gpus = float(question.gpus or question.accelerator.accelerators_per_node)
    run = traits_of(question.accelerator, architecture, low_precision=low, adapters=False, gpus=gpus)
    posterior = posterior_of(calibration.own_runs)
    return math.exp(fmean(posterior.log_pace(one) for one in posterior.in_own_layouts(run)))


def answer_at(
    utilisation: float, question: Question, work: SizedJob, *, name: str, floor: MemoryFloor, price: HourlyPrice | None
) -> SizeAnswer:
    """The job at one utilisation: work over rate, in whole nodes."""
    per_node = question.accelerator.accelerators_per_node
    tokens = question.tokens or _tokens(question, work, utilisation)
    flop = sizing.training_flop(work.flop_per_token, tokens)
    seconds = sizing.device_seconds(flop, work.peak_flops_s, utilisation)
    devices = question.gpus or float(sizing.devices_for(seconds, question.seconds or 1.0))
    nodes = int(sizing.whole_nodes(devices, per_node))
    if question.gpus is None:
        nodes = max(nodes, floor.nodes)
    hours = Decimal(float(seconds)) / SECONDS_PER_HOUR
    return SizeAnswer(
        name=name,
        utilisation=utilisation,
        tokens=float(tokens),
        device_seconds=float(seconds),
        devices=devices,
        nodes=nodes,
        gpus=question.gpus or nodes * per_node,
        cost_usd=gpu_hours_usd(hours, price.usd) if price else None,
    )


def _tokens(question: Question, work: SizedJob, utilisation: float) -> float:
    """Tokens that the devices train in the time."""
    device_seconds = (question.gpus or 1) * (question.seconds or 0.0)
    return float(sizing.tokens_within(work.flop_per_token, work.peak_flops_s, utilisation, device_seconds))
