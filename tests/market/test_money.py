"""Prices become bills in one place, to the cent."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from planner.market.money import gpu_hours_usd, line_cents, line_usd, node_hours_usd, rates_per_second


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
