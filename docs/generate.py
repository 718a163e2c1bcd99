"""Fills the generated blocks of the documentation: what commands print, and tables of what the program knows.

    python docs/generate.py            writes every page that is not current
    python docs/generate.py --check    shows what would change, and ends with 1 when anything would

A block stands between `<!-- run: plan … -->` or `<!-- table: NAME -->` and `<!-- end -->`; `run /REGEX/:` keeps only
the paragraphs of the output in which a line matches. Commands run in this process, 96 columns wide, page by page and
from top to bottom, in a folder of their own that holds the checkout's `problems`; what one writes there, later ones
read. That nothing exists (exit code 3) is an answer like any other. A `pycon` block is not filled but tested.
"""
# ruff: noqa: INP001, T201  (a script, which prints)

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tables import ROOT, TABLES, console

BLOCK = re.compile(
    r"^<!-- (?P<kind>run|table)(?: /(?P<keep>[^\n]+)/)?: (?P<what>[^\n]+?) -->\n.*?^<!-- end -->$",
    re.DOTALL | re.MULTILINE,
)


def pages() -> list[Path]:
    """Every page of the documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def filled(text: str) -> str:
    """A page with its blocks filled anew."""

    def block(match: re.Match[str]) -> str:
        opening, what = match.group(0).split("\n", 1)[0], match.group("what")
        lines = console(what, match.group("keep")) if match.group("kind") == "run" else TABLES[what]()
        return "\n".join((opening, *lines, "<!-- end -->"))

    return BLOCK.sub(block, text)


def stale_pages() -> Iterator[tuple[Path, str, str]]:
    """The pages that are not current: path, text, and what the text should be."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        current = filled(text)
        if current != text:
            yield path, text, current


def generate(*, check: bool) -> int:
    """Checks or writes all pages; the exit code."""
    stale = list(stale_pages())
    for path, text, current in stale:
        name = str(path.relative_to(ROOT))
        if not check:
            path.write_text(current, encoding="utf-8")
            print(f"wrote {name}")
            continue
        for line in difflib.unified_diff(text.splitlines(), current.splitlines(), name, "current", lineterm=""):
            print(line)
        print(f"{name} is not current; run: python docs/generate.py")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(generate(check="--check" in sys.argv[1:]))
