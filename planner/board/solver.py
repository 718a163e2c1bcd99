"""The solving thread: one question at a time, the newest wins, and an answer leaves in pieces as they are found."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planner.board.answers import (
    around,
    compared,
    headline,
    relaxation,
    scenario_column,
    sections,
)
from planner.board.charts import certainty_spec
from planner.board.controls import controls
from planner.board.given import Given, Sets
from planner.board.state import State
from planner.clock import Clock, OutOfTimeError
from planner.errors import InputError
from planner.explore.answer import enumerated
from planner.explore.evaluations import Evaluated, Evaluations, KeptRoom, setting_key
from planner.explore.lookup import Lookup
from planner.explore.relaxations import each_relaxation
from planner.explore.surroundings import Surroundings
from planner.explore.time_budget import TimeBudget
from planner.plans.document import PlanDocument
from planner.plans.document_parts import RelaxationPart
from planner.problem.problem import Problem
from planner.report.document.answer import answer_document
from planner.report.document.around import relaxation_part
from planner.report.relaxations import reason_of
from planner.verify.check import FaultyPlanError

Document = dict[str, Any]
Publish = Callable[[int, str, Any], None]
"""Told a version, what a piece is, and the piece."""


@dataclass(frozen=True)
class Shown:
    """What was found for a version, for exports."""

    version: int
    given: Given
    sets: Sets
    document: PlanDocument
    lookup: Lookup | None


@dataclass(frozen=True)
class Request:
    """A state to find the plan of."""

    version: int
    state: State

    @property
    def sets(self) -> Sets:
        """The changed keys."""
        return self.state.scenario.changes


@dataclass
class Solver:
    """The thread. `submit` may be called from any other; `publish` is called from the thread."""

    files: tuple[Given, ...]
    publish: Publish
    shown: Shown | None = None
    _evaluations: Evaluations = field(default_factory=Evaluations)
    _columns: dict[tuple[int, tuple[tuple[str, str], ...]], Document] = field(default_factory=dict)
    _wanted: threading.Condition = field(default_factory=threading.Condition)
    _newest: Request | None = None
    _taken: Request | None = None
    """The last question that was begun with."""
    _clock: Clock = field(default_factory=Clock)
    _setting: str = ""
    """What is being evaluated; a newer question about the same does not end it."""
    _is_closed: bool = False

    def start(self) -> None:
        """Begins to work."""
        threading.Thread(target=self._work, name="solver", daemon=True).start()

    def submit(self, question: Request) -> None:
        """Asks for a state instead of any that was asked for before. Raises InputError."""
        setting = setting_key(self._problem(question))
        with self._wanted:
            self._newest = question
            if setting != self._setting:
                self._clock.is_interrupted = True
            self._wanted.notify()

    def close(self) -> None:
        """Ends the thread soon."""
        with self._wanted:
            self._is_closed = self._clock.is_interrupted = True
            self._wanted.notify()

    def _problem(self, question: Request) -> Problem:
        return self.files[question.state.scenario.problem].problem(question.sets)

    def _work(self) -> None:
        while question := self._next():
            self._answered(question)

    def _next(self) -> Request | None:
        """Waits for a question that is not answered yet; None when it is time to end."""
        with self._wanted:
            self._wanted.wait_for(lambda: self._is_closed or self._newest is not self._taken)
            if self._is_closed or self._newest is None:
                return None
            self._taken, self._clock = self._newest, Clock()
            self._setting = setting_key(self._problem(self._taken))
            return self._taken

    def _answered(self, question: Request) -> None:
        """Finds and publishes all pieces, unless a newer question comes; what goes wrong is a piece too."""
        try:
            for name, piece in self._pieces(question):
                self.publish(question.version, name, piece)
                if self._is_old(question):
                    return
        except (OutOfTimeError, KeyboardInterrupt):
            return
        except InputError as error:
            self._failed(question, str(error))
        except FaultyPlanError as error:
            self._failed(question, f"the plan failed its verification: {'; '.join(error.faults)}")
        except Exception:  # noqa: BLE001  (the board lives on; the bug is told where it was started)
            traceback.print_exc(file=sys.stderr)
            self._failed(question, "a bug: see where the board was started")

    def _failed(self, question: Request, why: str) -> None:
        self.publish(question.version, "failure", {"message": why})

    def _is_old(self, question: Request) -> bool:
        return self._newest is not question or self._is_closed

    def _pieces(self, question: Request) -> Iterator[tuple[str, Any]]:
        """Every piece of the answer, the most wanted first."""
        given, problem = self.files[question.state.scenario.problem], self._problem(question)
        if self._evaluations.known(problem) is None:
            yield "progress", "evaluating layouts"
        evaluated = self._evaluations.of(problem, self._clock)
        if not _has_table(problem, evaluated):
            yield from self._searched(question, given, problem, evaluated)
            return
        if evaluated.known_tables is None:
            yield "answer", headline(_searched(problem, evaluated))
            yield "controls", controls(given, question.sets, problem, None)
            yield "progress", "listing plans"
        lookup = Lookup.of(problem, evaluated, self._clock)
        answer = lookup.answer()
        document = self._shows(question, answer_document(answer), lookup)
        yield "answer", headline(document)
        yield "around", around(document, lookup)
        yield "controls", controls(given, question.sets, problem, lookup)
        worth = tuple(lookup.sensitivities(answer.plan)) if answer.plan else ()
        document = answer_document(lookup.with_alternatives(answer), Surroundings(worth=worth))
        self._shows(question, document, lookup)
        yield "around", around(document, lookup)
        yield "sections", sections(document, certainty_spec(answer.plan, problem) if answer.plan else None)
        yield "pins", compared(list(self._pins(question.state)))
        if answer.plan is None:
            yield from self._relaxed(question, problem, document)
        yield "done", None

    def _searched(
        self, question: Request, given: Given, problem: Problem, evaluated: Evaluated
    ) -> Iterator[tuple[str, Any]]:
        """The pieces where no table is made: found by searching, without the frontier and the worth of limits."""
        answer = enumerated(problem, evaluated.choices_for(problem))
        document = self._shows(question, answer_document(answer), None)
        yield "answer", headline(document)
        yield "around", {"worth": {}, "frontier": None, "others": None}
        yield "controls", controls(given, question.sets, problem, None)
        yield "sections", sections(document, certainty_spec(answer.plan, problem) if answer.plan else None)
        yield "pins", compared(list(self._pins(question.state)))
        if answer.plan is None:
            yield from self._relaxed(question, problem, document)
        yield "done", None

    def _shows(self, question: Request, document: PlanDocument, lookup: Lookup | None) -> PlanDocument:
        """Keeps a document for exports."""
        given = self.files[question.state.scenario.problem]
        self.shown = Shown(question.version, given, question.sets, document, lookup)
        return document

    def _relaxed(self, question: Request, problem: Problem, document: PlanDocument) -> Iterator[tuple[str, Any]]:
        """The smallest relaxations, one after another."""
        clock = Clock()
        with self._wanted:
            if self._is_old(question):
                return
            self._clock, self._setting = clock, ""
        yield "progress", "looking for the smallest relaxations"
        found: list[RelaxationPart] = []
        for one in each_relaxation(KeptRoom.of(problem, self._evaluations, TimeBudget(clock))):
            found.append(relaxation_part(one))
            yield "relaxation", relaxation(found[-1])
        document = document.model_copy(update={"relaxations": tuple(found)})
        if self.shown is not None:
            self.shown = replace(self.shown, document=document)
        yield "reason", reason_of(document)

    def _pins(self, state: State) -> Iterator[Document]:
        """The pinned scenarios in short, each solved once."""
        for pin in state.pins:
            key = (pin.scenario.problem, pin.scenario.sets)
            if key not in self._columns:
                given = self.files[pin.scenario.problem]
                document = self._scenario(given.problem(pin.scenario.changes))
                if len(self._columns) >= MOST_COLUMNS:
                    self._columns.clear()
                self._columns[key] = scenario_column(given, pin.scenario.changes, document)
            yield {"name": pin.name, **self._columns[key]}

    def _scenario(self, problem: Problem) -> PlanDocument:
        """The answer of a pinned scenario."""
        evaluated = self._evaluations.of(problem, self._clock)
        if not _has_table(problem, evaluated) or evaluated.known_tables is None:
            return _searched(problem, evaluated)
        return answer_document(Lookup.of(problem, evaluated, self._clock).answer())


MOST_COLUMNS: Final = 200
"""Scenarios whose figures are kept."""


MOST_CONFIDENT_OPTIONS: Final = 40
"""Purchase options up to which a table is made under `risk.confidence`, where far more rows are undominated."""


def _has_table(problem: Problem, evaluated: Evaluated) -> bool:
    """Whether answers are looked up: not most tokens, and not surely kept times on a whole market."""
    few = len(evaluated.choices.purchase_options) <= MOST_CONFIDENT_OPTIONS
    return problem.objective != "tokens" and (few or problem.risk.confidence is None)


def _searched(problem: Problem, evaluated: Evaluated) -> PlanDocument:
    """The best plan by enumeration, before a table is there to look it up in."""
    return answer_document(enumerated(problem, evaluated.choices_for(problem)))
