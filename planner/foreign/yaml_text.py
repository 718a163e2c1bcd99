"""Plain data as YAML that every reader understands alike: texts that could be mistaken are quoted."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS: Final = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})
"""Texts that one version of YAML or another reads as something else."""


@dataclass(frozen=True)
class Sourced:
    """A value with a comment that says where it comes from."""

    value: Any
    source: str


def yaml_text(data: Mapping[str, Any], *, short: bool = False) -> str:
    """A mapping as YAML text; `Sourced` values get their comment at the end of the line.

    `short`: mappings inside of lists on a line each.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  (26 ms that only writers of YAML pay)

    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream, tree = io.StringIO(), _commented(data)
    if short:
        _shorten(tree)
    yaml.dump(tree, stream)
    return stream.getvalue()


def _shorten(tree: Any) -> None:  # noqa: ANN401  (a CommentedMap)
    """Puts every list of scalars, and every mapping in a list, on a line of its own."""
    for item in tree.values() if isinstance(tree, Mapping) else ():
        lines = [item] if isinstance(item, list) and not any(isinstance(one, Mapping) for one in item) else item
        for one in lines if isinstance(lines, list) else ():
            one.fa.set_flow_style()
        _shorten(item)


def _commented(value: Any) -> Any:  # noqa: ANN401  (whatever YAML can hold)
    """The value as ruamel writes it."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415

    if isinstance(value, Mapping):
        result = CommentedMap()
        for key, item in value.items():
            inner = item.value if isinstance(item, Sourced) else item
            result[_scalar(key)] = _commented(inner)
            if isinstance(item, Sourced):
                _comment(result, key, inner, item.source)
        return result
    if isinstance(value, Sequence) and not isinstance(value, str):
        sequence = CommentedSeq([_commented(item.value if isinstance(item, Sourced) else item) for item in value])
        for index, item in enumerate(value):
            if isinstance(item, Sourced):
                sequence.yaml_add_eol_comment(item.source, index)
        return sequence
    return _scalar(value)


def _comment(result: Any, key: str, inner: object, source: str) -> None:  # noqa: ANN401  (a CommentedMap)
    """Adds a comment behind a value, or above the value where it takes several lines."""
    if isinstance(inner, Mapping | list | tuple) or (isinstance(inner, str) and "\n" in inner):
        result.yaml_set_comment_before_after_key(key, before=source)
    else:
        result.yaml_add_eol_comment(source, key)


def _scalar(value: Any) -> Any:  # noqa: ANN401  (whatever YAML can hold)
    """A value that stands on its own; texts in quotes unless they can mean nothing else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString  # noqa: PLC0415

    if not isinstance(value, str):
        return value
    if value.endswith("\n"):
        return LiteralScalarString(value)
    plain = _PLAIN.fullmatch(value) and value.casefold() not in _WORDS
    return value if plain else DoubleQuotedScalarString(value)
