"""The distribution of real over estimated time, and what widens and moves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.calibration import Kind, Spread
from planner.performance.predictive import (
    Predictive,
    Unseen,
    predictive,
    software_deviation,
    student_quantile,
    years_newer,
)

SPREAD = Spread(
    dense=0.1,
    moe=0.2,
    adapters=0.08,
    large=0.1,
    gaps=0.05,
    few_rounds=0.3,
    newest="2026-06",
    drift=-0.06,
    drift_deviation=0.1,
    choice=0.03,
)


def test_quantiles_of_students_t() -> None:
    """With four degrees of freedom they are those of the tables."""
    found = student_quantile(np.asarray([0.025, 0.1, 0.5, 0.9, 0.975]))
    assert found == pytest.approx([-2.7764, -1.5332, 0, 1.5332, 2.7764], abs=1e-4)


@given(st.floats(0.01, 1), st.floats(-0.5, 0.5), st.floats(0.05, 0.99))
def test_ranges_hold_what_they_promise(scale: float, middle: float, confidence: float) -> None:
    """Of the equally probable factors, as many lie inside a range as its confidence says."""
    error = Predictive(scale, middle)
    low, high = error.interval(confidence)
    assert np.mean((error.factors >= low) & (error.factors <= high)) == pytest.approx(confidence, abs=0.02)
    assert low < np.exp(middle) < high


def test_the_range_of_a_kind_is_as_wide_as_its_deviation() -> None:
    """The 80 % range is that of a normal distribution with the recorded deviation, around the estimate."""
    kinds: dict[Kind, float] = {"dense": 0.1, "moe": 0.2, "adapters": 0.08}
    for kind, deviation in kinds.items():
        error = predictive(SPREAD, Unseen(kind, 8))
        assert error.deviation == pytest.approx(deviation)
        assert error.interval() == pytest.approx((np.exp(-1.2816 * deviation), np.exp(1.2816 * deviation)))


def test_what_is_not_known_widens_the_range() -> None:
    """Many devices, guessed parts, an unseen device and newer software each do; years count from the newest run."""
    plain = Unseen("dense", 1000, "2026-06")
    usual = predictive(SPREAD, plain)
    for change in ({"devices": 1001}, {"has_gaps": True}, {"device_deviation": 0.1}, {"release": "2027-06"}):
        assert predictive(SPREAD, replace(plain, **change)).scale > usual.scale
    assert predictive(SPREAD, replace(plain, release="2027-06")).middle == pytest.approx(-0.06)
    assert predictive(SPREAD, replace(plain, release="2024-01")) == usual


def test_few_micro_batches_of_a_mixture_widen_the_range() -> None:
    """Up to two of them do, and only where there are experts."""
    few, more = (predictive(SPREAD, Unseen("moe", 8, rounds=rounds)) for rounds in (2, 3))
    assert few.deviation == pytest.approx(np.hypot(0.2, 0.3))
    assert more == predictive(SPREAD, Unseen("moe", 8))
    assert predictive(SPREAD, Unseen("dense", 8, rounds=1)) == predictive(SPREAD, Unseen("dense", 8))


def test_an_unstated_stack_may_be_either() -> None:
    """Half the logarithm of what lies between a tuned and a generic stack, and nothing where it is known which."""
    assert software_deviation(0.5, 1.2, moe=False) == pytest.approx(np.log(1.2) / 2)
    assert software_deviation(0.5, 1.0, moe=True) == pytest.approx(np.log(4 / 3) / 2)
    assert software_deviation(0.0, 1.2, moe=True) == software_deviation(1.0, 1.2, moe=True) == 0
    plain = Unseen("dense", 8)
    assert predictive(SPREAD, replace(plain, software_deviation=0.1)).scale > predictive(SPREAD, plain).scale


def test_a_searched_layout_is_flattered() -> None:
    """Its real runs are slower than its estimate by what sweeps show, and no less sure."""
    found, searched = (predictive(SPREAD, Unseen("moe", 8, is_searched=one)) for one in (False, True))
    assert searched.middle - found.middle == pytest.approx(0.03)
    assert searched.scale == found.scale


@pytest.mark.parametrize(
    ("release", "years"), [("", 0), ("2026-06", 0), ("2025", 0), ("2026-12", 0.5), ("2028-06", 2), ("2027", 7 / 12)]
)
def test_years_beyond_the_newest_run(release: str, years: float) -> None:
    """Whole months count; a year alone counts from its January."""
    assert years_newer("2026-06", release) == pytest.approx(years)
