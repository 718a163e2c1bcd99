"""What search and bound ask of every phase again and again, as arrays over modes and days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.portfolio.instance import Array, Ints, JobPhase, Portfolio, PortfolioJob
from planner.units import HOURS_PER_DAY

Flags = npt.NDArray[np.bool_]

TIE: Final = 1e-7
"""Weight of figures that an objective does not count, so that of equal schedules the better one is found."""


@dataclass(frozen=True)
class PhaseTable:
    """The modes of a phase; the columns of both tables are the day after the last."""

    pools: Ints
    nodes: Ints
    days: Ints
    paid_days: Ints
    """Those of them, from the first on, on which hours are paid."""
    paid: Array
    """Paid hours of a node on a full day, shape (modes,)."""
    last: Array
    """Paid hours of a node on the last paid day, shape (modes,)."""
    usd: Array
    """On-demand dollars of a phase that ends there, shape (modes, days + 1); infinite where it cannot."""
    committable: Flags
    """Whether hours of the mode's pool can be committed to."""

    @property
    def starts(self) -> Ints:
        """The first day of a phase that ends there, shape (modes, days + 1); negative: before the calendar."""
        found: Ints = np.arange(self.usd.shape[1]) - self.days[:, None]
        return found

    def added(self, usd_before: Array, divisor: Ints) -> Array:
        """What a price per day and node adds, shape (modes, days + 1).

        `usd_before`: the prices of the days before each, added up, shape (pools, days + 1). `divisor`: of a mode's
        nodes as many are counted as whole times it goes into them, by pool.
        """
        sums = usd_before.take(self.pools, axis=0)
        counted = self.nodes // divisor[self.pools]
        found: Array = counted[:, None] * (sums - at_starts(sums, self.days))
        return found

    def hourly(self, usd_per_node_hour: Array) -> Array:
        """What a price per paid node-hour costs, shape (modes, days + 1); prices have the shape (pools, days)."""
        return self.nodes[:, None] * _hourly(self, usd_per_node_hour)

    def hourly_above(self, covered: Array, over: Array, coverable: Array) -> Array:
        """The same where only so many node-hours of a day have one price and all above have another."""
        hours, usd, above = (one.take(self.pools, axis=0) for one in (coverable, covered, over))

        def by_day(of_node: Array) -> Array:
            wanted = (self.nodes * of_node)[:, None]
            cheap = np.minimum(wanted, hours)
            found: Array = cheap * usd + (wanted - cheap) * above
            return found

        return paid_until(by_day(self.paid), by_day(self.last), self.days, self.paid_days)


@dataclass(frozen=True)
class JobTable:
    """A job's phases, and the window within which it may run."""

    phases: tuple[PhaseTable, ...]
    earliest: int
    latest_end: int
    late_usd: Array
    """By the day after the last, shape (days + 1,)."""
    pinned: tuple[int, ...] | None
    """First days of the phases of a fixed job."""
    value_usd: float | None

    @property
    def least_usd(self) -> float:
        """What it costs at least, alone."""
        return float(sum(phase.usd.min() for phase in self.phases))

    @property
    def least_node_days(self) -> float:
        """Node-days that it blocks at least."""
        return float(sum((phase.nodes * phase.days).min() for phase in self.phases))


def tables_of(portfolio: Portfolio, earliest: Sequence[int]) -> list[JobTable]:
    """The tables of every job; `earliest`: the first day of each."""
    prices = np.stack([one.prices for one in portfolio.pools])
    return [_job_table(portfolio, job, first, prices) for job, first in zip(portfolio.jobs, earliest, strict=True)]


def _job_table(portfolio: Portfolio, job: PortfolioJob, earliest: int, prices: Array) -> JobTable:
    late = np.arange(portfolio.days + 1) - 1 - job.deadline
    usd_per_day = float(job.late_usd_per_day or 0) * max(portfolio.weights.lateness, TIE)
    first = job.release if job.fixed_start is None else job.fixed_start
    return JobTable(
        phases=tuple(_phase_table(portfolio, phase, prices) for phase in job.phases),
        earliest=max(first, earliest) if job.fixed_start is None else first,
        latest_end=job.last_end(portfolio.days) if job.fixed_start is None else portfolio.days,
        late_usd=np.maximum(late, 0) * usd_per_day,
        pinned=None if job.fixed_start is None else _pinned(job, job.fixed_start),
        value_usd=None if job.value_usd is None else float(job.value_usd),
    )


