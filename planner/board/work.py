"""What is asked of the board's solving thread, and how a newer question ends the work on an older one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from planner.board.given import GivenFile, Sets
from planner.board.state import Scenario, State
from planner.clock import Clock

REST_SECONDS: Final = 1.0
"""After an answer, before what is found while nobody moves anything."""
Pieces = Iterator[tuple[str, Any]]
"""What a piece of an answer is, and the piece as JSON."""


@dataclass(frozen=True)
class Request:
    """A state to find the answer of."""

    version: int
    state: State

    @property
    def sets(self) -> Sets:
        """The changed keys."""
        return self.state.scenario.changes


@dataclass
class Work:
    """A question that is being answered."""

    request: Request
    given: GivenFile
    """The file that it is about."""
    setting: str
    """What is being evaluated: a newer question about the same does not end it; empty: any does."""
    tell: Callable[[str], None]
    """Told in a few words what is being done."""
    clock: Clock = field(default_factory=Clock)

    def end_with_any(self) -> None:
        """From now on any newer question ends this one."""
        self.setting = ""

    def rest(self) -> None:
        """Waits a moment, so that what nobody waits for slows no series of moves. Raises OutOfTimeError."""
        until = time.monotonic() + REST_SECONDS
        while time.monotonic() < until:
            self.clock.check()
            time.sleep(REST_SECONDS / 20)


@dataclass(frozen=True)
class Shown:
    """What was found for a version, for exports."""

    version: int
    given: GivenFile
    sets: Sets


class Answerer(Protocol):
    """Answers questions about one kind of files."""

    @property
    def shown(self) -> Shown | None:
        """What was found last."""

    def setting(self, request: Request) -> str:
        """What evaluating a question depends on; see `Work.setting`. Raises InputError."""

    def column(self, scenario: Scenario) -> dict[str, Any]:
        """A pinned scenario in short. Raises InputError."""

    def pieces(self, work: Work) -> Pieces:
        """Every piece of the answer, the most wanted first; one called `column` is the scenario in short.

        Raises InputError, OutOfTimeError, and for bugs others.
        """
