"""A sheet of commitments as own offers of a problem: reserved nodes that are paid for a term at least."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any, Final

from planner.catalog.accelerators import find_accelerator
from planner.catalog.offers import load_offers, usable
from planner.errors import InputError, Issue, Place
from planner.prices.quote import price_sources
from planner.prices.sheet import (
    columns_taken,
    headings_shown,
    network_of_cell,
    price_of_cell,
    sheet_rows,
    usual_count,
)
from planner.prices.table import amount
from planner.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_YEAR,
    QuantityError,
    parse_date,
    parse_duration,
    parse_share,
    price_text,
    written_duration,
)

NEEDED: Final = ("accelerator", "term")
TERM: Final = re.compile(r"(\d{1,3})[\s-]*(years?|yrs?|y|months?|mo)", re.IGNORECASE)


@dataclass(frozen=True)
class SheetCommitment:
    """Nodes that are paid for a term, used or not."""

    place: Place
    name: str
    accelerator: str
    gpus_per_node: int
    usd_per_node_hour: Decimal
    least_seconds: float
    """What each node is paid for at least."""
    nodes: int | None
    """Most nodes; None where the sheet does not say."""
    network_gbit_s: float | None
    start: date | None
    """The first day of the term; None where the sheet does not say."""
    lead_seconds: float | None
    """How long before it has to be ordered."""

    def of_pool(self) -> dict[str, Any]:
        """The item of a pool's `commitments` in a portfolio. Raises InputError for a row without nodes or start.

        Whole days are paid; a part of a day counts as one.
        """
        if self.nodes is None or self.start is None:
            what = "nodes" if self.nodes is None else "start"
            fix = f"add a column for the {what}, such as {'64' if self.nodes is None else '2027-01-01'}"
            raise InputError(f"a pool's commitment needs its {what}", place=self.place, fix=fix)
        price = f"${price_text(self.usd_per_node_hour)}/node-h"
        days = f"{ceil(self.least_seconds / SECONDS_PER_DAY)}d"
        found: dict[str, Any] = {"name": self.name, "term": days, "price": price, "most": self.nodes}
        found["starts"] = [self.start.isoformat()]
        return found if self.lead_seconds is None else found | {"lead": written_duration(self.lead_seconds)}

    def data(self) -> dict[str, Any]:
        """The item of `market.offers` as a problem file writes it."""
        found: dict[str, Any] = {"name": self.name, "accelerator": self.accelerator}
        found |= {"gpus_per_node": self.gpus_per_node, "reserved": f"${price_text(self.usd_per_node_hour)}/node-h"}
        found["minimum_term"] = written_duration(self.least_seconds)
        if self.nodes is not None:
            found["nodes"] = self.nodes
        return found if self.network_gbit_s is None else found | {"network": f"{self.network_gbit_s:g} Gb/s"}


def sheet_commitments(path: Path, columns: Mapping[str, str]) -> tuple[dict[str, str], list[SheetCommitment]]:
    """Which column was taken for what, and the commitments. Raises InputError with every row that is not understood."""
    rows = list(sheet_rows(path))
    taken = columns_taken(path, rows, price_sources().commitment_headings, columns)
    if not set(NEEDED) <= set(taken) or not {"price", "discount"} & set(taken):
        message = f"no column for device, term, or price or discount, among {headings_shown(rows)}"
        raise InputError(message, place=Place(str(path)), fix="name them, such as --column term='Contract length'")
    found: list[SheetCommitment] = []
    issues: list[Issue] = []
    for place, row in rows:
        texts = {field: row.get(taken.get(field, ""), "") for field in price_sources().commitment_headings}
        try:
            found.extend([_commitment(place, texts, taken)] if any(texts.values()) else [])
        except InputError as error:
            issues += [Issue(one.message, place, one.fix) for one in error.issues]
    if issues:
        raise InputError(issues)
    return taken, _named_apart(found)


def _commitment(place: Place, row: Mapping[str, str], taken: Mapping[str, str]) -> SheetCommitment:
    """One row. Raises InputError."""
    device = find_accelerator(row["accelerator"], usual=True)
    count = int(amount(row["accelerators"]) or 0) or usual_count(device.name)
    return SheetCommitment(
        place=place,
        name=" ".join(filter(None, (row["cloud"], row["region"], device.name, row["term"])))[:200],
        accelerator=device.name,
        gpus_per_node=count,
        usd_per_node_hour=_usd(row, taken, device.name, count),
        least_seconds=_least_seconds(row),
        nodes=_nodes(row["nodes"]),
        network_gbit_s=network_of_cell(row["network"]),
        start=parse_date(row["start"][:10]) if row["start"] else None,
        lead_seconds=_seconds(row["lead"]) if row["lead"] else None,
    )


def _usd(row: Mapping[str, str], taken: Mapping[str, str], device: str, count: int) -> Decimal:
    """Dollars of a node-hour: as stated, or at the row's share off the one list price that it is about."""
    if row["price"]:
        stated = price_of_cell(row["price"], taken["price"], count)
        if stated is None or stated <= 0:
            raise InputError(f"{row['price'][:30]!r} is no price", fix="write $1.90/GPU-h")
        return stated
    share, listed = parse_share(row["discount"]), _list_prices(row, device, count)
    if len(listed) == 1:
        return round(listed.pop() * (1 - Decimal(str(share))), 6)
    known = f"{len(listed)} list prices" if listed else "no list price"
    raise InputError(f"the catalog has {known} that the discount could be of", fix="state the price, or the region")


