"""Sweeps over deadlines, budgets and numbers of GPUs alone: cell by cell read off the table of undominated plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Final

from planner.explore.evaluations import Evaluated, Evaluations
from planner.explore.job_modes import bounds_of, plan_of_mode
from planner.explore.lookup import is_looked_up
from planner.explore.plan_table import PlanTable
from planner.explore.sweep_option import Varied, naming
from planner.plans.plan import Plan
from planner.problem.document import Document, with_overrides
from planner.problem.problem import Problem

LIMITS: Final = {"limits.deadline": "deadline", "limits.budget": "budget", "limits.gpus": "gpus"}
"""Keys that only choose among plans, and the fields that hold them."""
FEW: Final = 50
"""Cells up to which searching for each is as quick as making the table."""


@dataclass
class LimitSweep:
    """Every combination of some limits; the cells are numbered row by row."""

    axes: tuple[Varied, ...]
    problems: tuple[tuple[Problem, ...], ...]
    """By axis and value, with the first value of the others."""
    evaluated: Evaluated
    table: PlanTable | None
    plans: dict[int, Plan]
    """Plans of rows of the table, each verified when it is first the answer."""

    @classmethod
    def of(cls, document: Document, axes: Sequence[Varied]) -> LimitSweep | None:
        """The sweep; None where something else is varied too, a limit is dropped, or few cells are asked for.

        Raises InputError, which names the `--vary` at fault.
        """
        dropped = any(value in {"null", "~"} for axis in axes for value in axis.values)
        if dropped or not {axis.key for axis in axes} <= set(LIMITS) or prod(len(one.values) for one in axes) <= FEW:
            return None
        problems = tuple(tuple(_problems(document, axes, axis)) for axis in axes)
        first = problems[0][0]
        if not is_looked_up(first):
            return None
        most = max((one for axis in problems for one in axis), key=lambda one: one.limits.gpus or 0)
        evaluated = Evaluations().of(most)
        return cls(tuple(axes), problems, evaluated, evaluated.table(), {})

    def __len__(self) -> int:
        return prod(len(axis) for axis in self.problems)

    def cells(self, numbers: range) -> Iterator[tuple[tuple[str, ...], Problem, Plan | None]]:
        """The `--set` arguments, the problem and the best plan of some cells. Raises FaultyPlanError."""
        both = zip(self.axes, self.problems, strict=True)
        pairs = [list(zip(axis.sets, of_axis, strict=True)) for axis, of_axis in both]
        for chosen in islice(product(*pairs), numbers.start, numbers.stop):
            problem = self._joined([one for _, one in chosen])
            yield tuple(text for text, _ in chosen), problem, self._plan(problem)

    def _joined(self, problems: Sequence[Problem]) -> Problem:
        """A problem with the limit of each of several."""
        names = [LIMITS[axis.key] for axis in self.axes]
        stated = {name: getattr(one.limits, name) for name, one in zip(names, problems, strict=True)}
        first = problems[0]
        return first.model_copy(update={"limits": first.limits.model_copy(update=stated)})

    def _plan(self, problem: Problem) -> Plan | None:
        """The best plan of a problem."""
        row = None if self.table is None else self.table.best(bounds_of(problem), problem.objective)
        if row is None or self.table is None:
            return None
        if row not in self.plans:
            choices = self.evaluated.choices
            self.plans[row] = plan_of_mode(choices, problem, self.table.mode(choices, row))
        return self.plans[row]


def _problems(document: Document, axes: Sequence[Varied], axis: Varied) -> Iterator[Problem]:
    """The problem for each value of an axis, with the first value of every other."""
    others = [one for one in axes if one is not axis]
    for text in axis.sets:
        sets = (text, *(one.sets[0] for one in others))
        with naming(zip(sets, (axis.written, *(one.written for one in others)), strict=True)):
            yield Problem.of(with_overrides(document, sets)).with_hard_limits()
