"""Books of prices for people and as JSON: what changed, and how old it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.market.money import line_usd
from planner.prices.book import Age, PriceChange, ages
from planner.prices.commitments import SheetCommitment
from planner.prices.merge import machine_of
from planner.prices.quotas import QuotaLine, StatedQuota
from planner.report.console import wide_console
from planner.report.tables import text_table
from planner.units import format_duration, format_money, format_share, price_text


def change_documents(found: Sequence[PriceChange]) -> list[dict[str, Any]]:
    """Each change with its place; prices are US dollars per instance and hour, as decimal strings."""
    names = ("cloud", "region", "zone", "instance_type")
    return [
        dict(zip(names, one.key, strict=True)) | {"kind": one.kind, "from": _text(one.old), "to": _text(one.new)}
        for one in found
    ]


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:f}"


def change_lines(found: Sequence[PriceChange]) -> Iterator[str]:
    """A line a change, per device and hour: `+` new, `-` gone, `~` another price."""
    if not found:
        yield "no price differs"
    for one in found:
        sign = "+" if one.old is None else "-" if one.new is None else "~"
        old, new = ("–" if price is None else f"${price / one.accelerators:,.4g}" for price in (one.old, one.new))
        change = f"  ({one.new / one.old - 1:+.1%})" if one.old and one.new else ""
        where = " ".join(filter(None, one.key))
        yield f"{sign} {where} {one.kind.replace('_', ' ')}: {old} → {new} per GPU-h{change}"


def print_ages(found: Sequence[Age]) -> None:
    """A line a source, the oldest first."""
    table = text_table("oldest", "newest", "days", "", "rows", "source", left=("source", ""), wrap=("source",))
    for one in found:
        table.add_row(one.oldest, one.newest, f"{one.days:,}", "old" if one.is_old else "", f"{one.rows:,}", one.source)
    wide_console().print(table)
    rows = sum(one.rows for one in found)
    old = sum(one.rows for one in found if one.is_old)
    if rows:
        wide_console().print(f"{old:,} of {rows:,} rows ({format_share(old / rows)}) are old: look them up again")


def age_lines(offers: Iterable[Offer], on: date) -> Iterator[str]:
    """A line for each source whose newest price is old."""
    for one in ages(offers, on):
        if one.is_old:
            yield f"  the newest price of {one.source} is of {one.newest}, {one.days:,} days old: look them up again"


def far_line(offers: Iterable[Offer]) -> str:
    """How many prices are far from the catalog's for the same machine in the same region; empty where none is."""
    known = {machine_of(one): one for one in usable(load_offers()) if one.on_demand_usd_per_hour}
    newest, count = "", 0
    for one in offers:
        listed, price = known.get(machine_of(one)), one.on_demand_usd_per_hour
        if listed and price and listed.on_demand_usd_per_hour and abs(price / listed.on_demand_usd_per_hour - 1) > FAR:
            newest, count = max(newest, listed.date), count + 1
    about = f"more than {format_share(float(FAR))} from the catalog's, of {newest} at the newest"
    return f"  {count:,} × used, and {about}: compare them (plan prices diff)" if count else ""


FAR: Final = Decimal("0.2")
"""Share of the catalog's price beyond which another one is pointed out."""


def quota_preview(quotas: Sequence[StatedQuota], lines: Sequence[QuotaLine]) -> Iterator[str]:
    """What each quota was taken for, a line each."""
    for one in quotas:
        where = " ".join(filter(None, (one.cloud, one.region)))
        amount = f"{one.limit:,} {'vCPUs' if one.counts_vcpus else 'devices'}"
        used = f", {one.used:,} in use" if one.used else ""
        taken = [f"{', '.join(line.machines)}: {line.gpus:,}" for line in lines if line.quota is one]
        shown = "; ".join(taken) or "the catalog has no offer there"
        yield f"{where} {one.title}: {amount}{used} → {shown}"


def commitment_preview(found: Sequence[SheetCommitment]) -> Iterator[str]:
    """What each row was taken for, a line each."""
    for one in found:
        each = price_text(one.usd_per_node_hour / one.gpus_per_node)
        nodes = "any number of nodes" if one.nodes is None else f"up to {one.nodes:,} nodes"
        least = line_usd(1, one.usd_per_node_hour, one.least_seconds)
        yield (
            f"{one.place}: {nodes} of {one.gpus_per_node} {one.accelerator} at ${each}/GPU-h, each paid for "
            f"{format_duration(one.least_seconds)} at least: {format_money(least)}"
        )
