"""The base of what users write, and its errors: all of them at once, each with its place and a fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, WithJsonSchema, model_validator
from pydantic.fields import FieldInfo

from planner.errors import InputError, Issue, Place, did_you_mean
from planner.problem.document import Document, dotted
from planner.problem.yaml_tree import KeyPath
from planner.units import QuantityError


class SchemaModel(BaseModel):
    """Base of every part of a problem or run file: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        """A known key without a value is not stated: its default holds."""
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in known}

    def stated(self) -> frozenset[str]:
        """Names of the fields that were given another value than their default."""
        fields = type(self).model_fields
        return frozenset(name for name in self.model_fields_set if getattr(self, name) != fields[name].default)


class SchemaFile(SchemaModel):
    """A whole file: it remembers the document it came from, so that later errors still name the line."""

    _document: Document | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Keeps the document that the validation was given as its context."""
        if isinstance(context, Document):
            self._document = context

    @property
    def base_directory(self) -> Path:
        """Where relative paths in the file start."""
        return self._document.base_directory if self._document else Path()

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where the value (or with `key`, the key) at a path was written; the path itself when not from a document."""
        return self._document.place(path, key=key) if self._document else Place(dotted(path))

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Gives the place of a key path, or of what an error names below it, to errors raised inside without one."""
        try:
            yield
        except InputError as error:
            placed = [
                issue if issue.place else replace(issue, place=self.place(*path, *issue.path, key=issue.at_key))
                for issue in error.issues
            ]
            raise InputError(sorted(placed, key=in_file_order)) from None

    @classmethod
    def of(cls, document: Document) -> Self:
        """The file, validated. Raises InputError with every issue."""
        cls._refuse_other_kinds(document)
        try:
            return cls.model_validate(document.data, context=document)
        except ValidationError as error:
            raise InputError(issues_of(error, document, cls)) from None

    @classmethod
    def _refuse_other_kinds(cls, document: Document) -> None:
        """Refuses a file that another command reads; all else that is wrong with it would follow from that."""
        said, (wanted,) = document.data.get("schema"), get_args(cls.model_fields["format"].annotation)
        if isinstance(said, str) and said != wanted and said in KINDS:
            raise InputError(
                f"this is {KINDS[said]}, but {KINDS[wanted]}, is wanted",
                place=document.place(("schema",)),
                fix=f"give another file, or write schema: {wanted} and its keys",
            )


KINDS: Final = {
    "plan/1": "a problem file (plan/1), which plan solve reads",
    "run/1": "a run file (run/1), which plan estimate reads",
    "plan-portfolio/1": "a portfolio file (plan-portfolio/1), which plan portfolio reads",
}
"""What the files are called, by what stands under `schema`."""


@dataclass(frozen=True)
class Rule:
    """A rule between several fields that does not hold: where, what, and what to do about it."""

    path: KeyPath
    message: str
    fix: str


class RulesBrokenError(ValueError):
    """Several fields that do not fit together; raised by validators, told apart by `issues_of`."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        super().__init__("; ".join(rule.message for rule in self.rules))


def issues_of(error: ValidationError, document: Document, schema: type[BaseModel]) -> list[Issue]:
    """Every error of a validation, in the order of the file, with the place its key path stands at."""
    found: dict[Issue, None] = {}
    for detail in error.errors(include_url=False):
        path = _real_path(detail["loc"], document)
        found.update(dict.fromkeys(_issues(detail["type"], detail, path, document, schema)))
    return sorted(found, key=in_file_order)


def in_file_order(issue: Issue) -> tuple[int, int]:
    """Where an issue stands, for sorting: line and column."""
    return (issue.place.line or 0, issue.place.column or 0) if issue.place else (0, 0)


WRITTEN_UNDER: Final = {"lateness": "deadline"}
"""Fields whose keys a file may write under another one, as a mapping in place of its value."""


def _real_path(location: KeyPath, document: Document) -> KeyPath:
    """The key path of a pydantic location, without the names of union members and validators."""
    data: Any = document.data
    path: list[str | int] = []
    for position, field in enumerate(location):
        written = WRITTEN_UNDER.get(str(field))
        step = written if isinstance(data, dict) and written and isinstance(data.get(written), dict) else field
        inside = (isinstance(data, dict) and step in data) or (isinstance(data, list) and isinstance(step, int))
        if inside:
            data = data[step]
        if inside or (isinstance(data, dict) and position == len(location) - 1):
            path.append(step)
    return tuple(path)


