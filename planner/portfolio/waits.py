"""What a job waits for: a job before it, a full pool, or a better price; day by day from its release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from planner.portfolio.instance import Ints, Mode, Portfolio
from planner.portfolio.schedule import Schedule, placed_runs

Cause = Literal["job", "pool", "price"]


@dataclass(frozen=True)
class Wait:
    """Days that a job waits for one thing."""

    cause: Cause
    name: str
    """The job or pool; of a price, the pool that it is of."""
    days: int


def free_nodes(portfolio: Portfolio, schedule: Schedule) -> Ints:
    """Nodes that no job blocks, shape (pools, days)."""
    free = np.stack([one.nodes for one in portfolio.pools]).copy()
    for run in placed_runs(portfolio, schedule):
        free[run.mode.pool, run.run.start : run.end] -= run.mode.nodes
    return free


def waits_of(portfolio: Portfolio, schedule: Schedule, job: int, free: Ints) -> tuple[Wait, ...]:
    """Why a kept job does not begin on the day of its release."""
    return tuple(_waits(portfolio, schedule, job, free))


def _waits(portfolio: Portfolio, schedule: Schedule, job: int, free: Ints) -> Iterator[Wait]:
    of, start = portfolio.jobs[job], schedule.span(portfolio, job)[0]
    ready, behind = of.release, None
    for before in of.after:
        end = schedule.span(portfolio, before)[1]
        if end > ready:
            ready, behind = end, before
    if behind is not None and ready > of.release:
        yield Wait("job", portfolio.jobs[behind].name, min(ready, start) - of.release)
    if start <= ready or of.fixed_start is not None:
        return
    mode = of.phases[0].modes[schedule.jobs[job][0].mode]
    possible = _first_room(portfolio, mode, free, ready, start)
    name = portfolio.pools[mode.pool].name
    if possible > ready:
        yield Wait("pool", name, possible - ready)
    if start > possible:
        yield Wait("price", name, start - possible)


def _first_room(portfolio: Portfolio, mode: Mode, free: Ints, ready: int, start: int) -> int:
    """The first day from `ready` on which the nodes of a mode that begins on `start` would be there."""
    nodes = free[mode.pool].copy()
    nodes[start : start + mode.days] += mode.nodes
    for day in range(ready, start):
        if day + mode.days <= portfolio.days and int(nodes[day : day + mode.days].min()) >= mode.nodes:
            return day
    return start
