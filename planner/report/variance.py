"""Why two bills differ: by price, hours, quantity and scope, which add up to the difference to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from planner.market.money import apportioned, priced
from planner.plans.plan_part import PlanFigures
from planner.report.bill import DOLLAR
from planner.tolerances import CENT
from planner.units import exact, format_number, price_text

CAUSES: Final = ("price", "hours", "quantity", "scope")
"""Unit prices; paid hours; devices; lines that only one bill has."""


@dataclass(frozen=True)
class BillFactors:
    """One purchase of a plan's document."""

    usd_per_gpu_hour: Decimal
    hours: Decimal
    gpus: Decimal

    @property
    def usd(self) -> Decimal:
        """Price · hours · devices."""
        return priced(self.gpus * self.hours, self.usd_per_gpu_hour)


@dataclass(frozen=True)
class Variance:
    """The causes of a difference, in whole cents."""

    usd: Mapping[str, Decimal]
    """By cause; they add up to the difference of the bills."""
    prices: tuple[str, ...]
    """Each unit price that changed, with what it is of."""

    def in_dollars(self, total: Decimal) -> dict[str, Decimal]:
        """Whole dollars by cause that add up to the printed difference."""
        moved = {**self.usd, "scope": self.usd["scope"] + total - sum(self.usd.values(), start=Decimal(0))}
        return dict(zip(CAUSES, apportioned([moved[cause] for cause in CAUSES], DOLLAR), strict=True))


def variance(old: PlanFigures, new: PlanFigures) -> Variance:
    """Why the bill of a new plan is another than that of an old one.

    Of a line that both have, each factor gets its Shapley share: its change times the mean of the other two over every
    order in which they may change.
    """
    before, after = _comparable(_lines(old), _lines(new))
    parts = dict.fromkeys(CAUSES, Decimal(0))
    for name in dict.fromkeys((*before, *after)):
        if name in before and name in after:
            for cause, usd in _shares(before[name], after[name]):
                parts[cause] += usd
        else:
            parts["scope"] += after[name].usd if name in after else -before[name].usd
    total = new.cost_usd - old.cost_usd
    largest = max(CAUSES, key=lambda cause: abs(parts[cause]))
    parts[largest] += total - sum(parts.values(), start=Decimal(0))
    cents = apportioned([parts[cause] for cause in CAUSES], CENT)
    return Variance(dict(zip(CAUSES, cents, strict=True)), tuple(_changed_prices(before, after)))


Lines = Mapping[tuple[str, str, str], BillFactors]
"""By phase, way to buy and note."""


def _lines(plan: PlanFigures) -> Lines:
    """The purchases of a plan by phase, way to buy and note; those alike but for their price or days as one."""
    found: dict[tuple[str, str, str], list[BillFactors]] = {}
    for one in plan.purchases:
        line = BillFactors(one.usd_per_gpu_hour, exact(one.hours), Decimal(one.nodes * one.gpus_per_node))
        found.setdefault((one.phase, one.kind, one.note), []).append(line)
    return {name: _as_one(lines) for name, lines in found.items()}


def _as_one(lines: Sequence[BillFactors]) -> BillFactors:
    """One purchase after another as one of the most devices, at their mean price."""
    if len(lines) == 1:
        return lines[0]
    gpus = max(line.gpus for line in lines)
    gpu_hours = sum((line.gpus * line.hours for line in lines), start=Decimal(0))
    usd = sum((line.usd for line in lines), start=Decimal(0))
    return BillFactors(usd / gpu_hours if gpu_hours else Decimal(0), gpu_hours / gpus, gpus)


def _comparable(before: Lines, after: Lines) -> tuple[Lines, Lines]:
    """Both bills by line; a phase that they buy in different ways is one line of each, at its mean price."""
    phases = {name[0] for name in before} & {name[0] for name in after}
    differ = {one for one in phases if _of(before, one).keys() != _of(after, one).keys()}
    joined = []
    for lines in (before, after):
        kept = {name: line for name, line in lines.items() if name[0] not in differ}
        joined.append(kept | {(phase, phase, ""): _mean(_of(lines, phase)) for phase in sorted(differ)})
    return joined[0], joined[1]


def _of(lines: Lines, phase: str) -> Lines:
    """The lines of a phase."""
    return {name: line for name, line in lines.items() if name[0] == phase}


def _mean(lines: Lines) -> BillFactors:
    """Several lines as one: their devices, at their mean hours and price; stand-ins are no devices of their own."""
    gpus = sum((line.gpus for name, line in lines.items() if not name[2]), start=Decimal(0))
    gpu_hours = sum((line.gpus * line.hours for line in lines.values()), start=Decimal(0))
    usd = sum((line.usd for line in lines.values()), start=Decimal(0))
    return BillFactors(usd / gpu_hours if gpu_hours else Decimal(0), gpu_hours / gpus if gpus else Decimal(0), gpus)


def _shares(old: BillFactors, new: BillFactors) -> Iterator[tuple[str, Decimal]]:
    """What each factor of a line changes; together they change it from the old to the new amount."""
    factors = {"price": "usd_per_gpu_hour", "hours": "hours", "quantity": "gpus"}
    for cause, own in factors.items():
        first, second = (name for name in factors.values() if name != own)
        a0, a1, b0, b1 = (getattr(one, name) for name in (first, second) for one in (old, new))
        mean = (a0 * b0 + a1 * b1) / 3 + (a0 * b1 + a1 * b0) / 6
        yield cause, (getattr(new, own) - getattr(old, own)) * mean


def _changed_prices(before: Lines, after: Lines) -> Iterator[str]:
    """Every unit price that is another, with its old and new value."""
    told = set()
    for name in before:
        if name in after and (change := (before[name].usd_per_gpu_hour, after[name].usd_per_gpu_hour)) not in told:
            told.add(change)
            old, new = change
            if old != new:
                share = f" ({format_number(100 * float(new / old - 1))}%)" if old else ""
                kind = name[1].replace("_", "-")
                yield f"{kind}: ${price_text(old)} → ${price_text(new)} per GPU-hour{share}"
