"""A bill for people, every line and total of which recomputes from what is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Protocol

from planner.market.money import apportioned, priced
from planner.market.slices import sold_as
from planner.plans.phase_part import MovePart, PurchaseLine
from planner.plans.plan_part import PlanFigures
from planner.tolerances import CENT
from planner.units import MONEY_WITH_CENTS, counted, format_duration, price_text

DOLLAR: Final = Decimal(1)
FEWEST_PLACES: Final = 1
MOST_PLACES: Final = 9
"""Decimal places of printed hours: as few as let the line recompute."""
NOTICED_HOURS: Final = 0.05
"""From which difference on paid hours are told from wall hours."""


@dataclass(frozen=True)
class BillLine:
    """One purchase as it is printed: nodes × devices × price × hours = amount, exactly once rounded."""

    title: str
    """How it is bought, or what is moved."""
    product: str
    """`128 nodes × 8 GPUs × $1.17/h × 1,576.2 h`."""
    amount: Decimal
    """Amount in whole units of its bill."""
    remark: str
    """What follows the amount: devices, and the wall hours where they are not the paid ones."""


@dataclass(frozen=True)
class PrintedBill:
    """The lines by phase; amounts add up to the total as they are printed."""

    unit: Decimal
    """A dollar, or a cent where the total is printed with cents."""
    phases: Mapping[str, Sequence[BillLine]]

    @property
    def total(self) -> Decimal:
        """The sum of all lines."""
        return sum((self.of(phase) for phase in self.phases), start=Decimal(0))

    def of(self, phase: str) -> Decimal:
        """The sum of a phase's lines."""
        return sum((line.amount for line in self.phases[phase]), start=Decimal(0))

    def money(self, usd: Decimal) -> str:
        """An amount as it is printed."""
        return f"${usd:,.2f}" if self.unit == CENT else f"${usd:,.0f}"

    def text(self, line: BillLine) -> str:
        """A whole line."""
        return f"{line.title}: {line.product} = {self.money(line.amount)}   ({line.remark})"


def printed_bill(plan: PlanFigures) -> PrintedBill:
    """The bill of a plan."""
    unit = CENT if plan.cost_usd < MONEY_WITH_CENTS else DOLLAR
    moves = [move for move in plan.moves if move.cost_usd]
    amounts = apportioned([*(one.cost_usd for one in moves), *(one.cost_usd for one in plan.purchases)], unit)
    whole = "all phases" if len(plan.stays) == 1 else "reservations"
    phases: dict[str, list[BillLine]] = {name: [] for name in (whole, *(phase.name for phase in plan.phases))}
    for move, amount in zip(moves, amounts, strict=False):
        phases[move.phase].append(_move_line(move, amount, unit))
    for purchase, amount in zip(plan.purchases, amounts[len(moves) :], strict=True):
        phases[purchase.of_phase or whole].append(_line(purchase, amount, unit))
    return PrintedBill(unit, {name: lines for name, lines in phases.items() if lines})


class Purchased(Protocol):
    """What a share of spot nodes counts of a purchase."""

    @property
    def kind(self) -> str:
        """`on_demand`, `spot` or `reserved`."""

    @property
    def nodes(self) -> int:
        """Nodes bought."""

    @property
    def hours(self) -> float:
        """Hours for which each is paid."""


def spot_share(purchases: Sequence[Purchased]) -> float:
    """The part of the bought node-hours that is spot."""
    spot = sum(one.nodes * one.hours for one in purchases if one.kind == "spot")
    return spot / max(sum(one.nodes * one.hours for one in purchases), 1e-12)


def _move_line(move: MovePart, amount: Decimal, unit: Decimal) -> BillLine:
    """What leaves a place, with as few decimals as let the line recompute."""
    price = move.usd_per_gb
    exact = amount / price
    shown = next(
        (
            round(exact, places)
            for places in range(FEWEST_PLACES, MOST_PLACES + 1)
            if (round(exact, places) * price).quantize(unit, ROUND_HALF_EVEN) == amount
        ),
        exact,
    )
    return BillLine(
        title=f"moving from {move.origin.title}",
        product=f"{shown:,} GB × ${price:f}/GB",
        amount=amount,
        remark=f"checkpoint and data, {format_duration(move.wall_seconds)}",
    )


def _line(purchase: PurchaseLine, amount: Decimal, unit: Decimal) -> BillLine:
    """One purchase as it is printed."""
    gpus = purchase.nodes * purchase.gpus_per_node
    slices = sold_as(purchase.accelerator, purchase.gpus_per_node, purchase.nodes)
    many, each = slices or (purchase.nodes, purchase.gpus_per_node)
    noun, device = ("slice", "chip") if slices else ("node", "GPU")
    price = price_text(purchase.usd_per_gpu_hour)
    hours = _hours(gpus * Decimal(price), purchase.hours, amount, unit)
    remark = counted(gpus, device)
    if abs(purchase.hours - purchase.wall_hours) > NOTICED_HOURS:
        remark += f"; {purchase.hours:,.1f} h are paid of {purchase.wall_hours:,.1f} h wall time"
    return BillLine(
        title=purchase.kind.replace("_", "-") + (f" ({purchase.note})" if purchase.note else ""),
        product=f"{counted(many, noun)} × {counted(each, device)} × ${price}/h × {hours} h",
        amount=amount,
        remark=remark,
    )


def _hours(usd_per_hour: Decimal, hours: float, amount: Decimal, unit: Decimal) -> str:
    """Paid hours with as few decimals as give the amount: the true ones, or by less than a unit's worth beside them."""
    for exact in (Decimal(repr(hours)), *([amount / usd_per_hour] if usd_per_hour else [])):
        for places in range(FEWEST_PLACES, MOST_PLACES + 1):
            shown = round(exact, places)
            if priced(shown, usd_per_hour).quantize(unit, ROUND_HALF_EVEN) == amount:
                return f"{shown:,.{places}f}"
    return f"{hours:,.1f}"
