"""What a framework or scheduler of some release takes, and how it calls things: `catalogs/launch/`."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Literal

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import SourcedRecord
from planner.errors import InputError, did_you_mean

Scalar = bool | int | float | str


class Target(SourcedRecord):
    """A framework or scheduler for which launch files are written."""

    name: str
    title: str
    kind: Literal["framework", "scheduler"]
    release: str
    """Whose names and rules these are."""
    suffix: str
    """What its files' names end with."""
    stacks: tuple[str, ...] = ()
    """Training stacks of the software catalog that this framework is."""
    accepts: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)
    """Values of a phase or of its model that can be expressed, by field; a field that is not listed may be anything."""
    names: dict[str, str] = Field(default_factory=dict)
    """What the target calls the fields that it takes one to one."""
    words: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """What is written for each value of a field that the target spells in its own way."""
    not_expressed: tuple[str, ...] = ()
    """What files for it can never say."""

    @property
    def label(self) -> str:
        """The target with the release that files are written for."""
        return f"{self.title}, {self.release}"

    def written_for(self, field: str, value: object) -> tuple[str, ...]:
        """The words for a value of a field."""
        return self.words[field][str(value)]

    def meant_by(self, field: str, *words: str) -> str | None:
        """The value of a field for which these words are written; None where they stand for none or for several."""
        found = [value for value, written in self.words[field].items() if written == words]
        return found[0] if len(found) == 1 else None


@cache
def load_targets() -> dict[str, Target]:
    """All targets by name."""
    files = sorted((catalog_directory() / "launch").glob("*.toml"))
    found = [Target.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files]
    return {target.name: target for target in found}


def find_target(name: str, kind: Literal["framework", "scheduler"] | None = None) -> Target:
    """The target of that name, and of that kind if one is given. Raises InputError with the nearest known name."""
    known = {target.name: target for target in load_targets().values() if kind in {None, target.kind}}
    if name not in known:
        raise InputError(f"unknown {kind or 'target'} {name[:80]!r}", fix=did_you_mean(name, known))
    return known[name]


def framework_of_stack(stack: str) -> Target | None:
    """The framework that a training stack of the software catalog is; None for one that none stands for."""
    targets = load_targets().values()
    return next((target for target in targets if target.kind == "framework" and stack in target.stacks), None)
