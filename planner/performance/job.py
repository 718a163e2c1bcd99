"""One phase of a training job as numbers: what its file states, in bytes and switches."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from planner.catalog.optimizers import OptimizerRecord, load_optimizers
from planner.catalog.precisions import TrainingPrecision
from planner.performance.symbols import Array, Job
from planner.problem.training import Base, Format, Moments, Training

FORMAT_BYTES: Mapping[Format, float] = MappingProxyType({"fp32": 4.0, "bf16": 2.0})
MOMENT_BYTES: Mapping[Moments, float] = MappingProxyType({"fp32": 4.0, "bf16": 2.0, "int8": 1.015})
"""Bytes of one state; 8-bit ones carry a 32-bit constant per block of 256 (Dettmers et al. 2022, section 2)."""
BASE_BYTES: Mapping[Base, float] = MappingProxyType({"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "nf4": 0.516})
"""Bytes per parameter of a frozen base; 4-bit NormalFloat with doubly quantised constants takes 4.127 bit.

Source: Dettmers et al. 2023, arXiv 2305.14314, section 3.
"""


def job_of(training: Training, precision: TrainingPrecision, *, sequence: int, global_batch: int) -> Job:
    """The numbers of a phase, each of shape ()."""
    optimizer = load_optimizers()[training.optimizer]
    is_pure = training.weights == "bf16"
    copy = 0.0 if is_pure else FORMAT_BYTES[training.weights]
    gradients = training.gradients or ("bf16" if is_pure else None)
    return Job(
        sequence=_number(sequence),
        global_batch=_number(global_batch),
        low_precision=_number(precision.is_low),
        cast_bytes=_number(precision.cast_bytes),
        trains_base=_number(training.trains_base),
        adapter_rank=_number(training.adapter_rank),
        state_bytes=_number(copy + _moment_bytes(training, optimizer)),
        compressed_gradients=_number(training.gradient_compression != "none"),
        gradient_bytes=_number(FORMAT_BYTES[gradients] if gradients else 0.0),
        base_bytes=_number(BASE_BYTES[training.base_format]),
        fused_loss=_number(training.fused_loss),
        offloads_optimizer=_number("optimizer" in training.offload),
        offloads_parameters=_number("parameters" in training.offload),
        offloads_activations=_number("activations" in training.offload),
        pages_optimizer=_number(optimizer.paged),
        orthogonalisation_steps=_number(optimizer.orthogonalisation_steps),
        document=_number(training.document_length or 0),
        trains_mtp=_number(training.multi_token_prediction),
    )


def _moment_bytes(training: Training, optimizer: OptimizerRecord) -> float:
    """Bytes per parameter of the states: as stated, or as usual, where 32-bit ones take the format of the copy.

    Source: PyTorch, torch.optim.AdamW, which makes states like the parameter.
    """
    if training.moments:
        return MOMENT_BYTES[training.moments] * optimizer.moments
    is_in_32_bit = optimizer.moment_bytes == FORMAT_BYTES["fp32"] * optimizer.moments
    return FORMAT_BYTES[training.weights] * optimizer.moments if is_in_32_bit else optimizer.moment_bytes


def _number(value: float) -> Array:
    return np.asarray(float(value))
