"""Answers read off plan tables: the best plan, what more of each limit is worth, and the frontier, without a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from planner.clock import Clock
from planner.explore.answer import Alternative, Answer, accelerators_of, rank, reason_of, search_space
from planner.explore.evaluations import Evaluated
from planner.explore.frontier import Frontier, knee_of
from planner.explore.job_modes import Bounds, bounds_of, plan_of_mode
from planner.explore.plan_table import PlanTable
from planner.explore.sensitivity import NOTICED, QUANTITIES, NextPoint, Sensitivity, is_asked, step_of
from planner.explore.shared import Offers
from planner.layouts.dominance import undominated
from planner.performance.symbols import Array
from planner.plans.choices import stays_together
from planner.plans.objective import Reached
from planner.plans.plan import Plan
from planner.plans.solution import Solution, Status
from planner.problem.problem import Problem


def is_looked_up(problem: Problem) -> bool:
    """Whether the best plan in one place, on any days, is what `plan solve` answers for any deadline, budget and GPUs.

    It is not where phases may move, days matter, a second objective or the cost of being late decides, or tokens are
    maximised. Raises InputError when nothing can be bought.
    """
    decided_otherwise = problem.preference is not None or problem.weighs_chance
    if problem.objective == "tokens" or problem.market.is_dated or decided_otherwise:
        return False
    if stays_together(problem):
        return True
    options = Offers.of(problem).purchase_options
    return len(options) == 1 and options[0].reservation is None  # a reservation can be left with a phase


@dataclass(frozen=True)
class Lookup:
    """A problem with the tables of its setting; its objective is cost or time."""

    problem: Problem
    evaluated: Evaluated
    tables: Mapping[str, PlanTable]

    @classmethod
    def of(cls, problem: Problem, evaluated: Evaluated, clock: Clock | None = None) -> Lookup:
        """The lookup of a problem of an evaluated setting. Raises OutOfTimeError."""
        return cls(problem, evaluated, evaluated.tables(clock))

    @property
    def bounds(self) -> Bounds:
        """The limits as they are stated."""
        return bounds_of(self.problem)

    @property
    def gpus(self) -> list[float]:
        """Numbers of devices of all plans."""
        return [float(one) for table in self.tables.values() for one in np.unique(table.devices)]

    def answer(self) -> Answer:
        """The best plan, verified, without the other accelerators'. Raises FaultyPlanError."""
        choices, rows = self.evaluated.choices_for(self.problem), self._rows()
        names = sorted(rows, key=lambda name: self._rank(name, rows[name]))
        plan = self._plan(names[0], rows[names[0]]) if names else None
        outcome = Solution(Status.INFEASIBLE) if plan is None else Solution(Status.OPTIMAL, bound=self._value(plan))
        return Answer(self.problem, choices, outcome, plan, (), search_space(choices))

    def with_alternatives(self, answer: Answer) -> Answer:
        """An answer with the best plan of every other accelerator, each verified. Raises FaultyPlanError."""
        best = answer.plan
        if best is None:
            return answer
        rows = self._rows()
        plans = {
            name: best if name == best.accelerator else self._plan(name, rows[name]) if name in rows else None
            for name in accelerators_of(answer.choices)
        }
        objective = answer.choices.objective
        ranked = sorted(plans, key=lambda name: rank(objective, name, plans[name]))
        others = (Alternative(one, plans[one], reason_of(answer.choices, best, one, plans)) for one in ranked)
        return replace(answer, alternatives=tuple(one for one in others if one.plan is not best))

    def _rows(self) -> dict[str, int]:
        """The best row of every accelerator that has one within the limits."""
        found = ((name, table.best(self.bounds, self.problem.objective)) for name, table in self.tables.items())
        return {name: row for name, row in found if row is not None}

    def _rank(self, name: str, row: int) -> tuple[float, str]:
        table = self.tables[name]
        return float((table.wall_seconds if self.problem.objective == "time" else table.cents)[row]), name

    def _plan(self, name: str, row: int) -> Plan:
        choices = self.evaluated.choices
        return plan_of_mode(choices, self.problem, self.tables[name].mode(choices, row))

    def _value(self, plan: Plan) -> float:
        return plan.wall_seconds if self.problem.objective == "time" else float(plan.cost_usd)

    def least_cost(self, bounds: Bounds) -> float:
        """US dollars of the cheapest plan within limits; infinite without one."""
        return min((_least(one.cents, one, bounds) for one in self.tables.values()), default=inf) / 100

    def least_seconds(self, bounds: Bounds) -> float:
        """Expected wall time of the fastest plan within limits; infinite without one."""
        return min((_least(one.wall_seconds, one, bounds) for one in self.tables.values()), default=inf)

    def sensitivities(self, plan: Reached) -> Iterator[Sensitivity]:
        """What a little more of each limit is worth, as `sensitivities` finds it by solving again."""
        for quantity in QUANTITIES:
            if is_asked(self.problem, quantity):
                more = step_of(self.problem, quantity, float(plan.cost_usd))
                yield self._of_money(plan, more) if quantity == "cost_usd" else self.worth(quantity, more)

    def worth(self, quantity: str, more: float) -> Sensitivity:
        """What so much more of a limit on time or devices changes in the objective; less, when `more` is negative."""
        wider = replace(self.bounds, **{quantity: getattr(self.bounds, quantity) + more})
        if self.problem.objective == "time":
            return Sensitivity(quantity, more, self.least_seconds(self.bounds) - self.least_seconds(wider), "s")
        return Sensitivity(quantity, more, self.least_cost(self.bounds) - self.least_cost(wider), "USD")

    def _of_money(self, plan: Reached, more: float) -> Sensitivity:
        """What money buys beyond the budget, or beyond what the cheapest plan costs."""
        bounds = self.bounds
        if self.problem.objective == "cost":
            bounds = replace(bounds, cost_usd=float(plan.cost_usd))
        reached = plan.wall_seconds
        gain = max(0.0, reached - self.least_seconds(replace(bounds, cost_usd=bounds.cost_usd + more)))
        return Sensitivity("cost_usd", more, gain, "s", self._next_point(bounds, reached))

    def _next_point(self, bounds: Bounds, reached: float) -> NextPoint | None:
        """The cheapest way beyond a cost to end sooner than what is reached."""
        open_budget, found = replace(bounds, cost_usd=inf), list[tuple[float, float]]()
        for table in self.tables.values():
            rows = table.within(open_budget)
            rows = rows[(table.cents[rows] / 100 > bounds.cost_usd) & (table.wall_seconds[rows] <= reached - NOTICED)]
            if len(rows):
                row = rows[np.lexsort((table.wall_seconds[rows], table.cents[rows]))[0]]
                found.append((float(table.cents[row]) / 100, float(table.wall_seconds[row])))
        if not found:
            return None
        usd, seconds = min(found)
        return NextPoint(usd - bounds.cost_usd, reached - seconds)

    def curve(self) -> CostCurve:
        """The trade-off between cost and time, within the limit on devices alone."""
        within = Bounds(gpus=self.bounds.gpus)
        points: list[CurvePoint] = []
        for name, table in self.tables.items():
            rows = table.within(within)
            rows = rows[undominated(np.column_stack((table.cents[rows], table.kept_seconds[rows])))]
            points += [
                CurvePoint(float(table.cents[row]) / 100, float(table.kept_seconds[row]), int(table.devices[row]), name)
                for row in rows.tolist()
            ]
        values = np.asarray([(one.cost_usd, one.seconds) for one in points]).reshape(-1, 2)
        best = [points[one] for one in undominated(values).tolist()]
        along = np.asarray([(one.cost_usd, one.seconds) for one in best]).reshape(-1, 2)
        return CostCurve(tuple(best), knee_of(along) if best else None, tuple(points))


def curve_of(found: Frontier) -> CostCurve:
    """The points of a frontier between cost and time that was searched for."""
    points = tuple(CurvePoint(one.x, one.y, one.plan.gpus, one.plan.accelerator) for one in found.points)
    knee = next((index for index, one in enumerate(found.points) if one.is_knee), None)
    return CostCurve(points, knee, ())


def _least(values: Array, table: PlanTable, bounds: Bounds) -> float:
    """The least of a column within limits; infinite where nothing is."""
    return float(values[table.within(bounds)].min(initial=inf))


@dataclass(frozen=True)
class CurvePoint:
    """A plan on a frontier, in short."""

    cost_usd: float
    seconds: float
    """The time that a deadline bounds."""
    gpus: int
    accelerator: str


@dataclass(frozen=True)
class CostCurve:
    """The frontier between cost and time."""

    points: tuple[CurvePoint, ...]
    """Points in order of cost; none is beaten in both."""
    knee: int | None
    everyone: tuple[CurvePoint, ...]
    """The frontier of each accelerator alone."""
