"""A job's best column under dual prices, by dynamic programming over phases and days, and the bound that follows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from planner.cpsat.portfolio_master import Prices
from planner.cpsat.portfolio_rows import Column, Rows
from planner.portfolio.instance import Array, Ints
from planner.portfolio.schedule import PhaseStart
from planner.portfolio.tables import TIE, Flags, PhaseTable, at_starts, prefix_sums
from planner.units import HOURS_PER_DAY


class Pricing:
    """The best column of every job under dual prices, and the Lagrangian bound."""

    def __init__(self, rows: Rows, *, missing_usd: float = inf) -> None:
        """`missing_usd`: what the bound counts for a job that must be kept and is not."""
        self.rows, self.missing_usd = rows, missing_usd
        self.portfolio, self.tables = rows.portfolio, rows.tables
        self.team_of = [self.portfolio.teams.index(job.team) for job in self.portfolio.jobs]
        self.usable = [
            [self._usable(job, number, phase) for number, phase in enumerate(table.phases)]
            for job, table in enumerate(self.tables)
        ]
        self.before: list[list[int]] = [[] for _ in self.tables]
        self.after: list[list[int]] = [[] for _ in self.tables]
        for number, (before, job) in enumerate(rows.pairs):
            self.after[before].append(number)
            self.before[job].append(number)
        self.is_capped = [
            [bool((phase.nodes * HOURS_PER_DAY > rows.coverable.min(axis=1)[phase.pools]).any()) for phase in of.phases]
            for of in self.tables
        ]

    def _usable(self, job: int, number: int, phase: PhaseTable) -> Flags:
        """Where a phase may end by mode, shape (modes, days + 1)."""
        branch, pinned = self.rows.branch, self.tables[job].pinned
        found: Flags = np.isfinite(phase.usd)
        if pinned is not None:
            found &= phase.starts == pinned[number]
        if (job, number) in branch.starts:
            first, last = branch.starts[job, number]
            found &= (phase.starts >= first) & (phase.starts <= last)
        if (job, number) in branch.modes:
            found &= np.isin(np.arange(len(phase.nodes)), list(branch.modes[job, number]))[:, None]
        return found

    def hour_prices(self, prices: Prices) -> tuple[Array, Array]:
        """Dollars per paid node-hour that a commitment may cover, and of all others; each of shape (pools, days)."""
        rows = self.rows
        by_day = rows.weights.money + prices.total + prices.quarters[rows.quarter_of]
        over = rows.base * by_day[None, :]
        found = over.copy()
        for pool, is_committable in enumerate(rows.committable):
            if is_committable:
                found[pool] = np.minimum(over[pool], prices.hours[rows.segment_of[pool]])
        return found, over

    def node_day_usd(self, prices: Prices) -> Array:
        """Dollars per counted node and day, shape (divisors, pools, days)."""
        found: Array = prices.energy[:, :, self.rows.week_of]
        for usd, (pool, day) in zip(prices.days.tolist(), self.rows.days, strict=True):
            found[0, pool, day] += usd
        return found

    def priced(self, prices: Prices) -> tuple[float, list[Column]]:
        """The Lagrangian bound, and the best columns of each job."""
        covered, over = self.hour_prices(prices)
        daily = prefix_sums(self.node_day_usd(prices))
        hourly = [
            (covered + usd * self.rows.floor, over + usd * self.rows.base) for usd in prices.teams[: len(prices.teams)]
        ]
        columns = list[Column]()
        bound = self._constant(prices, covered)
        for job in range(len(self.tables)):
            usd = inf
            if self.rows.branch.kept.get(job, True):
                found, usd = self._best(job, *hourly[self.team_of[job]], daily, prices)
                columns += found
            bound += min(usd, self._out_usd(job, prices))
        return bound, columns

    def _out_usd(self, job: int, prices: Prices) -> float:
        """What dropping a job costs."""
        table = self.tables[job]
        if table.value_usd is None or self.rows.branch.kept.get(job, False):
            return self.missing_usd
        usd = self.rows.weights.dropped * table.value_usd
        usd -= float(sum(self.portfolio.days * prices.order[one] + prices.drops[one] for one in self.before[job]))
        return usd + float(sum(prices.drops[one] for one in self.after[job]))

    def _constant(self, prices: Prices, hourly: Array) -> float:
        """What capacity, budgets and commitments take off the bound."""
        rows, budgets = self.rows, self.portfolio.budgets
        found = -float((prices.energy * rows.capacity).sum())
        found -= sum(
            float(usd) * float(rows.nodes[place]) for usd, place in zip(prices.days.tolist(), rows.days, strict=True)
        )
        if budgets.total is not None:
            found -= prices.total * (float(budgets.total) - rows.paid_usd)
        found -= sum(float(prices.quarters[key] * float(usd)) for key, usd in budgets.quarters.items())
        found -= sum(
            float(prices.teams[self.portfolio.teams.index(key)] * float(usd)) for key, usd in budgets.teams.items()
        )
        for usd, levels in zip(self.term_usd(prices, hourly), rows.branch.levels, strict=True):
            found += min(usd * one for one in levels)
        for usd, (least, most) in zip(prices.committed.tolist(), rows.branch.committed, strict=True):
            found += float(usd) * (least if usd > 0 else most)
        return found

    def term_usd(self, prices: Prices, hourly: Array) -> list[float]:
        """What a node of each term costs beyond what its hours are worth."""
        rows = self.rows
        by_day = rows.weights.money + prices.total + prices.quarters[rows.quarter_of]
        found = [
            HOURS_PER_DAY
            * float((float(of.usd_per_node_hour) * by_day[of.start : of.end] - hourly[pool, of.start : of.end]).sum())
            for pool, of in ((term.pool, term.of) for term in rows.terms)
        ]
        for usd, stretch in zip(prices.committed.tolist(), rows.stretches, strict=True):
            for term in stretch.terms:
                found[term] -= usd
        return found

    def _best(self, job: int, covered: Array, over: Array, daily: Array, prices: Prices) -> tuple[list[Column], float]:
        """The best columns of a job: the best of all, and the best that ends in each other pool."""
        table = self.tables[job]
        per_day_started = float(sum(prices.order[one] for one in self.before[job]))
        per_day_ended = float(sum(prices.order[one] for one in self.after[job]))
        days = np.arange(self.portfolio.days + 1, dtype=np.float64)
        arrival = np.where(days >= table.earliest, -per_day_started * days, inf)
        choices = list[tuple[Ints, Ints]]()
        for number, phase in enumerate(table.phases):
            if self.is_capped[job][number]:
                costs = phase.hourly_above(covered, over, self.rows.coverable)
            else:
                costs = phase.hourly(covered)
            for of, usd in zip(self.rows.divisors, daily, strict=True):
                costs += phase.added(usd, of)
            costs = np.where(self.usable[job][number], costs + at_starts(arrival[None, :], phase.days), inf)
            if number < len(table.phases) - 1:
                best = costs.argmin(axis=0)
                ends = costs[best, np.arange(costs.shape[1])]
                arrival = np.minimum.accumulate(ends)
                reached = np.maximum.accumulate(np.where(ends == arrival, np.arange(len(ends)), 0))
                choices.append((best, reached))
        weights = self.rows.weights
        late = table.late_usd * (weights.lateness / max(weights.lateness, TIE))
        costs = costs + (late + per_day_ended * days)[None, :]
        costs[:, table.latest_end + 1 :] = inf
        return self._columns(job, costs, choices)

    def _columns(self, job: int, costs: Array, choices: Sequence[tuple[Ints, Ints]]) -> tuple[list[Column], float]:
        """The best column by the pool of its last phase, and what the best of them costs."""
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

    def _runs(self, job: int, mode: int, end: int, choices: Sequence[tuple[Ints, Ints]]) -> tuple[PhaseStart, ...]:
        """The runs of a column that ends in a mode on a day."""
        phases, runs = self.tables[job].phases, list[PhaseStart]()
        for number in range(len(phases) - 1, -1, -1):
            start = end - int(phases[number].days[mode])
            runs.append(PhaseStart(mode, start))
            if number:
                best, reached = choices[number - 1]
                end = int(reached[start])
                mode = int(best[end])
        return tuple(reversed(runs))
