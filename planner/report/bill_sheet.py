"""The bills of several plans as one sheet, from which the other sheets take what each plan costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from planner.report.sheets import MONEY, NUMBER, Cell, Formula, Sheet

BILL: Final = "Bill"
HEADINGS: Final = (
    *("plan", "phase", "bought", "offer", "nodes", "GPUs per node"),
    *("USD per GPU-hour", "paid hours", "wall hours", "USD"),
)
AMOUNT: Final = Formula("=ROUND([nodes]*[GPUs per node]*[USD per GPU-hour]*[paid hours],2)")


def bill_sheet(plans: Sequence[Mapping[str, Any]]) -> Sheet:
    """A row per purchase of each plan document; plans are numbered from 1 in their order."""
    rows = [row for number, plan in enumerate(plans, start=1) for row in _lines(number, plan)]
    return Sheet(BILL, HEADINGS, rows, {"USD": MONEY, "paid hours": NUMBER, "wall hours": NUMBER})


def _lines(number: int, plan: Mapping[str, Any]) -> Iterator[tuple[Cell, ...]]:
    """The purchases of a plan, and what its moves cost."""
    for one in plan["purchases"]:
        names = (number, one["phase"], one["kind"].replace("_", "-"), one["offer"])
        price = float(one["usd_per_gpu_hour"])
        yield (*names, one["nodes"], one["gpus_per_node"], price, one["hours"], one["wall_hours"], AMOUNT)
    for one in plan.get("moves", ()):
        if float(one["cost_usd"]):
            amount = moved(one["bytes"], one["usd_per_gb"])
            yield (number, one["phase"], "moving", in_gigabytes(one["bytes"]), *[None] * 5, amount)


def in_gigabytes(count: float) -> str:
    """Bytes that are moved, in words."""
    return f"{count / 1e9:,.1f} GB"


def moved(count: float, usd_per_gb: object) -> Formula:
    """What so many bytes cost that leave a place at a price."""
    return Formula(f"=ROUND({count / 1e9!r}*{usd_per_gb},2)")


def cost_of(number: str) -> Formula:
    """What a plan costs by the sheet of bills, its number standing in the column of that heading."""
    return Formula(f"=SUMIF({BILL}!$A:$A,[{number}],{BILL}!$J:$J)")
