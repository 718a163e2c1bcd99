"""A file as it was given: read once, then asked for what it asks, its command and its text with changes."""

from __future__ import annotations

import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Final

from ruamel.yaml import YAML

from planner.errors import InputError
from planner.files import read_given
from planner.portfolio.file import MOST_BYTES, PortfolioFile
from planner.problem.document import MAX_BYTES, Document, document_of, with_overrides
from planner.problem.problem import Problem
from planner.problem.schema_base import SchemaFile
from planner.problem.yaml_tree import KeyPath, Plain

Sets = Mapping[str, str]
"""Changed keys and their values as they are written, in the order in which they were last changed."""
UNSTATED: Final = "null"
"""The value of a key that is not stated: its default holds."""


@dataclass(frozen=True)
class GivenFile(ABC):
    """One file."""

    document: Document
    text: str

    command_name: ClassVar[str]
    """The command that answers such a file."""

    @abstractmethod
    def parsed(self, sets: Sets) -> SchemaFile:
        """What the file asks with changes. Raises InputError."""

    @abstractmethod
    def references(self) -> list[KeyPath]:
        """Where the file may name other files."""

    def check_moved(self, whole: Any, folder: Path) -> None:  # noqa: ANN401, B027  (what ruamel makes of YAML)
        """Refuses a file that would not hold in a folder. Raises InputError."""

    @property
    def name(self) -> str:
        """The file as the user named it."""
        return self.document.source

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

    def in_short(self, key: str, value: Plain) -> str:  # noqa: ARG002  (some files tell some keys otherwise)
        """A stated value in a few words."""
        return str(value)[:60]

    def command(self, sets: Sets) -> str:
        """The command line that solves the same."""
        words = ["plan", self.command_name, self.name, *(word for one in arguments(sets) for word in ("--set", one))]
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
        for path in self.references():
            self._moved(whole, path, folder)
        self.check_moved(whole, folder)
        text = StringIO()
        yaml.dump(whole, text)
        return text.getvalue()

    def _moved(self, whole: Any, path: KeyPath, folder: Path) -> None:  # noqa: ANN401  (what ruamel makes of YAML)
        """Rewrites a reference to a file so that it holds from another folder."""
        try:
            reference = _at(whole, path)
        except (KeyError, IndexError, TypeError):
            return
        if not isinstance(reference, str) or not (self.document.base_directory / reference).is_file():
            return
        target = (self.document.base_directory / reference).resolve()
        _put(whole, path, os.path.relpath(target, folder.resolve()))


@dataclass(frozen=True)
class Given(GivenFile):
    """A problem file."""

    command_name = "solve"

    @classmethod
    def read(cls, path: str) -> Given:
        """The problem file at a path (`-`: standard input). Raises InputError."""
        content = read_given(path, MAX_BYTES)
        given = cls(document_of(content, path), content.decode("utf-8-sig"))
        given.problem({})
        return given

    def problem(self, sets: Sets) -> Problem:
        """The problem with changes. Raises InputError."""
        return Problem.of(self._changed(sets))

    parsed = problem

    def references(self) -> list[KeyPath]:
        """The model, accelerators that are records of the user's own, and those of offers."""
        market = self.document.data.get("market")
        market = market if isinstance(market, dict) else {}
        found: list[KeyPath] = [("model",)]
        for key, last in (("accelerators", ()), ("offers", ("accelerator",))):
            listed = market.get(key)
            found += [
                ("market", key, index, *last) for index, _ in enumerate(listed if isinstance(listed, list) else ())
            ]
        return found


@dataclass(frozen=True)
class GivenPortfolio(GivenFile):
    """A portfolio file."""

    command_name = "portfolio"

    def portfolio(self, sets: Sets) -> PortfolioFile:
        """The portfolio with changes. Raises InputError."""
        return PortfolioFile.of(self._changed(sets))

    parsed = portfolio

    def references(self) -> list[KeyPath]:
        """The accelerators of pools and the files of jobs."""
        listed = {key: self.document.data.get(key) for key in ("pools", "jobs")}
        counts = {key: len(some) if isinstance(some, list) else 0 for key, some in listed.items()}
        files: list[KeyPath] = [("jobs", index, "file") for index in range(counts["jobs"])]
        return [*files, *(("pools", index, "accelerator") for index in range(counts["pools"]))]

    def in_short(self, key: str, value: Plain) -> str:
        """Of a fixed start the day."""
        start = value.get("start") if isinstance(value, dict) else str(value).rpartition("start: ")[2].rstrip("}")
        return str(start) if key.endswith(".fixed") else super().in_short(key, value)

    def check_moved(self, whole: Any, folder: Path) -> None:  # noqa: ANN401  (what ruamel makes of YAML)
        """Refuses a folder that does not hold the jobs' files. Raises InputError."""
        for job in whole["jobs"]:
            if ".." in Path(str(job.get("file", ""))).parts:
                message = f"{folder} does not hold the jobs' files, which have to stand beside a portfolio or below"
                raise InputError(message, fix=f"start plan board in {self.document.base_directory.resolve()}")


def given_file(path: str) -> GivenFile:
    """The problem or portfolio file at a path (`-`: standard input). Raises InputError."""
    content = read_given(path, MOST_BYTES)
    document = document_of(content, path, most_bytes=MOST_BYTES)
    is_portfolio = str(document.data.get("schema", "")).startswith("plan-portfolio/")
    given = (GivenPortfolio if is_portfolio else Given)(document, content.decode("utf-8-sig"))
    given.parsed({})
    return given


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


def check_count(paths: tuple[str, ...]) -> None:
    """Refuses more files than a board holds. Raises InputError."""
    if len(paths) > MOST_FILES:
        raise InputError(f"{len(paths)} files are more than {MOST_FILES}", fix="open several boards")


MOST_FILES: Final = 20
"""Problem files that one board holds."""
