"""The interval model of a portfolio of few jobs: one interval per phase and pool, whose length and demand are chosen.

What a phase costs at each start is at least a line per price period; paid hours under commitments are counted by week.
Both are never above the truth, so the model's bound holds for the portfolio, and its schedules are billed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Final

import numpy as np

from planner.cpsat.model import (
    IntervalVar,
    IntVar,
    LinearExpr,
    Model,
)
from planner.portfolio.instance import Array, Ints, Portfolio
from planner.portfolio.schedule import PhaseStart, Schedule
from planner.portfolio.tables import JobTable, PhaseTable
from planner.units import HOURS_PER_DAY

STEPS: Final = 2_000_000_000
"""Whole units into which the incumbent's value is divided: the model's dollars."""
TENTHS: Final = 10
"""Parts of an hour in which paid hours under commitments are counted."""
DAYS_PER_SEGMENT: Final = 7
"""Days whose paid hours are added up under commitments."""


@dataclass
class _Task:
    """One phase of a job in the model."""

    job: int
    table: PhaseTable
    start: IntVar
    end: IntVar
    modes: list[IntVar]
    """One per mode that can run."""
    usable: list[int]
    """The mode of each literal."""
    hinted: PhaseStart | None


@dataclass
class _Job:
    tasks: list[_Task]
    kept: IntVar | None
    """None: always."""


class IntervalModel:
    """The model of a portfolio, hinted with a known schedule."""

    def __init__(self, portfolio: Portfolio, tables: Sequence[JobTable], known: Schedule, value: float) -> None:
        self.portfolio, self.tables, self.known = portfolio, tables, known
        self.model = Model()
        self.unit = max(value, 1.0) / STEPS
        self.prices = np.stack([one.prices for one in portfolio.pools]) * portfolio.weights.money
        self.terms_of_cost: list[LinearExpr | int] = []
        self.jobs = [self._job(number) for number in range(len(tables))]
        self._order()
        self._capacity()
        for pool, of in enumerate(portfolio.pools):
            if of.commitments:
                _Commitments(self, pool)
        self.cost = LinearExpr.sum(self.terms_of_cost)
        self.model.minimize(self.cost)

    def units(self, usd: float) -> int:
        """Dollars in the model's units, rounded down."""
        return floor(usd / self.unit)

    def variable(self, low: int, high: int, name: str, hint: int | None) -> IntVar:
        """An integer variable with its hint."""
        found = self.model.new_int_var(low, high, name)
        if hint is not None:
            self.model.hint(found, max(low, min(high, hint)))
        return found

    def _job(self, number: int) -> _Job:
        """The tasks of a job, its lateness, and what dropping it costs."""
        job, table, runs = self.portfolio.jobs[number], self.tables[number], self.known.jobs[number]
        kept = self.variable(0, 1, f"{job.name} kept", int(bool(runs))) if job.is_optional else None
        tasks = [self._task(number, index, kept, runs[index] if runs else None) for index in range(len(table.phases))]
        for before, after in pairwise(tasks):
            self.model.add(after.start >= before.end)
        if kept is not None:
            value = self.units(self.portfolio.weights.dropped * (table.value_usd or 0.0))
            self.terms_of_cost.append(value - value * kept)
        self._lateness(number, tasks[-1], kept)
        return _Job(tasks, kept)

    def _lateness(self, number: int, last: _Task, kept: IntVar | None) -> None:
        """What each blocked day after the deadline costs."""
        job = self.portfolio.jobs[number]
        usd = self.units(self.portfolio.weights.lateness * float(job.late_usd_per_day or 0))
        if not usd:
            return
        end = self.known.span(self.portfolio, number)[1] if self.known.jobs[number] else 0
        late = self.variable(0, self.portfolio.days, f"{job.name} late", job.late_days(end))
        rule = self.model.add(late >= last.end - 1 - job.deadline)
        if kept is not None:
            rule.only_enforce_if(kept)
        self.terms_of_cost.append(usd * late)

    def _task(self, number: int, index: int, kept: IntVar | None, run: PhaseStart | None) -> _Task:
        """A phase: its start and end, one literal per mode, and what it costs."""
        job, table, phase = self.portfolio.jobs[number], self.tables[number], self.tables[number].phases[index]
        name = f"{job.name} {index}"
        last = min(table.latest_end, self.portfolio.days)
        usable = [
            mode
            for mode, days in enumerate(phase.days.tolist())
            if np.isfinite(phase.usd[mode, table.earliest + days : last + 1]).any()
        ]
        start = self.variable(table.earliest, max(table.earliest, last), f"{name} start", run.start if run else None)
        finish = run.start + int(phase.days[run.mode]) if run else None
        end = self.variable(table.earliest, max(table.earliest, last), f"{name} end", finish)
        modes = [self.variable(0, 1, f"{name} mode {mode}", int(bool(run and run.mode == mode))) for mode in usable]
        self.model.add(LinearExpr.sum(modes) == (1 if kept is None else kept))
        days = LinearExpr.weighted_sum(modes, [int(phase.days[mode]) for mode in usable])
        self.model.add(end == start + days)
        if table.pinned is not None:
            self.model.add(start == table.pinned[index])
        task = _Task(number, phase, start, end, modes, usable, run)
        self._cost(task, name, table.earliest, last)
        return task

    def _cost(self, task: _Task, name: str, first: int, last: int) -> None:
        """On-demand dollars of pools without commitments: the least of each mode, and what a start adds to it."""
        extra: IntVar | None = None
        for literal, mode in zip(task.modes, task.usable, strict=True):
            pool = int(task.table.pools[mode])
            if self.portfolio.pools[pool].commitments:
                continue
            days = int(task.table.days[mode])
            usd = task.table.usd[mode, first + days : last + 1]
            counted = usd if self.portfolio.weights.money else np.zeros_like(usd)
            usd = np.where(np.isfinite(usd), counted, np.nan)
            least = self.units(float(np.nanmin(usd)))
            self.terms_of_cost.append(least * literal)
            above = np.floor(usd / self.unit) - least
            if np.nanmax(above) >= 1:
                extra = self._extra(task, name) if extra is None else extra
                self._lines(
                    task, literal, extra, above, first, self._cuts(pool, int(task.table.paid_days[mode]), first)
                )

    def _extra(self, task: _Task, name: str) -> IntVar:
        """What the start adds to the least cost of the mode."""
        run, hint = task.hinted, 0
        if run is not None:
            usd = task.table.usd[run.mode]
            value = float(usd[run.start + int(task.table.days[run.mode])])
            hint = self.units(value) - self.units(float(np.min(usd[np.isfinite(usd)])))
        found = self.variable(0, STEPS * 4, f"{name} extra", hint)
        self.terms_of_cost.append(1 * found)
        return found

    def _cuts(self, pool: int, days: int, first: int) -> list[int]:
        """Starts, counted from `first`, at which the cost of a mode changes its slope."""
        changes = np.flatnonzero(np.diff(self.prices[pool])) + 1
        cuts = {int(one) - first + shift for one in changes for shift in (0, 1, -days, 1 - days)}
        return sorted(cuts)

    def _lines(
        self, task: _Task, literal: IntVar, extra: IntVar, above: Array, first: int, cuts: Sequence[int]
    ) -> None:
        """A line below the cost on every stretch of starts."""
        inside = [one for one in cuts if 0 < one < len(above)]
        pieces = []
        for low, high in zip([0, *inside], [*inside, len(above)], strict=True):
            part = above[low:high]
            if np.isnan(part).all():
                continue
            slope, base = _line_below(part)
            is_hinted = bool(
                task.hinted
                and task.usable[task.modes.index(literal)] == task.hinted.mode
                and low <= task.hinted.start - first < high
            )
            piece = self.variable(0, 1, "", int(is_hinted))
            self.model.add(task.start >= first + low).only_enforce_if(piece)
            self.model.add(task.start < first + high).only_enforce_if(piece)
            if slope or base:
                line = slope * task.start + (base - slope * (first + low))
                self.model.add(extra >= line).only_enforce_if(piece)
            pieces.append(piece)
        self.model.add(LinearExpr.sum(pieces) == literal)

    def _order(self) -> None:
        """Jobs begin after those that they wait for, which are kept when they are."""
        for number, job in enumerate(self.portfolio.jobs):
            for before in job.after:
                one, other = self.jobs[before], self.jobs[number]
                rule = self.model.add(other.tasks[0].start >= one.tasks[-1].end)
                if other.kept is not None:
                    rule.only_enforce_if(other.kept)
                    if one.kept is not None:
                        self.model.add(other.kept <= one.kept)

    def _capacity(self) -> None:
        """No pool has fewer nodes than are taken; what is closed is taken by nobody."""
        for pool, of in enumerate(self.portfolio.pools):
            intervals, demands = list[IntervalVar](), list[LinearExpr | int]()
            most = int(of.nodes.max(initial=0))
            for task in (task for job in self.jobs for task in job.tasks):
                self._take(task, pool, intervals, demands)
            if not intervals:
                continue
            for low, high, nodes in _stretches(of.nodes):
                if nodes < most:
                    intervals.append(self.model.new_interval(low, high - low, high, ""))
                    demands.append(most - nodes)
            self.model.add_cumulative(intervals, demands, most)

    def _take(self, task: _Task, pool: int, intervals: list[IntervalVar], demands: list[LinearExpr | int]) -> None:
        """The interval of a task in a pool: one, whatever the mode."""
        chosen = [
            (literal, mode)
            for literal, mode in zip(task.modes, task.usable, strict=True)
            if int(task.table.pools[mode]) == pool
        ]
        if not chosen:
            return
        literals, modes = [literal for literal, _ in chosen], [mode for _, mode in chosen]
        nodes, days = task.table.nodes[modes], task.table.days[modes]
        hint = task.hinted.mode if task.hinted and task.hinted.mode in modes else None
        present = self.variable(0, 1, "", int(hint is not None))
        self.model.add(LinearExpr.sum(literals) == present)
        known = modes.index(hint) if hint is not None else None
        demand = self.variable(0, int(nodes.max()), "", 0 if known is None else int(nodes[known]))
        self.model.add(demand == LinearExpr.weighted_sum(literals, nodes.tolist()))
        size = self.variable(0, int(days.max()), "", 0 if known is None else int(days[known]))
        self.model.add(size == LinearExpr.weighted_sum(literals, days.tolist()))
        intervals.append(self.model.new_interval(task.start, size, task.end, "", present))
        demands.append(demand)


