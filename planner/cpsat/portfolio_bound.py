"""A lower bound of a portfolio by column generation, and the fractional schedule that reaches it.

The master chooses one way to run each whole job (a column) under the energy of every pool and week, commitments and
budgets; pricing finds a job's best column under the dual prices by dynamic programming (Dantzig-Wolfe decomposition).
The Lagrangian bound holds whenever the search is stopped. Duals are smoothed as in Wentges 1997, "Weighted
Dantzig-Wolfe decomposition for linear mixed-integer programming", Int. Trans. Oper. Res. 4(2), 151-162.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final

import numpy as np

from planner.clock import Clock
from planner.portfolio.instance import Array, Ints, Portfolio
from planner.portfolio.schedule import Run, Schedule
from planner.portfolio.tables import TIE, JobTable, PhaseTable
from planner.units import HOURS_PER_DAY

DAYS_PER_ROW: Final = 7
"""Days whose energy one row adds up."""
SMOOTHING: Final = 0.5
"""Weight of the best dual prices so far in those that are priced with."""
ENOUGH: Final = 1e-3
"""Relative distance of master and bound at which the generation ends."""
CUTS: Final = (2, 3)
"""Parts of a pool for which modes that take more than one of them are counted."""
FEW_FOR_CUTS: Final = 40
"""Jobs up to which these cuts are added."""
FEW: Final = 40
"""Jobs up to which the bound is generated to the end, since that takes little."""
ROUNDING: Final = 1e-6
"""The same distance for few jobs."""
MOST_ITERATIONS: Final = 400


@dataclass(frozen=True)
class Column:
    """One way to run a whole job."""

    job: int
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Relaxation:
    """What column generation found."""

    bound: float
    """Of the objective; infinite when a job cannot be run beside the others."""
    columns: tuple[tuple[Column, float], ...]
    """Those in use, with their shares."""
    node_day_usd: Array
    """What a day of a counted node is worth, shape (divisors, pools, days)."""
    divisors: Ints
    """How nodes are counted: whole times of each, shape (divisors, pools); the first is 1, every node."""
    commitments: tuple[tuple[int, int, float], ...]
    """Pool, commitment and nodes."""


@dataclass(frozen=True)
class _Segment:
    """Days of a pool whose paid hours are added up."""

    pool: int
    first: int
    end: int
    usd_per_node_hour: float


@dataclass
class _Prices:
    """Dual prices, all at least zero."""

    energy: Array
    """By divisor, pool and week, per day and counted node."""
    hours: Array
    """By segment, per node-hour."""
    total: float
    quarters: Array
    teams: Array
    order: Array
    """By pair of jobs, per day."""
    drops: Array
    """By pair of jobs, per share."""

    def mixed(self, other: _Prices, weight: float) -> _Prices:
        """Between two prices."""
        return _Prices(
            **{
                name: weight * getattr(self, name) + (1 - weight) * getattr(other, name)
                for name in self.__dataclass_fields__
            }
        )


def _divisors(portfolio: Portfolio, jobs: int) -> Ints:
    """Numbers into which nodes are divided and rounded down, shape (divisors, pools).

    ⌊n/d⌋ is superadditive, so that what runs together counts no more than the pool (Chvátal-Gomory rounding): of jobs
    that take more than half of a pool only one runs at a time. With few jobs these cuts matter, with many they do not.
    """
    most = np.asarray([max(1, int(one.nodes.max(initial=1))) for one in portfolio.pools], dtype=np.int64)
    parts = CUTS if jobs <= FEW_FOR_CUTS else ()
    return np.stack([np.ones_like(most), *(most // part + 1 for part in parts)])


class _Master:
    """The linear program, to which columns are added."""

    def __init__(self, portfolio: Portfolio, tables: Sequence[JobTable], missing_usd: float) -> None:
        from ortools.linear_solver import pywraplp  # noqa: PLC0415  (50 ms that only searches pay)

        self.portfolio, self.tables = portfolio, tables
        self.solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self.solver.SetSolverSpecificParametersAsString("use_preprocessing:false")
        self.weights = portfolio.weights
        self.weeks = -(-portfolio.days // DAYS_PER_ROW)
        self.week_of = np.arange(portfolio.days) // DAYS_PER_ROW
        self.quarter_of = np.zeros(portfolio.days, dtype=np.int64)
        for number, quarter in enumerate(portfolio.quarters):
            self.quarter_of[quarter.start : quarter.end] = number
        self.pairs = [(before, job) for job, of in enumerate(portfolio.jobs) for before in of.after]
        self.committable = [bool(pool.commitments) for pool in portfolio.pools]
        self.base = np.stack([one.prices for one in portfolio.pools])
        self.missing_usd = missing_usd
        self._rows()
        self._always()
        self.columns: list[Column] = []
        self.variables: list[Any] = []
        self.known: set[Column] = set()
        self.value = inf
        self.shares: list[float] = []
        self.nodes: list[tuple[int, int, float]] = []

    def _rows(self) -> None:
        solver, portfolio = self.solver, self.portfolio
        infinity = solver.infinity()
        self.jobs = [solver.Constraint(1, 1) for _ in self.tables]
        self.divisors = _divisors(portfolio, len(self.tables))
        weeks = np.arange(0, portfolio.days, DAYS_PER_ROW)
        nodes = np.stack([one.nodes for one in portfolio.pools])
        self.capacity = np.stack(
            [np.add.reduceat((nodes // of[:, None]).astype(np.float64), weeks, axis=1) for of in self.divisors]
        )
        self.energy = [
            [[solver.Constraint(-infinity, float(most)) for most in row] for row in of] for of in self.capacity
        ]
        self.segments = [
            one for pool in range(len(portfolio.pools)) if self.committable[pool] for one in self._segments(pool)
        ]
        self.segment_of = np.full((len(portfolio.pools), portfolio.days), -1, dtype=np.int64)
        for number, segment in enumerate(self.segments):
            self.segment_of[segment.pool, segment.first : segment.end] = number
        self.hours = [solver.Constraint(-infinity, 0) for _ in self.segments]
        budgets = portfolio.budgets
        paid = sum(float(one.paid_usd) for one in portfolio.pools)
        self.total = None if budgets.total is None else solver.Constraint(-infinity, float(budgets.total) - paid)
        self.quarters = {key: solver.Constraint(-infinity, float(usd)) for key, usd in budgets.quarters.items()}
        self.teams = {key: solver.Constraint(-infinity, float(usd)) for key, usd in budgets.teams.items()}
        self.order = [solver.Constraint(0, infinity) for _ in self.pairs]
        self.drops = [solver.Constraint(0, infinity) for _ in self.pairs]

    def _segments(self, pool: int) -> list[_Segment]:
        """Weeks, cut where the price changes and where a quarter ends."""
        prices, days = self.base[pool], self.portfolio.days
        cuts = [
            day
            for day in range(1, days)
            if self.week_of[day] != self.week_of[day - 1]
            or prices[day] != prices[day - 1]
            or self.quarter_of[day] != self.quarter_of[day - 1]
        ]
        return [
            _Segment(pool, first, end, float(prices[first]))
            for first, end in zip([0, *cuts], [*cuts, days], strict=True)
        ]

    def _always(self) -> None:
        """What may be chosen whatever the columns: dropping, missing, committing, paying on demand."""
        solver, days = self.solver, self.portfolio.days
        infinity = solver.infinity()
        objective = solver.Objective()
        objective.SetMinimization()
        self.out: list[Any] = []
        for job, table in enumerate(self.tables):
            out = solver.NumVar(0, infinity, "")
            usd = self.missing_usd if table.value_usd is None else self.weights.dropped * table.value_usd
            objective.SetCoefficient(out, usd)
            self.jobs[job].SetCoefficient(out, 1)
            self.out.append(out)
        for number, (before, job) in enumerate(self.pairs):
            self.order[number].SetCoefficient(self.out[job], days)
            self.drops[number].SetCoefficient(self.out[job], 1)
            self.drops[number].SetCoefficient(self.out[before], -1)
        for number, segment in enumerate(self.segments):
            over = solver.NumVar(0, infinity, "")
            usd = segment.usd_per_node_hour
            objective.SetCoefficient(over, self.weights.money * usd)
            self.hours[number].SetCoefficient(over, -1)
            self._spend(over, {int(self.quarter_of[segment.first]): usd})
        self._commitments()

    def _commitments(self) -> None:
        """One variable for the nodes of each term; names that overlap share their most."""
        self.levels: list[tuple[int, int, Any]] = []
        for pool, of in enumerate(self.portfolio.pools):
            for place, term in enumerate(of.commitments):
                level = self.solver.NumVar(term.least, term.most, "")
                self.solver.Objective().SetCoefficient(level, self.weights.money * float(term.usd_per_node))
                daily = float(term.usd_per_node_hour) * HOURS_PER_DAY
                covered = np.bincount(self.segment_of[pool, term.start : term.end], minlength=len(self.segments))
                for number in np.flatnonzero(covered):
                    self.hours[number].SetCoefficient(level, -float(HOURS_PER_DAY * covered[number]))
                days = np.bincount(self.quarter_of[term.start : term.end], minlength=len(self.portfolio.quarters))
                self._spend(level, {int(one): daily * float(days[one]) for one in np.flatnonzero(days)})
                self.levels.append((pool, place, level))

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
        figures = self.figures(column)
        variable = self.solver.NumVar(0, self.solver.infinity(), "")
        self.solver.Objective().SetCoefficient(variable, figures.usd)
        self.jobs[column.job].SetCoefficient(variable, 1)
        for (level, pool, week), days in figures.energy.items():
            self.energy[level][pool][week].SetCoefficient(variable, days)
        for segment, hours in figures.hours.items():
            self.hours[segment].SetCoefficient(variable, hours)
        self._spend(variable, figures.quarters)
        team = self.teams.get(self.portfolio.jobs[column.job].team)
        if team is not None:
            team.SetCoefficient(variable, figures.team_usd)
        for number, (before, job) in enumerate(self.pairs):
            if column.job == job:
                self.order[number].SetCoefficient(variable, figures.start)
            if column.job == before:
                self.order[number].SetCoefficient(variable, -figures.end)
        self.columns.append(column)
        self.variables.append(variable)
        return True

    def figures(self, column: Column) -> _Figures:
        """All coefficients of a column."""
        table, found = self.tables[column.job], _Figures()
        for phase, run in zip(table.phases, column.runs, strict=True):
            self._add_phase(found, phase, run)
        last = column.runs[-1]
        found.start, found.end = column.runs[0].start, last.start + int(table.phases[-1].days[last.mode])
        found.usd = self.weights.money * sum(found.quarters.values()) + self.weights.lateness * float(
            table.late_usd[found.end] / max(self.weights.lateness, TIE)
        )
        return found

    def _add_phase(self, found: _Figures, phase: PhaseTable, run: Run) -> None:
        pool, nodes, days = int(phase.pools[run.mode]), int(phase.nodes[run.mode]), int(phase.days[run.mode])
        first, end = run.start, run.start + days
        for week, count in zip(*np.unique(self.week_of[first:end], return_counts=True), strict=True):
            for level, of in enumerate(self.divisors):
                if counted := nodes // int(of[pool]):
                    key = (level, pool, int(week))
                    found.energy[key] = found.energy.get(key, 0.0) + float(counted * count)
        hours = np.full(days, nodes * float(phase.paid[run.mode]))
        hours[-1] = nodes * float(phase.last[run.mode])
        if self.committable[pool]:
            sums = np.bincount(self.segment_of[pool, first:end], weights=hours)
            for segment in np.flatnonzero(sums):
                found.hours[int(segment)] = found.hours.get(int(segment), 0.0) + float(sums[segment])
            found.team_usd += float((hours * self.floor(pool)[first:end]).sum())
        else:
            usd = hours * self.base[pool, first:end]
            for quarter, part in enumerate(np.bincount(self.quarter_of[first:end], weights=usd)):
                if part:
                    found.quarters[quarter] = found.quarters.get(quarter, 0.0) + float(part)
            found.team_usd += float(usd.sum())

    def floor(self, pool: int) -> Array:
        """The least that a node-hour of a pool can cost, by day."""
        terms = [float(one.usd_per_node_hour) for one in self.portfolio.pools[pool].commitments]
        found: Array = np.minimum(self.base[pool], min(terms, default=inf))
        return found

    def solve(self) -> bool:
        """Solves the master and remembers its solution; False when the solver gives up on it, which then stays."""
        if self.solver.Solve() != self.solver.OPTIMAL:
            return False
        self.value = float(self.solver.Objective().Value())
        self.shares = [float(one.solution_value()) for one in self.variables]
        self.nodes = [(pool, place, float(level.solution_value())) for pool, place, level in self.levels]
        return True

    def prices(self) -> _Prices:
        """The dual prices of the last solution."""

        def least(rows: Sequence[Any]) -> Array:
            return np.maximum(0.0, [-row.dual_value() for row in rows]) if rows else np.zeros(0)

        quarters = np.zeros(len(self.portfolio.quarters))
        for key, row in self.quarters.items():
            quarters[key] = max(0.0, -row.dual_value())
        teams = np.asarray(
            [max(0.0, -self.teams[team].dual_value()) if team in self.teams else 0.0 for team in self.portfolio.teams]
        )
        return _Prices(
            energy=np.stack([[least(row) for row in of] for of in self.energy]),
            hours=least(self.hours),
            total=0.0 if self.total is None else max(0.0, -self.total.dual_value()),
            quarters=quarters,
            teams=teams,
            order=np.maximum(0.0, [row.dual_value() for row in self.order]) if self.order else np.zeros(0),
            drops=np.maximum(0.0, [row.dual_value() for row in self.drops]) if self.drops else np.zeros(0),
        )


@dataclass
class _Figures:
    """Coefficients of a column."""

    energy: dict[tuple[int, int, int], float] = field(default_factory=dict)
    hours: dict[int, float] = field(default_factory=dict)
    quarters: dict[int, float] = field(default_factory=dict)
    team_usd: float = 0.0
    usd: float = 0.0
    start: int = 0
    end: int = 0


class _Pricing:
    """The best column of every job under dual prices, and the bound that follows."""

    def __init__(self, master: _Master, *, counts_missing: bool) -> None:
        self.master, self.counts_missing = master, counts_missing
        self.portfolio, self.tables = master.portfolio, master.tables
        self.usable = [[np.isfinite(phase.usd) for phase in table.phases] for table in self.tables]
        self.team_of = [self.portfolio.teams.index(job.team) for job in self.portfolio.jobs]
        self.before: list[list[int]] = [[] for _ in self.tables]
        self.after: list[list[int]] = [[] for _ in self.tables]
        for number, (before, job) in enumerate(master.pairs):
            self.after[before].append(number)
            self.before[job].append(number)

    def hour_prices(self, prices: _Prices) -> Array:
        """Dollars per paid node-hour, shape (pools, days)."""
        master = self.master
        by_day = master.weights.money + prices.total + prices.quarters[master.quarter_of]
        found = master.base * by_day[None, :]
        for pool, is_committable in enumerate(master.committable):
            if is_committable:
                found[pool] = np.minimum(found[pool], prices.hours[master.segment_of[pool]])
        return found

    def priced(self, prices: _Prices) -> tuple[float, list[Column]]:
        """The Lagrangian bound, and the best columns of each job."""
        hourly, daily = self.hour_prices(prices), prices.energy[:, :, self.master.week_of]
        floors = np.stack(
            [
                self.master.floor(pool) if of else self.master.base[pool]
                for pool, of in enumerate(self.master.committable)
            ]
        )
        columns = list[Column]()
        by_team = [hourly + prices.teams[team] * floors for team in range(len(self.portfolio.teams))]
        bound = self._constant(prices, hourly)
        for job in range(len(self.tables)):
            found, usd = self._best(job, by_team[self.team_of[job]], daily, prices)
            columns += found
            out = self._out_usd(job, prices)
            bound += min(usd, out)
        return bound, columns

    def _out_usd(self, job: int, prices: _Prices) -> float:
        """What dropping a job costs."""
        table = self.tables[job]
        if table.value_usd is None:
            return self.master.missing_usd if self.counts_missing else inf
        usd = self.master.weights.dropped * table.value_usd
        usd -= float(sum(self.portfolio.days * prices.order[one] + prices.drops[one] for one in self.before[job]))
        return usd + float(sum(prices.drops[one] for one in self.after[job]))

    def _constant(self, prices: _Prices, hourly: Array) -> float:
        """What capacity, budgets and commitments take off the bound."""
        master, budgets = self.master, self.portfolio.budgets
        found = -float((prices.energy * master.capacity).sum())
        paid = sum(float(one.paid_usd) for one in self.portfolio.pools)
        if budgets.total is not None:
            found -= prices.total * (float(budgets.total) - paid)
        found -= sum(float(prices.quarters[key] * float(usd)) for key, usd in budgets.quarters.items())
        found -= sum(
            float(prices.teams[self.portfolio.teams.index(key)] * float(usd)) for key, usd in budgets.teams.items()
        )
        by_day = master.weights.money + prices.total + prices.quarters[master.quarter_of]
        for pool, of in enumerate(self.portfolio.pools):
            for term in of.commitments:
                span = slice(term.start, term.end)
                usd = HOURS_PER_DAY * float((float(term.usd_per_node_hour) * by_day[span] - hourly[pool, span]).sum())
                found += min(usd * term.least, usd * term.most)
        return found

    def _best(self, job: int, hourly: Array, daily: Array, prices: _Prices) -> tuple[list[Column], float]:
        """The best columns of a job: the best of all, and the best that ends in each other pool."""
        table = self.tables[job]
        per_day_started = float(sum(prices.order[one] for one in self.before[job]))
        per_day_ended = float(sum(prices.order[one] for one in self.after[job]))
        days = np.arange(self.portfolio.days + 1, dtype=np.float64)
        arrival = np.where(days >= table.earliest, -per_day_started * days, inf)
        choices = list[tuple[Ints, Ints]]()
        for number, phase in enumerate(table.phases):
            costs = phase.hourly(hourly)
            for of, usd in zip(self.master.divisors, daily, strict=True):
                costs += phase.added(usd, of)
            costs = np.where(self.usable[job][number], costs + arrival[np.maximum(phase.starts, 0)], inf)
            if table.pinned is not None:
                costs[phase.starts != table.pinned[number]] = inf
            best = costs.argmin(axis=0)
            ends = costs[best, np.arange(costs.shape[1])]
            if number < len(table.phases) - 1:
                arrival = np.minimum.accumulate(ends)
                reached = np.maximum.accumulate(np.where(ends == arrival, np.arange(len(ends)), 0))
                choices.append((best, reached))
        late = table.late_usd * (self.master.weights.lateness / max(self.master.weights.lateness, TIE))
        costs = costs + (late + per_day_ended * days)[None, :]
        costs[:, table.latest_end + 1 :] = inf
        return self._columns(job, costs, choices)

    def _columns(self, job: int, costs: Array, choices: Sequence[tuple[Ints, Ints]]) -> tuple[list[Column], float]:
        table, found, usd = self.tables[job], list[Column](), inf
        last = table.phases[-1]
        by_mode = costs.argmin(axis=1)
        values = costs[np.arange(len(by_mode)), by_mode]
        for pool in np.unique(last.pools):
            modes = np.flatnonzero(last.pools == pool)
            mode = int(modes[values[modes].argmin()])
            if values[mode] < inf:
                usd = min(usd, float(values[mode]))
                found.append(Column(job, self._runs(job, mode, int(by_mode[mode]), choices)))
        return found, usd

    def _runs(self, job: int, mode: int, end: int, choices: Sequence[tuple[Ints, Ints]]) -> tuple[Run, ...]:
        phases, runs = self.tables[job].phases, list[Run]()
        for number in range(len(phases) - 1, -1, -1):
            start = end - int(phases[number].days[mode])
            runs.append(Run(mode, start))
            if number:
                best, reached = choices[number - 1]
                end = int(reached[start])
                mode = int(best[end])
        return tuple(reversed(runs))


def relaxed(
    portfolio: Portfolio,
    tables: Sequence[JobTable],
    clock: Clock,
    *,
    begin: Sequence[Schedule] = (),
    missing_usd: float = 1e12,
    counts_missing: bool = False,
) -> Relaxation:
    """The bound, as good as it gets before the clock is over; `begin`: schedules whose columns it starts from.

    `missing_usd`: what a job that must be kept costs while it is not; it is no part of the bound unless
    `counts_missing`.
    """
    master = _Master(portfolio, tables, missing_usd)
    for schedule in begin:
        for job, runs in enumerate(schedule.jobs):
            if runs:
                master.add(Column(job, runs))
    bound, prices = _generated(master, _Pricing(master, counts_missing=counts_missing), clock)
    paid = sum(float(one.paid_usd) for one in portfolio.pools) * portfolio.weights.money
    return Relaxation(
        bound=max(0.0, bound * (1 - ROUNDED_OFF)) + paid,
        columns=tuple(
            (column, share) for column, share in zip(master.columns, master.shares, strict=False) if share > LEAST_SHARE
        ),
        node_day_usd=prices.energy[:, :, master.week_of],
        divisors=master.divisors,
        commitments=tuple(one for one in master.nodes if one[2] > LEAST_SHARE),
    )


ROUNDED_OFF: Final = 1e-9
"""Part of a bound that sums of floats may add to it."""


def _generated(master: _Master, pricing: _Pricing, clock: Clock) -> tuple[float, _Prices]:
    """The best bound and its prices, once columns were added until none helps or the clock is over."""
    prices, weight = _no_prices(master), SMOOTHING
    best, columns = pricing.priced(prices)
    for column in columns:
        master.add(column)
    enough = ROUNDING if len(master.tables) <= FEW else ENOUGH
    for iteration in range(MOST_ITERATIONS):
        if (clock.is_over and iteration) or not master.solve():
            break
        tried = prices.mixed(master.prices(), weight)
        bound, columns = pricing.priced(tried)
        if bound > best:
            best, prices = bound, tried
        added = sum([master.add(column) for column in columns])
        if master.value - best <= enough * abs(master.value) or (not added and not weight):
            break
        weight = SMOOTHING if added else 0.0
    return best, prices


LEAST_SHARE: Final = 1e-6
"""Of what is chosen in part, what counts."""


def _no_prices(master: _Master) -> _Prices:
    """Prices with which nothing is scarce and every hour costs the least that it can."""
    pairs, quarters = len(master.pairs), len(master.portfolio.quarters)
    return _Prices(
        energy=np.zeros((*master.capacity.shape,)),
        hours=master.weights.money * np.asarray([float(master.floor(one.pool)[one.first]) for one in master.segments]),
        total=0.0,
        quarters=np.zeros(quarters),
        teams=np.zeros(len(master.portfolio.teams)),
        order=np.zeros(pairs),
        drops=np.zeros(pairs),
    )


def is_impossible(portfolio: Portfolio, tables: Sequence[JobTable], clock: Clock) -> bool:
    """Whether even the relaxation cannot keep all jobs that must be kept, which proves that there is no schedule."""
    if any(table.value_usd is None and not all(np.isfinite(one.usd).any() for one in table.phases) for table in tables):
        return True
    found = relaxed(replace(portfolio, objective="feasible"), tables, clock, missing_usd=1.0, counts_missing=True)
    return found.bound > PROOF


PROOF: Final = 1e-3
"""Jobs that the relaxation must leave out for a proof; more than what rounding can add up to."""
