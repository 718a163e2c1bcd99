"""YAML 1.2 text as a tree of plain values with their places; everything that a problem does not need is refused.

Accepted: one document of mappings with text keys, lists, texts, numbers, booleans, nulls and modest aliases. Refused
with the place and a fix: tags, duplicate keys, tabs that indent, several documents, NaN, infinities, deep nesting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias, cast

from planner.errors import InputError, Place

if TYPE_CHECKING:
    from ruamel.yaml.events import AliasEvent, CollectionStartEvent, Event, ScalarEvent

MAX_DEPTH = 50
"""Deepest nesting of lists and mappings."""
MAX_REPEATED = 10_000
"""Most values that aliases may repeat."""
LARGE = 2**16
"""Characters of a file from which on the quicker parser reads it."""
MAX_KEY = 200
"""Longest key, in characters."""

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""What a document is made of."""
KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indices from the top of a document to a value."""


@dataclass(frozen=True)
class Mark:
    """Where a value and its key begin; lines and columns count from 0. A list's item is its own key."""

    line: int
    column: int
    key_line: int
    key_column: int


def plain_tree(source: str, lines: tuple[str, ...]) -> tuple[dict[str, Plain], dict[KeyPath, Mark]]:
    """The plain data of a YAML text and the mark of every key path; `source` is what errors call it.

    Raises InputError.
    """
    parser = _Parser(source, lines)
    parser.check_characters()
    root = parser.tree()
    if root.pairs is None:
        parser.refuse(root.line, root.column, "the file must be a mapping of keys to values", "write key: value lines")
    expansion = _Expansion(parser)
    data = expansion.data(root, (), root)
    return cast("dict[str, Plain]", data), expansion.marks


def place_at(source: str, lines: tuple[str, ...], line: int, column: int) -> Place:
    """A place for people, counting from 1, with its line of text."""
    line = min(max(line, 0), len(lines) - 1)
    return Place(source, line + 1, column + 1, lines[line])


@dataclass
class _Node:
    """A value with its place: a scalar, or the items of a list, or the pairs of a mapping."""

    line: int
    column: int
    scalar: str | float | bool | None = None
    items: list[_Node] | None = None
    pairs: dict[str, tuple[_Node, _Node]] | None = None
    """Key and value nodes by key."""
    open_key: tuple[str, _Node] | None = None
    """The key of a mapping that waits for its value."""
    complete: bool = True


_ODD_CHARACTER = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")
_TAB = re.compile(r" *\t\s*\S")
_FIXES = (
    ("indentation indicators", 'a value that starts with > or | goes in quotes, such as ">=2"'),
    ("that cannot start any token", "put the value in quotes"),
    ("mapping values are not allowed", "check the indentation, or put a value with a colon in quotes"),
    ("undefined alias", "a value that starts with * goes in quotes"),
    ("nested deeper", "flatten the file"),
    ("end of stream", "close the quote that was opened"),
    ("<stream end>", "close the bracket that was opened"),
)


