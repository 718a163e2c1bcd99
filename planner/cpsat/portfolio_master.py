"""The linear program that chooses among columns, and its dual prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

import numpy as np

from planner.cpsat.portfolio_rows import Column, Rows
from planner.portfolio.instance import Array
from planner.units import HOURS_PER_DAY

LARGE: Final = 1e4
"""What a job that is missing costs in the units of the program, which keeps its numbers near each other."""


@dataclass
class Prices:
    """Dual prices, at least zero but those of committed nodes."""

    energy: Array
    """By divisor, pool and week, per day and counted node."""
    days: Array
    """By day that is counted by itself, per node."""
    hours: Array
    """By segment, per node-hour."""
    total: float
    quarters: Array
    teams: Array
    order: Array
    """By pair of jobs, per day."""
    drops: Array
    """By pair of jobs, per share."""
    committed: Array
    """By stretch, per node: what one more would have to cost less (positive) or more (negative)."""

    def of(self, rows: Rows) -> Prices:
        """The same for rows that count further days."""
        return replace(self, days=np.concatenate((self.days, np.zeros(len(rows.days) - len(self.days)))))

    def mixed(self, other: Prices, weight: float) -> Prices:
        """Between two prices."""
        return Prices(
            **{
                name: weight * getattr(self, name) + (1 - weight) * getattr(other, name)
                for name in self.__dataclass_fields__
            }
        )


def no_prices(rows: Rows) -> Prices:
    """Prices with which nothing is scarce and every hour costs the least that it can."""
    pairs, quarters = len(rows.pairs), len(rows.portfolio.quarters)
    return Prices(
        energy=np.zeros(rows.capacity.shape),
        days=np.zeros(len(rows.days)),
        hours=rows.weights.money * np.asarray([float(rows.floor[one.pool, one.first]) for one in rows.segments]),
        total=0.0,
        quarters=np.zeros(quarters),
        teams=np.zeros(len(rows.portfolio.teams)),
        order=np.zeros(pairs),
        drops=np.zeros(pairs),
        committed=np.zeros(len(rows.stretches)),
    )


class Master:
    """The linear program, to which columns are added."""

    def __init__(self, rows: Rows, missing_usd: float) -> None:
        from ortools.linear_solver import pywraplp  # noqa: PLC0415  (50 ms that only searches pay)

        self.rows, self.portfolio, self.tables = rows, rows.portfolio, rows.tables
        self.solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self.solver.SetSolverSpecificParametersAsString("use_preprocessing:false")
        self.weights, self.missing_usd = rows.weights, missing_usd
        self.unit = missing_usd / LARGE
        self._constraints()
        self._always()
        self.columns: list[Column] = []
        self.variables: list[Any] = []
        self.known: set[Column] = set()
        self.value = inf
        self.shares: list[float] = []
        self.reduced: list[float] = []
        """Reduced cost of every column in the last solution."""
        self.levels: list[float] = []
        """Nodes of every term in the last solution."""

    def _constraints(self) -> None:
        solver, budgets = self.solver, self.portfolio.budgets
        infinity, rows = solver.infinity(), self.rows
        self.jobs = [solver.Constraint(1, 1) for _ in self.tables]
        self.energy = [
            [[solver.Constraint(-infinity, float(most)) for most in row] for row in of] for of in rows.capacity
        ]
        self.days = [solver.Constraint(-infinity, float(rows.nodes[place])) for place in rows.days]
        self.hours = [solver.Constraint(-infinity, 0) for _ in rows.segments]
        self.total = (
            None if budgets.total is None else solver.Constraint(-infinity, float(budgets.total) - rows.paid_usd)
        )
        self.quarters = {key: solver.Constraint(-infinity, float(usd)) for key, usd in budgets.quarters.items()}
        self.teams = {key: solver.Constraint(-infinity, float(usd)) for key, usd in budgets.teams.items()}
        self.order = [solver.Constraint(0, infinity) for _ in rows.pairs]
        self.drops = [solver.Constraint(0, infinity) for _ in rows.pairs]

    def _always(self) -> None:
        """What may be chosen whatever the columns: dropping, missing, committing, paying on demand."""
        solver, rows = self.solver, self.rows
        infinity, objective = solver.infinity(), solver.Objective()
        objective.SetMinimization()
        self.out = [solver.NumVar(0, infinity, "") for _ in self.tables]
        for job, (table, out) in enumerate(zip(self.tables, self.out, strict=True)):
            is_kept = table.value_usd is None or rows.branch.kept.get(job, False)
            usd = self.missing_usd if is_kept else self.weights.dropped * (table.value_usd or 0.0)
            objective.SetCoefficient(out, usd / self.unit)
            self.jobs[job].SetCoefficient(out, 1)
        for number, (before, job) in enumerate(rows.pairs):
            self.order[number].SetCoefficient(self.out[job], self.portfolio.days)
            self.drops[number].SetCoefficient(self.out[job], 1)
            self.drops[number].SetCoefficient(self.out[before], -1)
        for number, segment in enumerate(rows.segments):
            over = solver.NumVar(0, infinity, "")
            usd = segment.usd_per_node_hour
            objective.SetCoefficient(over, self.weights.money * usd * HOURS_PER_DAY / self.unit)
            self.hours[number].SetCoefficient(over, -1)
            self._spend(over, {int(rows.quarter_of[segment.first]): usd * HOURS_PER_DAY})
        self.nodes = [self._term(number) for number in range(len(rows.terms))]
        self.committed = [solver.Constraint(*map(float, limits)) for limits in rows.branch.committed]
        for row, stretch in zip(self.committed, rows.stretches, strict=True):
            for term in stretch.terms:
                row.SetCoefficient(self.nodes[term], 1)

    def _term(self, number: int) -> Any:  # noqa: ANN401  (a variable of the solver, which has no types)
        """The variable for the nodes of a term."""
        rows, term = self.rows, self.rows.terms[number]
        level = self.solver.NumVar(*map(float, rows.branch.levels[number]), "")
        self.solver.Objective().SetCoefficient(level, self.weights.money * float(term.of.usd_per_node) / self.unit)
        daily = float(term.of.usd_per_node_day)
        span = slice(term.of.start, term.of.end)
        covered = np.bincount(rows.segment_of[term.pool, span], minlength=len(rows.segments))
        for segment in np.flatnonzero(covered):
            self.hours[segment].SetCoefficient(level, -float(covered[segment]))
        days = np.bincount(rows.quarter_of[span], minlength=len(self.portfolio.quarters))
        self._spend(level, {int(one): daily * float(days[one]) for one in np.flatnonzero(days)})
        return level

    def _spend(self, variable: object, usd_by_quarter: dict[int, float]) -> None:
        """Counts dollars against the budgets."""
        if self.total is not None:
            self.total.SetCoefficient(variable, sum(usd_by_quarter.values()))
        for quarter, usd in usd_by_quarter.items():
            if quarter in self.quarters:
                self.quarters[quarter].SetCoefficient(variable, usd)

    def add(self, column: Column) -> bool:
        """Adds a column that is not there yet."""
        if column in self.known:
            return False
        self.known.add(column)
        figures = self.rows.figures(column)
        variable = self.solver.NumVar(0, self.solver.infinity(), "")
        self.solver.Objective().SetCoefficient(variable, figures.usd / self.unit)
        self.jobs[column.job].SetCoefficient(variable, 1)
        for (level, pool, week), days in figures.energy.items():
            self.energy[level][pool][week].SetCoefficient(variable, days)
        for number, nodes in figures.days.items():
            self.days[number].SetCoefficient(variable, nodes)
        for segment, hours in figures.hours.items():
            self.hours[segment].SetCoefficient(variable, hours / HOURS_PER_DAY)
        self._spend(variable, figures.quarters)
        team = self.teams.get(self.portfolio.jobs[column.job].team)
        if team is not None:
            team.SetCoefficient(variable, figures.team_usd)
        for number, (before, job) in enumerate(self.rows.pairs):
            if column.job == job:
                self.order[number].SetCoefficient(variable, figures.start)
            if column.job == before:
                self.order[number].SetCoefficient(variable, -figures.end)
        self.columns.append(column)
        self.variables.append(variable)
        return True

    def solve(self, seconds: float | None) -> bool:
        """Solves the program and remembers its solution.

        False when the solver gives up on it or the time is over; the last solution then stays.
        """
        if seconds is not None:
            self.solver.set_time_limit(max(1, int(1000 * seconds)))
        if self.solver.Solve() != self.solver.OPTIMAL:
            return False
        self.value = float(self.solver.Objective().Value()) * self.unit
        self.shares = [float(one.solution_value()) for one in self.variables]
        self.levels = [float(one.solution_value()) for one in self.nodes]
        self.reduced = [float(one.reduced_cost()) * self.unit for one in self.variables]
        return True

    def nearly_used(self, most_usd: float) -> list[Column]:
        """Columns whose reduced cost is at most so many dollars in the last solution."""
        pairs = zip(self.columns, self.reduced, strict=False)
        return [column for column, usd in pairs if usd <= most_usd]

    def prices(self) -> Prices:
        """The dual prices of the last solution."""

        def dual(row: Any) -> float:  # noqa: ANN401  (a row of the solver, which has no types)
            return float(row.dual_value()) * self.unit

        def least(rows: Sequence[Any], sign: int = -1) -> Array:
            return np.maximum(0.0, [sign * dual(row) for row in rows]) if rows else np.zeros(0)

        def named(keys: Iterable[Any], rows: Mapping[Any, Any]) -> Array:
            return np.asarray([max(0.0, -dual(rows[key])) if key in rows else 0.0 for key in keys])

        return Prices(
            energy=np.stack([[least(row) for row in of] for of in self.energy]),
            days=least(self.days),
            hours=least(self.hours) / HOURS_PER_DAY,
            total=0.0 if self.total is None else max(0.0, -dual(self.total)),
            quarters=named(range(len(self.portfolio.quarters)), self.quarters),
            teams=named(self.portfolio.teams, self.teams),
            order=least(self.order, 1),
            drops=least(self.drops, 1),
            committed=np.asarray([dual(row) for row in self.committed]),
        )
