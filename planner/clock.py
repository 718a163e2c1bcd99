"""When to stop: a time limit and Ctrl-C, asked between one piece of work and the next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime


def today() -> date:
    """The date of this day, in UTC."""
    return datetime.now(UTC).date()


class OutOfTimeError(Exception):
    """The time to work in is over."""


@dataclass
class Clock:
    """How long work may go on; whoever works asks it, and ends with what is there."""

    until: float | None = None
    """When to stop, in seconds of `time.perf_counter`; None: no limit."""
    is_interrupted: bool = False
    """Whether the user wants it to end now."""
    whole: Clock | None = None
    """The clock of what this one times a part of, which ends with it."""

    @classmethod
    def of(cls, seconds: float | None) -> Clock:
        """A clock that runs for so long from now on; None: without end."""
        return cls(None if seconds is None else time.perf_counter() + seconds)

    @property
    def seconds_left(self) -> float | None:
        """None: without end."""
        if self.is_interrupted:
            return 0.0
        own = None if self.until is None else max(0.0, self.until - time.perf_counter())
        limits = [one for one in (own, self.whole.seconds_left if self.whole else None) if one is not None]
        return min(limits, default=None)

    def part(self, seconds: float) -> Clock:
        """A clock that runs for so long from now on, and no longer than this one."""
        return Clock(time.perf_counter() + seconds, whole=self)

    @property
    def is_over(self) -> bool:
        """Whether to end."""
        return self.seconds_left == 0.0

    def keep(self, seconds: float) -> None:
        """Lets work end so much earlier, for what has to be done after it."""
        if self.until is not None:
            self.until -= seconds

    def check(self) -> None:
        """Raises OutOfTimeError when it is time to end."""
        if self.is_over:
            raise OutOfTimeError
