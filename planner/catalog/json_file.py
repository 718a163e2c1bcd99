"""Reads a JSON file of somebody else's strictly, and says where in it a value stands without repeating any of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from planner.errors import InputError, Place
from planner.files import read_whole, text_of

MAX_BYTES: Final = 1 << 20
"""Largest file that is read."""
MAX_DEPTH: Final = 16
"""Deepest nesting of objects and lists in it."""

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of a document to a value."""


@dataclass(frozen=True)
class JsonFile:
    """The object that a file holds, and its text for finding places."""

    source: str
    text: str
    data: Mapping[str, object]

    def place(self, path: KeyPath) -> Place:
        """Line and column of the value at a path, or of its nearest parent; the file's text is not part of it."""
        starts = {one.path: one.start for one in _values(self.text)}
        nearest = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in starts)
        return _place(self.source, self.text, starts[nearest])


def read_json(file: Path) -> JsonFile:
    """The object in a file, strictly: UTF-8, no NaN, no Infinity, no name twice in one object. Raises InputError."""
    source, fix = str(file), "give a config.json or a catalog name"
    if not file.is_file():
        raise InputError("there is no such model config", place=Place(source), fix=fix)
    text = text_of(read_whole(file, MAX_BYTES, fix=fix), source)
    return JsonFile(source, text, _parsed(text, source))


def _parsed(text: str, source: str) -> Mapping[str, object]:
    """The object that a text holds."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_a_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise InputError("the model config is not JSON", place=Place(source, error.lineno, error.colno)) from None
    except RecursionError:
        raise _too_deep(text, source) from None
    except ValueError as error:
        reason = str(error) if isinstance(error, _RefusedJsonError) else "holds a number with too many digits"
        odd = next(one.start for one in _values(text) if one.is_odd)
        raise InputError(f"the model config {reason}", place=_place(source, text, odd)) from None
    if not isinstance(data, dict):
        raise InputError("the model config must be a JSON object", place=Place(source, 1, 1))
    if any(len(one.path) > MAX_DEPTH for one in _values(text)):
        raise _too_deep(text, source)
    return data


def _too_deep(text: str, source: str) -> InputError:
    """The refusal of a text that nests too deeply, at the first value that does."""
    deep = next((one for one in _values(text) if len(one.path) > MAX_DEPTH), None)
    place = _place(source, text, deep.start) if deep else Place(source)
    return InputError(f"the model config is nested deeper than {MAX_DEPTH} levels", place=place)


def _place(source: str, text: str, start: int) -> Place:
    """The place of a character of a text."""
    return Place(source, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


@dataclass(frozen=True)
class _Value:
    """A value of a JSON text: its key path and where it begins."""

    path: KeyPath
    start: int
    is_odd: bool
    """Whether it is a number that floating point does not hold, or the second of its name in an object."""


_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def _values(text: str) -> Iterator[_Value]:
    """Every value of a JSON text, each object and list before what it holds; without recursion."""
    path: list[str | int] = []
    names: list[set[str] | None] = []
    in_key = False
    for token in _TOKEN.finditer(text):
        word, start = token.group(), token.start()
        match word:
            case ":":
                in_key = False
            case ",":
                in_key = names[-1] is not None
                if not in_key:
                    path[-1] = int(path[-1]) + 1
            case "}" | "]":
                path.pop()
                names.pop()
                in_key = False
            case _ if in_key:
                path[-1] = name = json.loads(word)
                known = names[-1]
                if known is not None and name in known:
                    yield _Value(tuple(path), start, is_odd=True)
                elif known is not None:
                    known.add(name)
            case _:
                yield _Value(tuple(path), start, is_odd=_is_not_finite(word))
                if word in "{[":
                    in_key = word == "{"
                    path.append("" if in_key else 0)
                    names.append(set() if in_key else None)


def _is_not_finite(word: str) -> bool:
    """Whether a token is a number, but no finite one."""
    try:
        return not math.isfinite(float(word))
    except ValueError:
        return False


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _RefusedJsonError("has one name twice in an object")
    return data


def _not_a_number(_: str) -> NoReturn:
    raise _RefusedJsonError("holds a number that is not finite")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_a_number(text)


class _RefusedJsonError(ValueError):
    """JSON that the standard library would accept."""
