"""A portfolio solved: a first schedule at once, a bound, and better schedules until the gap is small enough."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from math import inf, isfinite, sqrt
from typing import Final

from planner.clock import Clock
from planner.cpsat.portfolio_bound import Begin, PortfolioBound, is_impossible, relaxed
from planner.cpsat.portfolio_branching import Branching
from planner.cpsat.portfolio_interval_search import search_intervals
from planner.cpsat.portfolio_intervals import IntervalModel
from planner.performance.predictive import NORMAL_80
from planner.plans.solution import Status
from planner.portfolio.bill import Bill, bill_of
from planner.portfolio.carry import carry
from planner.portfolio.compile import earliest_starts
from planner.portfolio.instance import Portfolio, terms_of
from planner.portfolio.rounding import ROUNDS, guide_of, rounded
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule
from planner.portfolio.search import Search
from planner.portfolio.tables import JobTable, tables_of
from planner.simulate.portfolio import SHARED
from planner.verify.portfolio import check_schedule

Progress = Callable[[str], None]

DEFAULT_GAP: Final = 0.0001
"""Relative gap at which a schedule counts as optimal."""


SETTLED: Final = 4.0
"""What settling, checking and billing a schedule takes, in times of what the first schedule takes."""
FEW: Final = 12
"""Jobs up to which the interval model is searched."""
QUICK_WORK: Final = 1.0
"""Deterministic time of the interval model before the relaxation is branched on."""
WORK: Final = 15.0
"""Deterministic time of the interval model afterwards."""
FEW_TO_BRANCH: Final = 40
"""Jobs up to which the relaxation is branched on."""
ROUNDED_IN_PART: Final = 2
"""Schedules that are made from the relaxation of a part."""
ALMOST: Final = 0.99
"""Part of the gap to stop at that branching reaches for, so that rounding leaves it within."""
PATIENCE_IN_PART: Final = 40
"""Rounds without a better schedule after which the search near a part ends."""


@dataclass(frozen=True)
class PortfolioAnswer:
    """The best schedule that was found, verified, and how far it can be from the best there is."""

    portfolio: Portfolio
    status: Status
    schedule: Schedule | None
    bill: Bill | None
    bound: float
    """Of the objective; infinite when nothing fits."""
    seconds: float
    first_seconds: float | None
    """After which the first schedule was known."""
    clock: Clock = field(default_factory=Clock, repr=False, compare=False)
    relaxation: PortfolioBound | None = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> Decimal | None:
        """What the objective counts."""
        return None if self.bill is None else self.bill.value

    @property
    def gap(self) -> float | None:
        """How far the value is above the bound, relative to the value."""
        if self.value is None:
            return None
        return gap_of(float(self.value), self.bound)

    @property
    def money_gap(self) -> float | None:
        """The same distance relative to the money alone; None when nothing is spent."""
        if self.bill is None or not self.bill.money_usd:
            return None
        return max(0.0, float(self.bill.value) - self.bound) / float(self.bill.money_usd)

    @property
    def estimate_error(self) -> float | None:
        """How far off the money can be because times are estimates: half of the 80 % range.

        Errors are in part alike for all jobs, as in `planner.simulate.portfolio`. None when all times are stated.
        """
        if self.bill is None or not self.bill.money_usd:
            return None
        costs = self.bill.by("job")
        parts = [
            float(costs.get((number,), Decimal(0))) * job.log_deviation
            for number, job in enumerate(self.portfolio.jobs)
        ]
        variance = SHARED * sum(parts) ** 2 + (1 - SHARED) * sum(one**2 for one in parts)
        whole = NORMAL_80 * sqrt(variance) / float(self.bill.money_usd)
        return whole if whole > 0 else None


def gap_of(value: float, bound: float) -> float:
    """How far a value is above its bound, relative to the value."""
    return max(0.0, value - bound) / value if value > 0 else 0.0


@dataclass(frozen=True)
class Stop:
    """When to stop looking."""

    clock: Clock
    gap: float = DEFAULT_GAP


def solve_portfolio(
    portfolio: Portfolio, stop: Stop, *, begin: PortfolioAnswer | None = None, progress: Progress | None = None
) -> PortfolioAnswer:
    """The best schedule within the time; `begin`: what is known of a similar portfolio, from which it starts.

    Where all that is known still holds, nothing worse is returned. Raises FaultyScheduleError when the answer does not
    hold, which would be a bug.
    """
    work = _Answering(portfolio, stop, progress)
    for stage in work.stages(begin):
        stage()
    return work.answer()


def each_answer(
    portfolio: Portfolio, stop: Stop, *, begin: PortfolioAnswer | None = None, progress: Progress | None = None
) -> Iterator[PortfolioAnswer]:
    """What is known after each stage of `solve_portfolio`, from the first schedule on. Raises as it does."""
    work = _Answering(portfolio, stop, progress)
    for stage in work.stages(begin):
        stage()
        if work.has_schedule:
            yield work.answer()
    if not work.has_schedule:
        yield work.answer()


class _Answering:
    """One portfolio on its way to an answer."""

    def __init__(self, portfolio: Portfolio, stop: Stop, progress: Progress | None) -> None:
        self.started = time.perf_counter()
        self.portfolio, self.stop = portfolio, stop
        self.progress = progress or (lambda _: None)
        self.tables: list[JobTable] = tables_of(portfolio, earliest_starts(portfolio))
        self.search = Search(portfolio, self.tables)
        self.relaxation: PortfolioBound | None = None
        self.first_seconds: float | None = None
        self.lower = 0.0
        self.is_proven_empty = False
        self.paid_usd = portfolio.weights.money * sum(float(one.paid_usd) for one in portfolio.pools)

    def stages(self, begin: PortfolioAnswer | None) -> tuple[Callable[[], None], ...]:
        """What is done one after another."""
        return (
            partial(self.first, begin),
            self.bound,
            self.rounded,
            self.refuted,
            self.better,
            partial(self.intervals, QUICK_WORK),
            self.branched,
            partial(self.intervals, WORK),
        )

    @property
    def has_schedule(self) -> bool:
        """Whether a whole schedule is known."""
        return self.search.best is not None and self.search.best.is_complete

    def first(self, begin: PortfolioAnswer | None) -> None:
        """A schedule by due date, and the one that is known."""
        begun = time.perf_counter()
        found = self.search.first_schedule()
        self.stop.clock.keep(SETTLED * (time.perf_counter() - begun))
        if found.is_complete:
            self.first_seconds = time.perf_counter() - self.started
        if begin is not None and begin.schedule is not None:
            carry(begin.portfolio, begin.schedule, self.search)
            self.search.note()
            self.search.recommit()
            self.search.note()
        self._tell()

    def bound(self) -> None:
        """The relaxation, started from what is known."""
        begin = Begin.at(self.search.best.schedule) if self.search.best else None
        self.relaxation = relaxed(
            self.portfolio, self.tables, self.stop.clock, begin=begin, missing_usd=self._missing_usd()
        )
        self.lower = max(self.lower, self.relaxation.bound)
        self._tell()

    def _missing_usd(self) -> float:
        """What a job that must be kept and is not costs in a relaxation: more than it can be worth to keep it."""
        best = self.search.best
        return 2 * best.value + 1 if best and best.is_complete else self.search.missing_usd

    @property
    def is_done(self) -> bool:
        """Whether to end with what is there."""
        over = self.stop.clock.is_over or self.is_proven_empty
        return over or self.enough(self.search.best.value if self.search.best else inf)

    def rounded(self) -> None:
        """Schedules from the relaxation."""
        found, search = self.relaxation, self.search
        if found is None or self.is_done:
            return
        search.guide = guide_of(self.tables, found.node_day_usd, found.divisors)
        self._round(found, ROUNDS)
        self._tell()

    def _round(self, found: PortfolioBound, rounds: int) -> None:
        """Makes schedules from a relaxation."""
        shares: Mapping[int, list[tuple[tuple[PhaseStart, ...], float]]] = defaultdict(list)
        for column, share in found.columns:
            shares[column.job].append((column.runs, share))
        purchases = whole_purchases(self.portfolio, found.levels)
        rounded(self.search, shares, purchases, self.stop.clock, rounds)

    def refuted(self) -> None:
        """A proof that there is no schedule, where none was found so far."""
        if not self.has_schedule and not self.is_proven_empty:
            self.is_proven_empty = is_impossible(self.portfolio, self.tables, self.stop.clock)

    def better(self) -> None:
        """Ruins and recreates, from the best schedule on."""
        if self.is_done or self.search.best is None:
            return
        self.search.load(self.search.best.schedule)
        self.search.improve(self.stop.clock, enough=self.enough, progress=lambda _: self._tell())

    def branched(self) -> None:
        """Branch and price, of few jobs, where the relaxation is far from what is possible."""
        best, root = self.search.best, self.relaxation
        if self.is_done or root is None or best is None or not best.is_complete or len(self.tables) > FEW_TO_BRANCH:
            return
        branching = Branching(
            portfolio=self.portfolio,
            tables=self.tables,
            clock=self.stop.clock,
            cutoff=self._cutoff,
            found=self._near,
            told=self._raised,
            missing_usd=self._missing_usd(),
        )
        branching.search(root)

    def _cutoff(self) -> float:
        """The bound with which the best schedule is close enough."""
        return self.search.best.value * (1 - ALMOST * self.stop.gap) if self.search.best else inf

    def _near(self, found: PortfolioBound) -> None:
        """Looks for a schedule near the relaxation of a part."""
        self._round(found, ROUNDED_IN_PART)
        self.search.improve(self.stop.clock, enough=self.enough, patience=PATIENCE_IN_PART)

    def _raised(self, bound: float) -> None:
        """Takes a bound of branch and price."""
        self.lower = max(self.lower, bound)
        self._tell()

    def intervals(self, work: float) -> None:
        """The interval model, which branches; only of few jobs, and quickly where no whole schedule is known."""
        best = self.search.best
        if self.is_done or not 1 <= len(self.tables) <= FEW or best is None:
            return
        if not best.is_complete and work > QUICK_WORK:
            return
        found = search_intervals(
            IntervalModel(self.portfolio, self.tables, best.schedule, best.value),
            self.stop.clock,
            self._found,
            work=work,
            on_bound=self._bounded,
        )
        self._bounded(found)

    def _bounded(self, bound: float) -> bool:
        """Takes a bound, and says whether it is enough."""
        if isfinite(bound):
            self.lower = max(self.lower, bound + self.paid_usd)
        return self.is_done

    def _found(self, schedule: Schedule) -> None:
        """Takes a schedule without commitments."""
        self.search.load(schedule)
        self.search.recommit()
        self.search.note()
        if not self.has_schedule:
            self.search.improve(self.stop.clock, enough=self.enough, patience=PATIENCE_IN_PART)
        self._tell()

    def enough(self, value: float) -> bool:
        """Whether a value is close enough to the bound."""
        return bool(self.search.best and self.search.best.is_complete) and gap_of(value, self.lower) <= self.stop.gap

    def _tell(self) -> None:
        best = self.search.best
        if best is None:
            return
        if self.first_seconds is None and best.is_complete:
            self.first_seconds = time.perf_counter() - self.started
        gap = f"{gap_of(best.value, self.lower):.1%}" if self.lower else "?"
        state = f"plan {best.value:,.0f}, bound {self.lower:,.0f}, gap {gap}" if best.is_complete else "no plan yet"
        self.progress(f"{time.perf_counter() - self.started:.0f} s: {state}")

    def answer(self) -> PortfolioAnswer:
        """The best schedule, verified."""
        self.search.settle()
        best = self.search.best
        schedule = best.schedule if best and best.is_complete else None
        self.refuted()
        bill = None if schedule is None else bill_of(self.portfolio, schedule)
        if schedule is not None and bill is not None:
            check_schedule(self.portfolio, schedule, bill.money_usd, bill.value)
        lower = self.lower if bill is None else min(self.lower, float(bill.value))
        return PortfolioAnswer(
            portfolio=self.portfolio,
            status=self._status(bill, lower),
            schedule=schedule,
            bill=bill,
            bound=lower,
            seconds=time.perf_counter() - self.started,
            first_seconds=self.first_seconds,
            clock=self.stop.clock,
            relaxation=self.relaxation,
        )

    def _status(self, bill: Bill | None, lower: float) -> Status:
        if bill is None:
            return Status.INFEASIBLE if self.is_proven_empty else Status.UNKNOWN
        return Status.OPTIMAL if gap_of(float(bill.value), lower) <= DEFAULT_GAP else Status.FEASIBLE


def whole_purchases(portfolio: Portfolio, levels: Sequence[float]) -> tuple[CommittedNodes, ...]:
    """Commitments of a relaxation in whole nodes, or in the sizes that are sold."""
    found = []
    for term, nodes in zip(terms_of(portfolio), levels, strict=True):
        whole = max(term.of.least, round(nodes))
        if term.of.is_block:
            whole = max((size for size in term.of.sizes if size <= whole), default=0)
        if whole:
            found.append(CommittedNodes(term.pool, term.place, whole))
    return tuple(found)
