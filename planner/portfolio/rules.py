"""The rules between the keys of a portfolio file that their types do not state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from planner.problem.calendar import closure_rules, period_rules
from planner.problem.schema_base import Rule
from planner.problem.yaml_tree import KeyPath
from planner.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from planner.portfolio.file import JobEntry, PoolEntry, PortfolioFile


def broken_rules(file: PortfolioFile) -> Iterator[Rule]:
    """Every rule between several keys that does not hold."""
    yield from file.calendar.broken_rules()
    yield from _twice("pools", [one.name for one in file.pools])
    yield from _twice("jobs", [one.name for one in file.jobs])
    yield from _budget_rules(file)
    for index, pool in enumerate(file.pools):
        for rule in _pool_rules(file, pool):
            yield Rule(("pools", index, *rule.path), rule.message, rule.fix)
    known, pools = {one.name for one in file.jobs}, {one.name for one in file.pools}
    for index, job in enumerate(file.jobs):
        for rule in (*job.broken_rules(), *_job_rules(file, job, known, pools)):
            yield Rule(("jobs", index, *rule.path), rule.message, rule.fix)
    if all(name in known for job in file.jobs for name in job.after):
        yield from _order_rules(file)


def _twice(key: str, names: list[str]) -> Iterator[Rule]:
    """A rule for every name that a list has twice."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            message = f"two {key} are called {name!r}"
            yield Rule((key, index, "name"), message, "give each a name of its own")
        seen.add(name)


def _budget_rules(file: PortfolioFile) -> Iterator[Rule]:
    """Parts of the budget that do not fit the whole, or name what is not there."""
    budget, teams = file.budget, {one.team for one in file.jobs}
    for key, parts in (("quarters", budget.quarters), ("teams", budget.teams)):
        whole = sum(parts.values(), Decimal(0))
        if key == "quarters" and budget.total is not None and whole > budget.total:
            message = f"the quarters add up to ${whole:,}, more than the total of ${budget.total:,}"
            yield Rule(("budget", key), message, "lower a quarter or raise the total")
    for team in budget.teams:
        if team not in teams:
            message = f"no job is of team {team!r}"
            yield Rule(("budget", "teams", team), message, f"known: {', '.join(sorted(teams)[:20])}")
    years = {file.calendar.start.year, file.calendar.end.year}
    for quarter in budget.quarters:
        year = re.match(r"[0-9]{4}", quarter)
        if (year and int(year[0]) not in years) or (not year and len(years) > 1):
            example = f"write {file.calendar.start.year}-Q1"
            yield Rule(("budget", "quarters", quarter), f"quarter {quarter} is not in the calendar", example)


def _pool_rules(file: PortfolioFile, pool: PoolEntry) -> Iterator[Rule]:
    """What of a pool does not fit together or the calendar."""
    if pool.accelerator is None and pool.gpus_per_node is None:
        yield Rule((), f"pool {pool.name} needs an accelerator or gpus_per_node", "add accelerator: H100-80GB")
    priced = [key for key in ("price", "on_demand", "spot") if getattr(pool, key)]
    if len(priced) > 1:
        message = f"pool {pool.name} has {' and '.join(priced)}, which state the same price"
        yield Rule((priced[1],), message, "keep one of them")
    if pool.first and pool.last and pool.last < pool.first:
        yield Rule(("to",), "the pool ends before it begins", "write a later day")
    if pool.availability < 1 and pool.spot is None:
        yield Rule(("availability",), "availability requires a spot price", "add spot: $1.50/GPU-h")
    if pool.availability == 0:
        yield Rule(("availability",), "availability must be more than zero", "leave the pool out instead")
    yield from closure_rules(pool.closed, pool.nodes)
    yield from period_rules(pool.on_demand)
    yield from _commitment_rules(file, pool)


