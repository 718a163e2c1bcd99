"""A problem file as it was given: read once, then asked for its problem, its command and its text with changes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from planner.errors import InputError
from planner.files import read_given
from planner.problem.document import MAX_BYTES, Document, document_of, with_overrides
from planner.problem.problem import Problem
from planner.problem.yaml_tree import KeyPath, Plain

Sets = Mapping[str, str]
"""Changed keys and their values as they are written, in the order in which they were first changed."""
UNSTATED: Final = "null"
"""The value of a key that is not stated: its default holds."""


@dataclass(frozen=True)
class Given:
    """One problem file."""

    document: Document
    text: str

    @classmethod
    def read(cls, path: str) -> Given:
        """The file at a path (`-`: standard input). Raises InputError."""
        content = read_given(path, MAX_BYTES)
        document = document_of(content, path)
        Problem.of(document)
        return cls(document, content.decode("utf-8-sig"))

    @property
    def name(self) -> str:
        """The file as the user named it."""
        return self.document.source

    def problem(self, sets: Sets) -> Problem:
        """The problem with changes. Raises InputError."""
        return Problem.of(self._changed(sets)).with_hard_deadline()

    def _changed(self, sets: Sets) -> Document:
        return with_overrides(self.document, arguments(sets))

    def stated(self, key: str, sets: Sets) -> Plain:
        """The value of a key as it is written; None when it is not stated."""
        if key in sets:
            return None if sets[key] == UNSTATED else sets[key]
        *_, path = with_overrides(self.document, [f"{key}={UNSTATED}"]).overrides
        try:
            value: Plain = _at(self.document.data, path)
        except (KeyError, TypeError):
            return None
        return value

    def command(self, sets: Sets) -> str:
        """The command line that solves the same."""
        words = ["plan", "solve", self.name, *(word for one in arguments(sets) for word in ("--set", one))]
        return shlex.join(words)

    def written(self, sets: Sets, folder: Path) -> str:
        """The file with changes, its comments kept, for a place in a folder. Raises InputError."""
        changed = self._changed(sets)
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 4096
        whole = yaml.load(self.text)
        for path in changed.overrides:
            _put(whole, path, _at(changed.data, path))
        for path in _references(changed.data):
            self._moved(whole, path, folder)
        text = StringIO()
        yaml.dump(whole, text)
        return text.getvalue()

    def _moved(self, whole: Any, path: KeyPath, folder: Path) -> None:  # noqa: ANN401  (what ruamel makes of YAML)
        """Rewrites a reference to a file so that it holds from another folder."""
        reference = _at(whole, path)
        if not isinstance(reference, str) or not (self.document.base_directory / reference).is_file():
            return
        target = (self.document.base_directory / reference).resolve()
        _put(whole, path, os.path.relpath(target, folder.resolve()))


def arguments(sets: Sets) -> tuple[str, ...]:
    """The `--set` arguments of changes."""
    return tuple(f"{key}={value}" for key, value in sets.items())


def _at(data: Any, path: KeyPath) -> Any:  # noqa: ANN401  (whatever the file holds)
    for step in path:
        data = data[step]
    return data


def _put(whole: Any, path: KeyPath, value: Any) -> None:  # noqa: ANN401  (the same)
    """Sets or, for None, removes what stands at a path, making mappings that are missing."""
    *parents, last = path
    for step in parents:
        if isinstance(whole, dict) and whole.get(step) is None:
            if value is None:
                return
            whole[step] = {}
        whole = whole[step]
    if value is None and isinstance(whole, dict):
        whole.pop(last, None)
    else:
        whole[last] = value


def _references(data: Any) -> list[KeyPath]:  # noqa: ANN401  (whatever the file holds)
    """Where a problem may name a file."""
    market = data.get("market") or {}
    named = [("market", "accelerators", index) for index, _ in enumerate(market.get("accelerators") or ())]
    offers = [("market", "offers", index, "accelerator") for index, _ in enumerate(market.get("offers") or ())]
    return [("model",), *named, *offers]


def check_count(paths: tuple[str, ...]) -> None:
    """Refuses more files than a board holds. Raises InputError."""
    if len(paths) > MOST_FILES:
        raise InputError(f"{len(paths)} files are more than {MOST_FILES}", fix="open several boards")


MOST_FILES: Final = 20
"""Problem files that one board holds."""