class _Parser:
    """Builds a tree of nodes from the YAML events of one text, without recursion."""

    def __init__(self, source: str, lines: tuple[str, ...]) -> None:
        self.source = source
        self.lines = lines
        self.stack: list[_Node] = []
        self.anchors: dict[str, _Node] = {}
        self.root: _Node | None = None

    def refuse(self, line: int, column: int, message: str, fix: str) -> NoReturn:
        """Raises the error for a place that counts from 0."""
        raise InputError(message, place=place_at(self.source, self.lines, line, column), fix=fix)

    def check_characters(self) -> None:
        """Refuses control characters and tabs that indent."""
        for number, line in enumerate(self.lines):
            if odd := _ODD_CHARACTER.search(line):
                message = f"character U+{ord(odd.group()):04X} is not allowed in YAML"
                self.refuse(number, odd.start(), message, "remove it")
            if _TAB.match(line):
                self.refuse(number, line.index("\t"), "a tab in the indentation", "indent with spaces")

    def tree(self) -> _Node:
        """The one document of a text."""
        for event in self._events():
            self._take(event)
        if self.root is None or (self.root.scalar is None and self.root.items is None and self.root.pairs is None):
            raise InputError(
                "the file is empty", place=Place(self.source), fix="start with `schema: plan/1` or `schema: run/1`"
            )
        return self.root

    def _events(self) -> Iterator[Event]:
        """The parser's events; its own errors become ours.

        A small file is read by ruamel, whose messages are better; a large one by libyaml, which is a hundred times
        quicker.
        """
        text = "\n".join(self.lines)
        if len(text) > LARGE:
            from yaml import CSafeLoader, MarkedYAMLError, YAMLError, parse  # noqa: PLC0415

            events = parse(text, Loader=CSafeLoader)
        else:
            from ruamel.yaml import YAML  # noqa: PLC0415  (26 ms that only readers of YAML pay)
            from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

            events = YAML(typ="safe", pure=True).parse(text)
        try:
            yield from events
        except MarkedYAMLError as error:
            problem = str(error.problem or error.context or "not YAML")
            if "nesting depth" in problem:
                problem = f"nested deeper than {MAX_DEPTH} levels"
            marks = [error.problem_mark, error.context_mark]  # what was opened tells more than the end of the file
            mark = next(filter(None, reversed(marks) if " end" in problem else marks), None)
            known = (fix for part, fix in _FIXES if part in problem)
            fix = next(known, "check the indentation, colons and quotes here")
            self.refuse(mark.line if mark else 0, mark.column if mark else 0, f"not valid YAML: {problem}", fix)
        except (
            YAMLError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            AssertionError,
            ArithmeticError,
        ) as error:
            message = f"not valid YAML: {type(error).__name__}"
            raise InputError(message, place=Place(self.source), fix="check quotes and escapes") from None

    def _take(self, event: Event) -> None:
        """Adds what one event says to the tree."""
        match type(event).__name__:
            case "DocumentStartEvent" if self.root is not None:
                self._refuse_at(event, "a second document in the file", "give each problem a file of its own")
            case "AliasEvent":
                self._add(self._anchored(cast("AliasEvent", event)))
            case "ScalarEvent":
                scalar = cast("ScalarEvent", event)
                self._add(self._named(scalar, self._scalar(scalar)))
            case "MappingStartEvent" | "SequenceStartEvent":
                if len(self.stack) >= MAX_DEPTH:
                    self._refuse_at(event, f"nested deeper than {MAX_DEPTH} levels", "flatten the file")
                node = self._named(cast("CollectionStartEvent", event), _Node(*_start(event), complete=False))
                if type(event).__name__ == "MappingStartEvent":
                    node.pairs = {}
                else:
                    node.items = []
                self._add(node)
                self.stack.append(node)
            case "MappingEndEvent" | "SequenceEndEvent":
                self.stack.pop().complete = True

    def _refuse_at(self, event: Event, message: str, fix: str) -> NoReturn:
        self.refuse(*_start(event), message, fix)

    def _named(self, event: ScalarEvent | CollectionStartEvent, node: _Node) -> _Node:
        """The node, with its anchor remembered; tags are refused."""
        if event.tag:
            self._refuse_at(event, f"tag {str(event.tag)[:60]} is not used here", "write the value without a tag")
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _anchored(self, event: AliasEvent) -> _Node:
        """The node that an alias stands for."""
        node = self.anchors.get(event.anchor)
        if node is None or not node.complete:
            fix = "a value that starts with * goes in quotes" if node is None else "write the value out"
            self._refuse_at(event, f"alias *{str(event.anchor)[:60]} stands for nothing complete", fix)
        return node

    def _scalar(self, event: ScalarEvent) -> _Node:
        """A text, number, boolean or null."""
        line, column = _start(event)
        if event.style:  # quoted or block text
            if odd := _ODD_CHARACTER.search(event.value):
                self._refuse_at(event, f"character U+{ord(odd.group()):04X} is not allowed", "remove its escape")
            return _Node(line, column, event.value)
        value = plain_scalar(event.value)
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse_at(event, f"{event.value[:40]} is not a finite number", "write a number")
        return _Node(line, column, value)

    def _add(self, node: _Node) -> None:
        """Puts a node where the open list or mapping expects it."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.items is not None:
            parent.items.append(node)
        elif parent.pairs is not None and parent.open_key is None:
            parent.open_key = (self._key(parent.pairs, node), node)
        elif parent.pairs is not None and parent.open_key is not None:
            name, key = parent.open_key
            parent.pairs[name] = (key, node)
            parent.open_key = None

    def _key(self, pairs: dict[str, tuple[_Node, _Node]], node: _Node) -> str:
        """The node as a key: a text that the mapping does not have yet."""
        if not isinstance(node.scalar, str) or not node.scalar.isprintable():
            fix = "write a name, in quotes if it looks like a number"
            self.refuse(node.line, node.column, "a key must be a text on one line", fix)
        if len(node.scalar) > MAX_KEY:
            self.refuse(node.line, node.column, f"a key is longer than {MAX_KEY} characters", "write a shorter name")
        if node.scalar in pairs:
            message = f"key {node.scalar!r} is already on line {pairs[node.scalar][0].line + 1}"
            self.refuse(node.line, node.column, message, "keep one of the two")
        return node.scalar


class _Expansion:
    """Turns the tree into plain data and key paths, repeating what aliases repeat within a budget."""

    def __init__(self, parser: _Parser) -> None:
        self.parser = parser
        self.marks: dict[KeyPath, Mark] = {}
        self.seen: set[int] = set()
        self.repeated = 0

    def data(self, node: _Node, path: KeyPath, key: _Node) -> Plain:
        """The plain data of a node; every path below it is marked."""
        self._count(node, path, key)
        self.marks[path] = Mark(node.line, node.column, key.line, key.column)
        if node.pairs is not None:
            return {name: self.data(value, (*path, name), key) for name, (key, value) in node.pairs.items()}
        if node.items is not None:
            return [self.data(item, (*path, index), item) for index, item in enumerate(node.items)]
        return node.scalar

    def _count(self, node: _Node, path: KeyPath, key: _Node) -> None:
        """Refuses aliases that repeat too much or nest too deeply."""
        self.repeated += id(node) in self.seen
        self.seen.add(id(node))
        if self.repeated > MAX_REPEATED or len(path) > MAX_DEPTH:
            self.parser.refuse(key.line, key.column, "aliases repeat too much", "write the values out")


def _start(event: Event) -> tuple[int, int]:
    """Line and column of an event, from 0."""
    return event.start_mark.line, event.start_mark.column


_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def plain_scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means under the YAML 1.2 core schema."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, base=0)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text) if _FLOAT.fullmatch(text) else text
