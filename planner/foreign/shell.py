"""Shell scripts as lists of words: variables and arrays are expanded, nothing is run.

What the shell would have to run (`$(…)`, backquotes) stays unknown. Conditions and loops are not followed: every
assignment counts, the last one most.
"""

from __future__ import annotations

import ast
import operator
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from planner.errors import InputError, Place

LONGEST: Final = 2**16
"""Characters that one variable may hold after expansion."""
MOST_WORDS: Final = 100_000
"""Words that one script may have after expansion."""
LARGEST: Final = 10**18
"""Whole numbers that are calculated with stay below."""
DEEPEST: Final = 3
"""Shells within shells that are read."""
UNKNOWN: Final = "$(…)"
"""What stands for the output of a command."""

Value = str | list[str]


@dataclass
class Script:
    """The commands of a script and the variables that it sets."""

    commands: list[list[str]] = field(default_factory=list)
    """The words of each command, expanded."""
    variables: dict[str, Value] = field(default_factory=dict)
    has_conditions: bool = False
    """Whether it has branches or loops, which are read as if all of them ran."""


class _Text:
    """Text for `shlex`, whose comments end before the line does, so that the line's end is still seen."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def read(self, count: int, /) -> str:
        """The next characters."""
        found = self.text[self.position : self.position + count]
        self.position += len(found)
        return found

    def readline(self) -> object:
        """The rest of the line, without its end."""
        end = self.text.find("\n", self.position)
        return self.read((end if end >= 0 else len(self.text)) - self.position)

    def close(self) -> object:
        """Nothing is open."""
        return None


_SEPARATORS: Final = ";&|\n"
_KEYWORDS: Final = frozenset({"if", "case", "for", "while", "until"})
_ASSIGNMENT: Final = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<adds>\+?)=(?P<value>.*)", re.DOTALL)
_TERM: Final = r"[^()$'\"`]|\$\{?\w++\}?"
_ARITHMETIC: Final = re.compile(rf"\$\(\(((?:{_TERM}|\((?:{_TERM})*+\))*+)\)\)")
_COMMAND: Final = re.compile(r"\$\([^()]*\)|`[^`]*`")
_VARIABLE: Final = re.compile(
    r"\$\{(?P<braced>[A-Za-z_]\w*)(?:\[[@*]\])?(?P<default>:?[-=]?[^{}]*)\}|\$(?P<plain>[A-Za-z_]\w*)"
)


def read_script(text: str, source: str) -> Script:
    """The script in a text; `source` is what errors call it. Raises InputError for what is no shell text."""
    script, words, array = Script(), list[str](), False
    count = 0
    for token in _tokens(text, source):
        count += 1
        if count > MOST_WORDS:
            raise InputError("a script of too many words", place=Place(source), fix="give the part that starts the run")
        if token[0] in _SEPARATORS and not token.strip(_SEPARATORS):
            if not array:
                _take(script, words, source)
                words = []
            continue
        words.append(token)
        array = _opens_array(words, open_before=array)
    _take(script, words, source)
    script.commands = _joined_lines(script.commands)
    return script


def _joined_lines(commands: list[list[str]]) -> list[list[str]]:
    """Commands; lines of arguments that were pasted without what continues a line belong to the one before."""
    found: list[list[str]] = []
    for words in commands:
        if words[0].startswith("--") and found:
            found[-1] = [*found[-1], *words]
        else:
            found.append(words)
    return found


def _opens_array(words: list[str], *, open_before: bool) -> bool:
    """Whether the words so far are inside the brackets of an array."""
    last = words[-1]
    if open_before:
        return not _closes(last)
    found = _ASSIGNMENT.fullmatch(last)
    return bool(found and found["value"].startswith("(") and found["value"].count("(") > found["value"].count(")"))


def _closes(word: str) -> bool:
    """Whether a word ends an array: quotes are gone, and values such as `([0]*3)` have both of their brackets."""
    return word.endswith(")") and word.count(")") > word.count("(")


def _tokens(text: str, source: str) -> Iterator[str]:
    """Words without their quotes, and the separators between commands."""
    plain = text.replace("\r\n", "\n").replace("\\\n", " ")
    plain = _ARITHMETIC.sub(lambda found: found[0].replace(" ", ""), plain)
    for _ in range(3):  # commands inside of commands
        plain = _COMMAND.sub(UNKNOWN.replace("$(", "\ue000").replace(")", "\ue001"), plain)
    lexer = shlex.shlex(_Text(plain), posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace, lexer.whitespace_split = " \t", True
    try:
        for token in lexer:
            if token:
                yield token.replace("\ue000", "$(").replace("\ue001", ")")
    except ValueError as error:
        fix = "close the quotes, or give the lines that start the run only"
        raise InputError(f"not a shell script: {error}", place=Place(source), fix=fix) from None


def _inner(words: list[str]) -> str | None:
    """The text that a command gives to another shell: `bash -c "torchrun …"`."""
    shells = (index for index, word in enumerate(words) if word.rpartition("/")[2] in {"bash", "sh"})
    after = words[next(shells, len(words)) + 1 :]
    is_text = len(after) > 1 and after[0].startswith("-") and after[0].endswith("c") and not after[0].startswith("--")
    return after[1] if is_text else None


def _commands_in(text: str, source: str) -> Iterator[list[str]]:
    """The words of each command of a text."""
    words: list[str] = []
    for token in _tokens(text, source):
        if token.strip(_SEPARATORS):
            words.append(token)
        else:
            yield words
            words = []
    yield words


def _take(script: Script, words: list[str], source: str, depth: int = 0) -> None:
    """Reads one command: its assignments, then its words."""
    if words and words[0] in _KEYWORDS:
        script.has_conditions = True
    while words and (words[0] in {"export", "local", "declare", "readonly", "then", "else", "do", "if"}):
        words = words[1:]
    while words and (found := _ASSIGNMENT.fullmatch(words[0])):
        words = _assign(script, found, words, source)
    expanded = [piece for word in words for piece in _expanded(script, word, source)]
    if (inner := _inner(expanded)) is not None and depth < DEEPEST:
        for command in _commands_in(inner, source):
            _take(script, command, source, depth + 1)
    if sum(len(command) for command in script.commands) + len(expanded) > MOST_WORDS:
        raise InputError("a script of too many words", place=Place(source), fix="give the part that starts the run")
    if expanded:
        script.commands.append(expanded)


def _assign(script: Script, found: re.Match[str], words: list[str], source: str) -> list[str]:
    """Sets what one assignment sets; the words after it are left."""
    name, value, rest = found["name"], found["value"], words[1:]
    new: Value
    if value.startswith("("):
        whole = value.count("(") <= value.count(")")
        after = (index for index, word in enumerate(words[1:], start=1) if _closes(word))
        end = 0 if whole else next(after, len(words) - 1)
        items = [value[1:], *words[1 : end + 1]]
        items[-1] = items[-1].removesuffix(")")
        new = [piece for item in items if item for piece in _expanded(script, item, source)]
        rest = words[end + 1 :]
    else:
        new = " ".join(_expanded(script, value, source, splits=False))
    before = script.variables.get(name) if found["adds"] else None
    script.variables[name] = _limited(new if before is None else _joined(before, new), source)
    return rest


def _joined(before: Value, new: Value) -> Value:
    """What `+=` makes of two values."""
    if isinstance(before, list) or isinstance(new, list):
        return [*_as_list(before), *_as_list(new)]
    return before + new


def _as_list(value: Value) -> list[str]:
    return value if isinstance(value, list) else [value]


def _limited(value: Value, source: str) -> Value:
    """The value, unless it has grown too long."""
    length = len(value) if isinstance(value, str) else sum(len(item) + 1 for item in value)
    if length > LONGEST:
        raise InputError("a variable that grows too long", place=Place(source), fix="give the arguments alone")
    return value


def _expanded(script: Script, word: str, source: str, *, splits: bool = True) -> list[str]:
    """A word after expansion; one that is nothing but a variable may become several."""
    whole = _VARIABLE.fullmatch(word)
    if whole is not None and splits:
        value = _value(script, whole)
        if isinstance(value, list):
            return value
        return value.split() if " " in value or "\n" in value else [value]
    text = _VARIABLE.sub(lambda found: " ".join(_as_list(_value(script, found))), word)
    text = str(_limited(text, source))
    return [_ARITHMETIC.sub(lambda found: _calculated(script, found[1]), text)]


def _value(script: Script, found: re.Match[str]) -> Value:
    """What a variable stands for: its value, its default, or its own name where neither is known."""
    name = found["braced"] or found["plain"]
    if name in script.variables:
        return script.variables[name]
    default = re.fullmatch(r":?[-=](.*)", found["default"] or "", re.DOTALL)
    return default[1] if default else f"${name}"


_OPERATIONS: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _calculated(script: Script, expression: str) -> str:
    """The value of a sum of whole numbers and variables, or the expression as it is where it is none."""
    try:
        return str(_number(script, ast.parse(expression[:200].strip(), mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return f"$(({expression}))"


def _number(script: Script, node: ast.expr) -> int:
    """The value of a node of an arithmetic expression. Raises ValueError for anything else."""
    match node:
        case ast.Constant(value=int(value)) if abs(value) < LARGEST:
            return value
        case ast.Name(id=name) if re.fullmatch(r"-?\d{1,18}", str(script.variables.get(name))):
            return int(str(script.variables[name]))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            result = _OPERATIONS[type(op)](_number(script, left), _number(script, right))
            if abs(result) < LARGEST:
                return result
    raise ValueError("not a sum of whole numbers")
