"""A known schedule in a portfolio that has changed: what still holds stays, the rest is put in anew."""

from __future__ import annotations

import numpy as np

from planner.portfolio.commitments import room_for
from planner.portfolio.insertion import Insertion
from planner.portfolio.instance import JobPhase, Mode, Portfolio
from planner.portfolio.rounding import fits
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule
from planner.portfolio.search import Search

SAME_HOURS = 1e-6
"""Hours by which equal modes may differ."""


def carry(old: Portfolio, known: Schedule, search: Search) -> None:
    """Lets a search go on from what is known of another portfolio: jobs, pools and terms are known by name."""
    new, names = search.portfolio, {job.name: number for number, job in enumerate(old.jobs)}
    search.load(Schedule(((),) * len(new.jobs), _purchases(old, known, new)))
    left = []
    for job in new.order:
        number = names.get(new.jobs[job].name)
        runs = () if number is None else _runs(old, known, number, new, job)
        if runs and _is_in_time(search, job, runs) and fits(search, job, runs):
            search.place(job, Insertion(0.0, runs))
        elif number is None or known.jobs[number] or not new.jobs[job].is_optional:
            left.append(job)
    search.insert(left)


def _is_in_time(search: Search, job: int, runs: tuple[PhaseStart, ...]) -> bool:
    """Whether runs keep release, deadline and calendar."""
    table = search.tables[job]
    end = runs[-1].start + int(table.phases[-1].days[runs[-1].mode])
    if table.pinned is not None and tuple(run.start for run in runs) != table.pinned:
        return False
    return runs[0].start >= table.earliest and end <= table.latest_end


def _runs(old: Portfolio, known: Schedule, number: int, new: Portfolio, job: int) -> tuple[PhaseStart, ...]:
    """The runs of a job in its new modes; none when one of them is gone."""
    shift = (old.start - new.start).days
    found = []
    for before, after, run in zip(old.jobs[number].phases, new.jobs[job].phases, known.jobs[number], strict=False):
        mode = _same_mode(old, before.modes[run.mode], new, after)
        start = run.start + shift
        if mode is None or start < 0 or start + after.modes[mode].days > new.days:
            return ()
        found.append(PhaseStart(mode, start))
    return tuple(found) if len(found) == len(new.jobs[job].phases) else ()


def _same_mode(old: Portfolio, mode: Mode, new: Portfolio, phase: JobPhase) -> int | None:
    """The place of an equal mode."""
    name = old.pools[mode.pool].name
    for place, one in enumerate(phase.modes):
        same_hours = abs(one.hours - mode.hours) < SAME_HOURS
        if same_hours and one.nodes == mode.nodes and new.pools[one.pool].name == name:
            return place
    return None


def _purchases(old: Portfolio, known: Schedule, new: Portfolio) -> tuple[CommittedNodes, ...]:
    """What was committed to, as far as it can still be, and what must be."""
    bought = {}
    for one in known.purchases:
        pool, term = old.pools[one.pool], old.pools[one.pool].commitments[one.commitment]
        bought[pool.name, term.name, term.start, term.days] = one.nodes
    found = []
    for number, of in enumerate(new.pools):
        levels = np.asarray([term.least for term in of.commitments], dtype=np.int64)
        for place, term in enumerate(of.commitments):
            nodes = bought.get((of.name, term.name, term.start, term.days), 0)
            nodes = min(nodes, room_for(of.commitments, levels, place))
            if term.is_block:
                nodes = max((size for size in term.sizes if size <= nodes), default=0)
            levels[place] = max(term.least, nodes)
        found += [CommittedNodes(number, int(place), int(levels[place])) for place in np.flatnonzero(levels)]
    return tuple(found)
