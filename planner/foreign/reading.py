"""What was read from a launch file: a part of a run file, what was assumed, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from planner.foreign.arguments import Arguments, arguments_of
from planner.foreign.shell import Script

Value = TypeVar("Value")


@dataclass
class Reading:
    """A part of a run file, read from a launch file."""

    data: dict[str, Any] = field(default_factory=dict)
    guesses: dict[str, Any] = field(default_factory=dict)
    """What holds where neither the file nor its comment block says otherwise."""
    assumed: list[str] = field(default_factory=list)
    """What the file does not say and was taken for granted, in sentences."""
    sharded_copies: int = 1
    """Copies of the states that are each sharded over a part of the replicas (HSDP)."""
    missing: dict[str, str] = field(default_factory=dict)
    """Keys that a run needs and the file cannot say, each with the option that states it."""


def present(values: Mapping[str, Value | None]) -> dict[str, Value]:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None}


_BATCH_LINES: Final = re.compile(r"^#SBATCH\s+(.*)$", re.MULTILINE)


def devices_of(arguments: Arguments, script: Script, text: str) -> int | None:
    """Devices of a run: nodes times processes per node of its launcher, or what a Slurm script asks for."""
    launcher = _launcher(script, arguments.source)
    slurm = _slurm(text, arguments.source)
    nodes = _first(launcher, "--nnodes", "--nodes") or _first(slurm, "--nodes")
    each = _first(launcher, "--nproc-per-node") or _first(slurm, "--gpus-per-node", "--ntasks-per-node")
    if each is None or (nodes is None and "--nnodes" in launcher):
        return None
    return (nodes or 1) * each


def _first(arguments: Arguments, *names: str) -> int | None:
    """The whole number of the first of some arguments that has one."""
    for name in names:
        found = re.search(r"(\d{1,7})$", arguments.word(name) or "")
        if found:
            return int(found[1])
    return None


def _launcher(script: Script, source: str) -> Arguments:
    """The arguments of torchrun, in front of the program that it starts."""
    for words in script.commands:
        starts = [index for index, word in enumerate(words) if word.endswith(("torchrun", "torch.distributed.run"))]
        if starts:
            return arguments_of(_long(words[starts[0] :]), source)
    values = script.variables.values()
    lists = [value if isinstance(value, list) else value.split() for value in values]
    found = next((words for words in lists if any("nproc" in word for word in words)), [])
    return arguments_of(_long(found), source)


def _slurm(text: str, source: str) -> Arguments:
    """What a Slurm script asks for."""
    words = " ".join(_BATCH_LINES.findall(text)[:1000]).split()
    return arguments_of(_long(["--nodes" if word == "-N" else word for word in words]), source)


def _long(words: list[str]) -> list[str]:
    """Words up to the program that a launcher starts."""
    end = next((index for index, word in enumerate(words) if word.endswith(".py") or word == "-m"), len(words))
    return words[:end]
