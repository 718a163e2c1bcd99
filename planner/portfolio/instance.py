"""A portfolio as numbers by day: pools, jobs with their modes, money. All that search, bound and validator see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.market.money import priced
from planner.units import HOURS_PER_DAY

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY_ROUNDING: Final = 1e-9
"""Part of a day that rounding of hours may add."""


@dataclass(frozen=True)
class Commitment:
    """One term of nodes that can be paid for whole: a commitment at one of its starts, or a block of one length."""

    name: str
    start: int
    """Its first day."""
    days: int
    """Days of it within the calendar, which are paid."""
    usd_per_node_hour: Decimal
    sizes: tuple[int, ...]
    """Nodes that one purchase takes, ascending; a commitment is bought node by node."""
    most: int
    """Most nodes of all purchases under this name that overlap."""
    term_days: int
    """Days of the whole term, within the calendar or not."""
    least: int = 0
    """Nodes that are bought whatever they bring."""
    largest: int | None = None
    """Most nodes that are bought of this start; None: `most`."""

    @property
    def limit(self) -> int:
        """Most nodes that are bought of it, were there no others."""
        return self.most if self.largest is None else min(self.most, self.largest)

    @property
    def end(self) -> int:
        """The day after its last."""
        return self.start + self.days

    @property
    def usd_per_node_day(self) -> Decimal:
        """What a node of it costs on each of its days."""
        return priced(Decimal(HOURS_PER_DAY), self.usd_per_node_hour)

    @property
    def usd_per_node(self) -> Decimal:
        """What a node of it costs in all."""
        return self.usd_per_node_day * self.days

    @property
    def is_block(self) -> bool:
        """Whether it is bought in given sizes."""
        return self.sizes != (1,)


@dataclass(frozen=True)
class Term:
    """A commitment with its place in the portfolio."""

    pool: int
    place: int
    of: Commitment


@dataclass(frozen=True)
class Pool:
    """Nodes of one kind that jobs share."""

    name: str
    gpus_per_node: int
    nodes: Ints
    """By day."""
    usd_per_node_hour: tuple[Decimal, ...]
    """On-demand, by day."""
    paid_usd: Decimal = Decimal(0)
    """Paid for the whole pool, used or not."""
    commitments: tuple[Commitment, ...] = ()

    @cached_property
    def prices(self) -> Array:
        """On-demand dollars per node-hour, shape (days,)."""
        return np.asarray([float(one) for one in self.usd_per_node_hour])


def whole_days(hours: float) -> int:
    """Days that so many hours take, the last of which may be part of one."""
    return max(1, ceil(hours / HOURS_PER_DAY - DAY_ROUNDING))


@dataclass(frozen=True)
class Mode:
    """One way to run a phase: so many nodes of a pool for so long."""

    pool: int
    nodes: int
    hours: float
    """Wall time for which it blocks its nodes: what is expected, or what is kept with `risk.confidence`."""
    paid_hours: float
    """Hours of each node that are paid, evenly over the expected wall time: all but when spot nodes are away."""
    spread_hours: float = 0.0
    """Standard deviation of the wall time when nodes fail and spot nodes go, the estimate being right."""
    reserve_hours: float = 0.0
    """How much of the wall time is kept in reserve, beyond what is expected."""
    layout: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)
    """How the job is laid out, when that is known."""

    @property
    def expected_hours(self) -> float:
        """Expected wall time."""
        return self.hours - self.reserve_hours

    @cached_property
    def days(self) -> int:
        """Days that it blocks."""
        return whole_days(self.hours)

    @cached_property
    def paid_days(self) -> int:
        """Days of these on which it is expected to run, and pays."""
        return whole_days(self.expected_hours)


@dataclass(frozen=True)
class JobPhase:
    """A stretch of a job in one pool and mode."""

    name: str
    modes: tuple[Mode, ...]


@dataclass(frozen=True)
class PortfolioJob:
    """A chain of phases that may wait and move between them."""

    name: str
    team: str
    phases: tuple[JobPhase, ...]
    release: int
    """The first day on which it can begin."""
    deadline: int
    """Its last day, after which it is late."""
    late_usd_per_day: Decimal | None
    """None: it must not be late."""
    value_usd: Decimal | None
    """What is lost when it is dropped; None: it must be kept."""
    after: tuple[int, ...]
    """Jobs that must have ended before it begins."""
    fixed_start: int | None = None
    """The first day of its first phase, when that is not to be decided; the others follow without a wait."""
    log_deviation: float = 0.0
    """Of the estimate's error: the standard deviation of the logarithm of its times; 0 where they are stated."""

    @property
    def is_optional(self) -> bool:
        """Whether it may be dropped."""
        return self.value_usd is not None

    def last_end(self, days: int) -> int:
        """The day after the last on which it may run."""
        return min(days, self.deadline + 1) if self.late_usd_per_day is None else days

    def late_days(self, end: int) -> int:
        """Blocked days after the deadline of a job whose last day is before `end`."""
        return max(0, end - 1 - self.deadline)