def _list_prices(row: Mapping[str, str], device: str, count: int) -> set[Decimal]:
    """What the catalog's offers that a row is about cost on demand."""
    stated = {field: row[field] for field in ("cloud", "region", "instance_type") if row[field]}
    return {
        one.on_demand_usd_per_hour
        for one in usable(load_offers())
        if one.on_demand_usd_per_hour is not None
        and (one.accelerator, one.accelerators) == (device, count)
        and all(getattr(one, field) == value for field, value in stated.items())
    }


def _least_seconds(row: Mapping[str, str]) -> float:
    """What is paid at least: the term, or the share or hours of it that a take-or-pay clause states."""
    term = _seconds(row["term"])
    share = parse_share(row["share"]) if row["share"] else None
    hours = amount(row["hours"]) if row["hours"] else None
    if row["hours"] and (hours is None or hours <= 0):
        raise InputError(f"{row['hours'][:30]!r} is no number of hours", fix="write 6570")
    stated = [term * share] if share is not None else []
    if hours is not None:
        stated.append(float(hours) * SECONDS_PER_HOUR)
    least = max(stated, default=term)
    if not 0 < least <= term:
        raise InputError(f"{row['hours'] or row['share']} of {row['term']} is not a part of the term", fix="write 75%")
    return least


def _seconds(text: str) -> float:
    """A term; a year has 365 days, as clouds count them, a month a twelfth of it."""
    match = TERM.fullmatch(text.strip())
    if match is None:
        return parse_duration(text)
    twelfths = 12 if match[2].casefold().startswith("y") else 1
    return float(int(match[1]) * twelfths * SECONDS_PER_YEAR) / 12


def _nodes(text: str) -> int | None:
    """A number of nodes, if one is stated."""
    number = amount(text) if text else None
    if text and (number is None or number < 1 or number != int(number)):
        raise QuantityError(f"{text[:30]!r} is no number of nodes", "write 64, or leave it empty for any number")
    return None if number is None else int(number)


def _named_apart(found: list[SheetCommitment]) -> list[SheetCommitment]:
    """The commitments with a name of its own each."""
    seen: Counter[str] = Counter()
    named = []
    for one in found:
        seen[one.name] += 1
        again = f" ({seen[one.name]})" if seen[one.name] > 1 else ""
        named.append(replace(one, name=one.name[: 200 - len(again)] + again))
    return named
