"""Tables on narrow terminals, and legends that add up."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from planner.report.bars import adding_up
from planner.report.tables import text_table

HEADINGS = ("phase", "GPUs", "tensor", "pipeline", "wall", "cost", "why")
ROWS = (
    ("pretrain", "1,024", "8", "16×2", "18.8 d", "$1,234,567", "the cheapest of all that keep the deadline"),
    ("extend-128k", "64", "2", "4", "9.5 h", "$30,055", "–"),
)


def printed(width: int) -> list[str]:
    """The lines of a table on a terminal of so many characters."""
    table = text_table(*HEADINGS, left=("phase", "why"), wrap=("why",))
    for row in ROWS:
        table.add_row(*row)
    console = Console(width=width, file=StringIO())
    console.print(table)
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_cell_is_lost_and_no_line_is_too_long(width: int) -> None:
    """What has no room beside the first column stands below it, under the first column again."""
    lines = printed(width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert all(word in words for row in (HEADINGS, *ROWS) for cell in row for word in cell.split())
    assert (sum(line.startswith("phase") for line in lines) > 1) == (width < 100)


@pytest.mark.parametrize("parts", [(24.2, 2.27, 0.004, 30.3, 3.87), (0.1, 0.1, 0.1), (1e-9, 143.9996)])
def test_printed_parts_add_up_to_the_whole(parts: tuple[float, ...]) -> None:
    """To the digit that the whole is printed with."""
    whole = sum(parts)
    texts = adding_up({str(index): value for index, value in enumerate(parts)}, whole)
    places = max(len(text.partition(".")[2]) for text in texts.values())
    assert f"{sum(map(float, texts.values())):.{places}f}" == f"{whole:.{places}f}"
