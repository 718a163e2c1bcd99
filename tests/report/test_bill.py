"""Bills recompute: every line and total from what is printed, in text to the dollar and in JSON to the cent."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from planner.cli import main
from planner.market.money import apportioned
from planner.report.bill import DOLLAR
from planner.tolerances import CENT
from planner.units import price_text

FOLDER = Path(__file__).resolve().parent.parent.parent / "problems"
LINE = re.compile(
    r"(?P<nodes>[\d,]+) (?:node|slice)s? × (?P<each>[\d,]+) (?:GPU|chip)s? × \$(?P<price>[\d.,]+)/h × "
    r"(?P<hours>[\d.,]+) h = \$(?P<amount>[\d.,]+)"
)
PHASE = re.compile(r"^[├└]── (?P<name>.*): \$(?P<amount>[\d.,]+)$")
TOTAL = re.compile(r"^bill: \$(?P<amount>[\d.,]+)$", re.MULTILINE)
QUICK = {"spot_heavy", "lora_70b"}
"""Problems with few offers; the others are solved with the slow tests."""


def number(text: str) -> Decimal:
    """A figure without its commas."""
    return Decimal(text.replace(",", ""))


def recomputed(line: re.Match[str]) -> Decimal:
    """What the figures of a line come to, as exact as its amount is printed."""
    product = number(line["nodes"]) * number(line["each"]) * number(line["price"]) * number(line["hours"])
    return product.quantize(CENT if "." in line["amount"] else DOLLAR, ROUND_HALF_EVEN)


def assert_recomputes(text: str) -> None:
    """Every amount of a printed bill follows from the figures beside it and from the lines below it."""
    total = TOTAL.search(text)
    assert total
    bill = text[total.start() :].split("\n\n", maxsplit=1)[0].splitlines()[1:]
    phases: list[list[Decimal]] = []
    for row in bill:
        if phase := PHASE.match(row):
            phases.append([number(phase["amount"])])
        else:
            line = LINE.search(row)
            assert line, row
            assert recomputed(line) == number(line["amount"]), row
            phases[-1].append(number(line["amount"]))
    for stated, *lines in phases:
        assert stated == sum(lines)
    assert number(total["amount"]) == sum(phase[0] for phase in phases)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem in QUICK else (pytest.mark.slow,), id=path.stem)
        for path in sorted(FOLDER.glob("*.yaml"))
    ],
)
def test_printed_bill_recomputes(path: Path, tmp_path: Path) -> None:
    """The bill of every problem recomputes from its text alone, and from its JSON document to the cent."""
    out = tmp_path / "plan.json"
    answer = CliRunner().invoke(main, ["solve", str(path), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert_recomputes(answer.stdout)
    plan = json.loads(out.read_text("utf-8"))["plan"]
    for one in plan["purchases"]:
        product = one["nodes"] * one["gpus_per_node"] * Decimal(one["usd_per_gpu_hour"]) * Decimal(repr(one["hours"]))
        assert abs(product - Decimal(one["cost_usd"])) <= Decimal("0.0051")
    assert sum(Decimal(one["cost_usd"]) for one in plan["purchases"]) == Decimal(plan["cost_usd"])


@given(st.lists(st.decimals(0, 10**7, places=2), max_size=20), st.sampled_from([CENT, DOLLAR]))
def test_amounts_add_up_to_their_rounded_sum(amounts: list[Decimal], unit: Decimal) -> None:
    """Rounded amounts add up to the rounded total, and none moves by a whole unit."""
    shown = apportioned(amounts, unit)
    assert sum(shown) == (sum(amounts, Decimal(0)) / unit).quantize(DOLLAR, ROUND_HALF_EVEN) * unit
    assert all(abs(one - exact) < unit for one, exact in zip(shown, amounts, strict=True))


@pytest.mark.parametrize(
    ("price", "text"), [("2", "2.00"), ("1.16970", "1.1697"), ("12.29", "12.29"), ("0", "0.00"), ("100", "100.00")]
)
def test_prices_have_the_digits_that_they_have(price: str, text: str) -> None:
    """A price is never rounded to cents, nor longer than it is."""
    assert price_text(Decimal(price)) == text
    assert price_text(Decimal(1) / 3) == "0.333333333333"
