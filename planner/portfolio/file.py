"""`plan-portfolio/1`: jobs, the pools and the money that they share, and their calendar, for `plan portfolio`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from planner.portfolio.rules import broken_rules
from planner.problem.calendar import BlockOffer, Closure, PricePeriod
from planner.problem.document import read_document
from planner.problem.json_schema import described
from planner.problem.quantities import (
    AcceleratorReference,
    Bandwidth,
    Count,
    Day,
    Duration,
    Money,
    Name,
    Price,
    Share,
)
from planner.problem.schema_base import Rule, RulesBrokenError, SchemaFile, SchemaModel
from planner.units import QuantityError, parse_money

MOST_BYTES: Final = 2**24
"""Largest portfolio file that is read."""
MOST_DAYS: Final = 1100
"""Longest calendar: three years."""
NEVER: Final = "never"
"""What is written for a lateness that is not allowed."""

PortfolioObjective = Literal["cost", "value", "lateness"]


class Calendar(SchemaModel):
    """The days that are planned."""

    start: Day
    """The first day, such as `2027-01-01`."""
    end: Day
    """The last day."""
    step: Literal["1d"] = "1d"
    """What phases block: whole days."""

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        days = (self.end - self.start).days + 1
        if not 1 <= days <= MOST_DAYS:
            message = f"the calendar has {days:,} days, not 1 to {MOST_DAYS:,}"
            yield Rule(("calendar", "end"), message, "write a last day after the first, at most three years on")


QuarterName = Annotated[str, Field(pattern=r"^([0-9]{4}-?)?Q[1-4]$", examples=["Q1"])]
"""A quarter: `Q1`, or `2027-Q1` where the calendar has several years."""


class Budget(SchemaModel):
    """Most that may be spent; commitments count day by day."""

    total: Money | None = None
    """On everything; default: no limit."""
    quarters: Annotated[dict[QuarterName, Money], Field(default_factory=dict)]
    """By calendar quarter, such as `{Q1: $3M}`; default: no limits."""
    teams: Annotated[dict[Name, Money], Field(default_factory=dict)]
    """By team, such as `{vision: $4M}`; default: no limits."""


class CommitmentOffer(SchemaModel):
    """Nodes that can be paid for a whole term, used or not, at a lower price."""

    name: Name
    """What the term is called, such as `1y`."""
    term: Duration
    """How long is paid, in whole days."""
    price: Price
    """Per hour of the term."""
    most: Count
    """Most nodes that can be committed, all starts that overlap together."""
    starts: Annotated[tuple[Day, ...], Field(min_length=1, max_length=400)]
    """Days on which the term can begin."""
    lead: Duration | None = None
    """How long before its first day it has to be ordered, after the calendar's start; default: not at all."""


class PoolEntry(SchemaModel):
    """Nodes of one kind that jobs share."""

    name: Name
    """What the pool is called."""
    accelerator: AcceleratorReference | None = None
    """A name in the catalog; may be left out where every job states its modes on this pool."""
    gpus_per_node: Annotated[int, Field(ge=1, le=10_000, strict=True, examples=[8])] | None = None
    """Devices of a node; default: the accelerator's usual; required without an accelerator."""
    network: Bandwidth | None = None
    """Scale-out bandwidth per device; default: what is usual for the accelerator."""
    nodes: Count
    """Nodes of the pool, or the quota in a cloud."""
    first: Annotated[Day | None, Field(alias="from")] = None
    """The first day on which they are there; default: the calendar's first."""
    last: Annotated[Day | None, Field(alias="to")] = None
    """The last day on which they are there; default: the calendar's last."""
    closed: Annotated[tuple[Closure, ...], Field(max_length=1000)] = ()
    """Days on which nodes are away, such as maintenance; default: none."""
    price: Price | None = None
    """One price for all of the calendar; short for one period of `on_demand`."""
    on_demand: Annotated[tuple[PricePeriod, ...], Field(max_length=400)] = ()
    """Prices by period."""
    spot: Price | None = None
    """The price of spot nodes, which may be away for some of the time."""
    availability: Share = 1.0
    """Share of the time in which one spot node can be had; default 100%."""
    paid: Money | None = None
    """What was paid for the whole pool; it counts, used or not."""
    commitments: Annotated[tuple[CommitmentOffer, ...], Field(max_length=100)] = ()
    """Terms that can be committed to; they change what hours cost, never how many nodes there are."""
    blocks: Annotated[tuple[BlockOffer, ...], Field(max_length=20)] = ()
    """Capacity blocks that can be bought; as commitments, they change what hours cost."""


class StatedMode(SchemaModel):
    """One way to run a phase that the user knows."""

    pool: Name
    """The pool that it runs in."""
    nodes: Count
    """Nodes that it takes."""
    duration: Duration
    """How long it runs."""