@dataclass(frozen=True)
class Quarter:
    """A quarter of a year, as far as the calendar reaches."""

    name: str
    start: int
    end: int
    """The day after its last."""


@dataclass(frozen=True)
class Budgets:
    """Most that may be spent, US dollars; what is not named has no limit."""

    total: Decimal | None = None
    quarters: Mapping[int, Decimal] = field(default_factory=dict)
    """By number of the quarter."""
    teams: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.total is not None or bool(self.quarters) or bool(self.teams)


@dataclass(frozen=True)
class Weights:
    """What of an answer's figures the objective counts."""

    money: float
    lateness: float
    dropped: float


WEIGHTS: Final = {
    "cost": Weights(1, 1, 1),
    "value": Weights(0, 0, 1),
    "lateness": Weights(0, 1, 1),
    "feasible": Weights(0, 0, 0),
}
"""By objective."""


@dataclass(frozen=True)
class Portfolio:
    """Everything that is decided from."""

    name: str
    start: dt.date
    days: int
    pools: tuple[Pool, ...]
    jobs: tuple[PortfolioJob, ...]
    budgets: Budgets = Budgets()
    objective: str = "cost"
    notes: tuple[str, ...] = ()
    """What was replaced or assumed, for the user."""

    @property
    def weights(self) -> Weights:
        """What the objective counts."""
        return WEIGHTS[self.objective]

    @cached_property
    def teams(self) -> tuple[str, ...]:
        """Each once, in the order of the alphabet."""
        return tuple(sorted({one.team for one in self.jobs}))

    @cached_property
    def quarters(self) -> tuple[Quarter, ...]:
        """The quarters of the calendar; of several years with the year."""
        return tuple(quarters_of(self.start, self.days))

    @cached_property
    def months(self) -> tuple[tuple[str, int, int], ...]:
        """Name (`2027-03`), first day and day after the last of every month."""
        firsts = [day for day in range(self.days) if day == 0 or self.date(day).day == 1]
        return tuple(
            (self.date(first).isoformat()[:7], first, end)
            for first, end in zip(firsts, [*firsts[1:], self.days], strict=True)
        )

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """Jobs that wait for each job."""
        found: list[list[int]] = [[] for _ in self.jobs]
        for index, job in enumerate(self.jobs):
            for before in job.after:
                found[before].append(index)
        return tuple(map(tuple, found))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The jobs, each after those that it waits for."""
        left, found = [len(job.after) for job in self.jobs], list[int]()
        ready = [index for index, count in enumerate(left) if not count]
        while ready:
            job = ready.pop()
            found.append(job)
            for one in self.successors[job]:
                left[one] -= 1
                if not left[one]:
                    ready.append(one)
        return tuple(found)

    def date(self, day: int) -> dt.date:
        """The date of a day."""
        return self.start + dt.timedelta(days=day)


def quarters_of(start: dt.date, days: int) -> list[Quarter]:
    """The calendar's quarters, in order."""
    years = {start.year, (start + dt.timedelta(days=days - 1)).year}
    found: list[Quarter] = []
    for day in range(days):
        now = start + dt.timedelta(days=day)
        number = f"Q{(now.month + 2) // 3}"
        name = number if len(years) == 1 else f"{now.year}-{number}"
        if found and found[-1].name == name:
            found[-1] = Quarter(name, found[-1].start, day + 1)
        else:
            found.append(Quarter(name, day, day + 1))
    return found


def terms_of(portfolio: Portfolio) -> tuple[Term, ...]:
    """All commitments, pool by pool."""
    return tuple(
        Term(pool, place, term) for pool, of in enumerate(portfolio.pools) for place, term in enumerate(of.commitments)
    )
