"""What a page is made of; all text is plain and is escaped when the page is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]
"""A Vega-Lite specification."""


@dataclass(frozen=True)
class Chart:
    """A chart in two widths, whose marks stand for the cards of the page."""

    title: str
    wide: Spec
    narrow: Spec
    marks: str
    """The name of the layer whose marks, in their order, belong to the cards."""
    key: tuple[tuple[str, str], ...] = ()
    """What is drawn, each with the class of its swatch."""


@dataclass(frozen=True)
class Fact:
    """One figure with its name."""

    name: str
    value: str


@dataclass(frozen=True)
class Badge:
    """A few words that mark a card; `tone` is `good`, `bad` or `plain`."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first column names the row, and columns of figures stand to the right."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: frozenset[int] = frozenset()
    """Columns that hold figures."""
    texts: frozenset[int] = frozenset()
    """Columns whose text may take several lines."""
    cards: tuple[int | None, ...] = ()
    """The card behind each row; empty when no row has one."""

    def varying(self, *headings: str) -> Table:
        """The table without those of the named columns in which every row has the same."""
        same = [len({row[index] for row in self.rows} - {"–", ""}) <= 1 for index in range(len(self.headings))]
        left_out = {
            index for index, one in enumerate(self.headings) if one in headings and same[index] and len(self.rows) > 1
        }
        kept = [index for index in range(len(self.headings)) if index not in left_out]
        return Table(
            self.title,
            tuple(self.headings[index] for index in kept),
            tuple(tuple(row[index] for index in kept) for row in self.rows),
            frozenset(place for place, index in enumerate(kept) if index in self.figures),
            frozenset(place for place, index in enumerate(kept) if index in self.texts),
            self.cards,
        )


@dataclass(frozen=True)
class BillRow:
    """One line of a bill, at a depth of 0 for the total, 1 for a phase and 2 for a purchase."""

    depth: int
    name: str
    detail: str
    amount: str


@dataclass(frozen=True)
class BarPart:
    """One part of a bar."""

    name: str
    amount: str
    share: float
    """Fraction of the whole bar."""
    tone: int
    """Its colour, the same for the same part of every bar."""


@dataclass(frozen=True)
class Bar:
    """A whole and its parts."""

    title: str
    whole: str
    parts: tuple[BarPart, ...]
    rest: str = ""
    """What of the bar is left empty."""


@dataclass(frozen=True)
class Card:
    """What is behind one mark of the chart."""

    title: str
    subtitle: str
    short: str
    """What is shown while the mark is pointed at."""
    badges: tuple[Badge, ...] = ()
    facts: tuple[Fact, ...] = ()
    change: tuple[str, ...] = ()
    """Sentences on what differs from the card before."""
    bill: tuple[BillRow, ...] = ()
    tables: tuple[Table, ...] = ()
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    lead: tuple[str, ...]
    cards: tuple[Card, ...]
    chosen: int = 0
    """The card that is open at first."""
    noun: str = "point"
    """What a card stands for."""
    chart: Chart | None = None
    columns: int = 1
    """How many cards stand beside each other in the chart: what the arrow keys go up and down by."""
    tables: tuple[Table, ...] = ()
    beside: int = 1
    """How many of the tables stand below the chart, beside the cards; the others take the whole width."""
    notes: tuple[str, ...] = ()
    heading: str = ""
    """What stands above all, where the title is told in the verdict; default: the title."""
    verdict: tuple[Fact, ...] = ()
    """What is recommended, what it costs, when it ends, how sure that is, what would change it first."""
