"""Parts of a view as JSON: a table, lines of text, a chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from planner.report.page.parts import Table

Document = dict[str, Any]


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], figures: Iterable[int]) -> Document:
    """A table; `figures` are its columns of figures."""
    return {"kind": "table", "title": title, "headings": headings, "rows": rows, "figures": sorted(figures)}


def page_table(found: Table) -> Document:
    """A table of a page."""
    return table(found.title, found.headings, found.rows, found.figures)


def notes_section(title: str, lines: Sequence[str]) -> Document:
    """Lines of text."""
    return {"kind": "notes", "title": title, "lines": list(lines)}


def chart(title: str, spec: Document) -> Document:
    """A chart."""
    return {"kind": "chart", "title": title, "spec": spec}
