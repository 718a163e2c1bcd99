"""How commands end: with their exit code whoever reads, and on Ctrl-C with what is there."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from planner.errors import ExitCode

if TYPE_CHECKING:
    from planner.clock import Clock


class ClosedOutput(TextIO):
    """Standard output that a shell has closed: an answer that is written to it is not lost in silence."""

    def write(self, text: str) -> int:
        """Raises OSError."""
        raise OSError(f"standard output is closed, so {len(text):,} characters of the answer are lost")

    def flush(self) -> None:
        """Nothing was written."""


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
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def stopped_by_interrupts(clock: Clock) -> Iterator[None]:
    """Inside, Ctrl-C stops the clock, so that the command ends with what is there; once more ends it at once."""

    def stop(*_: object) -> None:
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
