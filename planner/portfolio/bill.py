"""What a schedule costs, to the cent: by job, team, quarter and pool, each adding up to the same total.

The hours of a pool's day that commitments cover are shared among its jobs in proportion to what they use; the rest is
paid on demand. What of a commitment nobody uses is a line of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np

from planner.market.money import priced
from planner.portfolio.instance import Array, Portfolio
from planner.portfolio.schedule import CommittedNodes, PlacedRun, Schedule, placed_runs
from planner.units import HOURS_PER_DAY, round_usd

UNUSED = ""
"""The team that pays for what nobody uses."""


@dataclass(frozen=True)
class Line:
    """Whole cents of one phase, or of what nobody uses, in one quarter."""

    team: str
    """`UNUSED`: nobody's."""
    quarter: int
    pool: int
    job: int | None
    phase: int | None
    usd: Decimal


@dataclass(frozen=True)
class Bill:
    """All lines, and what else the objective counts."""

    portfolio: Portfolio
    lines: tuple[Line, ...]
    lateness_usd: Decimal
    dropped_usd: Decimal
    used_share: tuple[float, ...]
    """Of each purchase, the share of its hours that jobs use."""

    @cached_property
    def money_usd(self) -> Decimal:
        """What is paid in all."""
        return sum((one.usd for one in self.lines), Decimal(0))

    @property
    def value(self) -> Decimal:
        """What the objective counts."""
        weights = self.portfolio.weights
        return (
            self.money_usd * int(weights.money)
            + self.lateness_usd * int(weights.lateness)
            + self.dropped_usd * int(weights.dropped)
        )

    def by(self, *keys: str) -> dict[tuple[object, ...], Decimal]:
        """Dollars by some of `team`, `quarter`, `pool`, `job` and `phase`."""
        found: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
        for line in self.lines:
            found[tuple(getattr(line, key) for key in keys)] += line.usd
        return dict(found)


def bill_of(portfolio: Portfolio, schedule: Schedule) -> Bill:
    """The bill of a schedule."""
    runs = placed_runs(portfolio, schedule)
    lines, shares = list[Line](), dict[CommittedNodes, float]()
    for pool in range(len(portfolio.pools)):
        bought = [one for one in schedule.purchases if one.pool == pool]
        of_pool = [one for one in runs if one.mode.pool == pool]
        lines += _lines_of_pool(portfolio, pool, of_pool, bought)
        shares |= dict(zip(bought, _used_shares(portfolio, of_pool, bought), strict=True))
    late, dropped = _lateness(portfolio, schedule), _dropped(portfolio, schedule)
    return Bill(portfolio, tuple(lines), late, dropped, tuple(shares[one] for one in schedule.purchases))


def _lateness(portfolio: Portfolio, schedule: Schedule) -> Decimal:
    """Dollars of all late days."""
    late = Decimal(0)
    for index, job in enumerate(portfolio.jobs):
        if job.late_usd_per_day and schedule.jobs[index]:
            late += job.late_usd_per_day * job.late_days(schedule.span(portfolio, index)[1])
    return round_usd(late)


def _dropped(portfolio: Portfolio, schedule: Schedule) -> Decimal:
    """Dollars of what is dropped."""
    jobs = zip(portfolio.jobs, schedule.jobs, strict=True)
    return sum((job.value_usd or Decimal(0) for job, runs in jobs if not runs), Decimal(0))


def paid_hours_by_day(run: PlacedRun) -> Array:
    """Paid hours of one node on each day of a phase: whole days, the rest, and none on the days kept in reserve."""
    mode, last = run.mode, run.mode.paid_days - 1
    wall = np.zeros(mode.days)
    wall[:last] = HOURS_PER_DAY
    wall[last] = mode.expected_hours - HOURS_PER_DAY * last
    found: Array = wall * (mode.paid_hours / mode.expected_hours)
    return found


def committed_by_day(portfolio: Portfolio, purchases: Iterable[CommittedNodes]) -> tuple[Array, Array]:
    """Committed nodes of a pool by day, and their dollars by day."""
    nodes, usd = np.zeros(portfolio.days), np.zeros(portfolio.days)
    for one in purchases:
        term = portfolio.pools[one.pool].commitments[one.commitment]
        nodes[term.start : term.end] += one.nodes
        usd[term.start : term.end] += one.nodes * float(term.usd_per_node_day)
    return nodes, usd


def _lines_of_pool(portfolio: Portfolio, pool: int, runs: list[PlacedRun], bought: list[CommittedNodes]) -> list[Line]:
    """The lines of one pool: on demand exactly, what is paid whole shared day by day, and the rest of that unused."""
    prices, paid = portfolio.pools[pool].usd_per_node_hour, portfolio.pools[pool].paid_usd
    if not bought and not paid:
        return [line for run in runs for line in _split(portfolio, run, _exact_by_quarter(portfolio, run, prices))]
    rate, idle = _rates(portfolio, pool, runs, bought)
    lines = [line for run in runs for line in _split(portfolio, run, _by_quarter(portfolio, run, rate))]
    return lines + _unused(portfolio, pool, idle)


