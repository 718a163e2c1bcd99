"""Why two bills differ: causes that add up to the difference, to the cent and in printed dollars."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.plans.document_parts import PlacementPart
from planner.plans.phase_part import PurchaseLine
from planner.plans.plan_part import PlanPart
from planner.report.diff import PLAN_KEYS, Dated, diff_lines
from planner.report.variance import variance

PLACE = PlacementPart(cloud="own", region="", zone="", instance_type="ours")


def plan(*lines: tuple[str, str, int, str, float]) -> PlanPart:
    """A plan with these purchases: phase, way to buy, nodes of 8, price per GPU-hour, hours."""
    purchases = tuple(purchase(*line) for line in lines)
    total = sum((one.cost_usd for one in purchases), start=Decimal(0))
    figures: dict[str, Any] = dict.fromkeys(PLAN_KEYS) | {
        "placement": PLACE,
        "phases": (),
        "purchases": purchases,
        "cost_usd": total,
    }
    return PlanPart.model_construct(**figures)


def purchase(phase: str, kind: Any, nodes: int, price: str, hours: float) -> PurchaseLine:  # noqa: ANN401  (a literal)
    """One of them."""
    usd = round(8 * nodes * Decimal(price) * Decimal(repr(hours)), 2)
    figures = {"phase": phase, "kind": kind, "nodes": nodes, "gpus_per_node": 8, "hours": hours, "note": ""}
    return PurchaseLine.model_construct(**figures, usd_per_gpu_hour=Decimal(price), cost_usd=usd)


def lines_of(old: PlanPart, new: PlanPart) -> list[str]:
    """What `plan diff` prints of two plans."""
    return list(diff_lines(Dated(old, "2026-01-01"), Dated(new, "2026-02-01")))


def amount(text: str) -> Decimal:
    """A printed sum of money."""
    return Decimal(re.sub(r"[+$,]", "", text.replace("−", "-")))


LINES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["spot", "on_demand"]),
        st.integers(1, 500),
        st.decimals(0, 100, places=4).map(str),
        st.floats(0.1, 5000),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda line: line[:2],
)


@given(LINES, LINES)
def test_causes_add_up_to_the_difference(old: list[Any], new: list[Any]) -> None:
    """Price, hours, quantity and scope make up the whole difference, to the cent."""
    before, after = plan(*old), plan(*new)
    found = variance(before, after)
    assert sum(found.usd.values()) == after.cost_usd - before.cost_usd


@given(LINES, LINES)
def test_printed_causes_add_up_to_the_printed_difference(old: list[Any], new: list[Any]) -> None:
    """What is printed adds up too: causes to the total, and the total is what the printed bills differ by."""
    text = lines_of(plan(*old), plan(*new))
    total = next(line for line in text if re.match(r"[~+ -] total .*→", line))
    was, now = map(amount, re.findall(r"\$[\d,.]+", total)[:2])
    causes = [re.match(r"  (price|hours|quantity|scope|total) +([+−]?\$[\d,.]+)", line) for line in text]
    amounts = {one[1]: amount(one[2]) for one in causes if one}
    if was != now:
        assert amounts.pop("total") == now - was
        assert sum(amounts.values()) == now - was


def test_another_price_is_not_the_same_plan() -> None:
    """A price change names both unit prices and is all of the difference."""
    old, new = plan(("a", "on_demand", 128, "9.80", 1000.0)), plan(("a", "on_demand", 128, "12.29", 1000.0))
    text = "\n".join(lines_of(old, new))
    assert "the same plan" not in text
    assert "on-demand: $9.80 → $12.29 per GPU-hour" in text
    assert variance(old, new).usd == {
        "price": Decimal("2549760.00"), "hours": Decimal(0), "quantity": Decimal(0), "scope": Decimal(0)
    }  # fmt: skip
    assert "the same plan" in "\n".join(lines_of(old, old))


def test_another_way_to_buy_is_price_and_hours() -> None:
    """Spot instead of on demand is another price for other hours of the same devices, not another scope."""
    old, new = plan(("a", "on_demand", 8, "2.95", 334.0)), plan(("a", "spot", 8, "1.35", 348.0))
    found = variance(old, new).usd
    assert found["scope"] == found["quantity"] == 0
    assert found["price"] < 0 < found["hours"]
