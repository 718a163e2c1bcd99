"""The comment block with which launch files carry what their target cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from planner.foreign.yaml_text import yaml_text
from planner.problem.document import parse_document

MARK: Final = "#| "
"""How a line of the block begins."""
JSON_KEY: Final = "_plan"
"""The key that holds the same in JSON, which has no comments."""


def block_lines(data: Mapping[str, Any]) -> list[str]:
    """The part of a run file that a launch file carries, as comment lines."""
    return [MARK + line for line in yaml_text(data).splitlines()] if data else []


def read_block(text: str, source: str) -> dict[str, Any]:
    """What the block of a text says; empty when there is none. Raises InputError for a block that is no YAML."""
    stripped = (line.strip() for line in text.splitlines())
    lines = [line.removeprefix(MARK) for line in stripped if line.startswith(MARK)]
    indented = [line[line.index(MARK) + len(MARK) :] for line in text.splitlines() if line.lstrip().startswith(MARK)]
    if not lines:
        return {}
    return dict(parse_document("\n".join(indented), f"{source}, comment block", Path()).data)


def merged(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings as one; where both say something the upper one counts."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = merged(value, below) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def without(data: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a mapping that another one does not say."""
    left: dict[str, Any] = {}
    for key, value in data.items():
        there = known.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            if inner := without(value, there):
                left[key] = inner
        elif there is None:
            left[key] = value
    return left
