"""The solving thread: one question at a time, the newest wins, and an answer leaves in pieces as they are found."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from planner.board.answers import compared
from planner.board.given import Given, GivenFile
from planner.board.parts import Document
from planner.board.plan_pieces import PlanAnswerer
from planner.board.portfolio_pieces import PortfolioAnswerer
from planner.board.state import Scenario, State
from planner.board.work import Answerer, Request, Shown, Work
from planner.clock import OutOfTimeError
from planner.errors import InputError
from planner.verify.check import FaultyPlanError
from planner.verify.portfolio import FaultyScheduleError

MOST_COLUMNS: Final = 200
"""Scenarios whose figures are kept."""
Publish = Callable[[int, str, Any], None]
"""Told a version, what a piece is, and the piece."""


@dataclass
class Solver:
    """The thread. `submit` may be called from any other; `publish` is called from the thread."""

    files: tuple[GivenFile, ...]
    publish: Publish
    shown: Shown | None = None
    """What was found last."""
    _answerers: tuple[Answerer, ...] = ()
    """By file."""
    _columns: dict[Scenario, Document] = field(default_factory=dict)
    """Scenarios in short."""
    _wanted: threading.Condition = field(default_factory=threading.Condition)
    _newest: Request | None = None
    _work: Work | None = None
    """The question that was begun with last."""
    _is_closed: bool = False

    def __post_init__(self) -> None:
        plans, portfolios = PlanAnswerer(self.files), PortfolioAnswerer(self.files)
        self._answerers = tuple(plans if isinstance(one, Given) else portfolios for one in self.files)

    def start(self) -> None:
        """Begins to work."""
        threading.Thread(target=self._run, name="solver", daemon=True).start()

    def submit(self, question: Request) -> None:
        """Asks for a state instead of any that was asked for before. Raises InputError."""
        setting = self._answerer(question).setting(question)
        with self._wanted:
            self._newest = question
            if self._work is not None and not (setting and setting == self._work.setting):
                self._work.clock.is_interrupted = True
            self._wanted.notify()

    def close(self) -> None:
        """Ends the thread soon."""
        with self._wanted:
            self._is_closed = True
            if self._work is not None:
                self._work.clock.is_interrupted = True
            self._wanted.notify()

    def _answerer(self, question: Request) -> Answerer:
        return self._answerers[question.state.scenario.problem]

    def _run(self) -> None:
        while work := self._next():
            self._answered(work)

    def _next(self) -> Work | None:
        """Waits for a question that is not answered yet; None when it is time to end."""
        with self._wanted:
            self._wanted.wait_for(lambda: self._is_closed or self._newest is not self._taken)
            question = self._newest
            if self._is_closed or question is None:
                return None
            tell = partial(self.publish, question.version, "progress")
            given = self.files[question.state.scenario.problem]
            self._work = Work(question, given, self._answerer(question).setting(question), tell)
            return self._work

    @property
    def _taken(self) -> Request | None:
        return None if self._work is None else self._work.request

    def _answered(self, work: Work) -> None:
        """Finds and publishes all pieces, unless a newer question comes; what goes wrong is a piece too."""
        answerer = self._answerer(work.request)
        try:
            for name, piece in answerer.pieces(work):
                if self._is_old(work):
                    return
                self.shown = answerer.shown
                if name == "column":
                    self.publish(work.request.version, "pins", self._pinned(work.request.state, piece))
                else:
                    self.publish(work.request.version, name, piece)
        except (OutOfTimeError, KeyboardInterrupt):
            return
        except InputError as error:
            self._failed(work, str(error))
        except (FaultyPlanError, FaultyScheduleError) as error:
            self._failed(work, f"the plan failed its verification: {'; '.join(error.faults)}")
        except Exception:  # noqa: BLE001  (the board lives on; the bug is told where it was started)
            traceback.print_exc(file=sys.stderr)
            self._failed(work, "a bug: see where the board was started")

    def _pinned(self, state: State, present: Document) -> list[Document]:
        """The pinned scenarios side by side, each solved once; `present`: the one that is moved."""
        if len(self._columns) >= MOST_COLUMNS:
            self._columns.clear()
        self._columns[state.scenario] = present
        for scenario in (pin.scenario for pin in state.pins):
            if scenario not in self._columns:
                self._columns[scenario] = self._answerers[scenario.problem].column(scenario)
        return compared([{"name": pin.name, **self._columns[pin.scenario]} for pin in state.pins])

    def _failed(self, work: Work, why: str) -> None:
        if not self._is_old(work):
            self.publish(work.request.version, "failure", {"message": why})

    def _is_old(self, work: Work) -> bool:
        return self._newest is not work.request or self._is_closed
