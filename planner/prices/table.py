"""Rows of comma-separated files, with their lines, read within bounds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from planner.errors import InputError, Place
from planner.files import read_whole, text_of

LARGEST: Final = 64 * 2**20
"""Bytes of the largest file that is read."""
MOST_ROWS: Final = 500_000
LONGEST_CELL: Final = 1000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def content_of(path: str | Path, what: str = "a price list", cut: str = "the regions or instance types") -> bytes:
    """All of a file. Raises InputError when it cannot be read or is too large: `what` is meant, `cut` is to be kept."""
    return read_whole(path, LARGEST, fix=f"give {what}; cut a large one to {cut} that matter")


def rows_of_csv(path: str | Path, content: bytes) -> Iterator[tuple[Place, dict[str, str]]]:
    """Each row by heading, with its line. Raises InputError."""
    lines = text_of(content, str(path), fix="save it as CSV in UTF-8").splitlines()
    reader = csv.DictReader(lines, restkey=None, strict=False)
    try:
        for number, row in enumerate(reader):
            if number >= MOST_ROWS:
                raise InputError(f"more than {MOST_ROWS:,} rows", place=Place(str(path)), fix="cut it to what matters")
            cells = {str(name).strip(): (cell or "").strip()[:LONGEST_CELL] for name, cell in row.items() if name}
            yield Place(str(path), reader.line_num), cells
    except csv.Error as error:
        raise InputError(f"not a CSV file: {error}", place=Place(str(path)), fix="save it as CSV in UTF-8") from None


def amount(cell: str) -> Decimal | None:
    """A price of a list; None where the cell is empty or holds no finite number."""
    try:
        value = Decimal(cell.replace("$", "").replace(",", "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < Decimal(10) ** 7 else None


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run it."""
    return cell.startswith(FORMULA)


def as_text(value: str) -> str:
    """A text as a cell holds it; what a spreadsheet would take for a formula is kept a text."""
    shown = "".join(one for one in value if one.isprintable())
    return f"'{shown}" if is_formula(shown) else shown
