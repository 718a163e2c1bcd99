"""How long may be asked around an answer, and what was left out for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from planner.clock import Clock, OutOfTimeError

Found = TypeVar("Found")


@dataclass
class TimeBudget:
    """Questions one after another until the time is over; those that it ends are named."""

    clock: Clock = field(default_factory=Clock)
    left_out: list[str] = field(default_factory=list)
    """Names of the questions that were not answered in time."""

    def check(self) -> None:
        """Raises OutOfTimeError when the time is over."""
        self.clock.check()

    def ask(self, name: str, question: Callable[[], Found]) -> Found | None:
        """The answer to a question, or None when the time is over before it is found."""
        try:
            self.check()
            return question()
        except OutOfTimeError:
            self.left_out.append(name)
            return None