def _commitment_rules(file: PortfolioFile, pool: PoolEntry) -> Iterator[Rule]:
    """Commitments that begin outside of the calendar or before they can be had."""
    names = [one.name for one in pool.commitments] + [one.name for one in pool.blocks]
    yield from _twice("commitments", names)
    for index, offer in enumerate(pool.commitments):
        place = ("commitments", index)
        if offer.term % SECONDS_PER_DAY:
            yield Rule((*place, "term"), "the term is not whole days", "write 91d")
        if offer.most > pool.nodes:
            message = f"{offer.most:,} nodes are more than the pool's {pool.nodes:,}"
            yield Rule((*place, "most"), message, "write fewer")
        earliest = file.calendar.start + timedelta(seconds=offer.lead or 0)
        for number, start in enumerate(offer.starts):
            if not file.calendar.start <= start <= file.calendar.end:
                message = f"commitment {offer.name} starts on {start}, outside of the calendar"
                yield Rule((*place, "starts", number), message, "write a day of the calendar")
            elif start < earliest:
                message = f"commitment {offer.name} starts on {start}, within its lead time, which ends {earliest}"
                yield Rule((*place, "starts", number), message, "write a later day")
    for index, block in enumerate(pool.blocks):
        if file.calendar.start + timedelta(seconds=block.lead or 0) > file.calendar.end:
            message = f"the lead time of {block.name} is longer than the calendar"
            yield Rule(("blocks", index, "lead"), message, "shorten it or leave the block out")
        if min(block.sizes) > pool.nodes:
            message = f"no size of {block.name} is within the pool's {pool.nodes:,} nodes"
            yield Rule(("blocks", index, "sizes"), message, "write smaller sizes")


def _job_rules(file: PortfolioFile, job: JobEntry, jobs: set[str], pools: set[str]) -> Iterator[Rule]:
    """Names that are not there, and days that do not fit."""
    for path, name in _named_pools(job):
        if name not in pools:
            yield Rule(path, f"no pool is called {name!r}", f"known: {', '.join(sorted(pools)[:20])}")
    for index, name in enumerate(job.after):
        if name not in jobs:
            yield Rule(("after", index), f"no job is called {name!r}", "write the name of another job")
    yield from _day_rules(file, job)


def _named_pools(job: JobEntry) -> Iterator[tuple[KeyPath, str]]:
    """Every pool that a job names, with its place."""
    yield from ((("pools", index), name) for index, name in enumerate(job.pools or ()))
    if job.fixed:
        yield ("fixed", "pool"), job.fixed.pool
    for one, phase in enumerate(job.phases):
        yield from ((("phases", one, "modes", two, "pool"), mode.pool) for two, mode in enumerate(phase.modes))


def _day_rules(file: PortfolioFile, job: JobEntry) -> Iterator[Rule]:
    """Days of a job that do not fit the calendar or each other."""
    calendar = file.calendar
    for key, day in (("release", job.release), ("deadline", job.deadline)):
        if day is not None and day < calendar.start:
            yield Rule((key,), f"{key} {day} is before the calendar begins", f"write {calendar.start} or later")
    if job.release is not None and job.release > calendar.end:
        yield Rule(("release",), "the release is after the calendar ends", f"write {calendar.end} or earlier")
    if job.release and job.deadline and job.deadline < job.release:
        yield Rule(("deadline",), f"the deadline of {job.name} is before its release", "write a later day")
    if job.fixed and not calendar.start <= job.fixed.start <= calendar.end:
        yield Rule(("fixed", "start"), "the start is outside of the calendar", "write a day of the calendar")


def _order_rules(file: PortfolioFile) -> Iterator[Rule]:
    """Cycles, and mandatory jobs behind optional ones."""
    index_of = {job.name: index for index, job in enumerate(file.jobs)}
    for index, job in enumerate(file.jobs):
        for number, name in enumerate(job.after):
            before = file.jobs[index_of[name]]
            if before.optional and not job.optional:
                message = f"job {job.name} must be kept, but comes after {name}, which may be dropped"
                yield Rule(("jobs", index, "after", number), message, f"make {name} mandatory or {job.name} optional")
    if cycle := find_cycle([[index_of[name] for name in job.after] for job in file.jobs]):
        names = " after ".join(file.jobs[one].name for one in (*cycle, cycle[0]))
        yield Rule(("jobs", cycle[0], "after"), f"jobs wait for each other: {names}", "take one of these out")


def find_cycle(after: list[list[int]]) -> list[int]:
    """Jobs that wait for each other in a circle, or none; `after` lists whom each waits for."""
    state = [0] * len(after)
    for root in range(len(after)):
        path, stack = list[int](), [(root, iter(after[root]))] if not state[root] else []
        if stack:
            state[root] = 1
            path.append(root)
        while stack:
            job, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[job] = 2
                path.pop()
                stack.pop()
            elif state[following] == 1:
                return path[path.index(following) :]
            elif state[following] == 0:
                state[following] = 1
                path.append(following)
                stack.append((following, iter(after[following])))
    return []
