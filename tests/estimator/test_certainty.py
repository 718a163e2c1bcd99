"""How sure an estimate is, of one plan and of two against each other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from planner.catalog.accelerators import find_accelerator
from planner.catalog.calibration import Kind, load_calibration
from planner.catalog.known_devices import device_deviation
from planner.catalog.software import find_stack
from planner.estimator.certainty import (
    beyond_what_is_known,
    evidence,
    interval,
    is_within_error,
    ratio_deviation,
)
from planner.performance.predictive import Unseen, kind_of, predictive

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


def test_what_an_unseen_device_rests_on_is_said() -> None:
    """A device without a published run in the calibration is named with what is known of it instead."""
    calibration = load_calibration()
    assert evidence(calibration, find_accelerator(FITTED)) == ""
    assert "rests on its data sheet, and" in evidence(calibration, find_accelerator(UNSEEN))
    assert "its data sheet and a measured matrix product, and" in evidence(calibration, find_accelerator(MEASURED))


@pytest.mark.parametrize("kind", ["dense", "moe", "adapters"])
def test_what_two_plans_share_cancels(kind: Kind) -> None:
    """The ratio of two plans is surer than if their errors had nothing in common, and not surer than one of them."""
    calibration = load_calibration()
    one = Unseen(kind, 64)
    alone, ratio = predictive(calibration.spread, one).deviation, ratio_deviation(calibration, one, one)
    assert alone * (1 - 1e-9) <= ratio < math.sqrt(2) * alone
    unseen = replace(one, device_deviation=0.1)
    assert ratio_deviation(calibration, one, unseen) > ratio
    assert ratio_deviation(calibration, unseen, one) == ratio_deviation(calibration, one, unseen)


def test_a_difference_within_the_interval_is_none() -> None:
    """Two plans whose ratio lies inside the interval cannot be told apart, whichever is divided by which."""
    _, high = interval(0.1)
    for ratio, within in ((1.0, True), (high * 0.999, True), (high * 1.001, False)):
        assert is_within_error(ratio, 0.1) is within
        assert is_within_error(1 / ratio, 0.1) is within


def test_adapters_are_a_kind_of_their_own() -> None:
    """A frozen base decides before experts do."""
    assert [kind_of(moe=moe, adapters=lora) for moe, lora in ((False, False), (True, False), (True, True))] == [
        "dense",
        "moe",
        "adapters",
    ]


def test_a_release_past_what_is_known_is_named() -> None:
    """Software newer than both the stack's record and every run of the fit is estimated as the last known."""
    calibration, stack = load_calibration(), find_stack("megatron")
    assert beyond_what_is_known(calibration, stack, stack.latest) == ""
    told = beyond_what_is_known(calibration, stack, "2031-01")
    assert f"megatron after {stack.latest}" in told
    assert "2031-01 is estimated as" in told
