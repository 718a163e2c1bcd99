"""The one style of tables for people: no lines, words to the left, figures to the right, two blanks between columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table


def text_table(
    *headings: str,
    left: Collection[str] | None = None,
    wrap: Collection[str] = (),
    title: str | None = None,
    header: bool = True,
    gap: int = 2,
) -> Table:
    """An empty table with these columns.

    `left` names the columns of words, which by default is the first only; all others hold figures and are set to the
    right. Columns named in `wrap` go on in the next line where the terminal is narrow, so that nothing of them is lost.
    `gap` is the number of blanks between columns.
    """
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=header,
        pad_edge=False,
        padding=(0, gap, 0, 0),
    )
    words = headings[:1] if left is None else left
    for heading in headings:
        wraps = heading in wrap
        table.add_column(
            heading,
            justify="left" if heading in words else "right",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    return table


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """Names beside sentences that wrap in their own column."""
    table = text_table("name", "sentence", left=("name", "sentence"), wrap=("sentence",), header=False)
    for name, sentence in rows:
        table.add_row(name, sentence)
    return table


def indented(part: RenderableType, *, below: int = 0) -> Padding:
    """What stands under a heading, with so many empty lines below it."""
    return Padding(part, (0, 0, below, 2))
