"""A model config seen through its dialect: typed look-ups that remember what is wrong, and in which field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from planner.catalog.config_dialect import Dialect
from planner.catalog.config_spellings import SPELLINGS
from planner.errors import Issue

BOUNDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "num_hidden_layers": 10_000,
        "hidden_size": 1_000_000,
        "num_attention_heads": 100_000,
        "num_key_value_heads": 100_000,
        "intermediate_size": 10_000_000,
        "vocab_size": 10_000_000,
        "n_routed_experts": 100_000,
        "num_experts_per_tok": 100_000,
        "n_shared_experts": 1_000,
    }
)
"""Largest value of each count."""
DEFAULT_BOUND: Final = 1_000_000_000
"""Largest value of any other whole number."""


@dataclass
class Fields:
    """A config seen through its dialect: typed look-ups that collect what is wrong instead of stopping at it."""

    data: Mapping[str, object]
    dialect: Dialect
    inside: str = ""
    """The key of the object that holds the text part of a multimodal model."""
    outside: frozenset[str] = frozenset()
    """Names in `data` that stand beside that object."""
    issues: list[Issue] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Top-level names that were asked for; what else the file holds does not matter to the architecture."""

    def raw(self, name: str) -> object:
        """The value under any of the field's spellings, else the dialect's default, else None."""
        for spelling in SPELLINGS.get(name, (name,)):
            self.seen.add(spelling.partition(".")[0])
            value: object = self.data
            for part in spelling.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return self.dialect.defaults.get(name)

    def path(self, name: str) -> tuple[str, ...]:
        """Where the field, or the object that should hold it, stands in the file."""
        within = (self.inside,) if self.inside else ()
        for spelling in SPELLINGS.get(name, (name,)):
            first, *rest = spelling.split(".")
            if self.data.get(first) is not None:
                return (*(() if first in self.outside else within), first, *rest)
        return within

    def has(self, name: str) -> bool:
        """Whether the file or the dialect says anything about a field."""
        return self.raw(name) is not None

    def count(self, name: str, default: int | None = None, *, least: int = 0) -> int:
        """A whole number between `least` and its bound; without a default it must be there.

        A list of the same number for every layer is that number.
        """
        value = self.raw(name)
        if isinstance(value, list) and len(value) > 1 and all(one == value[0] for one in value):
            value = value[0]
        if value is None and default is not None:
            return default
        bound = BOUNDS.get(name, DEFAULT_BOUND)
        if value is None:
            self.refuse(f"{name} is missing", name, f"add {name}")
        elif isinstance(value, bool) or not isinstance(value, int):
            self.refuse(f"{name} must be a whole number", name)
        elif not least <= value <= bound:
            self.refuse(f"{name} must lie between {least} and {bound:,}", name)
        else:
            return value
        return max(least, 1)

    def flag(self, name: str) -> bool:
        """A yes or no; no when it is absent."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.refuse(f"{name} must be true or false", name)
        return False

    def any_flag(self, names: Iterable[str]) -> bool:
        """Whether any of some switches is on."""
        return max((self.flag(name) for name in names), default=False)

    def word(self, name: str) -> str:
        """A text; empty when it is absent."""
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.refuse(f"{name} must be a text", name)
        return ""

    def items(self, name: str, bound: int) -> list[object]:
        """A list of at most `bound` items; empty when it is absent."""
        value = self.raw(name)
        if value is None:
            return []
        if isinstance(value, list | tuple) and len(value) <= bound:
            return list(value)
        self.refuse(f"{name} must be a list of at most {bound:,} items", name)
        return []

    def refuse(self, message: str, name: str, fix: str | None = None) -> None:
        """Notes a problem of a field once."""
        issue = Issue(message, fix=fix, path=self.path(name))
        if issue not in self.issues:
            self.issues.append(issue)
