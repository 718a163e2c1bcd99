"""How sure an estimate is, of one plan and of two against each other."""

from __future__ import annotations

import math

import pytest

from planner.catalog.accelerators import find_accelerator
from planner.catalog.calibration import load_calibration
from planner.estimate.certainty import (
    device_deviation,
    evidence,
    expected_deviation,
    interval,
    is_within_error,
    ratio_deviation,
)

FITTED, MEASURED, SIBLING, UNSEEN = "H100-80GB-SXM5", "MI300X", "H800-80GB-SXM", "L4"


def test_what_nobody_measured_is_known_less_well() -> None:
    """A device that was only measured, or shares its chip with one, has a wider range than one with published runs.

    A device of which only the data sheet is known has the widest: the share of peak that its products reach is
    assumed, and the measured shares lie far apart.
    """
    calibration = load_calibration()
    fitted, measured, sibling, unseen = (
        device_deviation(calibration, find_accelerator(name)) for name in (FITTED, MEASURED, SIBLING, UNSEEN)
    )
    assert fitted == 0
    assert 0 < measured == sibling < unseen
    for moe in (False, True):
        seen = calibration.log_deviation(moe=moe)
        assert expected_deviation(calibration, find_accelerator(UNSEEN), moe=moe) == math.hypot(seen, unseen)


def test_what_an_unseen_device_rests_on_is_said() -> None:
    """A device without a published run in the calibration is named with what is known of it instead."""
    calibration = load_calibration()
    assert evidence(calibration, find_accelerator(FITTED)) == ""
    assert "rests on its data sheet, and" in evidence(calibration, find_accelerator(UNSEEN))
    assert "its data sheet and a measured matrix product, and" in evidence(calibration, find_accelerator(MEASURED))


@pytest.mark.parametrize("moe", [False, True])
def test_what_two_plans_share_cancels(moe: bool) -> None:
    """The ratio of two plans is surer than if their errors had nothing in common, and not surer than one of them."""
    calibration = load_calibration()
    one, other = find_accelerator(FITTED), find_accelerator("A100-80GB-SXM4")
    alone, ratio = expected_deviation(calibration, one, moe=moe), ratio_deviation(calibration, one, other, moe=moe)
    assert alone <= ratio < math.sqrt(2) * alone
    unseen = find_accelerator(UNSEEN)
    assert ratio_deviation(calibration, one, unseen, moe=moe) > ratio
    assert ratio_deviation(calibration, unseen, one, moe=moe) == ratio_deviation(calibration, one, unseen, moe=moe)


def test_a_difference_within_the_interval_is_none() -> None:
    """Two plans whose ratio lies inside the interval cannot be told apart, whichever is divided by which."""
    _, high = interval(0.1)
    for ratio, within in ((1.0, True), (high * 0.999, True), (high * 1.001, False)):
        assert is_within_error(ratio, 0.1) is within
        assert is_within_error(1 / ratio, 0.1) is within
