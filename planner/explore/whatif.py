"""What if: the best plan for every combination of values of one or two keys of a problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from math import prod
from typing import Final

from planner.errors import InputError, Issue, Place
from planner.explore.enumeration import best_plan
from planner.explore.limit_sweep import LimitSweep
from planner.explore.shared import Offers, layout_key, market_key, narrowed, shared_choices
from planner.explore.spread import Workers, gathered_from
from planner.explore.sweep_option import Varied, naming, varied
from planner.explore.workers import Stopped, Task
from planner.layouts.workload import workload_of
from planner.plans.choices import Choices
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.problem.document import Document, with_overrides
from planner.problem.problem import Problem

Progress = Callable[[int, int], None]
"""Told how many cells are done, and of how many."""


@dataclass(frozen=True)
class Cell:
    """One combination of values."""

    sets: tuple[str, ...]
    """The `--set` arguments that give it."""
    problem: Problem
    status: Status
    """Optimal, infeasible, or unknown when it was not reached."""
    plan: Plan | None
    """The best one; None when there is none, or it is unknown."""

    @property
    def value(self) -> float | None:
        """The objective's value: dollars, seconds or tokens."""
        return None if self.plan is None else objective_value(self.problem.objective, self.plan)


@dataclass(frozen=True)
class WhatIf:
    """The table: rows are the values of the first key, columns those of the second, or one when a single key varies."""

    axes: tuple[Varied, ...]
    cells: tuple[tuple[Cell, ...], ...]
    stopped: Stopped = ""
    """Why some cells are unknown."""

    @property
    def flat(self) -> tuple[Cell, ...]:
        """Every cell, row by row."""
        return tuple(cell for row in self.cells for cell in row)

    @property
    def missing(self) -> tuple[Cell, ...]:
        """The cells that were not reached."""
        return tuple(cell for cell in self.flat if cell.status is Status.UNKNOWN)


def whatif(
    document: Document, vary: Sequence[str], *, workers: Workers | None = None, progress: Progress | None = None
) -> WhatIf:
    """The best plan of every cell by the problem's objective, proven and verified, in so many processes.

    Cells whose layouts are the same share their evaluation, and many that only change limits are read off a table.
    Ctrl-C, or a process that dies, ends it with the cells that are done. Raises InputError, which names the `--vary`
    at fault, KeyboardInterrupt before the first cell is done, and FaultyPlanError when a plan fails its verification.
    """
    axes, tell = varied(document, vary), progress or _silent
    if sweep := LimitSweep.of(document, axes):
        return _table(axes, list(_counted(limit_cells(sweep, range(len(sweep))), len(sweep), tell)), "")
    whole, stopped = _solved(document, axes, workers, tell)
    return _table(axes, whole, stopped)


def limit_cells(sweep: LimitSweep, numbers: range) -> Iterator[Cell]:
    """Some cells of a sweep over limits alone. Raises FaultyPlanError."""
    for sets, problem, plan in sweep.cells(numbers):
        yield Cell(sets, problem, Status.INFEASIBLE if plan is None else Status.OPTIMAL, plan)


