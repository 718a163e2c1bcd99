"""What a calendar is made of, in problem and portfolio files alike: days, closed windows, price periods and blocks.

A day is written `2027-03-01`; a first day counts from its midnight, a last day until the midnight after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Final

from pydantic import Discriminator, Field, PlainSerializer, PlainValidator, Tag, WithJsonSchema

from planner.problem.quantities import Count, Day, Duration, Name, Price
from planner.problem.schema_base import Rule, SchemaModel
from planner.units import SECONDS_PER_DAY, QuantityError

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2200
"""Years in which a schedule may begin."""


class ScheduleDates(SchemaModel):
    """When a job can begin, and until which day it has to end."""

    start: Day
    """The first day on which the job can begin, such as `2027-01-04`; times of the plan are counted from it."""
    deadline: Day | None = None
    """The last day of the job, such as `2027-03-01`; default: none. Where `limits.deadline` is stated too, the tighter
    of both binds."""

    @property
    def seconds(self) -> float | None:
        """From the first day until the end of the last one."""
        return None if self.deadline is None else float(seconds_until(self.start, self.deadline))

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if not FIRST_YEAR <= self.start.year <= LAST_YEAR:
            message = f"schedule.start {self.start} is not from {FIRST_YEAR} to {LAST_YEAR}"
            yield Rule(("schedule", "start"), message, "write a day such as 2027-01-04")
        if self.deadline is not None and self.deadline < self.start:
            message = f"schedule.deadline {self.deadline} is before schedule.start {self.start}"
            yield Rule(("schedule", "deadline"), message, "write a later day")


def seconds_before(start: date, day: date) -> int:
    """From the midnight that begins one day to the midnight that begins another."""
    return (day - start).days * SECONDS_PER_DAY


def seconds_until(start: date, last: date) -> int:
    """From the midnight that begins one day to the midnight that ends another."""
    return ((last - start).days + 1) * SECONDS_PER_DAY


def last_day(start: date, seconds: float) -> date:
    """The day on which something ends that takes so many seconds from the first day on; at midnight the one before."""
    whole, rest = divmod(seconds, SECONDS_PER_DAY)
    return _days_after(start, whole - (rest == 0 < whole))


def day_of(start: date, seconds: float) -> date:
    """The day on which something begins, so many seconds after the first day begins."""
    return _days_after(start, seconds // SECONDS_PER_DAY)


def _days_after(start: date, days: float) -> date:
    """So many days later; the last day that has a date where it would be beyond."""
    return start + timedelta(days=min(int(min(days, 1e7)), (date.max - start).days))


class Closure(SchemaModel):
    """Nodes that are away for some days."""

    first: Annotated[Day, Field(alias="from")]
    """The first day."""
    last: Annotated[Day, Field(alias="to")]
    """The last day."""
    nodes: Count | None = None
    """How many are away; default: all."""


def closure_rules(closed: Sequence[Closure], nodes: int) -> Iterator[Rule]:
    """Closures that are turned round or take more nodes than there are."""
    for index, closure in enumerate(closed):
        if closure.last < closure.first:
            yield Rule(("closed", index, "to"), "the closure ends before it begins", "write a later day")
        if (closure.nodes or 0) > nodes:
            message = f"{closure.nodes:,} of {nodes:,} nodes cannot be away"
            yield Rule(("closed", index, "nodes"), message, "write fewer nodes")


class PricePeriod(SchemaModel):
    """A price from a day on, until the next period begins."""

    first: Annotated[Day | None, Field(alias="from")] = None
    """The first day; default: the calendar's first, which only the first period may leave out."""
    last: Annotated[Day | None, Field(alias="to")] = None
    """The last day; default: the day before the next period, or the calendar's last."""
    price: Price
    """Such as `$5.50/GPU-h`."""


def period_rules(periods: Sequence[PricePeriod]) -> Iterator[Rule]:
    """Price periods that overlap or are out of order."""
    for index, period in enumerate(periods):
        place = ("on_demand", index)
        if period.first and period.last and period.last < period.first:
            yield Rule((*place, "to"), "the price period ends before it begins", "write a later day")
        if index == 0:
            continue
        before = periods[index - 1]
        if period.first is None:
            yield Rule(place, "a price period without its first day overlaps the one before", "add from: 2027-07-01")
        elif (before.first and period.first <= before.first) or (before.last and period.first <= before.last):
            message = f"price periods overlap: one begins on {period.first}, the one before goes on"
            yield Rule((*place, "from"), message, "let each begin after the one before, in order")


PriceOrPeriods = Annotated[
    Annotated[Price, Tag("price")]
    | Annotated[tuple[PricePeriod, ...], Field(min_length=1, max_length=400), Tag("periods")],
    Discriminator(lambda stated: "periods" if isinstance(stated, list | tuple) else "price"),
]
"""One price, or prices by period."""


def _block_days(value: object) -> tuple[int, int]:
    """Least and most days, from `1..14` or a number."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    match = re.fullmatch(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?", text)
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most:
        raise QuantityError(f"{text[:40]!r} is no number of days", "write 1..14 or 7")
    return least, most


BlockDays = Annotated[
    tuple[int, int],
    PlainValidator(_block_days),
    PlainSerializer(lambda days: f"{days[0]}..{days[1]}", return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["1..14"]}),
]
"""Least and most days of a block."""


class BlockOffer(SchemaModel):
    """Capacity blocks: some nodes for some days, paid whole, ordered ahead."""

    name: Name = "block"
    """What it is called."""
    sizes: Annotated[tuple[Count, ...], Field(min_length=1, max_length=50)]
    """Nodes of one block, such as `[1, 2, 4, 8]`."""
    days: BlockDays
    """Days that a block lasts, such as `1..14`."""
    lead: Duration | None = None
    """How long before its first day a block is ordered: none begins earlier after the calendar's start; default: not
    at all."""
    price: Price
    """Per hour of the block."""
