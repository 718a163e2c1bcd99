"""Tasks on the workers of a Dask scheduler: what they begin with is sent once, and a worker that dies loses nothing."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Final

from planner.errors import InputError, Place
from planner.explore.workers import Stopped, Task

SCHEME: Final = "dask://"
BATCHES: Final = 8
"""Batches of tasks for each thread of a worker: few enough to send quickly, many enough to share out evenly."""
PATIENCE: Final = 20.0
"""Seconds in which a scheduler must answer."""


def gathered_by_dask(
    tasks: Sequence[Task], address: str, tell: Callable[[int], None]
) -> tuple[dict[int, Any], Stopped]:
    """The results of all tasks by number, and why some are missing; `tell` hears how many there are.

    `address`: `dask://HOST:PORT`. Batches of a worker that is gone are worked on again by another. On Ctrl-C what is
    done is kept. Raises InputError when no scheduler answers, and whatever a task raises.
    """
    try:
        import distributed  # noqa: PLC0415  (only clusters need it)
    except ImportError:
        raise InputError("clusters need Dask, which is not installed", fix="pip install distributed") from None
    dask: Any = distributed  # whose types are incomplete
    try:
        client = dask.Client(f"tcp://{address.removeprefix(SCHEME)}", timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        fix = "start one with: dask scheduler"
        raise InputError(f"no scheduler answers: {error}", place=Place(f"--workers {address}"), fix=fix) from None
    found: dict[int, Any] = {}
    with client:
        held = client.scatter(pickle.dumps(tuple(tasks)), broadcast=True, hash=False)
        threads = max(1, sum(client.nthreads().values()))
        futures = client.map(_done, _batches(len(tasks), BATCHES * threads), tasks=held, pure=False)
        try:
            for future in dask.as_completed(futures, loop=client.loop):
                found.update(future.result())
                tell(len(found))
        except KeyboardInterrupt:
            client.cancel(futures)
            return found, "interrupted"
    return found, ""


def _batches(count: int, most: int) -> list[range]:
    """So many tasks in at most so many ranges, of nearly the same length."""
    parts = min(count, most)
    return [range(count * one // parts, count * (one + 1) // parts) for one in range(parts)]


def _done(numbers: range, tasks: bytes) -> list[tuple[int, Any]]:
    """The results of some tasks, on a worker; pickled, they are sent as they are and not looked into on the way."""
    held: Sequence[Task] = pickle.loads(tasks)  # noqa: S301  (from the client of the same scheduler)
    return [result for number in numbers for result in held[number]()]
