"""Schedules from a fractional one: each job takes one of its columns with the probability of its share, if it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.portfolio.commitments import committed_nodes
from planner.portfolio.insertion import Insertion
from planner.portfolio.instance import Array
from planner.portfolio.schedule import Purchase, Run, Schedule
from planner.portfolio.search import Guide, Search
from planner.portfolio.tables import JobTable

ROUNDS: Final = 12
"""Schedules that are made."""


def guide_of(tables: Sequence[JobTable], node_day_usd: Array) -> Guide:
    """What the nodes that each mode blocks are worth to others."""
    return [[phase.added(node_day_usd) for phase in table.phases] for table in tables]


def rounded(
    search: Search,
    shares: Mapping[int, Sequence[tuple[tuple[Run, ...], float]]],
    purchases: Sequence[Purchase],
    clock: Clock,
    rounds: int = ROUNDS,
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


def _one(search: Search, shares: Mapping[int, Sequence[tuple[tuple[Run, ...], float]]], *, is_greedy: bool) -> None:
    """Places columns of as many jobs as fit: those that are surest first."""
    chosen = list[tuple[float, int, tuple[Run, ...]]]()
    for job, columns in shares.items():
        weights = np.asarray([share for _, share in columns])
        place = (
            int(weights.argmax()) if is_greedy else int(search.random.choice(len(columns), p=weights / weights.sum()))
        )
        noise = 1.0 if is_greedy else float(search.random.uniform(0.7, 1.3))
        chosen.append((float(weights[place]) * float(search.work[job]) ** 0.5 * noise, job, columns[place][0]))
    order = {job: number for number, job in enumerate(search.portfolio.order)}
    for _, job, runs in sorted(chosen, key=lambda one: (-one[0], order[one[1]])):
        if fits(search, job, runs):
            search.place(job, Insertion(0.0, runs))


def fits(search: Search, job: int, runs: Sequence[Run]) -> bool:
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