def cells_of(
    document: Document,
    vary: Sequence[str],
    part: SweepPart,
    *,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> tuple[tuple[Varied, ...], range, Iterator[Cell]]:
    """The axes, which cells a part of the table holds, and these one after another, as they are asked for.

    The cells are those of `whatif`, in memory that does not grow with their number. Raises InputError,
    KeyboardInterrupt, and FaultyPlanError; going through the cells does too.
    """
    axes, tell = varied(document, vary), progress or _silent
    if sweep := LimitSweep.of(document, axes):
        numbers = part.of(len(sweep))
        return axes, numbers, _counted(limit_cells(sweep, numbers), len(numbers), tell)
    numbers = part.of(prod(len(axis.values) for axis in axes))
    return axes, numbers, _searched(document, axes, workers, tell, numbers)


AT_A_TIME: Final = 2000
"""Cells that are searched for, and held in memory, at a time."""


def _searched(
    document: Document, axes: Sequence[Varied], workers: Workers | None, tell: Progress, numbers: range
) -> Iterator[Cell]:
    """Cells by search, some at a time. Raises InputError, KeyboardInterrupt, and FaultyPlanError."""
    for first in range(numbers.start, numbers.stop, AT_A_TIME):
        some, before = range(first, min(first + AT_A_TIME, numbers.stop)), first - numbers.start

        def told(done: int, _: int, before: int = before) -> None:
            """Tells of all cells, not only of these."""
            tell(before + done, len(numbers))

        whole, stopped = _solved(document, axes, workers, told, some)
        if stopped:
            raise KeyboardInterrupt
        yield from whole


def _counted(cells: Iterator[Cell], total: int, tell: Progress) -> Iterator[Cell]:
    """The cells, telling now and then how many there were."""
    for done, cell in enumerate(cells, start=1):
        yield cell
        if done % TOLD_EACH == 0 or done == total:
            tell(done, total)


TOLD_EACH: Final = 100
"""Cells that are read off a table between one word of progress and the next."""


def _solved(
    document: Document, axes: Sequence[Varied], workers: Workers | None, tell: Progress, numbers: range | None = None
) -> tuple[list[Cell], Stopped]:
    """Cells by search, in several processes, and why some are missing."""
    cells = _cells(document, axes, numbers or range(prod(len(axis.values) for axis in axes)))
    tell(0, len(cells))
    tasks = _CellTask.of(document, axes, cells).tasks()
    found, stopped = gathered_from(tasks, workers, partial(_heard, tell, len(cells)))
    if stopped == "interrupted" and not found:
        raise KeyboardInterrupt
    return [Cell(sets, problem, *_result(found, index)) for index, (sets, problem) in enumerate(cells)], stopped


def _heard(tell: Progress, total: int, done: int) -> None:
    tell(done, total)


def _table(axes: tuple[Varied, ...], cells: Sequence[Cell], stopped: Stopped) -> WhatIf:
    """The cells as rows."""
    width = prod(len(axis.values) for axis in axes[1:])
    rows = tuple(tuple(cells[start : start + width]) for start in range(0, len(cells), width))
    return WhatIf(axes, rows, stopped)


@dataclass(frozen=True)
class SweepPart:
    """One of several parts of a table, numbered from 1."""

    number: int = 1
    parts: int = 1

    @classmethod
    def parse(cls, text: str) -> SweepPart:
        """The part that `i/N` says. Raises InputError."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(f"{text[:20]!r} is no part", place=Place("--part"), fix="write for example 3/16")
        return cls(int(found[1]), int(found[2]))

    def of(self, count: int) -> range:
        """Which of so many cells are its own."""
        start, stop = (count * one // self.parts for one in (self.number - 1, self.number))
        return range(start, stop)


def _silent(_done: int, _total: int) -> None:
    """No progress."""


_Given = tuple[tuple[str, ...], Problem]
"""A cell before it is solved: its `--set` arguments and its problem."""


MOST_SEARCHED: Final = 20_000
"""Cells that are searched for to be held and printed together; a file takes as many as there are."""


def _cells(document: Document, axes: Sequence[Varied], numbers: range) -> list[_Given]:
    """The problem of some cells, row by row. Raises InputError."""
    if len(numbers) > MOST_SEARCHED:
        message = f"{len(numbers):,} cells are more than the {MOST_SEARCHED:,} that are printed"
        raise InputError(message, place=Place(f"--vary {axes[-1].written[:200]}"), fix="write them: --out FILE.csv")
    found = []
    for sets in islice(product(*(axis.sets for axis in axes)), numbers.start, numbers.stop):
        with _naming(document, axes, sets):
            found.append((sets, Problem.of(with_overrides(document, sets)).with_hard_limits()))
    return found


def _naming(document: Document, axes: Sequence[Varied], sets: Sequence[str]) -> AbstractContextManager[None]:
    """Lets errors of a cell name the `--vary`; what is wrong without any stays as it is."""
    return naming(zip(sets, (axis.written for axis in axes), strict=True), lambda: _issues(document))


def _issues(document: Document) -> Sequence[Issue]:
    """What is wrong with a document itself."""
    try:
        Problem.of(document)
    except InputError as error:
        return error.issues
    return ()


def _result(found: Mapping[int, Plan | None], index: int) -> tuple[Status, Plan | None]:
    """How a cell ended."""
    if index not in found:
        return Status.UNKNOWN, None
    plan = found[index]
    return (Status.INFEASIBLE if plan is None else Status.OPTIMAL), plan


@dataclass(frozen=True)
class _CellTask:
    """All cells, with what each shares with others."""

    problems: tuple[Problem, ...]
    offers: tuple[Offers, ...]
    """Offers of each cell; one object for equal markets."""
    groups: tuple[tuple[int, ...], ...]
    """Cells that share their layouts."""

    @classmethod
    def of(cls, document: Document, axes: Sequence[Varied], cells: Sequence[_Given]) -> _CellTask:
        """The work that cells are. Raises InputError when a cell's market is empty or its model unknown."""
        markets: dict[str, Offers] = {}
        groups: dict[tuple[str, frozenset[str]], list[int]] = {}
        for index, (sets, problem) in enumerate(cells):
            key = market_key(problem)
            if key not in markets:
                with _naming(document, axes, sets):
                    markets[key] = Offers.of(problem)
            group = (layout_key(problem), markets[key].own_devices)
            if group not in groups:
                with _naming(document, axes, sets):
                    workload_of(problem)
            groups.setdefault(group, []).append(index)
        problems = tuple(problem for _, problem in cells)
        offers = tuple(markets[market_key(problem)] for problem in problems)
        return cls(problems, offers, tuple(map(tuple, groups.values())))

    def tasks(self) -> Sequence[Task]:
        """A task per group; where all cells share their layouts these are evaluated now, and each cell is a task."""
        if len(self.groups) > 1:
            return [partial(self.solved, group) for group in self.groups]
        (group,) = self.groups
        shared = self.shared(group)
        return [partial(self.solved, (index,), shared) for index in group]

    def solved(self, group: Sequence[int], shared: Choices | None = None) -> Iterator[tuple[int, Plan | None]]:
        """The best plan of each cell, with its number; cells of a group are narrowed from the same layouts."""
        layouts = shared or self.shared(group)
        for index in group:
            yield index, best_plan(narrowed(layouts, self.problems[index], self.offers[index]))

    def shared(self, group: Sequence[int]) -> Choices:
        """The layouts of a group's cells."""
        offers = {id(self.offers[index]): self.offers[index] for index in group}
        return shared_choices([self.problems[index] for index in group], tuple(offers.values()))
