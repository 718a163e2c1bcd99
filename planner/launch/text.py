"""Text of launch files: names, comments and shell words, whatever a user called things."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

WIDTH: Final = 120
LONGEST: Final = 200
"""Characters of a user's text that are repeated in a comment."""
COMMENT_COLUMN: Final = 64


def one_line(text: str) -> str:
    """Text that stays within a comment: printable, on one line, not too long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:LONGEST]


def slug(text: str) -> str:
    """A text as part of a file name or of a job's name: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold().encode("ascii", "ignore").decode())[:40].strip("-") or "x"


def comment_lines(text: str, prefix: str = "# ", indent: str = "") -> list[str]:
    """Text as comment lines; lines after the first are indented."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    width = WIDTH - len(prefix)
    return [prefix + line for line in wrap(plain, width, subsequent_indent=indent, break_on_hyphens=False)]


@dataclass(frozen=True)
class Argument:
    """Words of a command line and where they come from."""

    words: tuple[str, ...]
    source: str
    quoted: bool = False
    """Whether the words are shell text already, such as a variable in double quotes."""

    @property
    def shell(self) -> str:
        """The words as a shell reads them back."""
        return " ".join(self.words) if self.quoted else shlex.join(self.words)


def array_lines(name: str, arguments: Iterable[Argument]) -> Iterator[str]:
    """A bash array with one group of words a line, each with its source as a comment."""
    yield f"{name}=("
    for argument in arguments:
        yield f"    {argument.shell}".ljust(COMMENT_COLUMN) + f"  # {one_line(argument.source)}"
    yield ")"
