"""A contract or a spreadsheet: CSV or XLSX whose columns are found by their headings."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from planner.catalog.accelerators import find_accelerator
from planner.errors import InputError, Place, did_you_mean
from planner.prices.discounts import at_discount
from planner.prices.quote import Quote, price_sources
from planner.prices.table import LONGEST_CELL, MOST_ROWS, amount, content_of, rows_of_csv
from planner.units import QuantityError, parse_bandwidth, parse_price

PRICES: Final = ("on_demand", "spot", "reserved_1y", "reserved_3y", "block")
DISCOUNT: Final = "discount"
LARGEST_UNZIPPED: Final = 256 * 2**20
"""Bytes that a workbook may unpack to."""


def sheet_quotes(
    path: Path, columns: Mapping[str, str], *, cloud: str = "contract"
) -> tuple[dict[str, str], list[Quote]]:
    """Which column was taken for what, and the rows. `columns` names headings that are not found by themselves.

    Raises InputError for what is no table, a column that is not there, or a table without device and price.
    """
    rows = list(sheet_rows(path))
    taken = columns_taken(path, rows, price_sources().headings, columns)
    if DISCOUNT not in taken and ("accelerator" not in taken or not any(field in taken for field in PRICES)):
        fix = "name them, such as --column accelerator='Our GPU' --column on_demand='Rate'"
        message = f"no column for the device, or for a price or discount, among {headings_shown(rows)}"
        raise InputError(message, place=Place(str(path)), fix=fix)
    return taken, [quote for place, row in rows if any(row.values()) for quote in _quotes(place, row, taken, cloud)]


SheetRow = tuple[Place, dict[str, str]]
"""A row by heading, with its line."""


def sheet_rows(path: Path) -> Iterator[SheetRow]:
    """The rows of a CSV file, or of the first sheet of a workbook. Raises InputError."""
    content = content_of(path)
    yield from _rows_of_workbook(path, content) if content[:2] == b"PK" else rows_of_csv(path, content)


def _rows_of_workbook(path: Path, content: bytes) -> Iterator[tuple[Place, dict[str, str]]]:
    """The first sheet of a workbook: values, never formulas. Raises InputError, for bombs and other files too."""
    place = Place(str(path))
    try:
        import openpyxl  # noqa: PLC0415  (an extra, and only workbooks need it)
    except ImportError:
        raise InputError("workbooks need openpyxl", place=place, fix="pip install 'plan-training[xlsx]'") from None
    try:
        _refuse_bombs(content, place)
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        lines = book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS, max_col=100)
        headings = [str(cell or "").strip()[:LONGEST_CELL] for cell in next(lines, ())]
        for number, line in enumerate(lines, start=2):
            if not any(line):  # a sheet may claim a million empty rows
                continue
            cells = ("" if cell is None else str(cell).strip()[:LONGEST_CELL] for cell in line)
            yield Place(str(path), number), {name: cell for name, cell in zip(headings, cells, strict=False) if name}
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  (a damaged workbook raises whatever its parser meets)
        message = f"not a workbook: {type(error).__name__} {error}"[:200]
        raise InputError(message, place=place, fix="save it as CSV in UTF-8") from None


def _refuse_bombs(content: bytes, place: Place) -> None:
    """Refuses workbooks that unpack to too much or declare entities."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(one.file_size for one in members) > LARGEST_UNZIPPED or len(members) > 10_000:
            raise InputError("the workbook unpacks to more than 256 MiB", place=place, fix="save its sheet as CSV")
        for one in members:
            if one.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.open(one).read(4096):
                raise InputError("the workbook declares XML entities", place=place, fix="save its sheet as CSV")


def columns_taken(
    path: Path, rows: Sequence[SheetRow], known: Mapping[str, Sequence[str]], columns: Mapping[str, str]
) -> dict[str, str]:
    """The heading of each field that a table has. Raises InputError for what `columns` names and nobody knows."""
    headings = list(rows[0][1]) if rows else []
    for field, heading in columns.items():
        if field not in known:
            raise InputError(f"unknown column {field!r}", place=Place("--column"), fix=did_you_mean(field, known))
        if heading not in headings:
            raise InputError(f"no column {heading!r}", place=Place(str(path)), fix=did_you_mean(heading, headings))
    found = {field: next((one for one in headings if plain(one) in names), "") for field, names in known.items()}
    return {field: heading for field, heading in {**found, **columns}.items() if heading}


def headings_shown(rows: Sequence[SheetRow]) -> str:
    """The headings of a table, for an error."""
    return ", ".join(list(rows[0][1])[:20]) if rows else "none"


def plain(heading: str) -> str:
    """A heading in lower case with single blanks between its words."""
    return re.sub(r"[^a-z0-9]+", " ", heading.casefold()).strip()


def _quotes(place: Place, row: Mapping[str, str], taken: Mapping[str, str], cloud: str) -> Iterable[Quote]:
    """What one row stands for: itself, or what the catalog has at the discount that it states."""
    quote, discount = _quote(place, row, taken, cloud), row.get(taken.get(DISCOUNT, ""), "")
    if not discount or any(getattr(quote, field) is not None for field in PRICES):
        return [quote]
    named = row.get(taken.get("instance_type", ""), "")
    return at_discount(replace(quote, instance_type=named), discount)


def _quote(place: Place, row: Mapping[str, str], taken: Mapping[str, str], cloud: str) -> Quote:
    """One row."""
    texts = {field: row.get(taken[field], "") if field in taken else "" for field in price_sources().headings}
    count = int(amount(texts["accelerators"]) or 0) or usual_count(texts["accelerator"])
    prices: dict[str, Any] = {field: price_of_cell(texts[field], taken.get(field, ""), count) for field in PRICES}
    return Quote(
        place=place,
        cloud=texts["cloud"] or cloud,
        region=texts["region"],
        zone=texts["zone"],
        instance_type=texts["instance_type"] or f"{texts['accelerator']} x{count}",
        device=texts["accelerator"],
        count=count,
        network_gbit_s=network_of_cell(texts["network"]),
        date=texts["date"][:10],
        source=Path(place.file).name,
        **prices,
    )


def usual_count(device: str) -> int:
    """Devices per node where the table does not say: what is usual for the device; 1 for one that is not known."""
    try:
        return find_accelerator(device, usual=True).accelerators_per_node
    except InputError:
        return 1


def price_of_cell(text: str, heading: str, count: int) -> Decimal | None:
    """Dollars per instance and hour: the cell says per what, else its heading, else it is per device."""
    if not text:
        return None
    try:
        return parse_price(text).usd_per_gpu_hour(count) * count
    except QuantityError:
        pass
    usd, per_node = amount(text), re.search(r"node|instance|server|machine", heading, re.IGNORECASE)
    return None if usd is None else usd if per_node else usd * count


def network_of_cell(text: str) -> float | None:
    """Gbit/s per device; a plain number is taken as that."""
    if not text:
        return None
    try:
        return parse_bandwidth(text) * 8 / 1e9
    except QuantityError:
        number = amount(text)
        return None if number is None else float(number)
