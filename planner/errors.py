"""The one place for what users are told when something is wrong, and for exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What `plan` tells the shell."""

    OK = 0
    BAD_INPUT = 2
    INFEASIBLE = 3
    NO_PLAN_IN_TIME = 4
    FAILED_VERIFICATION = 70
    INTERRUPTED = 130


@dataclass(frozen=True)
class Place:
    """Where in a file something stands; lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong: where, what, and what to do about it."""

    message: str
    place: Place | None = None
    fix: str | None = None
    path: tuple[str | int, ...] = ()
    """Keys from the value that was read to the one that is wrong, for the caller who knows where that value stands."""
    at_key: bool = False
    """Whether the last key of the path is what is wrong, rather than its value."""

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}; {self.fix}" if self.fix else head


class InputError(Exception):
    """The user's input cannot be used. Carries every issue that was found, not only the first."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(
        self, issues: str | Issue | Iterable[Issue], *, fix: str | None = None, place: Place | None = None
    ) -> None:
        if isinstance(issues, str):
            issues = Issue(issues, place, fix)
        self.issues: tuple[Issue, ...] = (issues,) if isinstance(issues, Issue) else tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


FEW = 20
"""Most names that are listed in full."""


def closest(word: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known spelling nearest to `word`, or None when none is at least so much like it, 0 to 1."""
    from difflib import get_close_matches  # noqa: PLC0415  (only needed once something is wrong)

    spellings = {name.lower(): name for name in known}
    near = get_close_matches(word.lower()[:200], spellings, n=1, cutoff=least)
    return spellings[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown name: the nearest known one, or the list when it is short."""
    names = list(known)
    near = closest(word, names)
    if near:
        return f"did you mean {near}?"
    return f"known: {', '.join(names)}" if len(names) <= FEW else f"{len(names)} are known; none is near"
