"""A portfolio's answer as files: a page, a workbook, Markdown, JSON, comma-separated values, and an iCalendar."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from io import StringIO
from typing import Final

from planner.board.markdown import markdown_rows, plain
from planner.board.portfolio_answers import portfolio_around
from planner.board.portfolio_pieces import ShownPortfolio
from planner.report.page.portfolio import portfolio_page
from planner.report.page.render import rendered
from planner.report.portfolio_files import calendar_text, csv_text
from planner.report.portfolio_text import headline
from planner.report.sheets import MONEY, Sheet, workbook


def _html(shown: ShownPortfolio) -> bytes:
    return rendered(portfolio_page(shown.document)).encode()


def _json(shown: ShownPortfolio) -> bytes:
    """What `plan portfolio --json` says, as far as the board knows it."""
    return (json.dumps(shown.document, indent=2, ensure_ascii=False) + "\n").encode()


def _csv(shown: ShownPortfolio) -> bytes:
    return csv_text(shown.document).encode()


def _ics(shown: ShownPortfolio) -> bytes:
    return calendar_text(shown.document).encode()


def _markdown(shown: ShownPortfolio) -> bytes:
    return ("\n".join(_markdown_lines(shown)) + "\n").encode()


def _markdown_lines(shown: ShownPortfolio) -> Iterator[str]:
    """The headline, the jobs, the bill, and the command that gives the same."""
    title, *lead = headline(shown.document)
    yield f"# {plain(title)}"
    yield ""
    yield from (f"{plain(line)}  " for line in lead)
    jobs = portfolio_around(shown.document, {}, None)["others"]
    if jobs:
        yield ""
        yield from markdown_rows(jobs["headings"], jobs["rows"])
    yield from ("", "```sh", shown.given.command(shown.sets), "```")


def _xlsx(shown: ShownPortfolio) -> bytes:
    """A workbook: phases and the bill by team and quarter, in figures. Raises InputError without openpyxl."""
    headings, *rows = csv.reader(StringIO(csv_text(shown.document)))
    phases = [[_figure(value) for value in row] for row in rows]
    sheets = [Sheet("Phases", tuple(headings), phases, {"cost_usd": MONEY})]
    if bill := shown.document["bill"]:
        lines = {**bill["teams"], "paid for and unused": bill["unused"]}
        columns = (*bill["quarters"], "total")
        money = [[team, *(Decimal(row[name]) for name in columns)] for team, row in lines.items()]
        sheets.append(Sheet("Bill", ("team", *columns), money, dict.fromkeys(columns, MONEY)))
    return workbook(sheets)


def _figure(text: str) -> str | Decimal:
    """A number where a text is one."""
    return Decimal(text) if text.replace(".", "", 1).isdecimal() else text


PORTFOLIO_KINDS: Final[Mapping[str, Callable[[ShownPortfolio], bytes]]] = {
    "html": _html,
    "xlsx": _xlsx,
    "md": _markdown,
    "json": _json,
    "csv": _csv,
    "ics": _ics,
}
"""Kinds of files that the answer to a portfolio can be, each with how it is made."""
