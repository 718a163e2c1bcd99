"""What nodes cost: the one place where a price becomes a bill.

Prices are exact `Decimal` US dollars per node-hour from the file to here; amounts that the search compares are floats,
and every line of a bill is whole cents, rounded here in the same way for a search and for its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from planner.availability.spot_cycles import Rates
from planner.performance.symbols import Array
from planner.tolerances import CENT
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, round_usd

Nodes = Array | npt.NDArray[np.int64] | float
"""Numbers of nodes."""
Price = Array | Decimal | float | None
"""US dollars per node-hour; None where nodes are not sold, which costs infinitely much."""
Amount = TypeVar("Amount", Decimal, float, Array)


def node_hours_usd(nodes: Nodes, usd_per_node_hour: Price, seconds: Array | float) -> Array:
    """US dollars for nodes that are paid for a time: nodes · price · hours; no nodes or no time cost nothing."""
    price = np.inf if usd_per_node_hour is None else np.asarray(usd_per_node_hour, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        usd = nodes * price * seconds / SECONDS_PER_HOUR
        return np.where((np.asarray(nodes) > 0) & (np.asarray(seconds) > 0), usd, 0.0)


def priced(hours: Amount, usd_per_hour: Amount) -> Amount:
    """US dollars for hours at a price, both of nodes or both of devices; not rounded, so that it can be summed."""
    return hours * usd_per_hour


def usd_per_second(nodes: Nodes, usd_per_node_hour: Price) -> Array:
    """US dollars for a second of so many nodes."""
    return node_hours_usd(nodes, usd_per_node_hour, 1.0)


def rates_per_second(spot_nodes: int, on_demand_nodes: int, spot: Price, on_demand: Price) -> Rates:
    """US dollars per second of a phase's nodes, without those reserved.

    While spot nodes are away on-demand nodes replace them, where those are sold.
    """
    stand_in = 0.0 if on_demand is None else on_demand
    return Rates(
        spot=usd_per_second(spot_nodes, spot),
        on_demand=usd_per_second(spot_nodes, stand_in),
        fixed=usd_per_second(on_demand_nodes, on_demand),
    )


def line_cents(nodes: Nodes, usd_per_node_hour: Price, seconds: Array | float) -> Array:
    """One line of a bill in whole cents, halves to even."""
    return np.rint(100 * node_hours_usd(nodes, usd_per_node_hour, seconds))


def line_usd(nodes: int, usd_per_node_hour: Decimal, seconds: float) -> Decimal:
    """The same line of a bill as an exact amount."""
    return round_usd(Decimal(int(line_cents(nodes, usd_per_node_hour, seconds))) / 100)


def gpu_hours_usd(gpu_hours: float | Decimal, usd_per_gpu_hour: Decimal) -> Decimal:
    """US dollars for device-hours whose nodes are not known, in whole cents."""
    return round_usd(priced(Decimal(gpu_hours), usd_per_gpu_hour))


def apportioned(amounts: Sequence[Decimal | Fraction], unit: Decimal) -> list[Decimal]:
    """Amounts in whole units that add up to their rounded sum: those with most beyond a whole one are rounded up.

    The method of largest remainders: no amount moves by a whole unit.
    """
    exact = [Fraction(amount) / Fraction(unit) for amount in amounts]
    down = [amount.numerator // amount.denominator for amount in exact]
    missing = round(sum(exact, start=Fraction(0))) - sum(down)
    up = sorted(range(len(exact)), key=lambda index: down[index] - exact[index])[:missing]
    return [unit * (whole + (index in up)) for index, whole in enumerate(down)]


Span = tuple[float, float]
"""From when to when, in seconds from the first day of a schedule."""
Month = tuple[int, int]
"""Year and month."""


@dataclass(frozen=True)
class Payment:
    """An amount that is due evenly while something is paid."""

    usd: Decimal
    """Whole cents."""
    spans: tuple[Span, ...]
    """In order; one without length is due at once."""


def usd_by_month(payments: Iterable[Payment], start: date) -> Mapping[Month, Decimal]:
    """What is due in each calendar month in which something is, in whole cents that add up to all payments."""
    found: dict[Month, Decimal] = {}
    for payment in payments:
        shares = _shares(payment.spans, start)
        amounts = apportioned([Fraction(payment.usd) * share for share in shares.values()], CENT)
        for month, usd in zip(shares, amounts, strict=True):
            found[month] = found.get(month, Decimal(0)) + usd
    return dict(sorted(found.items()))


def usd_by_quarter(months: Mapping[Month, Decimal]) -> Mapping[tuple[int, int], Decimal]:
    """The same by calendar quarter: year and quarter, from 1."""
    found: dict[tuple[int, int], Decimal] = {}
    for (year, month), usd in months.items():
        quarter = (year, (month + 2) // 3)
        found[quarter] = found.get(quarter, Decimal(0)) + usd
    return found


def _shares(spans: Iterable[Span], start: date) -> dict[Month, Fraction]:
    """Which part of some spans lies in each month; of spans without length all in the month of the first."""
    seconds: dict[Month, Fraction] = {}
    for span in spans:
        for month, part in _by_month(span, start):
            seconds[month] = seconds.get(month, Fraction(0)) + part
    whole = sum(seconds.values(), start=Fraction(0))
    return {month: part / whole for month, part in seconds.items()} if whole else {min(seconds): Fraction(1)}


def _by_month(span: Span, start: date) -> Iterator[tuple[Month, Fraction]]:
    """The seconds of one span in each month that it touches."""
    begins, ends = Fraction(span[0]), Fraction(span[1])
    first = start + timedelta(days=int(span[0] // SECONDS_PER_DAY))
    year, month = first.year, first.month
    while True:
        following = (year + month // 12, month % 12 + 1)
        until = min(ends, Fraction((date(*following, 1) - start).days * SECONDS_PER_DAY))
        yield (year, month), until - begins
        if until == ends:
            return
        begins, (year, month) = until, following
