"""How well an estimate is known: of one plan, and of two plans against each other."""

from __future__ import annotations

import math
from typing import Final

from planner.catalog.calibration import Calibration
from planner.catalog.records import Accelerator
from planner.catalog.software import Stack
from planner.performance.own_runs import posterior_of
from planner.performance.predictive import NORMAL_80, Unseen, years_newer

SHARED: Final = 0.5
"""Share of the error's variance that two plans for one job have in common.

About half of the error is how good the software is (docs/validation.md), and both plans assume the same stack for the
same model; the other half, of the device, the layout and the measurement, each plan has for itself.
"""


def ratio_deviation(calibration: Calibration, one: Unseen, other: Unseen) -> float:
    """Standard deviation of the logarithm of the ratio of two plans for one job on two accelerators.

    √(2·(1 − `SHARED`)·σ² + d₁² + d₂²): what both have in common cancels, what is not known of a device does not.
    Own runs leave a share of it.
    """
    own = 2 * (1 - SHARED) * calibration.spread.of_kind(one.kind) ** 2
    left = 1.0
    if calibration.own_runs and one.traits and other.traits:
        left = posterior_of(calibration.own_runs).variance_left_between(one.traits, other.traits)
    return math.sqrt(left * (own + one.device_deviation**2 + other.device_deviation**2))


def interval(deviation: float) -> tuple[float, float]:
    """Factors between which a ratio lies with 80 % probability, for a standard deviation of its logarithm."""
    spread = math.exp(NORMAL_80 * deviation)
    return 1 / spread, spread


def is_within_error(ratio: float, deviation: float) -> bool:
    """Whether two plans are tied within the estimate's error: their ratio lies inside its interval around 1."""
    low, high = interval(deviation)
    return low <= ratio <= high


def beyond_what_is_known(calibration: Calibration, stack: Stack, release: str) -> str:
    """A warning that a release is newer than any with known runs; empty where it is not."""
    if not years_newer(max(calibration.spread.newest, stack.latest), release):
        return ""
    return (
        f"Nothing is known of {stack.name} after {stack.latest}, and of no run after {calibration.spread.newest}: "
        f"{release} is estimated as {stack.latest}, with a wider range"
    )


def evidence(calibration: Calibration, accelerator: Accelerator) -> str:
    """What an estimate rests on for an accelerator that no published run was fitted for; empty where one was."""
    if calibration.is_fitted(accelerator):
        return ""
    measured = " and a measured matrix product" if accelerator.matmul_share else ""
    return (
        f"No published training run on {accelerator.name} was in the calibration: "
        f"the estimate rests on its data sheet{measured}, and its range is wider"
    )
