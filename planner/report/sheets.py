"""Tables as files to send: comma-separated values, and workbooks whose formulas recompute."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from io import BytesIO, StringIO
from typing import Any, Final

from planner.errors import InputError
from planner.prices.table import as_text

MOST_ROWS: Final = 100_000
"""Rows of the longest sheet: beyond, a workbook takes minutes to open."""


@dataclass(frozen=True)
class Formula:
    """A cell that a workbook computes.

    `[days]` is the cell of that column in the same row, `[^days]` the one above, `[:days]` all cells of the column.
    """

    text: str

    def __str__(self) -> str:
        return NUMBER


Cell = str | int | float | Decimal | date | Formula | None


@dataclass(frozen=True)
class Sheet:
    """Rows under headings, which formulas name."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    formats: Mapping[str, str]
    """Number format of a column, by its heading."""


MONEY: Final = "#,##0.00"
NUMBER: Final = "#,##0.0##"
PER_CENT: Final = "0.0%"


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values; texts that a spreadsheet would take for formulas stay texts."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([as_text(one) if isinstance(one, str) else one for one in row] for row in rows)
    return stream.getvalue()


def require_workbooks() -> None:
    """Raises InputError when the library that writes workbooks is not installed."""
    if find_spec("openpyxl") is None:
        fix = "pip install openpyxl, or from a checkout pip install '.[xlsx]'"
        raise InputError("workbooks need openpyxl, which is not installed", fix=fix)


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The sheets as one workbook. Raises InputError without openpyxl, and where a sheet is too long."""
    require_workbooks()
    from openpyxl import Workbook  # noqa: PLC0415  (only workbooks need it)

    book = Workbook()
    for number, sheet in enumerate(sheets):
        if len(sheet.rows) > MOST_ROWS:
            message = f"{len(sheet.rows):,} rows of {sheet.title} are more than the {MOST_ROWS:,} of a workbook"
            raise InputError(message, fix="write comma-separated values instead")
        _fill(book.active if number == 0 else book.create_sheet(), sheet)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _fill(into: Any, sheet: Sheet) -> None:  # noqa: ANN401  (openpyxl's own type, which is imported late)
    """One sheet under bold headings that stay in sight."""
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    letters = {heading: get_column_letter(place) for place, heading in enumerate(sheet.headings, start=1)}
    into.title, into.freeze_panes = sheet.title, "A2"
    into.append([as_text(one) for one in sheet.headings])
    for number, row in enumerate(sheet.rows, start=2):
        into.append([_value(one, letters, number, len(sheet.rows) + 1) for one in row])
    for cell in into[1]:
        cell.font = Font(bold=True)
    for place, heading in enumerate(sheet.headings, start=1):
        longest = max((len(str(row[place - 1])) for row in sheet.rows[:FIRST]), default=0)
        into.column_dimensions[letters[heading]].width = min(max(len(heading), longest, 6) + 2, WIDEST)
        for (cell,) in into.iter_rows(min_row=2, min_col=place, max_col=place) if heading in sheet.formats else ():
            cell.number_format = sheet.formats[heading]


FIRST: Final = 200
"""Rows that decide how wide a column is."""
WIDEST: Final = 50
"""Characters of the widest column of a sheet."""


def _value(cell: Cell, letters: Mapping[str, str], row: int, last: int) -> object:
    """A cell as openpyxl takes it, a formula with the places of what it names."""
    if isinstance(cell, Formula):
        return re.sub(r"\[([:^]?)([^\]]+)\]", lambda found: _place(found[1], letters[found[2]], row, last), cell.text)
    return as_text(cell) if isinstance(cell, str) else float(cell) if isinstance(cell, Decimal) else cell


def _place(which: str, letter: str, row: int, last: int) -> str:
    """A cell or a column by its letter."""
    return {"": f"{letter}{row}", "^": f"{letter}{row - 1}", ":": f"${letter}$2:${letter}${last}"}[which]
