"""Independent pieces of work spread over local processes or the workers of a Dask scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from planner.errors import InputError, Place
from planner.explore.cluster import gathered_by_dask
from planner.explore.workers import Stopped, Task, gathered
from planner.tasks import Spread, in_turn

Workers = int | str
"""A number of processes, or `dask://HOST:PORT`."""


def usual_workers() -> int:
    """As many processes as there are processors for this one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gathered_from(
    tasks: Sequence[Task], workers: Workers | None, tell: Callable[[int], None]
) -> tuple[dict[int, Any], Stopped]:
    """The results of all tasks by number, and why some are missing; `tell` hears how many there are.

    Raises InputError when no scheduler answers, and whatever a task raises.
    """
    if isinstance(workers, str):
        return gathered_by_dask(tasks, workers, tell)
    return gathered(tasks, min(workers or usual_workers(), len(tasks)), tell)


@dataclass(frozen=True)
class _Numbered:
    """One piece as a task with a single result."""

    number: int
    piece: Callable[[], Any]

    def __call__(self) -> Iterator[tuple[int, Any]]:
        yield self.number, self.piece()


def spread_over(workers: Workers | None) -> Spread:
    """Carries pieces out on these workers; in turn without any.

    What it returns raises KeyboardInterrupt on Ctrl-C and InputError when a process dies: a part is no answer.
    """
    if workers is None:
        return in_turn

    def spread(pieces: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results in order."""
        if not pieces:
            return []
        found, stopped = gathered_from([_Numbered(*one) for one in enumerate(pieces)], workers, lambda _: None)
        if stopped == "interrupted":
            raise KeyboardInterrupt
        if stopped:
            raise InputError(stopped, place=Place("--workers"), fix="try --workers 1, which needs less memory")
        return [found[number] for number in range(len(pieces))]

    return spread