def _pinned(job: PortfolioJob, start: int) -> tuple[int, ...]:
    """First days of the phases of a fixed job, one right after the other."""
    found = []
    for phase in job.phases:
        found.append(start)
        start += phase.modes[0].days
    return tuple(found)


def _phase_table(portfolio: Portfolio, phase: JobPhase, prices: Array) -> PhaseTable:
    days = np.asarray([one.days for one in phase.modes], dtype=np.int64)
    paid_days = np.asarray([one.paid_days for one in phase.modes], dtype=np.int64)
    hours = np.asarray([one.expected_hours for one in phase.modes])
    share = np.asarray([one.paid_hours for one in phase.modes]) / hours
    table = PhaseTable(
        pools=np.asarray([one.pool for one in phase.modes], dtype=np.int64),
        nodes=np.asarray([one.nodes for one in phase.modes], dtype=np.int64),
        days=days,
        paid_days=paid_days,
        paid=HOURS_PER_DAY * share,
        last=(hours - HOURS_PER_DAY * (paid_days - 1)) * share,
        usd=np.empty((len(days), portfolio.days + 1)),
        committable=np.asarray([bool(portfolio.pools[one.pool].commitments) for one in phase.modes]),
    )
    usd = table.hourly(prices * max(portfolio.weights.money, TIE))
    free = np.stack([one.nodes for one in portfolio.pools])
    usd[~is_free(table, free, 0, portfolio.days)] = inf
    return PhaseTable(**(table.__dict__ | {"usd": usd}))


def is_free(table: PhaseTable, free: Ints, first: int, last: int) -> Flags:
    """Whether nodes are there for each mode that starts on `first` or later and ends by a day.

    The ends are those from `first` to `last`; shape (modes, ends).
    """
    ends = np.arange(first, last + 1, dtype=np.int32)
    earliest = np.full((len(table.nodes), len(ends)), first, dtype=np.int32)
    is_taken = free[:, first:last].take(table.pools, axis=0) < table.nodes[:, None]
    np.multiply(is_taken, ends[1:], out=earliest[:, 1:])
    np.maximum.accumulate(earliest, axis=1, out=earliest)
    found: Flags = earliest <= ends - table.days[:, None]
    return found


def _hourly(table: PhaseTable, usd_per_node_hour: Array) -> Array:
    """Dollars per node, by the hours of whole days and of the last."""
    usd = usd_per_node_hour.take(table.pools, axis=0)
    return paid_until(table.paid[:, None] * usd, table.last[:, None] * usd, table.days, table.paid_days)


def paid_until(whole: Array, last: Array, days: Ints, paid_days: Ints) -> Array:
    """Dollars of what ends by each day: of whole days, and of the last paid day.

    `whole`, `last`: dollars of a day as the one or the other, shape (modes, days); the result has one day more. Of the
    `days` that a mode blocks the first `paid_days` are paid.
    """
    sums, reserve = prefix_sums(whole), days - paid_days
    found: Array = -at_starts(sums, days)
    if reserve.any():
        ended = np.pad(last, ((0, 0), (1, 0))) + np.pad(sums[:, :-1], ((0, 0), (1, 0)))
        found += at_starts(ended, reserve)
    else:
        found[:, 1:] += sums[:, :-1] + last
    return found


def prefix_sums(by_day: Array) -> Array:
    """Sums of the days before each, of shape (…, days); the result has one day more."""
    found = np.zeros((*by_day.shape[:-1], by_day.shape[-1] + 1))
    np.cumsum(by_day, axis=-1, out=found[..., 1:])
    return found


def at_starts(by_day: Array, days: Ints) -> Array:
    """A value of each row so many days before each; what would be before the first day is of no meaning.

    `by_day` has a row for each of `days`, or one for all.
    """
    places = np.arange(by_day.shape[1]) - days[:, None]
    if len(by_day) > 1:
        places += np.arange(len(by_day))[:, None] * by_day.shape[1]
    return by_day.ravel().take(places, mode="clip")
