"""Names in a problem that the catalogs do not know, all of them at once, whatever else is wrong with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from planner.catalog.accelerators import accelerator_from
from planner.catalog.models import model_from
from planner.catalog.offers import load_offers, usable
from planner.catalog.software import find_stack
from planner.errors import InputError, Issue, did_you_mean
from planner.problem.document import Document
from planner.problem.problem import Problem
from planner.problem.schema_base import in_file_order
from planner.problem.yaml_tree import KeyPath

Look = Callable[[Any], object]


def named_problem(document: Document) -> Problem:
    """The problem in a document. Raises InputError with every issue: of keys, of quantities and of names."""
    issues = list(unknown_names(document))
    try:
        problem = Problem.of(document)
    except InputError as error:
        issues = [*error.issues, *issues]
    if issues:
        raise InputError(sorted(dict.fromkeys(issues), key=in_file_order))
    return problem


def unknown_names(document: Document) -> Iterator[Issue]:
    """An issue for each model, stack, accelerator and cloud that stands where it belongs and is not known."""
    folder = document.base_directory
    for path, value in _stated(document, ("model",)):
        yield from _refused(document, path, value, partial(model_from, base_directory=folder))
    for path, value in _stated(document, ("training", "software", "stack")):
        yield from _refused(document, path, value, find_stack)
    for where in (("market", "accelerators", "*"), ("market", "offers", "*", "accelerator")):
        for path, value in _stated(document, where):
            yield from _refused(document, path, value, partial(accelerator_from, base_directory=folder))
    if not any(True for _ in _stated(document, ("market", "prices", "*"))):  # whose books may name other clouds
        for path, value in _stated(document, ("market", "clouds", "*")):
            yield from _refused(document, path, value, _known_cloud)


def _stated(document: Document, pattern: tuple[str, ...]) -> Iterator[tuple[KeyPath, Any]]:
    """What stands at the places of a pattern, in which `*` is any item of a list: names and mappings alone."""
    found: list[tuple[KeyPath, Any]] = [((), document.data)]
    for step in pattern:
        found = [deeper for path, value in found for deeper in _inside(path, value, step)]
    for path, value in found:
        if isinstance(value, dict) or (isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()):
            yield path, value


LONGEST = 1000
"""Characters of the longest name or path that is looked up."""


def _inside(path: KeyPath, value: object, step: str) -> Iterator[tuple[KeyPath, object]]:
    if step == "*" and isinstance(value, list):
        yield from (((*path, index), item) for index, item in enumerate(value))
    elif isinstance(value, dict) and step in value:
        yield (*path, step), value[step]


def _refused(document: Document, path: KeyPath, value: object, look: Look) -> Iterator[Issue]:
    """Why a name is not known, at its place; nothing where it is, or where no name can stand."""
    if isinstance(value, dict) and path != ("model",):
        return
    try:
        look(value)
    except InputError as error:
        for issue in error.issues:
            place = issue.place or document.place((*path, *issue.path), key=issue.at_key)
            yield replace(issue, place=place)


def _known_cloud(name: str) -> None:
    """Raises InputError for a cloud that no offer of the catalogs is of."""
    known = sorted({offer.cloud for offer in usable(load_offers())})
    if name not in known:
        raise InputError(f"unknown cloud {name!r}", fix=did_you_mean(name, known))
