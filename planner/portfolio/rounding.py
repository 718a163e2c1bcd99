"""Schedules from a fractional one: each job takes one of its columns with the probability of its share, if it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.portfolio.commitments import committed_nodes
from planner.portfolio.insertion import Insertion
from planner.portfolio.instance import Array, Ints
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule
from planner.portfolio.search import Guide, Search
from planner.portfolio.tables import JobTable, prefix_sums

ROUNDS: Final = 12
"""Schedules that are made."""


def guide_of(tables: Sequence[JobTable], node_day_usd: Array, divisors: Ints) -> Guide:
    """What the nodes that each mode blocks are worth to others, by divisor as they are counted."""
    before = prefix_sums(node_day_usd)
    return [
        [
            np.sum([phase.added(usd, of) for usd, of in zip(before, divisors, strict=True)], axis=0)
            for phase in table.phases
        ]
        for table in tables
    ]


def rounded(
    search: Search,
    shares: Mapping[int, Sequence[tuple[tuple[PhaseStart, ...], float]]],
    purchases: Sequence[CommittedNodes],
    clock: Clock,
    rounds: int,
) -> None:
    """Makes schedules from shares by job; the search keeps the best of them."""
    for number in range(rounds):
        if clock.is_over:
            return
        search.load(Schedule(((),) * len(search.tables), tuple(purchases)))
        search.usage.commit(committed_nodes(search.portfolio, purchases))
        _one(search, shares, is_greedy=number == 0)
        search.insert(search.order_by_due_date(), search.guide)
        search.recommit()
        search.note()


def _one(
    search: Search, shares: Mapping[int, Sequence[tuple[tuple[PhaseStart, ...], float]]], *, is_greedy: bool
) -> None:
    """Places the jobs, the largest first: a column that fits, or else where the guide leads."""
    noise = 1.0 if is_greedy else search.random.uniform(0.6, 1.6, len(search.tables))
    size = search.work * noise
    waiting = sorted(range(len(search.tables)), key=lambda job: (search.tables[job].pinned is None, -float(size[job])))
    while waiting:
        job = next(job for job in waiting if not any(one in waiting for one in search.portfolio.jobs[job].after))
        waiting.remove(job)
        for runs in _drawn(search, shares.get(job, ()), is_greedy=is_greedy):
            if fits(search, job, runs):
                search.place(job, Insertion(0.0, runs))
                break
        else:
            search.insert([job], search.guide)


def _drawn(
    search: Search, columns: Sequence[tuple[tuple[PhaseStart, ...], float]], *, is_greedy: bool
) -> list[tuple[PhaseStart, ...]]:
    """The columns of a job in the order in which they are tried; none when it is to be dropped."""
    left = 1.0 - sum(share for _, share in columns)
    if left > (0.5 if is_greedy else float(search.random.random())):
        return []
    weights = np.asarray([share for _, share in columns])
    keys = weights if is_greedy else search.random.random(len(columns)) ** (1 / np.maximum(weights, 1e-9))
    return [columns[place][0] for place in np.argsort(-keys)]


def fits(search: Search, job: int, runs: Sequence[PhaseStart]) -> bool:
    """Whether a job can run so beside all others, in the order that jobs wait for each other."""
    first, last = search.window(job)
    table = search.tables[job]
    end = runs[-1].start + int(table.phases[-1].days[runs[-1].mode])
    if runs[0].start < first or end > last or any(not search.runs[one] for one in search.portfolio.jobs[job].after):
        return False
    return all(
        int(search.usage.free[phase.pools[run.mode], run.start : run.start + phase.days[run.mode]].min())
        >= int(phase.nodes[run.mode])
        for phase, run in zip(table.phases, runs, strict=True)
    )
