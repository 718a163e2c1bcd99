"""The cheapest place for one job beside all others: exact, by dynamic programming over its phases and days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from planner.market.money import priced
from planner.portfolio.commitments import committed_nodes, uncovered_usd
from planner.portfolio.instance import Array, Ints, Portfolio
from planner.portfolio.schedule import PhaseStart, Schedule
from planner.portfolio.tables import JobTable, PhaseTable, at_starts, is_free, paid_until
from planner.units import HOURS_PER_DAY


@dataclass
class Usage:
    """What jobs take of the pools, by pool and day."""

    free: Ints
    """Nodes that nobody blocks."""
    hours: Array
    """Paid node-hours."""
    committed: Array
    """Committed nodes."""
    prices: Array
    """On-demand dollars per node-hour, as the objective counts them."""
    pools_committed: frozenset[int] = field(default_factory=frozenset)
    """Pools of which something is committed."""

    def take(self, table: PhaseTable, run: PhaseStart, sign: int) -> None:
        """Adds (1) or takes away (-1) one phase."""
        pool, nodes = int(table.pools[run.mode]), int(table.nodes[run.mode])
        self.free[pool, run.start : run.start + table.days[run.mode]] -= sign * nodes
        end = run.start + int(table.paid_days[run.mode])
        self.hours[pool, run.start : end - 1] += sign * nodes * table.paid[run.mode]
        self.hours[pool, end - 1] += sign * nodes * table.last[run.mode]

    def on_demand_usd(self) -> float:
        """Dollars of the hours that no commitment covers."""
        return float(uncovered_usd(self.hours, self.committed, self.prices).sum())

    def commit(self, committed: Array) -> None:
        """Commits to other nodes."""
        self.committed = committed
        self.pools_committed = frozenset(np.flatnonzero(committed.any(axis=1)).tolist())


def empty_usage(portfolio: Portfolio, prices: Array) -> Usage:
    """Pools without jobs."""
    free = np.stack([one.nodes for one in portfolio.pools])
    return Usage(free.copy(), np.zeros(free.shape), np.zeros(free.shape), prices)


@dataclass(frozen=True)
class Insertion:
    """A place for a job and what it adds."""

    usd: float
    runs: tuple[PhaseStart, ...]


def best_insertion(
    job: JobTable,
    usage: Usage,
    earliest: int,
    latest_end: int,
    guide: Sequence[Array] | None = None,
    factor: float = 1.0,
) -> Insertion | None:
    """The cheapest way to run a job between two days beside all others; None when there is none.

    `guide`: what is added to the dollars of each phase, by mode and end, to keep scarce nodes for others; `factor`:
    what a dollar counts.
    """
    first, last = max(earliest, job.earliest), min(latest_end, job.latest_end)
    if first >= last:
        return None
    by_phase, arrival = list[tuple[Array, Ints]](), None
    for number, table in enumerate(job.phases):
        costs = _costs(table, usage, first, last, factor)
        if guide is not None:
            costs += guide[number][:, first : last + 1]
        if job.pinned is not None:
            costs[table.starts[:, first : last + 1] != job.pinned[number]] = inf
        if arrival is not None:
            costs += at_starts(arrival[None, :], table.days)
        ends = costs.min(axis=0)
        arrival = np.minimum.accumulate(ends)
        by_phase.append((costs, _first_at_least(ends, arrival)))
    ends += job.late_usd[first : last + 1]
    end = int(ends.argmin())
    return None if ends[end] == inf else Insertion(float(ends[end]), _traced(job, by_phase, end, first))


def _first_at_least(ends: Array, least: Array) -> Ints:
    """For each day the last day up to it on which the least was reached."""
    found: Ints = np.maximum.accumulate(np.where(ends == least, np.arange(len(ends)), 0))
    return found


def _traced(job: JobTable, by_phase: Sequence[tuple[Array, Ints]], end: int, first: int) -> tuple[PhaseStart, ...]:
    """The runs that end on a day at the least cost."""
    runs = list[PhaseStart]()
    for number in range(len(job.phases) - 1, -1, -1):
        mode = int(by_phase[number][0][:, end].argmin())
        start = first + end - int(job.phases[number].days[mode])
        runs.append(PhaseStart(mode, start))
        if number:
            end = int(by_phase[number - 1][1][start - first])
    return tuple(reversed(runs))


def _costs(table: PhaseTable, usage: Usage, first: int, last: int, factor: float) -> Array:
    """Dollars of each mode and end between two days beside what is there; infinite where nodes are missing."""
    costs: Array = factor * table.usd[:, first : last + 1]
    costs[~is_free(table, usage.free, first, last)] = inf
    if usage.pools_committed:
        rows = np.flatnonzero(table.committable & np.isin(table.pools, list(usage.pools_committed)))
        if len(rows):
            marginal = factor * _marginal(table, usage, rows, first, last)
            costs[rows] = np.where(np.isfinite(costs[rows]), marginal, inf)
    return costs


def _marginal(table: PhaseTable, usage: Usage, rows: Ints, first: int, last: int) -> Array:
    """Dollars that some modes add where commitments already cover a part."""
    pools, nodes = table.pools[rows], table.nodes[rows].astype(np.float64)
    over = usage.hours[:, first:last] - HOURS_PER_DAY * usage.committed[:, first:last]
    prices, base = (one.take(pools, axis=0) for one in (usage.prices[:, first:last], np.maximum(over, 0.0)))
    over = over.take(pools, axis=0)
    whole, ending = (
        priced(np.maximum(over + (nodes * hours[rows])[:, None], 0.0) - base, prices)
        for hours in (table.paid, table.last)
    )
    return paid_until(whole, ending, table.days[rows], table.paid_days[rows])


def usage_of(portfolio: Portfolio, tables: Sequence[JobTable], schedule: Schedule, prices: Array) -> Usage:
    """What a schedule takes of the pools."""
    usage = empty_usage(portfolio, prices)
    for table, runs in zip(tables, schedule.jobs, strict=True):
        for phase, run in zip(table.phases, runs, strict=False):
            usage.take(phase, run, 1)
    usage.commit(committed_nodes(portfolio, schedule.purchases))
    return usage
