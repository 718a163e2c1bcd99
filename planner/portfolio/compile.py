"""From a portfolio file to its numbers by day; what can never run is refused with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from math import ceil
from typing import Final

import numpy as np

from planner.catalog.accelerators import accelerator_from, candidates, find_accelerator
from planner.clock import Clock
from planner.errors import InputError, Issue
from planner.portfolio.file import NEVER, JobEntry, PoolEntry, PortfolioFile, StatedMode
from planner.portfolio.instance import Budgets, Commitment, Ints, JobPhase, Mode, Pool, Portfolio, PortfolioJob
from planner.portfolio.modes import FileModes, PoolMachine, modes_of_job
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Price

LEAST_BLOCK_STARTS: Final = 7
"""Days between the days on which a capacity block is considered to begin."""


def compiled(file: PortfolioFile, clock: Clock | None = None) -> Portfolio:
    """The portfolio of a file. Raises InputError for jobs that fit nowhere, with every issue."""
    machines = [_machine(file, index) for index in range(len(file.pools))]
    pools = tuple(_pool(file, pool, machine) for pool, machine in zip(file.pools, machines, strict=True))
    number = {job.name: index for index, job in enumerate(file.jobs)}
    jobs, issues, notes = list[PortfolioJob](), list[Issue](), list[str]()
    for index, entry in enumerate(file.jobs):
        try:
            jobs.append(_job(file, index, pools, machines, number, clock or Clock()))
        except InputError as error:
            issues += error.issues
        if entry.file is not None:
            notes.append(f"{entry.name}: market, deadline and budget of {entry.file} are replaced by the portfolio's")
    if issues:
        raise InputError(issues)
    notes += [f"pool {pool.name} has no price: its hours cost $0" for pool in file.pools if not _is_priced(pool)]
    notes += [
        f"pool {pool.name}: {pool.accelerator} is taken as {machine.reference}"
        for pool, machine in zip(file.pools, machines, strict=True)
        if machine.device and len(_meanings(pool.accelerator or "")) > 1
    ]
    portfolio = Portfolio(
        name=file.name,
        start=file.calendar.start,
        days=file.days,
        pools=pools,
        jobs=tuple(jobs),
        objective=file.objective,
        notes=tuple(notes),
    )
    portfolio = replace(portfolio, budgets=_budgets(file, portfolio))
    if impossible := list(_impossible(file, portfolio)):
        raise InputError(impossible)
    return portfolio


def _meanings(spelling: str) -> set[str]:
    """Devices that a spelling may mean: one where it is exact."""
    try:
        return {find_accelerator(spelling).name}
    except InputError:
        return {one.name for one in candidates(spelling)}


def _is_priced(pool: PoolEntry) -> bool:
    return bool(pool.price or pool.on_demand or pool.spot or pool.paid)


def _machine(file: PortfolioFile, index: int) -> PoolMachine:
    """What the nodes of a pool are. Raises InputError for an unknown accelerator."""
    pool, device = file.pools[index], None
    if pool.accelerator is not None:
        with file.at("pools", index, "accelerator"):
            device = accelerator_from(pool.accelerator, file.base_directory, usual=True)
    per_node = pool.gpus_per_node or (device.accelerators_per_node if device else 1)
    reference = pool.accelerator if device is None or str(pool.accelerator).lower().endswith(".toml") else device.name
    return PoolMachine(device, reference, per_node, pool.network, pool.availability if pool.spot else None)


def _pool(file: PortfolioFile, entry: PoolEntry, machine: PoolMachine) -> Pool:
    """A pool by day."""
    per_node = machine.per_node
    return Pool(
        name=entry.name,
        gpus_per_node=per_node,
        nodes=_nodes(file, entry),
        usd_per_node_hour=_prices(file, entry, per_node),
        paid_usd=entry.paid or Decimal(0),
        commitments=(*_commitments(file, entry, per_node), *_blocks(file, entry, per_node)),
    )


def _nodes(file: PortfolioFile, entry: PoolEntry) -> Ints:
    """Nodes that are there, by day."""
    days, calendar = file.days, file.calendar
    nodes = np.full(days, entry.nodes, dtype=np.int64)
    first = (entry.first - calendar.start).days if entry.first else 0
    end = (entry.last - calendar.start).days + 1 if entry.last else days
    nodes[: max(0, first)] = 0
    nodes[max(0, end) :] = 0
    for closure in entry.closed:
        closed, opened = ((one - calendar.start).days for one in (closure.first, closure.last))
        nodes[max(0, closed) : max(0, opened + 1)] -= entry.nodes if closure.nodes is None else closure.nodes
    return np.maximum(nodes, 0)


def _prices(file: PortfolioFile, entry: PoolEntry, per_node: int) -> tuple[Decimal, ...]:
    """Dollars per node-hour on demand, by day."""
    price = entry.price or entry.spot
    if not entry.on_demand:
        return (_per_node(price, per_node) if price else Decimal(0),) * file.days
    found: list[Decimal | None] = [None] * file.days
    for period in entry.on_demand:
        first = max(0, (period.first - file.calendar.start).days) if period.first else 0
        end = (period.last - file.calendar.start).days + 1 if period.last else file.days
        usd = _per_node(period.price, per_node)
        found[first:end] = [usd] * (min(end, file.days) - first)
        if period.last is None:
            found[first:] = [usd] * (file.days - first)
    first_price = _per_node(entry.on_demand[0].price, per_node)
    last = first_price
    for day, value in enumerate(found):
        last = last if value is None else value
        found[day] = last
    return tuple(one for one in found if one is not None)


def _per_node(price: Price, per_node: int) -> Decimal:
    return price.usd if price.per == "node" else price.usd * per_node


def _commitments(file: PortfolioFile, entry: PoolEntry, per_node: int) -> Iterator[Commitment]:
    """Every start of every term."""
    for offer in entry.commitments:
        for day in dict.fromkeys(offer.starts):
            start, term = (day - file.calendar.start).days, round(offer.term / SECONDS_PER_DAY)
            days = min(term, file.days - start)
            yield Commitment(offer.name, start, days, _per_node(offer.price, per_node), (1,), offer.most, term)


def _blocks(file: PortfolioFile, entry: PoolEntry, per_node: int) -> Iterator[Commitment]:
    """Capacity blocks of the longest and of half that length, beginning every week from their lead on."""
    for offer in entry.blocks:
        sizes = tuple(sorted({size for size in offer.sizes if size <= entry.nodes}))
        least, most = offer.days
        for days in sorted({most, max(least, (least + most) // 2)}):
            for start in range(ceil((offer.lead or 0) / SECONDS_PER_DAY), file.days - days + 1, LEAST_BLOCK_STARTS):
                usd = _per_node(offer.price, per_node)
                yield Commitment(offer.name, start, days, usd, sizes, entry.nodes, days)


def _job(
    file: PortfolioFile,
    index: int,
    pools: Sequence[Pool],
    machines: Sequence[PoolMachine],
    number: Mapping[str, int],
    clock: Clock,
) -> PortfolioJob:
    """A job with its modes. Raises InputError when it fits no pool."""
    entry, calendar = file.jobs[index], file.calendar
    known = _phases(file, index, pools, machines, clock)
    deadline = (entry.deadline - calendar.start).days if entry.deadline else file.days - 1
    is_hard = entry.deadline is None or entry.late in {None, NEVER}
    return PortfolioJob(
        name=entry.name,
        team=entry.team,
        phases=known.phases,
        log_deviation=known.log_deviation,
        release=(entry.release - calendar.start).days if entry.release else 0,
        deadline=deadline,
        late_usd_per_day=None if is_hard or not isinstance(entry.late, Decimal) else entry.late,
        value_usd=entry.value if entry.optional else None,
        after=tuple(dict.fromkeys(number[name] for name in entry.after)),
        fixed_start=(entry.fixed.start - calendar.start).days if entry.fixed else None,
    )


def _phases(
    file: PortfolioFile, index: int, pools: Sequence[Pool], machines: Sequence[PoolMachine], clock: Clock
) -> FileModes:
    """The phases of a job with the modes that its pools have room for. Raises InputError when one has none."""
    entry = file.jobs[index]
    named = {pool.name: place for place, pool in enumerate(pools)}
    allowed = [named[name] for name in entry.pools] if entry.pools else list(range(len(pools)))
    if entry.fixed:
        allowed = [named[entry.fixed.pool]]
    if entry.file is None:
        stated = tuple(JobPhase(one.name, tuple(_stated(one.modes, named))) for one in entry.phases)
        known = FileModes(stated, {}, 0.0)
    else:
        with file.at("jobs", index, "file"):
            known = modes_of_job(file, index, machines, pools, allowed, clock)
    found = []
    for number, phase in enumerate(known.phases):
        modes = tuple(
            _undominated([mode for mode in phase.modes if mode.pool in allowed and _has_room(mode, pools[mode.pool])])
        )
        if entry.fixed:
            modes = _fixed_modes(entry, modes)
        if not modes:
            raise InputError(_fits_nowhere(file, index, number, phase, pools, allowed, known.why))
        found.append(JobPhase(phase.name, modes))
    return replace(known, phases=tuple(found))


def _stated(modes: Sequence[StatedMode], named: Mapping[str, int]) -> Iterator[Mode]:
    """Stated modes."""
    for one in modes:
        hours = round(one.duration / SECONDS_PER_HOUR, HOUR_DIGITS)
        yield Mode(named[one.pool], one.nodes, hours, hours)


HOUR_DIGITS: Final = 9
"""Digits of stated hours that survive being seconds."""


def _has_room(mode: Mode, pool: Pool) -> bool:
    """Whether a pool ever has the nodes of a mode for long enough."""
    enough = np.concatenate(([False], pool.nodes >= mode.nodes, [False])).astype(np.int8)
    changes = np.flatnonzero(np.diff(enough))
    return bool(len(changes)) and int((changes[1::2] - changes[::2]).max()) >= mode.days


def _undominated(modes: Sequence[Mode]) -> Iterator[Mode]:
    """The modes that no other of their pool beats in nodes, hours and paid node-hours."""
    for place, one in enumerate(modes):
        figures = (one.nodes, one.hours, one.nodes * one.paid_hours)
        beaten = False
        for other_place, other in enumerate(modes):
            if other.pool != one.pool or other is one:
                continue
            others = (other.nodes, other.hours, other.nodes * other.paid_hours)
            if all(a <= b for a, b in zip(others, figures, strict=True)) and (others != figures or other_place < place):
                beaten = True
                break
        if not beaten:
            yield one


def _fixed_modes(entry: JobEntry, modes: Sequence[Mode]) -> tuple[Mode, ...]:
    """The one mode of a fixed job: the fastest on at most its nodes, all of which it blocks and pays."""
    if entry.fixed is None:
        return ()
    held = [one for one in modes if one.nodes <= entry.fixed.nodes]
    if not held:
        return ()
    return (replace(min(held, key=lambda one: one.hours), nodes=entry.fixed.nodes),)


def _fits_nowhere(
    file: PortfolioFile,
    index: int,
    number: int,
    phase: JobPhase,
    pools: Sequence[Pool],
    allowed: Sequence[int],
    why: Mapping[int, str],
) -> Issue:
    """A phase that no pool can run, and why."""
    entry = file.jobs[index]
    reasons = []
    for pool in allowed:
        modes = [mode for mode in phase.modes if mode.pool == pool]
        most = int(pools[pool].nodes.max(initial=0))
        if why.get(pool):
            reasons.append(f"{pools[pool].name}: {why[pool]}")
        elif not modes:
            reasons.append(f"{pools[pool].name}: no mode is stated")
        else:
            least, longest = min(one.nodes for one in modes), min(one.days for one in modes)
            reasons.append(
                f"{pools[pool].name}: needs {least:,} nodes at least and {longest:,} days at best, has {most:,} nodes"
            )
    path = ("jobs", index, "phases", number) if entry.phases else ("jobs", index)
    message = f"job {entry.name} fits no pool in phase {phase.name} ({'; '.join(reasons)[:600]})"
    return Issue(message, file.place(*path), "give a pool more nodes or days, or allow the job other pools")


def _budgets(file: PortfolioFile, portfolio: Portfolio) -> Budgets:
    """The budgets, by number of the quarter."""
    named = {quarter.name: number for number, quarter in enumerate(portfolio.quarters)}
    quarters = {}
    for name, usd in file.budget.quarters.items():
        plain = name if name in named else name.replace("-", "")[-2:]
        key = name if name in named else f"{name[:4]}-{plain}" if f"{name[:4]}-{plain}" in named else plain
        if key in named:
            quarters[named[key]] = usd
    return Budgets(file.budget.total, quarters, dict(file.budget.teams))


def earliest_starts(portfolio: Portfolio) -> list[int]:
    """The first day on which each job can begin: its release, and after the fastest of those before it."""
    found = [job.release for job in portfolio.jobs]
    for index in portfolio.order:
        job = portfolio.jobs[index]
        for before in job.after:
            found[index] = max(found[index], found[before] + least_days(portfolio.jobs[before]))
    return found


def least_days(job: PortfolioJob) -> int:
    """Days that a job blocks at its fastest."""
    return sum(min(mode.days for mode in phase.modes) for phase in job.phases)


def _impossible(file: PortfolioFile, portfolio: Portfolio) -> Iterator[Issue]:
    """Mandatory jobs whose deadline is before release plus their fastest modes, and fixed ones that do not fit."""
    for index, (job, first) in enumerate(zip(portfolio.jobs, earliest_starts(portfolio), strict=True)):
        ends = first + least_days(job)
        if job.fixed_start is None and not job.is_optional and ends > job.last_end(portfolio.days):
            day = portfolio.date(ends - 1)
            message = (
                f"job {job.name} cannot end before {day}: it begins on {portfolio.date(first)} at the earliest and "
                f"takes {least_days(job):,} days with its fastest modes"
            )
            key = "deadline" if file.jobs[index].deadline else "name"
            yield Issue(message, file.place("jobs", index, key), f"write a deadline of {day} or later")
    yield from _overfilled(file, portfolio)


def _overfilled(file: PortfolioFile, portfolio: Portfolio) -> Iterator[Issue]:
    """Fixed jobs that leave the calendar or take more nodes than a pool has."""
    used = np.zeros((len(portfolio.pools), portfolio.days), dtype=np.int64)
    for index, job in enumerate(portfolio.jobs):
        if job.fixed_start is None:
            continue
        start, place = job.fixed_start, file.place("jobs", index, "fixed")
        for phase in job.phases:
            (mode,) = phase.modes
            end = start + mode.days
            if end > portfolio.days:
                yield Issue(f"fixed job {job.name} ends after the calendar", place, "lengthen the calendar")
                break
            used[mode.pool, start:end] += mode.nodes
            over = np.flatnonzero(used[mode.pool] > portfolio.pools[mode.pool].nodes)
            if len(over):
                day, pool = int(over[0]), portfolio.pools[mode.pool]
                message = f"fixed jobs take {used[mode.pool, day]:,} nodes of {pool.name} on {portfolio.date(day)}"
                yield Issue(f"{message}, which has {pool.nodes[day]:,}", place, "move one of them or add nodes")
                return
            start = end
