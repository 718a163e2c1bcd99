"""What a portfolio's relaxation counts: energy by pool and week, hours that commitments may cover, money by quarter.

A column is one way to run a whole job (Dantzig-Wolfe decomposition). A branch narrows what may be chosen; how many
nodes can be committed to in it bounds how many hours of a job a commitment can cover.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Final

import numpy as np

from planner.portfolio.instance import Array, Ints, Portfolio, terms_of
from planner.portfolio.schedule import PhaseStart
from planner.portfolio.tables import TIE, JobTable, PhaseTable
from planner.units import HOURS_PER_DAY

DAYS_PER_ROW: Final = 7
"""Days whose energy one row adds up."""
CUTS: Final = (2, 3)
"""Parts of a pool for which modes that take more than one of them are counted."""
FEW_FOR_CUTS: Final = 40
"""Jobs up to which these cuts are added."""


@dataclass(frozen=True)
class Column:
    """One way to run a whole job."""

    job: int
    runs: tuple[PhaseStart, ...]


@dataclass(frozen=True)
class TermStretch:
    """Days of a pool on which the same terms run."""

    pool: int
    first: int
    end: int
    terms: tuple[int, ...]


def stretches_of(portfolio: Portfolio) -> tuple[TermStretch, ...]:
    """The days between the beginnings and ends of terms, pool by pool; those on which none runs are left out."""
    terms, found = terms_of(portfolio), list[TermStretch]()
    for pool in range(len(portfolio.pools)):
        ends = sorted({day for one in terms if one.pool == pool for day in (one.of.start, one.of.end)})
        for first, end in pairwise(ends):
            alive = tuple(
                number
                for number, one in enumerate(terms)
                if one.pool == pool and one.of.start <= first and end <= one.of.end
            )
            if alive:
                found.append(TermStretch(pool, first, end, alive))
    return tuple(found)


@dataclass(frozen=True)
class Branch:
    """What may still be chosen in a part of the search; whatever is not named is free."""

    levels: tuple[tuple[int, int], ...]
    """Least and most nodes of every term."""
    committed: tuple[tuple[int, int], ...]
    """Least and most nodes of all terms together, by stretch."""
    starts: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """By job and phase, the first and the last day on which it may begin."""
    modes: Mapping[tuple[int, int], frozenset[int]] = field(default_factory=dict)
    """By job and phase."""
    kept: Mapping[int, bool] = field(default_factory=dict)
    """By optional job, whether it is kept."""

    def allows(self, column: Column) -> bool:
        """Whether a job may run so."""
        if not self.kept.get(column.job, True):
            return False
        for phase, run in enumerate(column.runs):
            first, last = self.starts.get((column.job, phase), (0, run.start))
            if not first <= run.start <= last or run.mode not in self.modes.get((column.job, phase), (run.mode,)):
                return False
        return True

    def with_level(self, term: int, least: int, most: int) -> Branch:
        """The part with other levels of one term."""
        return replace(self, levels=(*self.levels[:term], (least, most), *self.levels[term + 1 :]))

    def with_committed(self, stretch: int, least: int, most: int) -> Branch:
        """The part with other numbers of nodes in one stretch."""
        return replace(self, committed=(*self.committed[:stretch], (least, most), *self.committed[stretch + 1 :]))


def whole(portfolio: Portfolio) -> Branch:
    """The branch in which everything is free."""
    levels = tuple((one.of.least, one.of.limit) for one in terms_of(portfolio))
    committed = tuple((0, sum(levels[term][1] for term in one.terms)) for one in stretches_of(portfolio))
    return Branch(levels, committed)


def is_possible(portfolio: Portfolio, branch: Branch) -> bool:
    """Whether the terms of every stretch can have as many nodes as it must."""
    return all(
        sum(branch.levels[term][0] for term in stretch.terms) <= most
        and sum(branch.levels[term][1] for term in stretch.terms) >= least
        for stretch, (least, most) in zip(stretches_of(portfolio), branch.committed, strict=True)
    )


@dataclass(frozen=True)
class Segment:
    """Days of a pool whose paid hours are added up."""

    pool: int
    first: int
    end: int
    usd_per_node_hour: float


@dataclass
class Figures:
    """Coefficients of a column."""

    energy: dict[tuple[int, int, int], float] = field(default_factory=dict)
    """Node-days by divisor, pool and week."""
    days: dict[int, int] = field(default_factory=dict)
    """Nodes on each day that is counted by itself."""
    hours: dict[int, float] = field(default_factory=dict)
    """Node-hours that commitments may cover, by segment."""
    quarters: dict[int, float] = field(default_factory=dict)
    """Dollars of all other hours, by quarter."""
    team_usd: float = 0.0
    usd: float = 0.0
    """What the objective counts."""
    start: int = 0
    end: int = 0


def _divisors(portfolio: Portfolio, jobs: int) -> Ints:
    """Numbers into which nodes are divided and rounded down, shape (divisors, pools).

    ⌊n/d⌋ is superadditive, so that what runs together counts no more than the pool (Chvátal-Gomory rounding): of jobs
    that take more than half of a pool only one runs at a time. With few jobs these cuts matter, with many they do not.
    """
    most = np.asarray([max(1, int(one.nodes.max(initial=1))) for one in portfolio.pools], dtype=np.int64)
    parts = CUTS if jobs <= FEW_FOR_CUTS else ()
    return np.stack([np.ones_like(most), *(most // part + 1 for part in parts)])


class Rows:
    """The rows of the relaxation, and what a column takes of each."""

    def __init__(
        self, portfolio: Portfolio, tables: Sequence[JobTable], branch: Branch, days: Sequence[tuple[int, int]] = ()
    ) -> None:
        """`days`: pools and days whose nodes are counted by themselves, beside those of their week."""
        self.portfolio, self.tables, self.branch, self.days = portfolio, tables, branch, tuple(days)
        self.weights = portfolio.weights
        self.terms, self.stretches = terms_of(portfolio), stretches_of(portfolio)
        self.week_of = np.arange(portfolio.days) // DAYS_PER_ROW
        self.quarter_of = np.zeros(portfolio.days, dtype=np.int64)
        for number, quarter in enumerate(portfolio.quarters):
            self.quarter_of[quarter.start : quarter.end] = number
        self.pairs = [(before, job) for job, of in enumerate(portfolio.jobs) for before in of.after]
        self.committable = [bool(pool.commitments) for pool in portfolio.pools]
        self.base = np.stack([one.prices for one in portfolio.pools])
        self.divisors = _divisors(portfolio, len(tables))
        self.nodes = nodes = np.stack([one.nodes for one in portfolio.pools])
        weeks = np.arange(0, portfolio.days, DAYS_PER_ROW)
        self.capacity = np.stack(
            [np.add.reduceat((nodes // of[:, None]).astype(np.float64), weeks, axis=1) for of in self.divisors]
        )
        self.segments = [one for pool, of in enumerate(self.committable) if of for one in self._segments(pool)]
        self.segment_of = np.full((len(portfolio.pools), portfolio.days), -1, dtype=np.int64)
        for number, segment in enumerate(self.segments):
            self.segment_of[segment.pool, segment.first : segment.end] = number

    def _segments(self, pool: int) -> list[Segment]:
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
            Segment(pool, first, end, float(prices[first]))
            for first, end in zip([0, *cuts], [*cuts, days], strict=True)
        ]

    @cached_property
    def coverable(self) -> Array:
        """Most node-hours of a day that commitments can cover in this branch, shape (pools, days)."""
        found = np.where(np.asarray(self.committable)[:, None], 0.0, inf) * np.ones((1, self.portfolio.days))
        for stretch, (_, most) in zip(self.stretches, self.branch.committed, strict=True):
            found[stretch.pool, stretch.first : stretch.end] = HOURS_PER_DAY * min(most, self._most_nodes(stretch))
        return found

    def _most_nodes(self, stretch: TermStretch) -> int:
        """Most nodes of the terms of a stretch; those under one name share theirs."""
        named: dict[str, int] = defaultdict(int)
        for term in stretch.terms:
            of = self.terms[term].of
            named[of.name] = min(of.most, named[of.name] + self.branch.levels[term][1])
        return sum(named.values())

    @cached_property
    def floor(self) -> Array:
        """The least that a node-hour can cost, shape (pools, days)."""
        terms = [
            min((float(one.usd_per_node_hour) for one in pool.commitments), default=inf)
            for pool in self.portfolio.pools
        ]
        found: Array = np.minimum(self.base, np.asarray(terms)[:, None])
        return found

    @property
    def paid_usd(self) -> float:
        """What is paid for whole pools."""
        return sum(float(one.paid_usd) for one in self.portfolio.pools)

    def figures(self, column: Column) -> Figures:
        """All coefficients of a column."""
        table, found = self.tables[column.job], Figures()
        for phase, run in zip(table.phases, column.runs, strict=True):
            self._add_phase(found, phase, run)
        last = column.runs[-1]
        found.start, found.end = column.runs[0].start, last.start + int(table.phases[-1].days[last.mode])
        late = float(table.late_usd[found.end] / max(self.weights.lateness, TIE))
        found.usd = self.weights.money * sum(found.quarters.values()) + self.weights.lateness * late
        return found

    def _add_phase(self, found: Figures, phase: PhaseTable, run: PhaseStart) -> None:
        """Adds what one phase takes."""
        pool, nodes, days = int(phase.pools[run.mode]), int(phase.nodes[run.mode]), int(phase.days[run.mode])
        span = slice(run.start, run.start + days)
        self._add_energy(found, pool, nodes, span)
        for number, (of, day) in enumerate(self.days):
            if of == pool and span.start <= day < span.stop:
                found.days[number] = nodes
        hours, ending = np.zeros(days), int(phase.paid_days[run.mode]) - 1
        hours[:ending] = nodes * float(phase.paid[run.mode])
        hours[ending] = nodes * float(phase.last[run.mode])
        covered = np.minimum(hours, self.coverable[pool, span]) if self.committable[pool] else np.zeros(days)
        if self.committable[pool]:
            sums = np.bincount(self.segment_of[pool, span], weights=covered)
            for segment in np.flatnonzero(sums):
                found.hours[int(segment)] = found.hours.get(int(segment), 0.0) + float(sums[segment])
        usd = (hours - covered) * self.base[pool, span]
        for quarter, part in enumerate(np.bincount(self.quarter_of[span], weights=usd)):
            if part:
                found.quarters[quarter] = found.quarters.get(quarter, 0.0) + float(part)
        found.team_usd += float((covered * self.floor[pool, span]).sum() + usd.sum())

    def _add_energy(self, found: Figures, pool: int, nodes: int, span: slice) -> None:
        """Adds the node-days of each week, as every divisor counts them."""
        for week, count in zip(*np.unique(self.week_of[span], return_counts=True), strict=True):
            for level, of in enumerate(self.divisors):
                if counted := nodes // int(of[pool]):
                    key = (level, pool, int(week))
                    found.energy[key] = found.energy.get(key, 0.0) + float(counted * count)
