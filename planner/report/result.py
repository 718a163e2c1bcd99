"""What a question other than `solve` found, for notebooks: data, the JSON that the command prints, and its text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Final

from planner.errors import InputError
from planner.plans.frames import frame_of

if TYPE_CHECKING:
    from planner.report.page.parts import Page
    from planner.report.sheets import Sheet

NOTHING: Final = "there is no plan, or nothing of this kind, to write"


@dataclass(frozen=True)
class Result:
    """The answer to one question as plain data."""

    data: dict[str, Any]
    prints: Callable[[], None]
    """Prints the same for people."""
    rows: Callable[[], Iterable[Sequence[object]]] | None = None
    """The rows of the command's `--csv`, headings first; None where it has none."""
    sheets: Callable[[], Sequence[Sheet]] | None = None
    """The sheets of its `--xlsx`; None where it has none, or where there is no plan."""
    page: Callable[[], Page] | None = None
    """The page of its `--html`; None where it has none, or where there is no plan."""

    def to_json(self) -> str:
        """The text that the command prints with `--json`."""
        return json.dumps(self.data, indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """The text that the command prints with `--csv`; empty where it has none."""
        from planner.report.sheets import csv_text  # noqa: PLC0415  (not every answer is written as a table)

        return csv_text(self.rows()) if self.rows else ""

    def to_frame(self) -> Any:  # noqa: ANN401  (pandas is no dependency)
        """The rows of `to_csv()` as a pandas data frame. Raises InputError without pandas or without rows."""
        if self.rows is None:
            raise InputError(NOTHING)
        headings, *rows = self.rows()
        return frame_of([dict(zip(map(str, headings), row, strict=True)) for row in rows])

    def to_xlsx(self) -> bytes:
        """The workbook of the command's `--xlsx`. Raises InputError without openpyxl or without anything to write."""
        from planner.report.sheets import workbook  # noqa: PLC0415

        if self.sheets is None:
            raise InputError(NOTHING)
        return workbook(self.sheets())

    def to_html(self) -> str:
        """The page of the command's `--html`. Raises InputError without its libraries or without anything to show."""
        from planner.report.page.render import rendered  # noqa: PLC0415

        if self.page is None:
            raise InputError(NOTHING)
        return rendered(self.page())

    @cached_property
    def text(self) -> str:
        """The text that the command prints for people."""
        with redirect_stdout(io.StringIO()) as printed:
            self.prints()
        return printed.getvalue()

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The text in a notebook."""
        return f"<pre>{escape(self.text)}</pre>"