def _issues(
    kind: str, detail: Mapping[str, Any], path: KeyPath, document: Document, schema: type[BaseModel]
) -> Iterator[Issue]:
    """What one pydantic error says to the user."""
    where, value = dotted(path), detail["input"]
    place = document.place(path, key=kind == "extra_forbidden")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, RulesBrokenError):
        for rule in cause.rules:
            yield Issue(rule.message, document.place((*path, *rule.path)), rule.fix)
    elif isinstance(cause, QuantityError):
        yield Issue(f"{where}: {cause.message}", place, cause.fix)
    elif kind == "missing":
        yield Issue(f"{where} is missing", place, f"add {_example(schema, path)}")
    elif kind == "extra_forbidden":
        yield Issue(f"unknown key {where}", place, _known_key(schema, path))
    elif kind == "literal_error":
        known = [text.strip("'") for text in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        fix = did_you_mean(value, known) if isinstance(value, str) else f"known: {', '.join(known)}"
        yield Issue(f"{where} is not one of {', '.join(known)}: {_shown(value)}", place, fix)
    elif kind == "model_type":
        fix = f"its keys are {', '.join(_fields_at(schema, path))}"
        yield Issue(f"{where} must be a mapping of keys to values, not {_shown(value)}", place, fix)
    elif kind == "too_short" and value:
        return  # its items were refused one by one
    elif kind == "too_long":
        has, most = detail["ctx"]["actual_length"], detail["ctx"]["max_length"]
        yield Issue(f"{where} has {has:,} entries, more than the {most:,} that are accepted", place, "leave some out")
    else:
        message = (
            "must not be empty" if kind == "too_short" else f"{_plain_message(detail['msg'])}, not {_shown(value)}"
        )
        yield Issue(f"{where} {message}", place, f"write {_meant(kind, value, path) or _example(schema, path)}")


def _meant(kind: str, value: object, path: KeyPath) -> str:
    """What was likely meant by a text where a list or a whole number is wanted; empty when nothing suggests itself."""
    if not (isinstance(value, str) and path):
        return ""
    if kind == "tuple_type":
        return f"{path[-1]}: [{', '.join(value[:200].replace(',', ' ').split())}]"
    number, _, unit = value.strip().partition(" ")
    if kind != "int_type" or not number.replace(",", "").isdecimal():
        return ""
    plain = int(number.replace(",", "")[:12])
    if unit.startswith("node"):
        return f"the GPUs of these nodes together: {path[-1]}: {8 * plain} where a node has 8"
    return f"{path[-1]}: {plain}"


def _plain_message(message: str) -> str:
    """Pydantic's message as the end of a sentence that starts with the key."""
    plain = message.removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    return plain.replace("be a valid tuple", "be a list").replace("be a valid integer", "be a whole number")


def _shown(value: object) -> str:
    """A value in few words."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:56]}…"


def _example(schema: type[BaseModel], path: KeyPath) -> str:
    """How the key at a path is written."""
    name = str(path[-1]) if path else ""
    found = _field_at(schema, path)
    example = next(_examples(found.annotation, [found, *found.metadata]), None) if found else None
    if example is not None and found is not None:
        return f"for example {name}: {_as_list(str(example), found.annotation)}"
    keys = _fields_at(schema, path)
    return f"{name} with the keys {', '.join(keys)}" if keys else "a value of the kind that `plan schema` states"


def _field_at(schema: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field that describes the value at a path."""
    model = _model_at(schema, path[:-1])
    fields = model.model_fields.items() if model and path else ()
    return next((field for name, field in fields if (field.alias or name) == path[-1]), None)


def _as_list(example: str, annotation: object) -> str:
    """An item's example in brackets where a list is wanted."""
    return f"[{example}]" if tuple in set(_origins(annotation)) and not example.startswith("[") else example


def _origins(annotation: object) -> Iterator[object]:
    """The generic types of which an annotation is made."""
    yield get_origin(annotation)
    for argument in get_args(annotation):
        yield from _origins(argument)


def _examples(annotation: object, metadata: Iterable[object]) -> Iterator[object]:
    """The examples that a field's type carries."""
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.examples or ()
        if isinstance(item, WithJsonSchema):
            yield from (item.json_schema or {}).get("examples", ())
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    for argument in get_args(annotation):
        yield from _examples(argument, getattr(argument, "__metadata__", ()))


def _fields_at(schema: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that are known at a path."""
    model = _model_at(schema, path)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _known_key(schema: type[BaseModel], path: KeyPath) -> str:
    """The fix for an unknown key: the same in a list beside it, or the nearest one that is known there.

    A key that is known there but for its end, such as a plural, goes before one in a list.
    """
    name, known = str(path[-1]), _fields_at(schema, path[:-1])
    deeper = None if any(one.startswith(name) for one in known) else _in_a_list(schema, path)
    return f"write {deeper}" if deeper else did_you_mean(name, known)


def _in_a_list(schema: type[BaseModel], path: KeyPath) -> str | None:
    """Where a key that is unknown here is known: in the first item of a list beside it."""
    parent = _model_at(schema, path[:-1])
    for name, field in parent.model_fields.items() if parent else ():
        key = field.alias or name
        if tuple in set(_origins(field.annotation)) and path[-1] in _fields_at(schema, (*path[:-1], key)):
            return dotted((*path[:-1], key, 0, path[-1]))
    return None


def _model_at(schema: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The part of the schema that describes the value at a path."""
    model: type[BaseModel] | None = schema
    for step in path:
        if isinstance(step, str) and model is not None:
            named = [step, *(field for field, written in WRITTEN_UNDER.items() if written == step)]
            found = [model.model_fields[name] for name in named if name in model.model_fields]
            model = next((one for field in found for one in _models(field.annotation)), None)
    return model


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, through tuples, unions and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
