"""The price that decides: which it is, and that the plan changes where the answer says so."""

from __future__ import annotations

import pytest

from planner.plans.document import PlanDocument
from planner.report.deciding_price import deciding_lines, old_price_line
from planner.session import Session, load_problem

PROBLEM = """\
schema: plan/1
model: llama3-8b
training: {phases: [{tokens: 100B, sequence_length: 8192, global_batch: 512}]}
limits: {deadline: 60d}
market:
  clouds: []
  offers:
    - {name: ours, accelerator: H100-80GB-SXM5, nodes: 8, on_demand: $2.00/GPU-h, network: 400 Gb/s}
    - {name: slower, accelerator: H100-80GB-SXM5, nodes: 8, on_demand: $2.10/GPU-h, network: 100 Gb/s}
    - {name: other, accelerator: H200-141GB-SXM, nodes: 8, on_demand: $3.50/GPU-h}
"""


def answer(**overrides: object) -> PlanDocument:
    """The answer to the problem with some keys changed."""
    return Session(load_problem(PROBLEM, {key.replace("__", "."): value for key, value in overrides.items()})).solve()


def test_the_plan_changes_where_the_answer_says_so() -> None:
    """Just below the price that is told the plan is the same, just above it is the one that is told.

    The rival is an offer that the cheaper and faster one had ruled out.
    """
    found = answer().deciding_price
    assert found is not None
    assert (found.place, found.kind, found.share) == ("ours", "on_demand", 1.0)
    assert found.rise is not None
    assert "slower" in str(found.then)
    for factor, place in ((0.999, "ours"), (1.001, "slower")):
        price = 2 * (1 + found.rise) * factor
        plan = answer(**{"market.offers[0].on_demand": f"${price:.6f}/GPU-h"}).plan
        assert plan is not None
        assert plan.placement.instance_type == place
    first, second = deciding_lines(found)
    assert first == "The price that decides: $2.00/GPU-h on demand at ours, 100% of the bill."
    assert f"({found.rise:+.1%}) the cheapest plan without it would cost as much" in second


def test_without_a_rival_the_budget_ends_it() -> None:
    """Where no other plan keeps the limits a price may rise until the budget is spent; without one nothing is said."""
    alone = {"market.offers": "[{name: ours, accelerator: H100-80GB-SXM5, nodes: 8, on_demand: $2.00/GPU-h}]"}
    found = answer(**alone).deciding_price
    assert found is not None
    assert (found.rise, found.then) == (None, None)
    assert len(list(deciding_lines(found))) == 1
    document = answer(**alone, limits__budget="$30k")
    assert document.plan is not None
    assert document.deciding_price is not None
    assert document.deciding_price.rise == pytest.approx(30_000 / float(document.plan.cost_usd) - 1)
    assert "the budget is spent" in list(deciding_lines(document.deciding_price))[1]


def test_one_list_price_is_one_price_in_all_zones() -> None:
    """Where a cloud asks the same for a machine in several zones, its rise is that of all: the rival pays another."""
    market = {"market.clouds": ["aws"], "market.accelerators": ["H100-80GB-SXM5"], "market.offers": []}
    found = answer(**market).deciding_price
    assert found is not None
    assert found.others > 1
    assert found.rise is not None
    assert found.rise > 0.001


def test_only_dated_prices_grow_old() -> None:
    """The catalog's price has a date and an age; the problem's own has none."""
    own, listed = answer().deciding_price, answer(market__clouds=["gcp"], market__offers=[]).deciding_price
    assert own is not None
    assert (own.date, own.days, old_price_line(own)) == (None, None, "")
    assert listed is not None
    assert listed.days is not None
    assert listed.is_old is (listed.days > 90)
