"""YAML 1.2 as plain data that remembers where every key and value stood.

`read_document` reads a file or standard input, checks its size and encoding, and applies `--set` overrides; errors
name file, line and column through `Document.place`. Of an answer that `plan solve --out` wrote it reads the problem.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from planner.errors import InputError, Place
from planner.files import STDIN, at_most, read_given, text_of
from planner.problem.yaml_tree import MAX_DEPTH, KeyPath, Mark, Plain, place_at, plain_scalar, plain_tree

MAX_BYTES = 2**20
"""Largest file that is read."""


@dataclass(frozen=True)
class Document:
    """One file as plain data, with the place of every key path."""

    source: str
    """The file as the user named it."""
    data: dict[str, Plain]
    lines: tuple[str, ...]
    marks: Mapping[KeyPath, Mark]
    base_directory: Path
    """Where relative paths inside the document start: its folder, or the current one for standard input."""
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)
    """What `--set` replaced, as it was written."""

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value (or with `key`, the key) at a path stands, or its nearest parent when there is none."""
        for length in range(len(path), -1, -1):
            prefix = path[:length]
            if prefix in self.overrides:
                return Place(f"--set {self.overrides[prefix]}")
            if prefix in self.marks:
                mark = self.marks[prefix]
                at_key = key and length == len(path)
                return self._at(*((mark.key_line, mark.key_column) if at_key else (mark.line, mark.column)))
        return Place(self.source)

    def _at(self, line: int, column: int) -> Place:
        return place_at(self.source, self.lines, line, column)


def read_document(path: str | Path, sets: Iterable[str] = (), *, most_bytes: int = MAX_BYTES) -> Document:
    """Reads a YAML file, or standard input for `-`, and applies `--set` overrides. Raises InputError."""
    source = str(path)
    return with_overrides(document_of(read_given(source, most_bytes), source, most_bytes=most_bytes), sets)


def document_of(content: bytes, source: str, *, most_bytes: int = MAX_BYTES) -> Document:
    """The document in the bytes of a file (`-`: standard input). Raises InputError."""
    text = text_of(at_most(content, most_bytes, Place(source), "give one problem a file"), source)
    if not text.strip():
        fix = "start with `schema: plan/1` or `schema: run/1`"
        raise InputError("the file is empty", place=Place(source), fix=fix)
    found = parse_document(text, *(("<stdin>", Path()) if source == STDIN else (source, Path(source).parent)))
    return _asked(found) if "format_version" in found.data else found


def _asked(answer: Document) -> Document:
    """The problem that an answer holds, so that the same question can be asked again. Raises InputError."""
    problem = answer.data.get("problem")
    if not isinstance(problem, dict):
        fix = "give a problem file, or what plan solve --out wrote"
        raise InputError("an answer that holds no problem", place=Place(answer.source), fix=fix)
    marks = {path[1:]: mark for path, mark in answer.marks.items() if path[:1] == ("problem",)}
    return replace(answer, data=problem, marks=marks)


def parse_document(text: str, source: str, base_directory: Path) -> Document:
    """Turns YAML text into a document; `source` is what errors call it. Raises InputError."""
    lines = tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    data, marks = plain_tree(source, lines)
    return Document(source, data, lines, marks, base_directory)


_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[([^\[\]]{1,200})\]")


def with_overrides(document: Document, sets: Iterable[str]) -> Document:
    """The document after `--set path=value` overrides, the later over the earlier. Raises InputError."""
    for text in sets:
        document = _overridden(document, text)
    return document


def _overridden(document: Document, text: str) -> Document:
    """The document with one override applied."""
    place = Place(f"--set {text[:200]}")
    written, equals, value = text.partition("=")
    steps = list(_STEP.finditer(written.strip()))
    well_formed = "".join(step.group() for step in steps) == written.strip()
    if not (equals and well_formed and written.isprintable() and 0 < len(steps) <= MAX_DEPTH):
        raise InputError("not path=value", place=place, fix="write for example --set limits.budget=1.5MUSD")
    new = _override_value(value.strip(), place)
    data, path = _assigned(document.data, [step[1] or step[2] for step in steps], new, place)
    marks = {known: mark for known, mark in document.marks.items() if known[: len(path)] != path}
    overrides = {known: old for known, old in document.overrides.items() if known[: len(path)] != path}
    return replace(document, data=cast("dict[str, Plain]", data), marks=marks, overrides=overrides | {path: text[:200]})


def _override_value(text: str, place: Place) -> Plain:
    """An override's value: a list, mapping or quoted text as YAML, anything else as a plain scalar."""
    if text[:1] not in {"[", "{", '"', "'"}:
        value = plain_scalar(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{text[:40]} is not a finite number", place=place, fix="write a number")
        return value
    try:
        return parse_document(f"value: {text}", place.file, Path()).data["value"]
    except InputError as error:
        raise InputError(error.issues[0].message, place=place, fix=error.issues[0].fix) from None


def _assigned(data: Plain, steps: list[str], value: Plain, place: Place, path: KeyPath = ()) -> tuple[Plain, KeyPath]:
    """The data with the value at the steps, making mappings that are missing, and the path with its list indices."""
    if not steps:
        return value, path
    step, *rest = steps
    if isinstance(data, list):
        index = _index(data, step, path, place)
        child, whole = _assigned(data[index], rest, value, place, (*path, index))
        return [*data[:index], child, *data[index + 1 :]], whole
    if data is None or isinstance(data, dict):
        known = data or {}
        child, whole = _assigned(known.get(step), rest, value, place, (*path, step))
        return known | {step: child}, whole
    raise InputError(f"{dotted(path)} holds no keys", place=place, fix="set the whole of it")


def _index(data: list[Plain], step: str, path: Iterable[str | int], place: Place) -> int:
    """The step as an index of an existing item, or as the name of one."""
    names = [item.get("name") if isinstance(item, dict) else None for item in data]
    if step in names:
        return names.index(step)
    if not step.isdecimal() or int(step) >= len(data):
        known = f"write {dotted(path)}[0]" + (f" to [{len(data) - 1}]" if len(data) > 1 else "")
        fix = known if data else "the list is empty: set the whole of it"
        raise InputError(f"{dotted(path)} has no item {step[:40]}", place=place, fix=fix)
    return int(step)


def dotted(path: Iterable[str | int]) -> str:
    """A key path as people write it: `training.phases[0].tokens`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
