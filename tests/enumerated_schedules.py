"""The best schedule of a tiny portfolio by trying everything."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from math import inf

import numpy as np

from planner.portfolio.bill import bill_of
from planner.portfolio.instance import Ints, Portfolio
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule


def best_value_by_enumeration(portfolio: Portfolio) -> float | None:
    """The least value of the objective over all schedules and commitments; None when none holds.

    Four jobs, three modes and twenty days are about the most that it can do.
    """
    best = inf
    free = np.stack([one.nodes for one in portfolio.pools]).copy()
    for jobs in _schedules(portfolio, [()] * len(portfolio.jobs), 0, free):
        for purchases in _purchases(portfolio):
            best = min(best, _value(portfolio, Schedule(tuple(jobs), purchases)))
    return None if best == inf else best


def _value(portfolio: Portfolio, schedule: Schedule) -> float:
    """What the objective counts; infinite beyond a budget."""
    bill, budgets = bill_of(portfolio, schedule), portfolio.budgets
    quarters, teams = bill.by("quarter"), bill.by("team")
    beyond = budgets.total is not None and bill.money_usd > budgets.total
    beyond |= any(quarters.get((key,), Decimal(0)) > most for key, most in budgets.quarters.items())
    beyond |= any(teams.get((key,), Decimal(0)) > most for key, most in budgets.teams.items())
    return inf if beyond else float(bill.value)


def _schedules(
    portfolio: Portfolio, jobs: list[tuple[PhaseStart, ...]], place: int, free: Ints
) -> Iterator[list[tuple[PhaseStart, ...]]]:
    """Every way to run the jobs from one place in their order on, beside those before."""
    if place == len(portfolio.jobs):
        yield jobs
        return
    number = portfolio.order[place]
    job = portfolio.jobs[number]
    if job.is_optional:
        jobs[number] = ()
        yield from _schedules(portfolio, jobs, place + 1, free)
    if any(not jobs[before] for before in job.after):
        return
    schedule = Schedule(tuple(jobs))
    ready = max([job.release, *(schedule.span(portfolio, before)[1] for before in job.after)])
    for runs in _chains(portfolio, number, 0, ready, free):
        jobs[number] = runs
        yield from _schedules(portfolio, jobs, place + 1, free)
    jobs[number] = ()


def _chains(portfolio: Portfolio, number: int, phase: int, ready: int, free: Ints) -> Iterator[tuple[PhaseStart, ...]]:
    """Every way to run the phases of a job from one on; while one is tried its nodes are taken."""
    job = portfolio.jobs[number]
    if phase == len(job.phases):
        yield ()
        return
    for index, mode in enumerate(job.phases[phase].modes):
        for start in range(ready, job.last_end(portfolio.days) - mode.days + 1):
            nodes = free[mode.pool, start : start + mode.days]
            if (nodes >= mode.nodes).all():
                nodes -= mode.nodes
                for rest in _chains(portfolio, number, phase + 1, start + mode.days, free):
                    yield (PhaseStart(index, start), *rest)
                nodes += mode.nodes


def _purchases(portfolio: Portfolio) -> Iterator[tuple[CommittedNodes, ...]]:
    """Every combination of commitments, of one purchase each."""
    terms = [
        (pool, place, term) for pool, of in enumerate(portfolio.pools) for place, term in enumerate(of.commitments)
    ]
    levels = [(0, *term.sizes) if term.is_block else range(term.most + 1) for _, _, term in terms]
    for chosen in product(*levels):
        yield tuple(
            CommittedNodes(pool, place, nodes) for (pool, place, _), nodes in zip(terms, chosen, strict=True) if nodes
        )
