"""Descriptions for the JSON schema, from the docstrings under the attributes of the classes.

Read only when a schema is asked for: reading the source of every class as it is defined, as pydantic would, costs each
command a tenth of its start-up.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel


def docstrings_of(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each attribute of a model and of its bases, by the key that files use."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= dict(_attributes(inspect.getsource(base)))
    fields = model.model_fields
    return {fields[name].alias or name: text for name, text in found.items() if name in fields}


def _attributes(class_source: str) -> Iterator[tuple[str, str]]:
    body = next(node for node in ast.parse(class_source).body if isinstance(node, ast.ClassDef)).body
    for attribute, text in pairwise(body):
        match attribute, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                yield name, inspect.cleandoc(docstring)


def described(root: type[BaseModel], base: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model with a description at every property whose attribute has a docstring.

    `base` is the class that all models of the schema descend from.
    """
    schema = root.model_json_schema()
    models = {model.__name__: model for model in _descendants(base)}
    definitions = {
        name: _with_descriptions(definition, docstrings_of(models[name])) if name in models else definition
        for name, definition in schema.get("$defs", {}).items()
    }
    return {**_with_descriptions(schema, docstrings_of(root)), "$defs": definitions}


def _descendants(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in base.__subclasses__():
        yield child
        yield from _descendants(child)


def _with_descriptions(definition: Mapping[str, Any], docstrings: Mapping[str, str]) -> dict[str, Any]:
    filled = {
        name: {"description": docstrings[name], **value} if name in docstrings else value
        for name, value in definition.get("properties", {}).items()
    }
    return {**definition, "properties": filled} if filled else dict(definition)
