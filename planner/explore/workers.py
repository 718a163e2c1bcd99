"""Tasks in several local processes that begin with all that this one knows; what is done is never lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_bool
from multiprocessing.connection import wait
from typing import Any, Literal, Protocol

Task = Callable[[], Iterable[tuple[int, Any]]]
"""Gives results one after another, each with the number that it is known under."""
Stopped = Literal["", "interrupted", "a process died"]
"""Why not every task came to its end; empty when all did."""


class Flag(Protocol):
    """A flag shared by all processes, without a lock that a dying one could keep."""

    value: bool


def gathered(tasks: Sequence[Task], jobs: int, tell: Callable[[int], None]) -> tuple[dict[int, Any], Stopped]:
    """The results of all tasks by number, and why some are missing; `tell` hears how many there are.

    The processes are forked, so they hold what the tasks refer to without a copy. On Ctrl-C tasks end with the result
    they are at. What a task raises is raised here.
    """
    if jobs == 1 or "fork" not in multiprocessing.get_all_start_methods():
        return _one_by_one(tasks, tell)
    context = multiprocessing.get_context("fork")
    ends = context.RawValue(c_bool, False)
    stopped: Stopped = ""
    pool = ProcessPoolExecutor(jobs, context, _begin, (tasks, ends))
    found: dict[int, Any] = {}
    with warnings.catch_warnings():  # Python 3.12 warns of any thread; those of NumPy begin anew in a fork
        warnings.filterwarnings("ignore", message=".*multi-threaded.*", category=DeprecationWarning)
        futures = [pool.submit(_done, number) for number in range(len(tasks))]
    try:
        for future in as_completed(futures):
            found.update(future.result())
            tell(len(found))
    except KeyboardInterrupt:
        stopped = "interrupted"
    except BrokenProcessPool:
        stopped = "a process died"
    finally:
        ends.value = True
        pool.shutdown(cancel_futures=True)
    for future in futures:
        if not future.cancelled() and future.exception() is None:
            found.update(future.result())
    return found, stopped


def _one_by_one(tasks: Sequence[Task], tell: Callable[[int], None]) -> tuple[dict[int, Any], Stopped]:
    """All tasks in this process."""
    found: dict[int, Any] = {}
    try:
        for task in tasks:
            for number, result in task():
                found[number] = result
                tell(len(found))
    except KeyboardInterrupt:
        return found, "interrupted"
    return found, ""


_HELD: list[tuple[Sequence[Task], Flag]] = []
"""What a forked process inherits: the tasks, and whether it should end."""


def _begin(tasks: Sequence[Task], ends: Flag) -> None:
    """The beginning of a forked process: Ctrl-C is its parent's matter, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _HELD[:] = [(tasks, ends)]


def _end_with_parent() -> None:
    """Waits until the parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _done(number: int) -> list[tuple[int, Any]]:
    """The results of one task, up to where it is told to end."""
    ((tasks, ends),) = _HELD
    found: list[tuple[int, Any]] = []
    results = iter(tasks[number]())
    while not ends.value and (one := next(results, None)) is not None:
        found.append(one)
    return found
