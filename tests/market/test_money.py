"""Prices become bills in one place, to the cent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.market.money import (
    Payment,
    gpu_hours_usd,
    line_cents,
    line_usd,
    node_hours_usd,
    rates_per_second,
    usd_by_month,
    usd_by_quarter,
)
from planner.units import SECONDS_PER_DAY

START = date(2027, 1, 20)


def test_nodes_are_paid_for_their_hours() -> None:
    """Two nodes for an hour and a half at $30 an hour cost $90."""
    assert float(node_hours_usd(2, Decimal(30), 5400)) == pytest.approx(90)


def test_what_is_not_sold_is_never_affordable() -> None:
    """Nodes without a price cost infinitely much; no nodes cost nothing at any price and for any time."""
    nodes = np.asarray([1, 0])
    assert node_hours_usd(nodes, None, 3600).tolist() == [np.inf, 0.0]
    assert node_hours_usd(nodes, Decimal(3), np.inf).tolist() == [np.inf, 0.0]


def test_a_line_of_a_bill_is_what_the_search_counted() -> None:
    """A line is rounded to whole cents, halves to even, with the price that the catalog writes."""
    price = Decimal("98.32")
    assert line_usd(3, price, 1234.5) == Decimal(int(line_cents(3, price, 1234.5))) / 100 == Decimal("101.15")
    assert [float(line_cents(1, usd, 36.0)) for usd in (Decimal("0.5"), Decimal("1.5"))] == [0.0, 2.0]


def test_on_demand_nodes_replace_spot_nodes_that_are_away() -> None:
    """A phase pays its spot nodes or their replacement, and its on-demand nodes all the time."""
    rates = rates_per_second(4, 2, Decimal(9), Decimal(36))
    assert [float(one) for one in (rates.spot, rates.on_demand, rates.fixed)] == pytest.approx([0.01, 0.04, 0.02])
    assert float(rates_per_second(4, 0, Decimal(9), None).on_demand) == 0.0


def test_device_hours_are_exact() -> None:
    """DeepSeek-V3's 2.788 million GPU-hours at $2 are $5.576 million (arXiv 2412.19437, table 1)."""
    assert gpu_hours_usd(2_788_000, Decimal(2)) == Decimal("5576000.00")


def days(first: float, last: float) -> tuple[float, float]:
    """From one day after the start to another, in seconds."""
    return first * SECONDS_PER_DAY, last * SECONDS_PER_DAY


def test_spend_is_spread_over_the_days_that_are_paid() -> None:
    """Of 60 days from 20 January on, 12 are in January, 28 in February and 20 in March; a pause is not paid."""
    assert usd_by_month([Payment(Decimal("10944.00"), (days(0, 60),))], START) == {
        (2027, 1): Decimal("2188.80"),
        (2027, 2): Decimal("5107.20"),
        (2027, 3): Decimal("3648.00"),
    }
    paused = usd_by_month([Payment(Decimal("300.00"), (days(0, 10), days(50, 70)))], START)
    assert paused == {(2027, 1): Decimal("100.00"), (2027, 3): Decimal("200.00")}
    assert usd_by_month([Payment(Decimal("5.00"), (days(12, 12),))], START) == {(2027, 2): Decimal("5.00")}


payments = st.lists(
    st.builds(
        lambda cents, first, length: Payment(Decimal(cents) / 100, (days(first, first + length),)),
        st.integers(0, 10**9),
        st.floats(0, 800),
        st.floats(0, 800),
    ),
    min_size=1,
    max_size=5,
)


@given(payments)
def test_months_and_quarters_add_up_to_the_bill(some: list[Payment]) -> None:
    """Whatever is due whenever, months and quarters add up to it to the cent, and a quarter to its months."""
    months = usd_by_month(some, START)
    quarters = usd_by_quarter(months)
    whole = sum(one.usd for one in some)
    assert sum(months.values()) == sum(quarters.values()) == whole
    assert all(usd == usd.quantize(Decimal("0.01")) and usd >= 0 for usd in months.values())
    assert list(months) == sorted(months)
    for (year, quarter), usd in quarters.items():
        inside = (months.get((year, month), Decimal(0)) for month in range(3 * quarter - 2, 3 * quarter + 1))
        assert sum(inside, start=Decimal(0)) == usd
