"""How often all nodes of a gang are there: limits of the law, its fit, and its range."""

from __future__ import annotations

import numpy as np
import pytest

from planner.availability.gang import (
    all_available,
    any_available,
    fitted_correlation,
    fitted_together,
    least_correlation,
)
from planner.performance.symbols import Array

SIZES: Array = np.exp2(np.arange(17, dtype=np.float64))


def array(value: float) -> Array:
    """A number as the equations take it."""
    return np.asarray(float(value))


@pytest.mark.parametrize("correlation", [0.2, 0.9, 0.99])
@pytest.mark.parametrize("availability", [0.1, 0.47, 0.95])
def test_one_node_has_its_availability_and_more_have_less(availability: float, correlation: float) -> None:
    """Each doubling of the gang makes it rarer that all are there, and likelier that any is."""
    every, some = (law(SIZES, array(availability), array(correlation)) for law in (all_available, any_available))
    assert every[0] == pytest.approx(availability)
    assert some[0] == pytest.approx(availability)
    assert (np.diff(every) < 0).all()
    assert (np.diff(some) >= 0).all()
    assert some[1] > some[0]


def test_limits_of_the_correlation() -> None:
    """Nodes that go as one are there like one; nodes that go alone like so many tosses of a coin."""
    assert float(all_available(array(4096), array(0.4), array(1))) == pytest.approx(0.4)
    assert float(all_available(array(5), array(0.4), array(1e-7))) == pytest.approx(0.4**5, rel=1e-4)


def test_nodes_that_are_always_there_are_so_in_any_number() -> None:
    """An availability of 100 % is one of the whole gang."""
    assert all_available(SIZES, array(1), array(0.5)) == pytest.approx(np.ones(len(SIZES)))


def test_draws_of_the_law() -> None:
    """Zones whose share of free capacity is beta-distributed have all nodes there as often as the law says."""
    draw = np.random.default_rng(1)
    availability, correlation, nodes = 0.6, 0.8, 9
    spread = 1 / correlation - 1
    free = draw.beta(availability * spread, (1 - availability) * spread, 400_000)
    there = draw.binomial(nodes, free)
    arguments = (array(nodes), array(availability), array(correlation))
    assert float(all_available(*arguments)) == pytest.approx((there == nodes).mean(), abs=0.004)
    assert float(any_available(*arguments)) == pytest.approx((there > 0).mean(), abs=0.004)


def test_the_fit_finds_the_law_that_made_the_records() -> None:
    """From shares of three gangs, exactly; from their rates the exponent."""
    nodes, one = np.asarray([4.0, 16, 16]), np.asarray([0.3, 0.5, 0.9])
    every = all_available(nodes, one, array(0.93))
    assert float(fitted_correlation(nodes, one, every)) == pytest.approx(0.93, abs=1e-6)
    assert float(fitted_together(nodes, one, one * nodes**0.2)) == pytest.approx(0.8)


def test_the_range_widens_beyond_the_records() -> None:
    """Up to 16 nodes it is the worst zone's; from there on less and less is excluded, and the range never narrows."""
    least = least_correlation(SIZES, 16, 0.94, 0.89)
    assert least[:5] == pytest.approx(np.full(5, 0.89))
    assert (np.diff(least[4:]) < 0).all()
    width = all_available(SIZES, array(0.5), array(0.94)) / all_available(SIZES, array(0.5), least)
    assert (np.diff(width) > 0).all()