def _rates(portfolio: Portfolio, pool: int, runs: list[PlacedRun], bought: list[CommittedNodes]) -> tuple[Array, Array]:
    """Dollars per used node-hour by day, and dollars by day of what is paid whole and not used."""
    nodes, usd = committed_by_day(portfolio, bought)
    used, there = _used_hours(portfolio, runs), HOURS_PER_DAY * portfolio.pools[pool].nodes.astype(np.float64)
    paid = float(portfolio.pools[pool].paid_usd) / max(1.0, float(there.sum()))
    rate = usd_per_used_hour(used, nodes, usd, portfolio.pools[pool].prices)
    idle = np.maximum(1 - used / np.maximum(HOURS_PER_DAY * nodes, TINY), 0.0)
    return rate + paid, usd * idle + paid * (there - used)


TINY: Final = 1e-9
"""Node-hours below which nothing is committed."""


def usd_per_used_hour(used: Array, committed: Array, committed_usd: Array, prices: Array) -> Array:
    """Dollars per used node-hour of each day: of those that committed nodes cover what they cost, of the rest `prices`.

    `used`: node-hours; `committed`: nodes, and what they cost in all.
    """
    there = HOURS_PER_DAY * committed
    share = np.minimum(1.0, there / np.maximum(used, TINY))
    found: Array = (1 - share) * prices + share * committed_usd / np.maximum(there, TINY)
    return found


def _exact_by_quarter(portfolio: Portfolio, run: PlacedRun, prices: tuple[Decimal, ...]) -> dict[int, Decimal]:
    """Dollars of a phase on demand by quarter, exact while a price holds."""
    hours = paid_hours_by_day(run)
    found: dict[int, Decimal] = {}
    for number, quarter in enumerate(portfolio.quarters):
        first, end = max(quarter.start, run.run.start), min(quarter.end, run.end)
        by_price: dict[Decimal, float] = defaultdict(float)
        for day in range(first, end):
            by_price[prices[day]] += float(hours[day - run.run.start])
        if by_price:
            whole = (priced(Decimal(repr(sum_hours * run.mode.nodes)), price) for price, sum_hours in by_price.items())
            found[number] = sum(whole, Decimal(0))
    return found


def _by_quarter(portfolio: Portfolio, run: PlacedRun, rate: Array) -> dict[int, Decimal]:
    """Dollars of a phase by quarter at a rate per node-hour and day."""
    usd = priced(paid_hours_by_day(run) * run.mode.nodes, rate[run.run.start : run.end])
    found: dict[int, Decimal] = {}
    for number, quarter in enumerate(portfolio.quarters):
        first, end = max(quarter.start, run.run.start), min(quarter.end, run.end)
        if first < end:
            found[number] = Decimal(repr(float(usd[first - run.run.start : end - run.run.start].sum())))
    return found


def _split(portfolio: Portfolio, run: PlacedRun, exact: Mapping[int, Decimal]) -> list[Line]:
    """The lines of a phase: the whole in cents, shared among quarters so that nothing is lost."""
    team, lines, so_far, told = portfolio.jobs[run.job].team, list[Line](), Decimal(0), Decimal(0)
    for quarter, usd in exact.items():
        so_far += usd
        cents = round_usd(so_far) - told
        told += cents
        lines.append(Line(team, quarter, run.mode.pool, run.job, run.phase, cents))
    return lines


def _unused(portfolio: Portfolio, pool: int, idle: Array) -> list[Line]:
    """The lines of what is paid whole and not used, by quarter."""
    so_far, told, found = 0.0, Decimal(0), list[Line]()
    for number, quarter in enumerate(portfolio.quarters):
        so_far += float(idle[quarter.start : quarter.end].sum())
        cents = round_usd(so_far) - told
        told += cents
        if cents:
            found.append(Line(UNUSED, number, pool, None, None, cents))
    return found


def _used_hours(portfolio: Portfolio, runs: Iterable[PlacedRun]) -> Array:
    """Paid node-hours by day."""
    used = np.zeros(portfolio.days)
    for run in runs:
        used[run.run.start : run.end] += paid_hours_by_day(run) * run.mode.nodes
    return used


def _used_shares(portfolio: Portfolio, runs: list[PlacedRun], bought: list[CommittedNodes]) -> list[float]:
    """The share of the hours of each purchase of a pool that jobs use, all committed nodes of a day alike."""
    nodes, _ = committed_by_day(portfolio, bought)
    used = _used_hours(portfolio, runs)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(nodes > 0, np.minimum(1.0, used / (HOURS_PER_DAY * nodes)), 0.0)
    terms = [portfolio.pools[one.pool].commitments[one.commitment] for one in bought]
    return [float(share[term.start : term.end].mean()) for term in terms]


def excess_usd(portfolio: Portfolio, bill: Bill) -> float:
    """Dollars beyond the budgets, all together."""
    budgets, excess = portfolio.budgets, 0.0
    if budgets.total is not None:
        excess += max(0.0, float(bill.money_usd - budgets.total))
    quarters, teams = bill.by("quarter"), bill.by("team")
    excess += sum(max(0.0, float(quarters.get((key,), 0) - most)) for key, most in budgets.quarters.items())
    excess += sum(max(0.0, float(teams.get((key,), 0) - most)) for key, most in budgets.teams.items())
    return excess
