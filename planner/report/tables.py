"""The one style of tables for people: no lines, words to the left, figures to the right, two blanks between columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Column, Table

NO_VALUES: Final = frozenset({"", "–", "?"})
"""What stands in a cell without a value."""
WRAPPED: Final = 24
"""Least characters of a column whose text may take several lines."""


class StackedTable(Table):
    """A table that goes on below itself, the rows named again, where the terminal is narrower than it is wide."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or its columns in groups that fit, each group after the column that names the rows."""
        groups = list(self._groups(options.max_width))
        if len(groups) == 1:
            yield from super().__rich_console__(console, options)
            return
        for number, group in enumerate(groups):
            if number:
                yield ""
            yield self._only(self.columns[:1] + group, titled=number == 0)

    def _groups(self, width: int) -> Iterator[list[Column]]:
        """The columns after the first, so many at a time as stand beside it."""
        first, *others = self.columns
        group: list[Column] = []
        taken = room = self._width(first)
        for column in others:
            if group and taken + self._width(column) - self.padding[1] > width:
                yield group
                group, taken = [], room
            group.append(column)
            taken += self._width(column)
        yield group

    def _width(self, column: Column) -> int:
        """Characters that a column needs, with what stands between it and the next."""
        texts = (*([column.header] if self.show_header else []), *column.cells)
        longest = max((cell_len(str(one)) for one in texts), default=0)
        return (longest if column.no_wrap else min(longest, WRAPPED)) + self.padding[1]

    def said_once(self, *headings: str) -> Group:
        """The table without those of the named columns in which every row has the same, and what that is below it."""
        if len(self.rows) < 2:
            return Group(self)
        named = [one for one in self.columns if one.header in headings]
        values = {str(one.header): {str(cell) for cell in one.cells} - NO_VALUES for one in named}
        shared = {name: found for name, found in values.items() if len(found) == 1}
        kept = [one for one in self.columns if one.header not in shared]
        told = [f"{name} {next(iter(found))}" for name, found in shared.items()]
        return Group(self._only(kept, titled=True), *([f"In every row: {', '.join(told)}."] if told else []))

    def _only(self, columns: list[Column], *, titled: bool) -> StackedTable:
        """A table of some of the columns."""
        part = StackedTable(
            *(one.copy() for one in columns),
            title=self.title if titled else None,
            title_justify=self.title_justify,
            title_style=self.title_style,
            box=None,
            show_header=self.show_header,
            pad_edge=False,
            padding=self.padding,
        )
        for row in zip(*(one.cells for one in columns), strict=True):
            part.add_row(*row)
        return part


def text_table(
    *headings: str,
    left: Collection[str] | None = None,
    wrap: Collection[str] = (),
    title: str | None = None,
    header: bool = True,
    gap: int = 2,
) -> StackedTable:
    """An empty table with these columns.

    `left` names the columns of words, which by default is the first only; all others hold figures and are set to the
    right. Columns named in `wrap` go on in the next line where the terminal is narrow, and columns that have no room go
    on below, so that nothing of them is lost.
    `gap` is the number of blanks between columns.
    """
    table = StackedTable(
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