class _Commitments:
    """The paid hours of a pool with commitments: covered ones cost their term, the rest is paid on demand."""

    def __init__(self, of: IntervalModel, pool: int) -> None:
        self.of, self.pool, self.model = of, pool, of.model
        self.segments = self._segments()
        self.levels = [self._level(place) for place in range(len(of.portfolio.pools[pool].commitments))]
        self._overlaps()
        tasks = [task for job in of.jobs for task in job.tasks]
        hours = [one for task in tasks if (one := self._hours(task))]
        for number, (first, end) in enumerate(self.segments):
            self._on_demand(first, end, [one[number] for one in hours])

    def _segments(self) -> list[tuple[int, int]]:
        """Weeks, cut where the price changes."""
        prices, days = self.of.portfolio.pools[self.pool].prices, self.of.portfolio.days
        cuts = [day for day in range(1, days) if day % DAYS_PER_SEGMENT == 0 or prices[day] != prices[day - 1]]
        return list(zip([0, *cuts], [*cuts, days], strict=True))

    def _level(self, place: int) -> IntVar:
        """Nodes of one term."""
        term = self.of.portfolio.pools[self.pool].commitments[place]
        known = sum(one.nodes for one in self.of.known.purchases if (one.pool, one.commitment) == (self.pool, place))
        level = self.of.variable(term.least, term.limit, f"{term.name} {term.start}", known)
        if term.is_block:
            choices = [self.of.variable(0, 1, "", int(size == known)) for size in term.sizes]
            self.model.add_at_most_one(choices)
            self.model.add(level == LinearExpr.weighted_sum(choices, list(term.sizes)))
        usd = float(term.usd_per_node) * self.of.portfolio.weights.money
        self.of.terms_of_cost.append(self.of.units(usd) * level)
        return level

    def _overlaps(self) -> None:
        """Terms under one name that overlap keep to their most together."""
        terms = self.of.portfolio.pools[self.pool].commitments
        for day in sorted({term.start for term in terms}):
            for name in sorted({term.name for term in terms}):
                alive = [
                    level
                    for level, term in zip(self.levels, terms, strict=True)
                    if term.name == name and term.start <= day < term.end
                ]
                if len(alive) > 1:
                    most = next(term.most for term in terms if term.name == name)
                    self.model.add(LinearExpr.sum(alive) <= most)

    def _hours(self, task: _Task) -> list[IntVar] | None:
        """Node-hours of a task in each segment, at most those of the days on which it may run."""
        chosen = [
            (literal, mode)
            for literal, mode in zip(task.modes, task.usable, strict=True)
            if int(task.table.pools[mode]) == self.pool
        ]
        if not chosen:
            return None
        literals, modes = [one for one, _ in chosen], [mode for _, mode in chosen]
        table, known = task.table, _known_hours(task, self.pool, self.of.portfolio.days)
        per_day = [ceil(float(TENTHS * table.nodes[mode] * table.paid[mode])) for mode in modes]
        of_node = table.paid * (table.paid_days - 1) + table.last
        whole = [
            floor(float(TENTHS * table.nodes[mode] * of_node[mode])) - self._rounded(int(table.days[mode]))
            for mode in modes
        ]
        found = []
        for first, end in self.segments:
            hint = floor(float(TENTHS * known[first:end].sum()))
            most = max(per_day) * (end - first)
            hours = self.of.variable(0, most, "", hint)
            runs = self.of.variable(0, 1, "", int(hint > 0))
            self.model.add(hours <= most * runs)
            self.model.add(hours <= LinearExpr.weighted_sum(literals, [one * (end - first) for one in per_day]))
            self.model.add(task.start < end).only_enforce_if(runs)
            self.model.add(task.end > first).only_enforce_if(runs)
            found.append(hours)
        self.model.add(LinearExpr.sum(found) >= LinearExpr.weighted_sum(literals, whole))
        return found

    def _rounded(self, days: int) -> int:
        """Tenths of hours that rounding can take off a phase of so many days: one in each segment that it touches."""
        return days // DAYS_PER_SEGMENT + 2 + len(np.unique(self.of.prices[self.pool]))

    def _on_demand(self, first: int, end: int, hours: Sequence[IntVar]) -> None:
        """Hours of a segment that no commitment covers."""
        terms = self.of.portfolio.pools[self.pool].commitments
        covered = [TENTHS * HOURS_PER_DAY * max(0, min(end, term.end) - max(first, term.start)) for term in terms]
        most = TENTHS * HOURS_PER_DAY * (end - first) * int(self.of.portfolio.pools[self.pool].nodes.max(initial=0))
        over = self.of.variable(0, most, "", None)
        self.model.add(over >= LinearExpr.sum(list(hours)) - LinearExpr.weighted_sum(self.levels, covered))
        usd = float(self.of.prices[self.pool, first])
        self.of.terms_of_cost.append(self.of.units(usd / TENTHS) * over)


def _known_hours(task: _Task, pool: int, days: int) -> Array:
    """Paid node-hours of the hinted run, by day."""
    found = np.zeros(days)
    run, table = task.hinted, task.table
    if run is not None and int(table.pools[run.mode]) == pool:
        end = run.start + int(table.paid_days[run.mode])
        found[run.start : end] = float(table.nodes[run.mode] * table.paid[run.mode])
        found[end - 1] = float(table.nodes[run.mode] * table.last[run.mode])
    return found


def _line_below(values: Array) -> tuple[int, int]:
    """Slope and first value of a line of whole numbers that is nowhere above some values; NaN is no value."""
    places = np.flatnonzero(~np.isnan(values))
    first, last = int(places[0]), int(places[-1])
    slope = 0 if first == last else floor((values[last] - values[first]) / (last - first))
    return slope, floor(float(np.nanmin(values - slope * np.arange(len(values)))))


def _stretches(values: Ints) -> list[tuple[int, int, int]]:
    """First day, the day after the last, and the value of every stretch of equal values."""
    cuts = (np.flatnonzero(np.diff(values)) + 1).tolist()
    return [(low, high, int(values[low])) for low, high in zip([0, *cuts], [*cuts, len(values)], strict=True)]
