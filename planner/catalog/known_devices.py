"""What is not known about an accelerator that no published run was fitted for."""

from __future__ import annotations

import math
from statistics import pstdev

from planner.catalog.accelerators import load_accelerators
from planner.catalog.calibration import Calibration
from planner.catalog.records import Accelerator


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
