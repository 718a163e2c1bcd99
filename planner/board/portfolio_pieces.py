"""The answer to a portfolio in pieces: a schedule at once, a better one as it is found, and how far from the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from planner.board.given import GivenFile, GivenPortfolio
from planner.board.parts import Document
from planner.board.portfolio_answers import (
    held,
    portfolio_around,
    portfolio_column,
    portfolio_headline,
    portfolio_sections,
    relaxation_button,
    replay_sections,
    worth_words,
)
from planner.board.portfolio_charts import calendar_spec
from planner.board.portfolio_controls import Held, portfolio_controls
from planner.board.state import Scenario
from planner.board.work import Pieces, Request, Shown, Work
from planner.clock import Clock
from planner.explore.portfolio import PortfolioAnswer, Stop, each_answer, solve_portfolio
from planner.explore.portfolio_negotiation import relaxations_of, worth_of
from planner.portfolio.compile import compiled
from planner.portfolio.file import PortfolioFile
from planner.report.portfolio_around import replay_document
from planner.report.portfolio_json import portfolio_document
from planner.simulate.portfolio import replayed

SECONDS: Final = 30.0
"""Longest search for one request."""
GAP: Final = 0.001
"""Distance from the best at which the search ends."""
DRAWS: Final = (50, 200, 1000)
"""How often a plan is carried out, more each time."""
LATE_DAYS: Final = 14.0
"""By how much a pool that is yet to come is late on average, as in `plan portfolio --replay`."""


@dataclass(frozen=True)
class ShownPortfolio(Shown):
    """An answer to a portfolio."""

    document: Document


@dataclass
class PortfolioAnswerer:
    """Answers to portfolio files, each from the best that is known of the one before."""

    files: Sequence[GivenFile]
    shown: ShownPortfolio | None = None
    known: dict[int, PortfolioAnswer] = field(default_factory=dict)
    """The last answer with a schedule, by file."""

    def setting(self, request: Request) -> str:
        """Every change is searched for: any newer question ends it. Raises InputError."""
        self._file(request.state.scenario)
        return ""

    def _file(self, scenario: Scenario) -> PortfolioFile:
        given = self.files[scenario.problem]
        assert isinstance(given, GivenPortfolio)  # noqa: S101  (the solver asks for portfolios alone)
        return given.portfolio(scenario.changes)

    def pieces(self, work: Work) -> Pieces:
        """Every piece of the answer, the most wanted first. Raises InputError, OutOfTimeError, and for bugs others."""
        scenario = work.request.state.scenario
        file = self._file(scenario)
        yield "controls", self._controls(work, file, {})
        yield "progress", "reading what jobs take"
        numbers = compiled(file, work.clock)
        found = None
        for found in each_answer(
            numbers, self._stop(work.clock), begin=self.known.get(scenario.problem), progress=work.tell
        ):
            work.clock.check()
            if found.schedule is not None:
                self.known[scenario.problem] = found
                yield from self._of(work, file, portfolio_document(found))
        work.clock.check()
        if found is not None and found.schedule is None:
            yield from self._without(work, found)
        elif found is not None:
            yield "column", portfolio_column(work.given, scenario, portfolio_document(found))
            yield "done", None
            yield from self._afterwards(work, found)

    @staticmethod
    def _stop(clock: Clock) -> Stop:
        return Stop(clock.part(SECONDS), GAP)

    def _of(self, work: Work, file: PortfolioFile, document: Document) -> Pieces:
        """What is shown of a schedule."""
        self._shows(work, document)
        yield "answer", portfolio_headline(document)
        controls = self._controls(work, file, held(document))
        yield "controls", controls
        yield "around", portfolio_around(document, {}, calendar_spec(document, controls))
        yield "sections", portfolio_sections(document)

    def _controls(self, work: Work, file: PortfolioFile, of: Held) -> list[Document]:
        assert isinstance(work.given, GivenPortfolio)  # noqa: S101  (the solver asks for portfolios alone)
        return portfolio_controls(work.given, work.request.sets, file, of)

    def _shows(self, work: Work, document: Document) -> None:
        self.shown = ShownPortfolio(work.request.version, work.given, work.request.sets, document)

    def _without(self, work: Work, found: PortfolioAnswer) -> Pieces:
        """What is shown when no schedule is found, and what would allow one."""
        document = portfolio_document(found)
        self._shows(work, document)
        yield "answer", portfolio_headline(document)
        yield "around", portfolio_around(document, {}, None)
        yield "sections", {"research": [], "infrastructure": [], "finance": []}
        yield "column", portfolio_column(work.given, work.request.state.scenario, document)
        yield "progress", "looking for the smallest relaxations"
        rows = []
        for row in relaxations_of(found, work.clock):
            rows.append(row)
            yield "relaxation", relaxation_button(row)
        self._shows(work, {**document, "relaxations": rows})
        yield "done", None

    def _afterwards(self, work: Work, found: PortfolioAnswer) -> Pieces:
        """What is found while nobody moves anything: how often the plan holds, and what a little more is worth."""
        if found.schedule is None:
            return
        work.rest()
        for draws in DRAWS:
            outcomes = replayed(found.portfolio, found.schedule, draws, LATE_DAYS, _checking(work.clock))
            yield "replay", replay_sections(replay_document(found.portfolio, outcomes))
        worth: dict[str, list[str]] = {}
        for row in worth_of(found, work.clock):
            work.clock.check()
            worth[row["limit"]] = [worth_words(row)]
            yield "worth", worth

    def column(self, scenario: Scenario) -> Document:
        """A pinned scenario in short. Raises InputError."""
        found = solve_portfolio(
            compiled(self._file(scenario)), self._stop(Clock()), begin=self.known.get(scenario.problem)
        )
        return portfolio_column(self.files[scenario.problem], scenario, portfolio_document(found))


def _checking(clock: Clock) -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Carries pieces out in turn until the clock is over; then raises OutOfTimeError."""

    def spread(pieces: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results in order."""
        found = []
        for piece in pieces:
            clock.check()
            found.append(piece())
        return found

    return spread
