"""A lower bound of a portfolio by column generation, and the fractional schedule that reaches it.

The master chooses one way to run each whole job (a column) under the energy of every pool and week, commitments and
budgets; pricing finds a job's best column under the dual prices. The Lagrangian bound holds whenever the search is
stopped. Duals are smoothed as in Wentges 1997, "Weighted Dantzig-Wolfe decomposition for linear mixed-integer
programming", Int. Trans. Oper. Res. 4(2), 151-162.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.cpsat.portfolio_master import Master, Prices, no_prices
from planner.cpsat.portfolio_pricing import Pricing
from planner.cpsat.portfolio_rows import Branch, Column, Rows, whole
from planner.portfolio.instance import Array, Ints, Portfolio
from planner.portfolio.schedule import Schedule
from planner.portfolio.tables import JobTable

SMOOTHING: Final = 0.5
"""Weight of the best dual prices so far in those that are priced with."""
ENOUGH: Final = 1e-3
"""Relative distance of master and bound at which the generation ends."""
FEW: Final = 40
"""Jobs up to which the bound is generated to the end, since that takes little."""
ROUNDING: Final = 1e-6
"""The same distance for few jobs."""
MOST_ITERATIONS: Final = 400


@dataclass(frozen=True)
class PortfolioBound:
    """What column generation found."""

    bound: float
    """Of the objective; infinite when a job cannot be run beside the others."""
    columns: tuple[tuple[Column, float], ...]
    """Those in use, with their shares."""
    node_day_usd: Array
    """What a day of a counted node is worth, shape (divisors, pools, days)."""
    divisors: Ints
    """How nodes are counted: whole times of each, shape (divisors, pools); the first is 1, every node."""
    levels: tuple[float, ...]
    """Nodes of every term, in the order of `terms_of`."""
    term_usd: tuple[float, ...]
    """What a node of each term costs beyond what its hours are worth."""
    prices: Prices = field(repr=False)
    nearly_used: tuple[Column, ...] = field(default=(), repr=False)
    """Columns of a small reduced cost, to go on from."""


@dataclass(frozen=True)
class Begin:
    """From where the generation starts."""

    columns: Iterable[Column] = ()
    prices: Prices | None = None

    @classmethod
    def at(cls, schedule: Schedule) -> Begin:
        """From how a schedule runs its jobs."""
        return cls([Column(job, runs) for job, runs in enumerate(schedule.jobs) if runs])


def relaxed(
    portfolio: Portfolio,
    tables: Sequence[JobTable],
    clock: Clock,
    *,
    begin: Begin | None = None,
    missing_usd: float = 1e12,
    counts_missing: bool = False,
    branch: Branch | None = None,
    days: Sequence[tuple[int, int]] = (),
    cutoff: float = inf,
    enough: float | None = None,
) -> PortfolioBound:
    """The bound, as good as it gets before the clock is over.

    `missing_usd`: what a job that must be kept costs while it is not; it is no part of the bound unless
    `counts_missing`. `branch`: what may be chosen; `days`: pools and days whose nodes are counted by themselves. The
    generation ends as soon as the bound reaches `cutoff`, or when master and bound are as close as `enough`.
    """
    rows = Rows(portfolio, tables, branch or whole(portfolio), days)
    master, start = Master(rows, missing_usd), begin or Begin()
    for column in start.columns:
        if rows.branch.allows(column):
            master.add(column)
    pricing = Pricing(rows, missing_usd=missing_usd if counts_missing else inf)
    paid = rows.paid_usd * portfolio.weights.money
    usual = ROUNDING if len(tables) <= FEW else ENOUGH
    stop = _Stop(clock, cutoff - paid, usual if enough is None else enough)
    bound, prices = _generated(master, pricing, start.prices.of(rows) if start.prices else no_prices(rows), stop)
    return PortfolioBound(
        bound=max(0.0, bound * (1 - ROUNDED_OFF)) + paid,
        columns=tuple(
            (column, share) for column, share in zip(master.columns, master.shares, strict=False) if share > LEAST_SHARE
        ),
        node_day_usd=pricing.node_day_usd(prices),
        divisors=rows.divisors,
        levels=tuple(master.levels) or tuple(float(least) for least, _ in rows.branch.levels),
        term_usd=tuple(pricing.term_usd(prices, pricing.hour_prices(prices)[0])),
        prices=prices,
        nearly_used=tuple(master.nearly_used(NEARLY * abs(bound))) if master.shares else (),
    )


ROUNDED_OFF: Final = 1e-9
"""Part of a bound that sums of floats may add to it."""
LEAST_SHARE: Final = 1e-6
"""Of what is chosen in part, what counts."""
NEARLY: Final = 0.02
"""Part of a bound up to which the reduced cost of a column is small."""


@dataclass(frozen=True)
class _Stop:
    """When the generation ends."""

    clock: Clock
    cutoff: float
    enough: float


def _generated(master: Master, pricing: Pricing, prices: Prices, stop: _Stop) -> tuple[float, Prices]:
    """The best bound and its prices, once columns were added until none helps or it is time to stop."""
    weight = SMOOTHING
    best, columns = pricing.priced(prices)
    for column in columns:
        master.add(column)
    for iteration in range(MOST_ITERATIONS):
        if (stop.clock.is_over and iteration) or best >= stop.cutoff or not master.solve(stop.clock.seconds_left):
            break
        tried = prices.mixed(master.prices(), weight)
        bound, columns = pricing.priced(tried)
        if bound > best:
            best, prices = bound, tried
        added = sum([master.add(column) for column in columns])
        if master.value - best <= stop.enough * abs(master.value) or (not added and not weight):
            break
        weight = SMOOTHING if added else 0.0
    return best, prices


def is_impossible(portfolio: Portfolio, tables: Sequence[JobTable], clock: Clock) -> bool:
    """Whether even the relaxation cannot keep all jobs that must be kept, which proves that there is no schedule."""
    if _owes_too_much(portfolio):
        return True
    if any(table.value_usd is None and not all(np.isfinite(one.usd).any() for one in table.phases) for table in tables):
        return True
    found = relaxed(replace(portfolio, objective="feasible"), tables, clock, missing_usd=1.0, counts_missing=True)
    return found.bound > PROOF


def _owes_too_much(portfolio: Portfolio) -> bool:
    """Whether what is paid for whole pools and must be committed to is beyond the budget."""
    most, terms = portfolio.budgets.total, [term for pool in portfolio.pools for term in pool.commitments]
    owed = sum(pool.paid_usd for pool in portfolio.pools) + sum(term.usd_per_node * term.least for term in terms)
    return most is not None and owed > most


PROOF: Final = 1e-3
"""Jobs that the relaxation must leave out for a proof; more than what rounding can add up to."""
