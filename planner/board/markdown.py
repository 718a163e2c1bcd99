"""Markdown in which what a file says is read as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def markdown_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, line by line."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    yield from (f"| {' | '.join(map(plain, row))} |" for row in rows)


def plain(text: str) -> str:
    """A text in which Markdown reads no markup."""
    escaped = "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text)
    return escaped.replace("\n", " ")
