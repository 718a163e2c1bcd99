"""How well an estimate is known: of one plan, and of two plans against each other."""

from __future__ import annotations

import math
from statistics import pstdev
from typing import Final

from planner.catalog.accelerators import load_accelerators
from planner.catalog.calibration import Calibration
from planner.catalog.records import Accelerator

CONFIDENCE: Final = 0.8
"""Share of runs whose real figure lies inside the printed interval."""
DEVIATIONS: Final = 1.2816
"""Standard deviations to either side that hold `CONFIDENCE` of a normal distribution."""
SHARED: Final = 0.5
"""Share of the error's variance that two plans for one job have in common.

About half of the error is how good the software is (docs/validation.md), and both plans assume the same stack for the
same model; the other half, of the device, the layout and the measurement, each plan has for itself.
"""


UNMEASURED_KERNELS: Final = 0.2
"""What layers without softmax over all keys add, as a deviation of the logarithm: assumed, no published run has them.

Mixtures of experts, of which runs of few sources were calibrated, have as much.
"""


def expected_deviation(
    calibration: Calibration, accelerator: Accelerator, *, moe: bool, unmeasured_kernels: bool = False
) -> float:
    """Standard deviation of log(predicted/measured) for a run that nobody has seen.

    That of the calibration, and in quadrature what is not known about the device itself and about the kernels.
    """
    of_kernels = UNMEASURED_KERNELS if unmeasured_kernels else 0.0
    of_device = device_deviation(calibration, accelerator)
    return math.hypot(calibration.log_deviation(moe=moe), of_device, of_kernels)


def device_deviation(calibration: Calibration, accelerator: Accelerator) -> float:
    """What an accelerator without a published run in the calibration adds, as a deviation of the logarithm; else 0.

    Its efficiency is not known, so the spread of the fitted ones counts; and where nobody measured a matrix product
    on its chip either, the share of peak that is assumed may be as far off as the measured shares lie apart.
    """
    if calibration.is_fitted(accelerator):
        return 0.0
    efficiency = pstdev(math.log(one.factor) for one in calibration.efficiencies)
    share = 0.0 if _is_known_chip(calibration, accelerator) else _spread_of_measured_shares()
    return math.hypot(efficiency, share)


def _is_known_chip(calibration: Calibration, accelerator: Accelerator) -> bool:
    """Whether a device with the same chip, of one generation and one 16-bit peak, was measured or fitted."""
    return any(
        _sixteen_bit_peak(one) == _sixteen_bit_peak(accelerator)
        for one in (accelerator, *load_accelerators())
        if one.architecture == accelerator.architecture and (one.matmul_share or calibration.is_fitted(one))
    )


def _sixteen_bit_peak(accelerator: Accelerator) -> float | None:
    return accelerator.peak_tflops.get("bf16", accelerator.peak_tflops.get("fp16"))


def _spread_of_measured_shares() -> float:
    """Standard deviation of log(share of the 16-bit peak that a large product reaches) over the measured devices."""
    shares = [share for one in load_accelerators() if (share := one.matmul_share.get("bf16")) is not None]
    return pstdev(math.log(share) for share in shares)


def ratio_deviation(calibration: Calibration, one: Accelerator, other: Accelerator, *, moe: bool) -> float:
    """Standard deviation of the logarithm of the ratio of two plans for one job on two accelerators.

    √(2·(1 − `SHARED`)·σ² + d₁² + d₂²): what both have in common cancels, what is not known of a device does not.
    """
    own = 2 * (1 - SHARED) * calibration.log_deviation(moe=moe) ** 2
    return math.sqrt(own + sum(device_deviation(calibration, device) ** 2 for device in (one, other)))


def interval(deviation: float) -> tuple[float, float]:
    """Factors between which the real figure lies with `CONFIDENCE`, for a standard deviation of the logarithm."""
    spread = math.exp(DEVIATIONS * deviation)
    return 1 / spread, spread


def is_within_error(ratio: float, deviation: float) -> bool:
    """Whether two plans differ by less than the estimate can tell: their ratio lies inside its interval around 1."""
    low, high = interval(deviation)
    return low <= ratio <= high


def evidence(calibration: Calibration, accelerator: Accelerator) -> str:
    """What an estimate rests on for an accelerator that no published run was fitted for; empty where one was."""
    if calibration.is_fitted(accelerator):
        return ""
    measured = " and a measured matrix product" if accelerator.matmul_share else ""
    return (
        f"No published training run on {accelerator.name} was in the calibration: "
        f"the estimate rests on its data sheet{measured}, and its range is wider"
    )