class StatedPhase(SchemaModel):
    """A phase of work that is no training run."""

    name: Name
    """What the phase is called."""
    modes: Annotated[tuple[StatedMode, ...], Field(min_length=1, max_length=2000)]
    """The ways to run it."""


class FixedStart(SchemaModel):
    """Where and when a job runs that is not to be moved."""

    pool: Name
    """The pool of all of its phases."""
    nodes: Count
    """Nodes of all of its phases."""
    start: Day
    """The first day of its first phase; the others follow without a wait."""


def _late(value: object) -> Decimal | Literal["never"]:
    """Dollars per day of lateness, or never."""
    if value == NEVER:
        return NEVER
    text = value.strip() if isinstance(value, str) else ""
    amount, slash, unit = text.partition("/")
    if not slash or unit.strip() not in {"day", "d"}:
        raise QuantityError(f"{str(value)[:40]!r} is no cost of a day's lateness", "write $5k/day or never")
    return parse_money(amount.strip())


Late = Annotated[
    Decimal | Literal["never"], PlainValidator(_late), WithJsonSchema({"type": "string", "examples": ["$5k/day"]})
]
"""What each day after the deadline costs."""


class JobEntry(SchemaModel):
    """A job: a problem file or stated phases, when it may run, and what it is worth."""

    name: Name
    """What the job is called."""
    team: Name = "all"
    """Who pays for it."""
    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """A problem file beside the portfolio; its market, deadline and budget are replaced."""
    changes: Annotated[dict[str, Any], Field(alias="set", max_length=200, default_factory=dict)]
    """Keys of that file with other values, such as `{"training.phases[0].tokens": 2T}`."""
    phases: Annotated[tuple[StatedPhase, ...], Field(max_length=50)] = ()
    """Stated phases, in place of a file."""
    pools: Annotated[tuple[Name, ...], Field(min_length=1, max_length=200)] | None = None
    """Pools that it may use; default: all."""
    release: Day | None = None
    """The first day on which it can begin; default: the calendar's first."""
    deadline: Day | None = None
    """Its last day; default: the calendar's last."""
    late: Late | None = None
    """What each day after the deadline costs, such as `$5k/day`; `never`, the default: it is not allowed."""
    after: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    """Jobs that must have ended before."""
    optional: bool = False
    """Whether it may be dropped."""
    value: Money | None = None
    """What is lost when it is dropped; required of an optional job."""
    fixed: FixedStart | None = None
    """Where and when it runs, when that is not to be decided."""

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if (self.file is None) == (not self.phases):
            yield Rule((), f"job {self.name} needs a file or phases, one of the two", "add file: jobs/my_job.yaml")
        if self.changes and self.file is None:
            yield Rule(("set",), "set changes a file, and there is none", "add file: jobs/my_job.yaml")
        if self.optional and self.value is None:
            yield Rule(("optional",), f"optional job {self.name} has no value", "add value: $200k")
        if self.value is not None and not self.optional:
            yield Rule(("value",), "only an optional job can be dropped", "add optional: true")
        if self.late is not None and self.deadline is None:
            yield Rule(("late",), "late requires a deadline", "add deadline: 2027-06-30")


class PortfolioFile(SchemaFile):
    """Jobs, and the pools, the calendar and the money that they share."""

    format: Annotated[Literal["plan-portfolio/1"], Field(alias="schema")]
    """Always `plan-portfolio/1`."""
    name: Annotated[str, Field(max_length=200, examples=["research 2027"])] = ""
    """What the portfolio is called."""
    calendar: Calendar
    budget: Budget = Budget(quarters={}, teams={})
    pools: Annotated[tuple[PoolEntry, ...], Field(min_length=1, max_length=200)]
    jobs: Annotated[tuple[JobEntry, ...], Field(min_length=1, max_length=2000)]
    objective: PortfolioObjective = "cost"
    """`cost`: money, lateness and the value of what is dropped; `value`: the least value dropped; `lateness`: the least
    lateness and value dropped. The last two mind money only in the budget."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if broken := list(broken_rules(self)):
            raise RulesBrokenError(broken)
        return self

    @property
    def days(self) -> int:
        """Days of the calendar."""
        return (self.calendar.end - self.calendar.start).days + 1


def load_portfolio(path: str | Path, sets: Iterable[str] = ()) -> PortfolioFile:
    """Reads a portfolio file (`-`: standard input) with `--set` overrides. Raises InputError with every issue."""
    return PortfolioFile.of(read_document(path, sets, most_bytes=MOST_BYTES))


def portfolio_schema() -> dict[str, Any]:
    """The JSON schema of portfolio files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described(PortfolioFile, SchemaModel),
    }
