"""How a part of a portfolio's search is divided: in two, where the relaxation is farthest from a schedule.

Each division is worth the dollars that it concerns times how far these are from a choice; the dearest is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Final

import numpy as np

from planner.cpsat.portfolio_bound import PortfolioBound
from planner.cpsat.portfolio_rows import Branch, Column, Rows
from planner.portfolio.instance import Array, Portfolio
from planner.portfolio.tables import JobTable, PhaseTable
from planner.units import HOURS_PER_DAY

WHOLE: Final = 1e-4
"""Distance from a whole number that rounding may cause."""
STRETCH: Final = 0.5
"""What a dollar of all terms together counts beside one of a single term."""


@dataclass(frozen=True)
class Division:
    """Two parts that together hold every schedule of a branch."""

    usd: float
    parts: tuple[Branch, Branch]


def divided(rows: Rows, found: PortfolioBound) -> Sequence[Branch]:
    """The parts of a branch; none when its relaxation is a schedule."""
    divisions = (*_by_commitment(rows, found), *_by_job(rows, found))
    best = max(divisions, default=None, key=lambda one: one.usd)
    return () if best is None or best.usd <= 0 else best.parts


def _by_commitment(rows: Rows, found: PortfolioBound) -> Iterator[Division]:
    """Nodes of one term, and of all terms together."""
    branch, nodes_of = rows.branch, np.zeros(rows.base.shape)
    for term, nodes in zip(rows.terms, found.levels, strict=True):
        nodes_of[term.pool, term.of.start : term.of.end] += nodes
    excess = _excess(rows, found, HOURS_PER_DAY * nodes_of)
    for number, stretch in enumerate(rows.stretches):
        limits = branch.committed[number]
        if limits[0] < limits[1]:
            split = _split(float(nodes_of[stretch.pool, stretch.first]), limits)
            usd = STRETCH * float(excess[stretch.pool, stretch.first : stretch.end].sum())
            parts = ((limits[0], split), (split + 1, limits[1]))
            yield Division(usd, _pair(branch.with_committed(number, *part) for part in parts))
    for number, (term, nodes) in enumerate(zip(rows.terms, found.levels, strict=True)):
        limits = branch.levels[number]
        if limits[0] < limits[1]:
            split, part = _split(nodes, limits), nodes - floor(nodes + WHOLE)
            usd = float(excess[term.pool, term.of.start : term.of.end].sum()) * (1 - nodes / limits[1])
            usd += float(term.of.usd_per_node) * max(0.0, part)
            parts = ((limits[0], split), (split + 1, limits[1]))
            yield Division(usd, _pair(branch.with_level(number, *part) for part in parts))


def _split(nodes: float, limits: tuple[int, int]) -> int:
    """The last number of nodes of the lower part."""
    return max(limits[0], min(floor(nodes + WHOLE), limits[1] - 1))


def _pair(parts: Iterable[Branch]) -> tuple[Branch, Branch]:
    first, second = parts
    return first, second


def _excess(rows: Rows, found: PortfolioBound, committed: Array) -> Array:
    """Dollars by pool and day that are saved by covering more hours of a job at once than are committed to."""
    usd, saved = np.zeros(committed.shape), rows.base - rows.floor
    for column, share in found.columns:
        for phase, run in zip(rows.tables[column.job].phases, column.runs, strict=True):
            pool = int(phase.pools[run.mode])
            if rows.committable[pool]:
                span = slice(run.start, run.start + int(phase.paid_days[run.mode]))
                hours = np.minimum(float(phase.nodes[run.mode] * phase.paid[run.mode]), rows.coverable[pool, span])
                usd[pool, span] += share * np.maximum(0.0, hours - committed[pool, span]) * saved[pool, span]
    return usd


def overfilled(portfolio: Portfolio, tables: Sequence[JobTable], found: PortfolioBound) -> Array:
    """Nodes that a relaxation takes beyond those that are there, shape (pools, days)."""
    over: Array = -np.stack([one.nodes for one in portfolio.pools]).astype(np.float64)
    for column, share in found.columns:
        for phase, run in zip(tables[column.job].phases, column.runs, strict=True):
            end = run.start + int(phase.days[run.mode])
            over[int(phase.pools[run.mode]), run.start : end] += share * float(phase.nodes[run.mode])
    return over


def _by_job(rows: Rows, found: PortfolioBound) -> Iterator[Division]:
    """Every job that the relaxation keeps in part, or runs in several ways."""
    columns: Mapping[int, list[tuple[Column, float]]] = defaultdict(list)
    for column, share in found.columns:
        columns[column.job].append((column, share))
    for job, ways in columns.items():
        phases = [_PhaseWays(rows, job, number, ways) for number in range(len(rows.tables[job].phases))]
        yield from _kept(rows, job, sum(phase.usd for phase in phases), sum(share for _, share in ways))
        for phase in phases:
            yield from phase.by_mode()
            yield from phase.by_start()


def _kept(rows: Rows, job: int, usd: float, kept: float) -> Iterator[Division]:
    """A job that may be dropped: it is kept, or dropped."""
    branch, value = rows.branch, rows.tables[job].value_usd
    if value is not None and job not in branch.kept and WHOLE < kept < 1 - WHOLE:
        far = 2 * min(kept, 1 - kept)
        parts = (replace(branch, kept={**branch.kept, job: choice}) for choice in (True, False))
        yield Division((usd + (1 - kept) * value) * far, _pair(parts))


class _PhaseWays:
    """The ways in which a relaxation runs one phase of a job."""

    def __init__(self, rows: Rows, job: int, number: int, ways: Sequence[tuple[Column, float]]) -> None:
        self.rows, self.key = rows, (job, number)
        self.table: PhaseTable = rows.tables[job].phases[number]
        self.runs = [(column.runs[number], share) for column, share in ways]
        self.shares: dict[int, float] = defaultdict(float)
        for run, share in self.runs:
            self.shares[run.mode] += share
        self.whole = sum(self.shares.values())

    @property
    def usd(self) -> float:
        """What it costs on demand."""
        days = self.table.days
        return float(sum(share * self.table.usd[run.mode, run.start + days[run.mode]] for run, share in self.runs))

    def by_mode(self) -> Iterator[Division]:
        """The pool that has most of it, and all others; or else few nodes and many."""
        if len(self.shares) < 2:
            return
        branch = self.rows.branch
        allowed = branch.modes.get(self.key, frozenset(range(len(self.table.nodes))))
        first = self._of_one_pool(allowed) or self._of_few_nodes(allowed)
        part = sum(share for mode, share in self.shares.items() if mode in first) / self.whole
        parts = (replace(branch, modes={**branch.modes, self.key: modes}) for modes in (first, allowed - first))
        yield Division(self.usd * 2 * min(part, 1 - part), _pair(parts))

    def _of_one_pool(self, allowed: frozenset[int]) -> frozenset[int]:
        """The modes of the pool that has most of the phase; none when it has all."""
        shares: dict[int, float] = defaultdict(float)
        for mode, share in self.shares.items():
            shares[int(self.table.pools[mode])] += share
        best = max(shares, key=lambda pool: shares[pool])
        return frozenset(mode for mode in allowed if self.table.pools[mode] == best) if len(shares) > 1 else frozenset()

    def _of_few_nodes(self, allowed: frozenset[int]) -> frozenset[int]:
        """The modes of at most the mean nodes; where all have the same, the one that is used most."""
        nodes = self.table.nodes
        mean = sum(share * float(nodes[mode]) for mode, share in self.shares.items()) / self.whole
        few = frozenset(mode for mode in allowed if nodes[mode] <= mean)
        if all(mode in few for mode in self.shares):
            return frozenset([max(self.shares, key=lambda mode: self.shares[mode])])
        return few

    def by_start(self) -> Iterator[Division]:
        """First days up to the mean, and those after."""
        mean = sum(run.start * share for run, share in self.runs) / self.whole
        spread = sum(abs(run.start - mean) * share for run, share in self.runs) / self.whole
        if spread <= WHOLE:
            return
        branch = self.rows.branch
        days = sum(float(self.table.days[run.mode]) * share for run, share in self.runs) / self.whole
        first, last = branch.starts.get(self.key, (0, self.rows.portfolio.days))
        parts = ((first, floor(mean)), (floor(mean) + 1, last))
        yield Division(
            self.usd * min(1.0, spread / days),
            _pair(replace(branch, starts={**branch.starts, self.key: part}) for part in parts),
        )
