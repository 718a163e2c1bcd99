"""The model catalog: loading it, finding a model under any of its spellings, and reading one that is not in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from planner.catalog.files import catalog_directory
from planner.catalog.huggingface import architecture_from_inline, read_config
from planner.catalog.records import ModelArchitecture
from planner.errors import InputError, did_you_mean

MAX_SPELLING: Final = 200
"""Longest name that is looked up, in characters."""

Spelling = tuple[str, ...]
"""The words and numbers of a name, in order."""

_VARIANTS: Final = frozenset({"hf", "base", "instruct", "chat", "it", "pt"})
"""Last words of a name that say how a model was tuned or stored, not what its architecture is."""

Row = dict[str, Any]
"""A model as its file states it."""


@cache
def _families() -> tuple[str, ...]:
    """The text of every family's file."""
    return tuple(path.read_text("utf-8") for path in sorted((catalog_directory() / "models").glob("*.toml")))


@cache
def _rows_of(family: str) -> dict[str, Row]:
    return {row["name"]: row for row in tomllib.loads(family)["model"]}


def _rows() -> dict[str, Row]:
    """Every model of the catalog by name, unchecked: most commands need one of them."""
    return {name: row for family in _families() for name, row in _rows_of(family).items()}


def _named_exactly(name: str) -> Row | None:
    """The model of exactly that name, without reading the other families."""
    families = (family for family in _families() if f'name = "{name}"' in family)
    return next((_rows_of(family)[name] for family in families if name in _rows_of(family)), None)


@cache
def _record(name: str) -> ModelArchitecture:
    return ModelArchitecture.model_validate(_named_exactly(name))


@cache
def load_models() -> dict[str, ModelArchitecture]:
    """Every model of the catalog by name, families in alphabetical order; one file a family."""
    return {name: _record(name) for name in _rows()}


def spelling_key(spelling: str) -> Spelling:
    """The words and numbers of a name, so that case and separators do not matter but the numbers stay apart.

    `Llama-3.1_8B` and `llama3.1-8b` are the same; `qwen2.5-7b` and `qwen2-57b` are not. An organisation before `/` is
    left out.
    """
    return tuple(re.findall(r"\d+|[^\W\d_]+", spelling.rpartition("/")[2].casefold()))


def find_model(spelling: str) -> ModelArchitecture:
    """The catalog's model of that name or alias.

    Case, separators, the organisation and a last word such as `-instruct` do not matter. Raises InputError for an
    unknown one, with the nearest name.
    """
    if _named_exactly(spelling[:MAX_SPELLING]):
        return _record(spelling)
    known = _index()
    key = spelling_key(spelling[:MAX_SPELLING])
    while key not in known and key and key[-1] in _VARIANTS:
        key = key[:-1]
    if key not in known:
        near = did_you_mean(spelling, [name for row in _rows().values() for name in _spellings(row)])
        raise InputError(f"unknown model {spelling[:MAX_SPELLING]!r}", fix=f"{near} (`plan catalog models` lists them)")
    return _record(known[key])


def names_of(record: ModelArchitecture) -> tuple[str, ...]:
    """Every spelling that a record lists: its name and its aliases."""
    return (record.name, *record.aliases)


def model_from(reference: str | Mapping[str, object], base_directory: Path) -> ModelArchitecture:
    """The model that a problem names: a catalog name, a path to a `config.json` or its folder, or an inline one.

    A relative path starts at `base_directory`. Raises InputError.
    """
    if not isinstance(reference, str):
        return architecture_from_inline(reference)
    return read_config(base_directory / reference) if _is_path(reference, base_directory) else find_model(reference)


def _is_path(reference: str, base_directory: Path) -> bool:
    """Whether a reference is a file rather than a name: it ends in `.json`, or no model is called so and it exists."""
    if reference.endswith(".json"):
        return True
    if len(reference) > MAX_SPELLING or "\0" in reference or _named_exactly(reference):
        return False
    if spelling_key(reference) in _index():
        return False
    return (base_directory / reference).exists()


def _spellings(row: Row) -> tuple[str, ...]:
    return (row["name"], *row.get("aliases", ()))


@cache
def _index() -> dict[Spelling, str]:
    return {spelling_key(spelling): name for name, row in _rows().items() for spelling in _spellings(row)}
