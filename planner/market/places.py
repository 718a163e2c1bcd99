"""What a problem states by place: for a cloud, for an accelerator of a cloud, or for any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from planner.catalog.accelerators import accelerator_from
from planner.catalog.offers import usable
from planner.errors import InputError, Issue, did_you_mean
from planner.market.filters import offers_of
from planner.problem.problem import Problem
from planner.problem.quantities import ANY_CLOUD

OWN: Final = "own"
"""The cloud of the problem's own offers."""
Value = TypeVar("Value")
Where = tuple[str, str]
"""A cloud and an accelerator by its catalog name; either may be empty for any."""


def place_title(cloud: str, region: str, zone: str, instance_type: str) -> str:
    """A place on one line; an own offer is called by its name."""
    return " ".join(part for part in (cloud * (cloud != OWN), region, zone, instance_type) if part)


def by_place(problem: Problem, key: str, stated: Mapping[str, Value] | None) -> dict[Where, Value]:
    """The values of a mapping under `market` by place. Raises InputError for unknown clouds and accelerators."""
    known = sorted({offer.cloud for offer in usable(offers_of(problem))})
    issues: list[Issue] = []
    found: dict[Where, Value] = {}
    for where, value in (stated or {}).items():
        cloud, _, device = where.partition("/")
        if cloud not in {ANY_CLOUD, *known}:
            place = problem.place("market", key, where, key=True)
            issues.append(Issue(f"unknown cloud {cloud!r}", place, did_you_mean(cloud, [*known, ANY_CLOUD])))
            continue
        with problem.at("market", key, where):
            name = accelerator_from(device, problem.base_directory).name if device else ""
        found["" if cloud == ANY_CLOUD else cloud, name] = value
    if issues:
        raise InputError(issues)
    return found


def most_exact(stated: Mapping[Where, Value], cloud: str, accelerator: str) -> Value | None:
    """The value for a place; what is stated for less of the market comes first. None where nothing is stated."""
    return next((stated[place] for place in _places(cloud, accelerator) if place in stated), None)


def _places(cloud: str, accelerator: str) -> Iterator[Where]:
    """Where a value may be stated, the most exact first."""
    yield from ((cloud, accelerator), (cloud, ""), ("", accelerator), ("", ""))
