"""The solving thread: one question at a time, the newest wins, and an answer leaves in pieces as they are found."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from planner.board.answers import (
    around,
    compared,
    headline,
    relaxation,
    relaxation_reason,
    scenario_column,
    sections,
)
from planner.board.controls import controls
from planner.board.given import Given, Sets
from planner.board.state import State
from planner.clock import Clock, OutOfTimeError
from planner.errors import InputError
from planner.explore.answer import Answer, search_space
from planner.explore.enumeration import best_plan
from planner.explore.evaluations import Evaluated, Evaluations, KeptRoom, setting_key
from planner.explore.lookup import Lookup
from planner.explore.relaxations import Relaxation, each_relaxation
from planner.explore.time_budget import TimeBudget
from planner.plans.solution import Solution, Status
from planner.problem.problem import Problem
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
    answer: Answer
    lookup: Lookup | None
    relaxations: tuple[Relaxation, ...] = ()


@dataclass(frozen=True)
class Question:
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
    _newest: Question | None = None
    _taken: Question | None = None
    """The last question that was begun with."""
    _clock: Clock = field(default_factory=Clock)
    _setting: str = ""
    """What is being evaluated; a newer question about the same does not end it."""
    _is_closed: bool = False

    def start(self) -> None:
        """Begins to work."""
        threading.Thread(target=self._work, name="solver", daemon=True).start()

    def submit(self, question: Question) -> None:
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

    def _problem(self, question: Question) -> Problem:
        return self.files[question.state.scenario.problem].problem(question.sets)

    def _work(self) -> None:
        while question := self._next():
            self._answered(question)

    def _next(self) -> Question | None:
        """Waits for a question that is not answered yet; None when it is time to end."""
        with self._wanted:
            self._wanted.wait_for(lambda: self._is_closed or self._newest is not self._taken)
            if self._is_closed or self._newest is None:
                return None
            self._taken, self._clock = self._newest, Clock()
            self._setting = setting_key(self._problem(self._taken))
            return self._taken

    def _answered(self, question: Question) -> None:
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

    def _failed(self, question: Question, why: str) -> None:
        self.publish(question.version, "failure", {"message": why})

    def _is_old(self, question: Question) -> bool:
        return self._newest is not question or self._is_closed

    def _pieces(self, question: Question) -> Iterator[tuple[str, Any]]:
        """Every piece of the answer, the most wanted first."""
        given, problem = self.files[question.state.scenario.problem], self._problem(question)
        if self._evaluations.known(problem) is None:
            yield "progress", "evaluating layouts"
        evaluated = self._evaluations.of(problem, self._clock)
        if problem.objective == "tokens":
            yield from self._most_tokens(question, given, problem, evaluated)
            return
        if evaluated.known_tables is None:
            yield "answer", headline(_first(problem, evaluated))
            yield "controls", controls(given, question.sets, problem, None)
            yield "progress", "listing plans"
        lookup = Lookup.of(problem, evaluated, self._clock)
        answer = lookup.answer()
        self.shown = Shown(question.version, given, question.sets, answer, lookup)
        yield "answer", headline(answer)
        yield "around", around(answer, lookup)
        yield "controls", controls(given, question.sets, problem, lookup)
        answer = lookup.with_alternatives(answer)
        self.shown = Shown(question.version, given, question.sets, answer, lookup)
        yield "around", around(answer, lookup)
        yield "sections", sections(answer)
        yield "pins", compared(list(self._pins(question.state)))
        if answer.plan is None:
            yield from self._relaxed(question, answer)
        yield "done", None

    def _most_tokens(
        self, question: Question, given: Given, problem: Problem, evaluated: Evaluated
    ) -> Iterator[tuple[str, Any]]:
        """The pieces where tokens are what is maximised, which no table holds."""
        answer = _first(problem, evaluated)
        self.shown = Shown(question.version, given, question.sets, answer, None)
        yield "answer", headline(answer)
        yield "controls", controls(given, question.sets, problem, None)
        yield "sections", sections(answer)
        yield "pins", compared(list(self._pins(question.state)))
        if answer.plan is None:
            yield from self._relaxed(question, answer)
        yield "done", None

    def _relaxed(self, question: Question, answer: Answer) -> Iterator[tuple[str, Any]]:
        """The smallest relaxations, one after another."""
        clock = Clock()
        with self._wanted:
            if self._is_old(question):
                return
            self._clock, self._setting = clock, ""
        yield "progress", "looking for the smallest relaxations"
        found: list[Relaxation] = []
        for one in each_relaxation(KeptRoom.of(answer.problem, self._evaluations, TimeBudget(clock))):
            found.append(one)
            yield "relaxation", relaxation(one)
        if self.shown is not None:
            shown = self.shown
            self.shown = Shown(shown.version, shown.given, shown.sets, answer, shown.lookup, tuple(found))
        yield "reason", relaxation_reason(answer.problem, found)

    def _pins(self, state: State) -> Iterator[Document]:
        """The pinned scenarios in short, each solved once."""
        for pin in state.pins:
            key = (pin.scenario.problem, pin.scenario.sets)
            if key not in self._columns:
                given = self.files[pin.scenario.problem]
                answer = self._scenario(given.problem(pin.scenario.changes))
                if len(self._columns) >= MOST_COLUMNS:
                    self._columns.clear()
                self._columns[key] = scenario_column(given, pin.scenario.changes, answer)
            yield {"name": pin.name, **self._columns[key]}

    def _scenario(self, problem: Problem) -> Answer:
        """The answer of a pinned scenario."""
        evaluated = self._evaluations.of(problem, self._clock)
        if problem.objective == "tokens" or evaluated.known_tables is None:
            return _first(problem, evaluated)
        return Lookup.of(problem, evaluated, self._clock).answer()


MOST_COLUMNS: Final = 200
"""Scenarios whose figures are kept."""


def _first(problem: Problem, evaluated: Evaluated) -> Answer:
    """The best plan by enumeration, before a table is there to look it up in."""
    choices = evaluated.choices_for(problem)
    plan = best_plan(choices)
    status = Status.INFEASIBLE if plan is None else Status.OPTIMAL
    return Answer(problem, choices, Solution(status), plan, (), search_space(choices))
