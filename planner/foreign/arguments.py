"""Command-line arguments by name, as a training script would see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from planner.errors import InputError, Place

_NUMBER: Final = re.compile(r"-?\d{1,18}")


@dataclass
class Arguments:
    """Arguments by name (`--num-layers`), each with its values; of repeated ones the last counts."""

    source: str
    """What errors call the file."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def word(self, name: str) -> str | None:
        """The value of an argument; None when it is not there or has none."""
        found = self.values.get(name)
        return found[0] if found else None

    def count(self, *names: str) -> int | None:
        """The whole number of the first of these arguments that is there. Raises InputError when it is none."""
        for name in names:
            text = self.word(name)
            if text is None:
                continue
            if not _NUMBER.fullmatch(text):
                what = "a variable that the script does not set" if "$" in text else repr(text[:60])
                fix = f"replace it by a number in {name}"
                raise InputError(f"{name} is {what}, not a number", place=Place(self.source), fix=fix)
            return int(text)
        return None


def arguments_of(words: Iterable[str], source: str) -> Arguments:
    """The arguments among some words. Underscores in names count as hyphens where hyphens are the rule."""
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            name = name.replace("_", "-") if "." not in name else name
            found[name] = (value,) if equals else ()
        elif name:
            found[name] = (*found[name], word)
    return Arguments(source, found)
