"""Reading no more than is accepted and waiting for nobody, and writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from planner.errors import InputError, Place

NO_CACHE: Final = "PLAN_NO_CACHE"
"""Environment variable that, set and not empty, keeps commands from reading and writing the user's cache folder."""
PATIENCE: Final = 10.0
"""Seconds in which all of a named pipe must have arrived."""
CHUNK: Final = 2**16
"""Bytes that are taken from a pipe at a time."""


STDIN: Final = "-"
"""The path that means standard input, where a user gives it."""
LARGEST_ANSWER: Final = 16 * 2**20
"""Bytes of the largest answer of `plan solve` that is read."""
ANSWER_FIX: Final = "give what plan solve --out wrote"


def read_whole(path: str | Path, most_bytes: int, *, name: str = "", fix: str = "give the path of a file") -> bytes:
    """All of a file. Raises InputError when it cannot be read or is larger; `name` is what errors call it."""
    place = Place(name or str(path))
    with readable(place, fix):
        return at_most(read_at_most(path, most_bytes + 1), most_bytes, place, fix)


def read_given(path: str, most_bytes: int, *, fix: str = "give the path of a file, or - for standard input") -> bytes:
    """The same of what a user gives a command: a file, or standard input for `-`."""
    if path == STDIN:
        return at_most(sys.stdin.buffer.read(most_bytes + 1), most_bytes, Place(path), fix)
    return read_whole(path, most_bytes, fix=fix)


@contextmanager
def readable(place: Place, fix: str) -> Iterator[None]:
    """Turns what goes wrong with a file while it is read into InputError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read it: {_reason(error)}", place=place, fix=fix) from None


def _reason(error: OSError | ValueError) -> str:
    """Why the system refuses a file, or its content is none."""
    if isinstance(error, UnicodeError):
        return "not UTF-8 text"
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not a path"


def at_most(content: bytes, most_bytes: int, place: Place, fix: str) -> bytes:
    """Content that is no more than is accepted. Raises InputError."""
    if len(content) > most_bytes:
        raise InputError(f"too large: larger than {most_bytes // 2**20} MiB", place=place, fix=fix)
    return content


def text_of(content: bytes, name: str, *, fix: str = "save the file as UTF-8") -> str:
    """UTF-8 text, with or without a mark at its start. Raises InputError with the line and column that are none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = Place(name, line, error.start - content.rfind(b"\n", 0, error.start))
        raise InputError("not UTF-8 text", place=place, fix=fix) from None


def read_at_most(path: str | Path, count: int) -> bytes:
    """Up to `count` bytes from the start of a file.

    A named pipe is read until its writer closes it. Raises OSError, also when that takes longer than `PATIENCE`, and
    ValueError for what cannot be a path.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123  (pathlib opens no descriptors)
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, True)
            return file.read(count)
        found = bytearray()
        for piece in _arriving(descriptor):
            found += piece
            if len(found) >= count:
                break
        return bytes(found[:count])


def _arriving(pipe: int) -> Iterator[bytes]:
    """What is written to a pipe, piece by piece until it is closed."""
    end = time.monotonic() + PATIENCE
    while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        piece = os.read(pipe, CHUNK)
        if not piece:
            return
        yield piece
    raise TimeoutError(errno.ETIMEDOUT, f"a pipe that did not end within {PATIENCE:g} s")


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Writes bytes, or text as UTF-8, to a file at once: readers see the old content or all of the new, never a part.

    What is not a regular file (`/dev/stdout`, a pipe) is written to directly. Raises InputError when it cannot be.
    """
    target, written = Path(os.path.realpath(path)), content.encode() if isinstance(content, str) else content
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(written)
        else:
            replace_whole(target, written)
    except (OSError, ValueError) as error:
        fix = "give a path in a folder of yours"
        raise InputError(f"cannot write it: {_reason(error)}", place=Place(str(path)), fix=fix) from None


def make_folder(path: str | Path) -> Path:
    """The folder of that path, made with its parents where it is missing. Raises InputError when it cannot be."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        fix = "give a folder of yours"
        raise InputError(f"cannot make the folder: {_reason(error)}", place=Place(str(path)), fix=fix) from None
    return folder


def replace_whole(target: Path, content: bytes) -> None:
    """Writes a neighbour and moves it over the target. Raises OSError."""
    with replacing(target) as file:
        file.write(content)


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece, moved over the target at the end, or gone when that is not reached.

    Raises OSError.
    """
    neighbour = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        with neighbour.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(target)
    except BaseException:
        with suppress(OSError):
            neighbour.unlink()
        raise
