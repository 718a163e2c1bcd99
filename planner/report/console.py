"""Where text for people is printed: nothing read as markup, no line that ends in blanks, no column that disappears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

PIPED: Final = 160
"""Characters of a line when the output is not a terminal."""


def print_report(*parts: RenderableType) -> None:
    """Prints tables and lines on stdout, as wide as the terminal."""
    plain_console().print(Group(*parts))


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines as they are, however wide the terminal is."""
    console = plain_console()
    for line in lines:
        console.print(line, soft_wrap=True)


def wide_console() -> Console:
    """A console for wide tables: as wide as the terminal, or as `PIPED` where there is none."""
    console = plain_console()
    console.width = console.width if console.is_terminal else PIPED
    return console


def plain_console() -> Console:
    """A console on stdout that reads nothing as markup and ends no line in blanks."""
    console = _Console(markup=False, emoji=False, highlight=False)
    console.push_render_hook(_WithoutTrailingBlanks())
    return console


class _Console(Console):
    """A console that leaves it to the command how it ends when nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError."""
        self.quiet = True
        raise BrokenPipeError


class _WithoutTrailingBlanks(RenderHook):
    """Tables and paragraphs fill their lines with blanks up to the width; this takes those away again."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Everything that one call prints, trimmed."""
        return [_Trimmed(Group(*renderables))]


@dataclass(frozen=True)
class _Trimmed:
    """What it holds, line by line without the blanks at the end."""

    whole: Group

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the whole."""
        for line in Segment.split_lines(console.render(self.whole, options)):
            yield from _without_trailing_blanks(line)
            yield Segment.line()


def _without_trailing_blanks(line: Iterable[Segment]) -> list[Segment]:
    """A line up to its last character that is not a blank."""
    kept = list(line)
    while kept and not kept[-1].control:
        text, style, _ = kept.pop()
        if text.strip():
            return [*kept, Segment(text.rstrip(), style)]
    return kept
