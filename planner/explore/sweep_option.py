"""What `--vary` says: one key of the problem file and the values that it takes, as the file would write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from math import log10, prod
from typing import Any, Final, Literal

from pydantic import BaseModel

from planner.errors import InputError, Issue, Place
from planner.problem.document import Document, with_overrides
from planner.problem.problem import Problem
from planner.problem.schema_base import SchemaFile
from planner.problem.yaml_tree import KeyPath
from planner.units import Price, exact

MOST_VALUES: Final = 10_000
"""Values of one key."""
MOST_KEYS: Final = 2
"""Keys that are varied together."""
MOST_CELLS: Final = 1_000_000
"""Combinations of values."""
DIGITS: Final = 6
"""Significant digits of a value between the ends of a range."""
EXAMPLE: Final = "write for example limits.budget=1MUSD..5MUSD:9, or training.precision=bf16,fp8"


@dataclass(frozen=True)
class Varied:
    """One key of the problem file and its values, in their order."""

    written: str
    """The whole of it, as it was given."""
    key: str
    """Such as `limits.budget`."""
    values: tuple[str, ...]
    """Texts that the file could hold, such as `1.5MUSD`."""

    @property
    def sets(self) -> tuple[str, ...]:
        """The `--set` argument of every value."""
        return tuple(f"{self.key}={value}" for value in self.values)


@dataclass(frozen=True)
class _Varying:
    """A `--vary` before its values are known: texts, or a range when `count` is not 0."""

    written: str
    key: str
    texts: tuple[str, ...]
    count: int = 0
    scale: Literal["lin", "log"] = "lin"

    @property
    def first(self) -> str:
        """The `--set` argument of the first value."""
        return f"{self.key}={self.texts[0]}"

    @property
    def place(self) -> Place:
        """What errors name."""
        return Place(f"--vary {self.written[:200]}")


def varied(document: Document, texts: Sequence[str], kind: type[SchemaFile] = Problem) -> tuple[Varied, ...]:
    """The keys that are varied: `KEY=LOW..HIGH:N`, `KEY=LOW..HIGH:N:log` or `KEY=A,B,C`. Raises InputError.

    The ends of a range are read as the problem file's own value of that key, so every unit of the key is known; what
    lies between them is written in the unit of the upper end, to six digits, and whole where the key is. `kind`: what
    the file is.
    """
    if not 1 <= len(texts) <= MOST_KEYS:
        message = f"one or two quantities are varied, not {len(texts)}"
        raise InputError(message, place=Place("--vary"), fix=EXAMPLE)
    asked = [_asked(text) for text in texts]
    cells = prod(one.count or len(one.texts) for one in asked)
    if cells > MOST_CELLS:
        message = f"{cells:,} cells are more than {MOST_CELLS:,}"
        raise InputError(message, place=asked[-1].place, fix="take fewer values")
    with naming([(one.first, one.written) for one in asked]):
        paths = {_path(with_overrides(document, [one.first])) for one in asked}
        base = with_overrides(document, [one.first for one in asked])
    if len(paths) < len(asked):
        raise InputError(f"{asked[0].key} is varied twice", place=asked[-1].place, fix="leave one of them out")
    return tuple(Varied(one.written, one.key, _values(base, one, kind)) for one in asked)


def _path(document: Document) -> KeyPath:
    """Where the last `--set` went."""
    *_, path = document.overrides
    return path


def _asked(text: str) -> _Varying:
    """One `--vary`, taken apart."""
    key, equals, spec = (part.strip() for part in text.partition("="))
    place = Place(f"--vary {text[:200]}")
    if not (key and equals and spec):
        raise InputError("not KEY=VALUES", place=place, fix=EXAMPLE)
    found = _RANGE.fullmatch(spec)
    if found:
        count, scale = found["count"].strip(), (found["scale"] or "lin").strip()
        if not re.fullmatch("[0-9]{1,9}", count) or not 2 <= int(count) <= MOST_VALUES:
            raise InputError(f"{count!r} is not a number of values from 2 to {MOST_VALUES}", place=place, fix=EXAMPLE)
        if scale not in {"lin", "log"}:
            raise InputError(f"unknown scale {scale!r}", place=place, fix="write log for equal ratios, or nothing")
        ends = found["low"].strip(), found["high"].strip()
        return _Varying(text, key, ends, int(count), "log" if scale == "log" else "lin")
    values = tuple(one.strip() for one in _ITEM.findall(spec)) if _ITEMS.fullmatch(spec) else ()
    if not 2 <= len(values) <= MOST_VALUES or len(set(values)) < len(values):
        message = f"{key} needs 2 to {MOST_VALUES} different values, or a range with a number of values"
        raise InputError(message, place=place, fix=EXAMPLE)
    return _Varying(text, key, values)


_RANGE = re.compile(r"(?P<low>[^.].*?)\.\.(?P<high>[^:]+):(?P<count>[^:]*)(?::(?P<scale>[^:]*))?")
_ITEM = re.compile(r"""(?:[^,\[\]{}"']|\[[^\[\]]*\]|\{[^{}]*\}|"[^"]*"|'[^']*')+""")
_ITEMS = re.compile(rf"{_ITEM.pattern}(?:,{_ITEM.pattern})*")


@contextmanager
def naming(settings: Iterable[tuple[str, str]], known: Callable[[], Iterable[Issue]] = tuple) -> Iterator[None]:
    """Lets every InputError that is raised inside name the `--vary` that gave a setting.

    `settings`: `--set` arguments, each with the `--vary` it came from. An issue elsewhere in the file says with which
    settings it arises, unless it is among those `known` without them.
    """
    pairs = tuple(settings)
    try:
        yield
    except InputError as error:
        places = {f"--set {setting[:200]}": Place(f"--vary {written[:200]}") for setting, written in pairs}
        given = f" (with {' and '.join(setting[:60] for setting, _ in pairs)})"
        old = set(known())
        raise InputError(_named(issue, places, "" if issue in old else given) for issue in error.issues) from None


def _named(issue: Issue, places: dict[str, Place], given: str) -> Issue:
    """The issue at the `--vary` that it is about, or saying what was given."""
    found = places.get(issue.place.file) if issue.place else None
    if found is None:
        return replace(issue, message=issue.message + given)
    value = issue.place.file.partition("=")[2] if issue.place else ""
    return replace(issue, place=found, message=f"{issue.message} (as {value[:60]})" if value else issue.message)


def _values(base: Document, asked: _Varying, kind: type[SchemaFile]) -> tuple[str, ...]:
    """The texts of all values."""
    if not asked.count:
        return asked.texts
    low, high = (_amount(base, asked, text, kind) for text in asked.texts)
    if low.per != high.per:
        message = f"the ends are of different kinds: per {low.per} and per {high.per}"
        raise InputError(message, place=asked.place, fix="write both in the same unit")
    if low.value >= high.value:
        raise InputError("the lower end is not below the upper one", place=asked.place, fix="write LOW..HIGH:N")
    if asked.scale == "log" and low.value <= 0:
        fix = "start above zero, or leave out :log"
        raise InputError("equal ratios cannot start at zero", place=asked.place, fix=fix)
    between = _between(asked, low, high)
    texts = tuple(dict.fromkeys((asked.texts[0], *between, asked.texts[1])))
    if len(texts) < asked.count:
        message = f"there are not {asked.count} different values of {asked.key} between {' and '.join(asked.texts)}"
        raise InputError(message, place=asked.place, fix=f"ask for at most :{max(2, len(texts))}")
    return texts


@dataclass(frozen=True)
class _Amount:
    """The end of a range in internal units, and how it is written."""

    value: Decimal
    is_whole: bool
    per: str
    """What a price is per; empty for anything else."""
    parts: tuple[str, Decimal, str] | None
    """Text before the number, the number, and the text after it; None for a sum such as `1d 12h`."""


def _amount(base: Document, asked: _Varying, text: str, kind: type[SchemaFile]) -> _Amount:
    """One end of a range, read as the problem file reads it. Raises InputError."""
    setting = f"{asked.key}={text}"
    with naming([(setting, asked.written)]):
        document = with_overrides(base, [setting])
        value: Any = kind.of(document)
    for step in _path(document):
        value = getattr(value, step) if isinstance(step, str) and isinstance(value, BaseModel) else value[step]
    number = value.usd if isinstance(value, Price) else value
    if not isinstance(number, int | float | Decimal) or isinstance(number, bool):
        fix = f"list its values: --vary {asked.key}=A,B,C"
        raise InputError(f"{asked.key} is not a quantity that a range can cross", place=asked.place, fix=fix)
    per = value.per if isinstance(value, Price) else ""
    return _Amount(exact(number), isinstance(number, int), per, _parts(text))


def _parts(text: str) -> tuple[str, Decimal, str] | None:
    """What stands before the number, the number, and what stands after it."""
    found = _SINGLE.fullmatch(text)
    return (found["before"], Decimal(re.sub("[,_]", "", found["number"])), found["after"]) if found else None


_SINGLE = re.compile(
    r"(?P<before>[^0-9.+\-−]*)(?P<number>(?:[0-9][0-9,_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)(?P<after>[^0-9]*)"
)


def _between(asked: _Varying, low: _Amount, high: _Amount) -> Iterator[str]:
    """Texts of the values between the ends, in the unit of the upper one, or of the lower one where that is a sum."""
    written = next((one for one in (high, low) if one.parts and one.parts[1]), None)
    if written is None or written.parts is None:
        message = f"neither {' nor '.join(asked.texts)} is written in one unit"
        raise InputError(message, place=asked.place, fix="write one of the ends with a single number, such as 36h")
    before, number, after = written.parts
    unit = written.value / number
    for index in range(1, asked.count - 1):
        part = Decimal(index) / (asked.count - 1)
        linear = low.value + (high.value - low.value) * part
        value = linear if asked.scale == "lin" else low.value * (high.value / low.value) ** part
        yield f"{before}{_number(value, unit, is_whole=low.is_whole and high.is_whole)}{after}"


def _number(value: Decimal, unit: Decimal, *, is_whole: bool) -> str:
    """An amount as a number of units, to six digits, and whole in internal units where it must be."""
    number = value / unit
    number = round(number, DIGITS - 1 - int(log10(number))) if number else number
    if is_whole and number * unit != (number * unit).to_integral_value():
        number = Decimal(round(value)) / unit
    return f"{number.normalize():f}"
