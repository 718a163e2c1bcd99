"""Books of prices for people and as JSON: what changed, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from planner.prices.book import Age, PriceChange
from planner.report.console import wide_console
from planner.report.tables import text_table
from planner.units import format_share


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
    table = text_table("source", "rows", "oldest", "newest", "days", "", left=("source", ""))
    for one in found:
        table.add_row(one.source, f"{one.rows:,}", one.oldest, one.newest, f"{one.days:,}", "old" if one.is_old else "")
    wide_console().print(table)
    rows = sum(one.rows for one in found)
    old = sum(one.rows for one in found if one.is_old)
    if rows:
        wide_console().print(f"{old:,} of {rows:,} rows ({format_share(old / rows)}) are old: look them up again")
