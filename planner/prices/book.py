"""A book of own prices: a CSV file with the columns of the catalog's `offers.csv`, laid over the catalog.

A row of the book replaces the catalog's of the same cloud, region, zones and instance type, see `merge`; of several
books the first that has a row decides. A row that is not believed replaces none.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from planner.catalog.offers import load_offers
from planner.catalog.records import Offer
from planner.errors import InputError, Place
from planner.prices.merge import laid_over
from planner.prices.quote import price_sources
from planner.prices.table import as_text, content_of, rows_of_csv

USER: Final = "user"
"""In `market.prices`: the book in the user's configuration folder."""
COLUMNS: Final = (
    "cloud",
    "region",
    "zone",
    "instance_type",
    "accelerator",
    "accelerators",
    "fabric",
    "network_gbit_s",
    "network_assumed",
    "on_demand_usd_per_hour",
    "spot_usd_per_hour",
    "reserved_1y_usd_per_hour",
    "reserved_3y_usd_per_hour",
    "block_usd_per_hour",
    "suspect",
    "source",
    "date",
    "note",
)
FIX: Final = "give what plan prices import wrote"
Key = tuple[str, str, str, str]


def user_book() -> Path:
    """The book in the user's configuration folder, by the XDG rules."""
    root = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return Path(root) / "plan" / "prices.csv"


def read_book(path: Path) -> tuple[Offer, ...]:
    """The rows of a book. Raises InputError, with the line of a row that is none."""
    rows = list(rows_of_csv(path, content_of(path)))
    if not rows or not {"cloud", "accelerator", "date"} <= set(rows[0][1]):
        raise InputError("not a book of prices", place=Place(str(path)), fix=FIX)
    return tuple(_offer(place, row) for place, row in rows)


def _offer(place: Place, row: dict[str, str]) -> Offer:
    try:
        known = {name: cell for name, cell in row.items() if cell or name in {"region", "zone", "fabric"}}
        return Offer.model_validate({**known, "region": row.get("region", ""), "zone": row.get("zone", "")})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(message[:200], place=place, fix=FIX) from None


def book_text(offers: Iterable[Offer]) -> str:
    """A book as its file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for offer in offers:
        row = {name: value for name, value in offer.model_dump(mode="json").items() if value is not None}
        row["network_assumed"] = str(offer.network_assumed).lower()
        cells = ((name, row.get(name, "")) for name in COLUMNS)
        writer.writerow({name: as_text(cell) if isinstance(cell, str) else cell for name, cell in cells})
    return out.getvalue()


def key_of(offer: Offer) -> Key:
    """What a row replaces in the catalog."""
    return (offer.cloud, offer.region, offer.zone, offer.instance_type)


def offers_with(books: Sequence[Path]) -> tuple[Offer, ...]:
    """The catalog's offers under those of some books. Raises InputError."""
    return _offers_with(tuple((path, *_state(path)) for path in books))


def _state(path: Path) -> tuple[int, int]:
    """What changes with a file's content: its time and size; nothing of a file that is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _offers_with(books: tuple[tuple[Path, int, int], ...]) -> tuple[Offer, ...]:
    """The same for books in a state: a problem asks several times."""
    found = load_offers()
    for path, *_ in reversed(books):
        found = laid_over(read_book(path), found)
    return found


@dataclass(frozen=True)
class PriceChange:
    """One kind of price of one row in two books; None is not there."""

    key: Key
    kind: str
    accelerators: int
    old: Decimal | None
    new: Decimal | None


KINDS: Final = ("on_demand", "spot", "reserved_1y", "reserved_3y", "block")


def changes(old: Iterable[Offer], new: Iterable[Offer]) -> tuple[PriceChange, ...]:
    """Every price that differs between rows that are believed; rows of only one side count as new or gone."""
    before, after = ({key_of(one): one for one in offers if not one.suspect} for offers in (old, new))
    found = []
    for key in dict.fromkeys((*before, *after)):
        sides = before.get(key), after.get(key)
        for kind in KINDS:
            prices = [None if one is None else getattr(one, f"{kind}_usd_per_hour") for one in sides]
            if prices[0] != prices[1]:
                devices = next(one.accelerators for one in sides if one is not None)
                found.append(PriceChange(key, kind, devices, *prices))
    return tuple(found)


@dataclass(frozen=True)
class Age:
    """How old the prices of one source are."""

    source: str
    rows: int
    oldest: str
    newest: str
    days: int
    """Since the newest; of a date without a day since the year's first."""

    @property
    def is_old(self) -> bool:
        """Whether they should be looked up again."""
        return self.days > price_sources().limits.old_days


def ages(offers: Iterable[Offer], on: date) -> tuple[Age, ...]:
    """The age of every source's prices that are believed, the oldest first."""
    groups: dict[str, list[str]] = {}
    for offer in offers:
        if not offer.suspect:
            groups.setdefault(offer.source, []).append(offer.date)
    found = [
        Age(source, len(dates), min(dates), max(dates), days_since(max(dates), on)) for source, dates in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.days, one.source)))


def days_since(stated: str, on: date) -> int:
    """Days since a date that may lack its day or month, counted from the earliest that it can be."""
    year, month, day, *_ = (*(int(part) for part in stated.split("-")), 1, 1)
    return (on - date(year, month, day)).days
