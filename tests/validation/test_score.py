"""Summaries of errors, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planner.performance.symbols import Array
from planner.validation.score import by_group, log_deviation, summarise

ERRORS = arrays(np.float64, st.integers(1, 50), elements=st.floats(-0.99, 10))


def test_a_summary() -> None:
    """Median and mean of the sizes, median of the signed errors, shares at most 10 and 20 % off."""
    found = summarise(np.asarray([0.05, -0.10, 0.20, -0.40, 0.01]))
    assert (found.configs, found.median_ape, found.bias, found.within_10, found.within_20) == (5, 0.10, 0.01, 0.6, 0.8)
    assert found.mean_ape == pytest.approx(0.152)


def test_a_summary_of_one() -> None:
    """One configuration is its own median and mean."""
    found = summarise(np.asarray([-0.25]))
    assert (found.configs, found.median_ape, found.mean_ape, found.bias) == (1, 0.25, 0.25, -0.25)


def test_groups() -> None:
    """Each label on its own, in alphabetical order."""
    found = by_group(np.asarray([0.1, 0.3, -0.5]), ["b", "a", "b"])
    assert list(found) == ["a", "b"]
    assert (found["a"].configs, found["b"].configs) == (1, 2)
    assert found["b"].mean_ape == pytest.approx(0.3)
    assert by_group(np.asarray([]), []) == {}


def test_deviation_of_logarithms() -> None:
    """Half of a normal distribution lies within 0.6745 standard deviations, so the median is scaled by 1.4826."""
    deviates = np.random.default_rng(1).normal(0, 0.1, 20_000)
    assert log_deviation(np.expm1(deviates)) == pytest.approx(0.1, rel=0.03)
    assert log_deviation(np.asarray([0.0, 0.0])) == 0


@given(ERRORS)
def test_bounds(errors: Array) -> None:
    """Shares are ordered fractions, the bias is no larger than the largest error, all is finite."""
    found = summarise(errors)
    assert 0 <= found.within_10 <= found.within_20 <= 1
    assert abs(found.bias) <= np.abs(errors).max()
    assert 0 <= found.median_ape <= np.abs(errors).max()


@given(ERRORS)
def test_order_does_not_matter(errors: Array) -> None:
    """One vote per configuration, whichever comes first."""
    assert summarise(np.sort(errors)).median_ape == summarise(errors).median_ape
    assert summarise(np.sort(errors)).bias == summarise(errors).bias
