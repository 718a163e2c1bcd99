"""What is due when: the bill by month and quarter, what of it is idle, and what is paid already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from planner.market.money import apportioned
from planner.plans.plan_part import SpendPart
from planner.report.bill import DOLLAR
from planner.report.tables import indented, text_table
from planner.tolerances import CENT
from planner.units import MONEY_WITH_CENTS, format_money


def spend_parts(spend: SpendPart) -> Iterator[RenderableType]:
    """Apart from the bill: a table of months with their quarters, and a line for what stands beside the bill."""
    rows, lines = tuple(spend_rows(spend)), tuple(spend_lines(spend))
    if rows or lines:
        yield ""
    if rows:
        table = text_table(*SPEND_HEADINGS, left=SPEND_HEADINGS[::2])
        for row in rows:
            table.add_row(*row)
        yield Group(Text("spend"), indented(table))
    yield from (Text(line) for line in lines)


SPEND_HEADINGS = ("month", "USD", "quarter", "USD of the quarter")


def spend_rows(spend: SpendPart) -> Iterator[tuple[str, str, str, str]]:
    """Every month, the last one of a quarter with that quarter's sum; dollars add up as they are printed."""
    shown = _printed([one.usd for one in spend.months])
    quarters = [quarter_of(one.month) for one in spend.months]
    for index, (month, quarter) in enumerate(zip(spend.months, quarters, strict=True)):
        is_last = index + 1 == len(quarters) or quarters[index + 1] != quarter
        total = sum((usd for usd, of in zip(shown, quarters, strict=True) if of == quarter), start=Decimal(0))
        yield month.month, _money(shown[index]), *((quarter, _money(total)) if is_last else ("", ""))


def quarter_of(month: str) -> str:
    """The quarter of a month, as the document calls it."""
    year, _, number = month.partition("-")
    return f"{year}-Q{(int(number) + 2) // 3}"


def _printed(amounts: Sequence[Decimal]) -> list[Decimal]:
    """Amounts in the unit in which the bill is printed."""
    return apportioned(amounts, CENT if sum(amounts) < MONEY_WITH_CENTS else DOLLAR)


def _money(usd: Decimal) -> str:
    return f"${usd:,}"


def spend_lines(spend: SpendPart) -> Iterator[str]:
    """What of the bill is idle, and what is paid already."""
    if spend.idle_usd:
        yield f"Of the bill, reserved hours in which no phase uses the nodes: {format_money(spend.idle_usd)}"
    for one in spend.committed:
        yield f"Already paid, in no bill and no decision, {one.name}: {format_money(one.usd)}"
