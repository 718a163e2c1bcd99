"""Around a portfolio's answer: the worth of a little more, the smallest relaxations, what-if, and what to reserve.

Every question starts from the known schedule, so that a limit that is loosened never makes an answer worse. What is
found lies between a schedule and a bound; where they do not meet both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np

from planner.clock import Clock
from planner.explore.portfolio import PortfolioAnswer, Stop, solve_portfolio
from planner.plans.solution import Status
from planner.portfolio.instance import Pool, Portfolio
from planner.units import usd_text

QUICK_SECONDS: Final = 4.0
"""Time for one question around an answer."""
MOST_JOBS: Final = 60
"""Jobs up to which these questions are asked by themselves."""
LEVELS: Final = 5
"""Numbers of committed nodes for which the cost is shown."""


@dataclass(frozen=True)
class Change:
    """A portfolio with one limit loosened."""

    limit: str
    """The key of the file."""
    change: str
    """In words."""
    set: str
    """The `--set` that makes it."""
    portfolio: Portfolio


def asked(portfolio: Portfolio, clock: Clock, begin: PortfolioAnswer | None) -> PortfolioAnswer:
    """The answer to a changed portfolio within a short time."""
    return solve_portfolio(portfolio, Stop(clock.part(QUICK_SECONDS)), begin=begin)


def worth_of(found: PortfolioAnswer, clock: Clock) -> Iterator[dict[str, Any]]:
    """What one node more of each pool, or a little more of each budget, saves: at least and at most."""
    if found.value is None or len(found.portfolio.jobs) > MOST_JOBS:
        return
    for change in _loosened(found.portfolio):
        if clock.is_over:
            return
        after = asked(change.portfolio, clock, found)
        if after.value is None:
            continue
        least, most = found.value - after.value, max(Decimal(0), found.value - Decimal(repr(after.bound)))
        least = max(least, Decimal(0))
        least, most = (one if one >= LEAST_WORTH else Decimal(0) for one in (least, most))
        yield {
            "limit": change.limit,
            "change": change.change,
            "saves_usd": [usd_text(least), usd_text(max(least, most))],
            "verdict": "nothing" if not most else "told" if least else "not told apart",
            "set": [change.set],
        }


CENT: Final = Decimal("0.01")
LEAST_WORTH: Final = Decimal(1)
"""Dollars below which a change is worth nothing: what rounding to cents can add up to."""


def _loosened(portfolio: Portfolio) -> Iterator[Change]:
    """One node more in each pool, one per cent more of each budget."""
    for number, pool in enumerate(portfolio.pools):
        more = int(pool.nodes.max(initial=0)) + 1
        name = f"pools[{pool.name}].nodes"
        yield Change(name, "one node more", f"{name}={more}", _with_pool(portfolio, number, _one_more(pool)))
    for key, usd, with_usd in _budget_keys(portfolio):
        wider = usd * Decimal("1.01")
        yield Change(key, "1% more", f"{key}={_dollars(wider)}", with_usd(wider))


def _budget_keys(portfolio: Portfolio) -> Iterator[tuple[str, Decimal, Callable[[Decimal], Portfolio]]]:
    """Every budget by its key in the file, its dollars, and the portfolio with others."""
    budgets = portfolio.budgets
    if budgets.total is not None:
        yield "budget.total", budgets.total, lambda usd: replace(portfolio, budgets=replace(budgets, total=usd))
    for number, most in budgets.quarters.items():

        def with_quarter(usd: Decimal, number: int = number) -> Portfolio:
            return replace(portfolio, budgets=replace(budgets, quarters={**budgets.quarters, number: usd}))

        yield f"budget.quarters.{portfolio.quarters[number].name}", most, with_quarter
    for team, most in budgets.teams.items():

        def with_team(usd: Decimal, team: str = team) -> Portfolio:
            return replace(portfolio, budgets=replace(budgets, teams={**budgets.teams, team: usd}))

        yield f"budget.teams.{team}", most, with_team


def _one_more(pool: Pool) -> Pool:
    """The pool with a node more on every day on which it is there."""
    return replace(pool, nodes=np.where(pool.nodes > 0, pool.nodes + 1, 0))


def _with_pool(portfolio: Portfolio, number: int, pool: Pool) -> Portfolio:
    pools = list(portfolio.pools)
    pools[number] = pool
    return replace(portfolio, pools=tuple(pools))


def relaxations_of(found: PortfolioAnswer, clock: Clock) -> Iterator[dict[str, Any]]:
    """The smallest change of each limit, alone, with which a schedule is found, and up to where none is possible."""
    for kind in kinds_of(found.portfolio):
        if clock.is_over:
            return
        if row := smallest(kind, clock):
            yield row


@dataclass(frozen=True)
class LooseLimit:
    """A limit that can be loosened by whole steps."""

    limit: str
    unchanged: str
    most: int
    at: Callable[[int], Portfolio]
    shown: Callable[[int], str]
    """The value after so many steps, as the file would say it."""


def kinds_of(portfolio: Portfolio) -> Iterator[LooseLimit]:
    """Every limit that can be loosened."""
    yield from (*_deadlines(portfolio), *_budgets(portfolio), *_pools(portfolio))


def smallest(kind: LooseLimit, clock: Clock) -> dict[str, Any] | None:
    """The fewest steps that give a schedule, found by halving; None when none does."""
    if _tried(kind, kind.most, clock).status is Status.INFEASIBLE:
        return None
    impossible, step = 0, 1
    while (found := _tried(kind, step, clock)).schedule is None:
        if step >= kind.most or clock.is_over:
            return None
        if found.status is Status.INFEASIBLE:
            impossible = step
        step = min(kind.most, 2 * step)
    low, high = impossible, step
    while high - low > 1 and not clock.is_over:
        middle = (low + high) // 2
        found = _tried(kind, middle, clock)
        if found.schedule is not None:
            high = middle
        else:
            low = middle
            if found.status is Status.INFEASIBLE:
                impossible = middle
    proven = impossible == high - 1
    known = kind.shown(impossible) if impossible else kind.unchanged
    gap = "" if proven else f" at most (up to {known} it is proven that there is no plan)"
    return {
        "limit": kind.limit,
        "from": kind.unchanged,
        "to": kind.shown(high),
        "proven": proven,
        "interval": gap,
        "set": [f"{kind.limit}={kind.shown(high)}"],
    }


def _tried(kind: LooseLimit, step: int, clock: Clock) -> PortfolioAnswer:
    """Any schedule after so many steps, or a proof that there is none."""
    return solve_portfolio(kind.at(step), Stop(clock.part(QUICK_SECONDS), gap=1.0))


def _deadlines(portfolio: Portfolio) -> Iterator[LooseLimit]:
    """Hard deadlines of jobs that must be kept, a day at a time."""
    for number, job in enumerate(portfolio.jobs):
        if job.is_optional or job.late_usd_per_day is not None or job.deadline >= portfolio.days - 1:
            continue

        def at(step: int, number: int = number) -> Portfolio:
            jobs = list(portfolio.jobs)
            jobs[number] = replace(jobs[number], deadline=jobs[number].deadline + step)
            return replace(portfolio, jobs=tuple(jobs))

        def shown(step: int, deadline: int = job.deadline) -> str:
            return str(portfolio.date(deadline + step))

        most = portfolio.days - 1 - job.deadline
        yield LooseLimit(f"jobs[{job.name}].deadline", str(portfolio.date(job.deadline)), most, at, shown)


def _budgets(portfolio: Portfolio) -> Iterator[LooseLimit]:
    """Every budget, in hundredths of it."""
    for key, usd, with_usd in _budget_keys(portfolio):

        def at(step: int, usd: Decimal = usd, with_usd: Callable[[Decimal], Portfolio] = with_usd) -> Portfolio:
            return with_usd(usd * (100 + step) / 100)

        def shown(step: int, usd: Decimal = usd) -> str:
            return _dollars(usd * (100 + step) / 100)

        yield LooseLimit(key, _dollars(usd), MOST_PERCENT, at, shown)


def _dollars(usd: Decimal) -> str:
    """Dollars as a file may state them, to the cent."""
    return f"${usd:,.2f}".removesuffix(".00")


MOST_PERCENT: Final = 900
"""Per cent by which a budget is raised at most."""


def _pools(portfolio: Portfolio) -> Iterator[LooseLimit]:
    """Nodes of each pool, one at a time, up to twice as many."""
    for number, pool in enumerate(portfolio.pools):
        nodes = int(pool.nodes.max(initial=0))

        def at(step: int, number: int = number, pool: Pool = pool) -> Portfolio:
            return _with_pool(
                portfolio, number, replace(pool, nodes=np.where(pool.nodes > 0, pool.nodes + step, pool.nodes))
            )

        def shown(step: int, nodes: int = nodes) -> str:
            return str(nodes + step)

        yield LooseLimit(f"pools[{pool.name}].nodes", str(nodes), max(1, nodes), at, shown)


@dataclass(frozen=True)
class Reserved:
    """What a portfolio costs when so many nodes are committed to."""

    pool: str
    name: str
    start: str
    """The first day of the term."""
    nodes: int
    answer: PortfolioAnswer


def reserve(found: PortfolioAnswer, clock: Clock) -> list[Reserved]:
    """Cost against nodes committed: each term at one start, at several levels and at the one that was chosen."""
    rows, portfolio = list[Reserved](), found.portfolio
    purchases = found.schedule.purchases if found.schedule else ()
    for number, pool in enumerate(portfolio.pools):
        bought = {one.commitment: one.nodes for one in purchases if one.pool == number}
        for name in dict.fromkeys(term.name for term in pool.commitments if not term.is_block):
            starts = [place for place, term in enumerate(pool.commitments) if term.name == name]
            place = max(starts, key=lambda one: bought.get(one, 0))
            first = str(portfolio.date(pool.commitments[place].start))
            for nodes in _levels(pool.commitments[place].most, bought.get(place, 0)):
                if clock.is_over and rows:
                    return rows
                after = asked(_committed(portfolio, number, place, nodes), clock, found)
                rows.append(Reserved(pool.name, name, first, nodes, after))
    return rows


def _levels(most: int, chosen: int) -> list[int]:
    """Even steps from none to the most, and what the answer has."""
    return sorted({chosen} | {round(most * one / (LEVELS - 1)) for one in range(LEVELS)})


def _committed(portfolio: Portfolio, pool: int, place: int, nodes: int) -> Portfolio:
    """The portfolio with exactly so many nodes of a term."""
    terms = list(portfolio.pools[pool].commitments)
    terms[place] = replace(terms[place], least=nodes, largest=nodes)
    return _with_pool(portfolio, pool, replace(portfolio.pools[pool], commitments=tuple(terms)))


AFTER: Final = 8.0
"""Seconds for an answer that begins with one that is known."""


def told_apart(first: PortfolioAnswer, other: PortfolioAnswer) -> bool:
    """Whether the values of two answers differ by more than their gaps: one's plan is below the other's bound."""
    if first.value is None or other.value is None:
        return (first.value is None) != (other.value is None)
    return float(first.value) < other.bound - float(CENT) or float(other.value) < first.bound - float(CENT)


def solved_each(
    portfolios: Sequence[Portfolio], clock: Clock, gap: float, seconds: float | None
) -> Iterator[PortfolioAnswer]:
    """Answers to several portfolios, each from the best that is known of the one before, which needs less time."""
    known: PortfolioAnswer | None = None
    for one in portfolios:
        left = clock.seconds_left
        limits = [each for each in (left, seconds, None if known is None else AFTER) if each is not None]
        own = Clock.of(min(limits)) if limits else Clock()
        found = solve_portfolio(one, Stop(own, gap), begin=known)
        known = found if found.schedule is not None else known
        yield found
