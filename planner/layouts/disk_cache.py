"""What was evaluated, kept for the next process: arrays in files under the numbers that they depend on.

Files lie in `plan-training/layouts` of the user's cache folder (XDG Base Directory Specification). Each begins with the
SHA-256 of the rest, which is arrays in NumPy's own format, so that nothing in them can run and a damaged one is as if
it were not there. They are written whole and renamed; several processes may read and write at once, and the last one
wins. Where nothing can be written, nothing is kept: that is never an error, and never changes an answer.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.catalog.files import catalog_directory
from planner.files import NO_CACHE, replace_whole

Arrays = Mapping[str, npt.NDArray[Any]]

MOST_BYTES: Final = 256 * 2**20
"""Limit on all files together; beyond it the least recently read are removed."""
DIGEST: Final = 32
"""Bytes of a SHA-256."""
CODE: Final = ("problem", "performance", "availability", "market", "layouts")
"""Packages whose sources decide what the arrays hold."""


def digest_of(*known: Hashable) -> bytes:
    """Numbers, texts and tuples of them as 32 bytes, alike in every process."""
    return sha256(repr(known).encode()).digest()


@cache
def version() -> bytes:
    """What changes with every edit of an equation, of the enumeration or of a catalog, and with NumPy."""
    package = Path(__file__).resolve().parent.parent
    found = sha256(np.__version__.encode())
    for name in CODE:
        for path in sorted((package / name).glob("*.py")):
            found.update(path.name.encode() + sha256(path.read_bytes()).digest())
    for path in sorted(catalog_directory().rglob("*")):
        about = path.stat()
        found.update(repr((path.name, about.st_size, about.st_mtime_ns)).encode())
    return found.digest()


def folder() -> Path | None:
    """Where the files lie; None when they are switched off or there is no home."""
    if os.environ.get(NO_CACHE):
        return None
    stated = os.environ.get("XDG_CACHE_HOME", "")
    with suppress(RuntimeError):
        home = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"  # noqa: PTH117  (of text, not a path)
        return home / "plan-training" / "layouts"
    return None


def stored(key: bytes) -> Arrays | None:
    """The arrays that were stored under a key; None where there are none, or none that are whole."""
    with suppress(OSError, ValueError, EOFError):
        if path := _path(key):
            content = path.read_bytes()
            if sha256(content[DIGEST:]).digest() == content[:DIGEST]:
                with suppress(OSError):
                    os.utime(path)
                return _unpacked(BytesIO(content[DIGEST:]))
    return None


def store(key: bytes, arrays: Arrays) -> None:
    """Stores arrays under a key, in place of what was there; without a word where that cannot be done."""
    with suppress(OSError):
        if path := _path(key):
            content = _packed(arrays)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_whole(path, sha256(content).digest() + content)
            _remove_oldest(path.parent.iterdir())


def _path(key: bytes) -> Path | None:
    """The file of a key, which is another one for other code."""
    here = folder()
    return here and here / sha256(key + version()).hexdigest()


def _packed(arrays: Arrays) -> bytes:
    """Names, and then arrays in their order."""
    stream = BytesIO()
    for one in (np.asarray(list(arrays)), *arrays.values()):
        np.lib.format.write_array(stream, one, allow_pickle=False)
    return stream.getvalue()


def _unpacked(stream: BytesIO) -> dict[str, npt.NDArray[Any]]:
    names = np.lib.format.read_array(stream, allow_pickle=False)
    return {str(name): np.lib.format.read_array(stream, allow_pickle=False) for name in names}


def _remove_oldest(paths: Iterable[Path]) -> None:
    """Removes the files that were not used for longest, until the others are no more than is kept."""
    found = []
    for path in paths:
        with suppress(OSError):  # another process may have removed it
            about = path.stat()
            found.append((about.st_mtime_ns, about.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MOST_BYTES:
            return
        with suppress(OSError):
            path.unlink()
        total -= size
