"""How commands end: with their exit code whoever reads, and on Ctrl-C with what is there."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from planner.errors import ExitCode, InputError

if TYPE_CHECKING:
    from planner.clock import Clock


BEGAN: Final = "planner.began"
"""Key of a context's `meta`: when its command began, in seconds of `time.perf_counter`."""


def clock_of_command(seconds: float | None) -> Clock:
    """A clock that runs for so long from when the command began, imports included; None: without end."""
    from planner.clock import Clock

    if seconds is None:
        return Clock()
    context = click.get_current_context(silent=True)
    now = time.perf_counter()
    return Clock((now if context is None else context.meta.get(BEGAN, now)) + seconds)


class ClosedOutput(io.TextIOBase):
    """Standard output that a shell has closed: an answer that is written to it is not lost in silence."""

    def write(self, _: str) -> int:
        """Raises InputError."""
        raise InputError("standard output is closed, so the answer is lost", fix="leave it open, or send it to a file")


def write_in_whole() -> None:
    """Gives standard output its buffer where PYTHONUNBUFFERED took it: without, a signal cuts long writes short."""
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        sys.stdout = open(sys.stdout.fileno(), "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115


@contextmanager
def ending_with(code: ExitCode = ExitCode.OK) -> Iterator[None]:
    """Inside, the answer is printed; then the command ends with the code, also when a reader stops before the end."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        nobody_reads()
    if code:
        raise click.exceptions.Exit(code)


def nobody_reads() -> None:
    """Lets the rest of the output go nowhere, so that nothing fails at the end of the process."""
    with suppress(io.UnsupportedOperation):  # what is no file, as where a program calls the command, does not fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def raise_on_interrupts() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as Python is used to, wherever the work is."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stopped_by_interrupts(clock: Clock) -> Iterator[None]:
    """Inside, Ctrl-C stops the clock, so that the command ends with what is there; once more ends it at once."""

    def stop(*_: object) -> None:
        """Asks for an end at the first signal, and ends at once at the second."""
        if clock.is_interrupted:
            os._exit(ExitCode.INTERRUPTED)
        clock.is_interrupted = True

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
