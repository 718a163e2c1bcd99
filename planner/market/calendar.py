"""When the nodes of an own offer are there and what they cost then, in seconds from the first day of a schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise
from math import inf

import numpy as np

from planner.errors import InputError
from planner.market.money import Span
from planner.performance.symbols import Array
from planner.problem.calendar import BlockOffer, seconds_before, seconds_until
from planner.problem.own_offer import OwnOffer
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_DAY, Price


@dataclass(frozen=True)
class Reservation:
    """Nodes that are paid from the first phase to the last, and at least for a term."""

    term: str
    """`job`, `block`, `1 year` or `3 years`."""
    usd_per_node_hour: Decimal
    committed_seconds: float
    block: BlockOffer | None = None
    """Sizes, days and lead of capacity blocks, which are paid by whole days."""

    @property
    def is_whole(self) -> bool:
        """Whether it is paid whole, used or not: for a term, or in blocks."""
        return self.committed_seconds > 0 or self.block is not None


@dataclass(frozen=True)
class Stretch:
    """Days in which nothing about an offer changes."""

    begins: float
    ends: float
    nodes: int
    on_demand: Decimal | None
    """US dollars of a node-hour; None is not sold."""


@dataclass(frozen=True)
class Timeline:
    """An offer from the first day on: stretches one after another, the last without an end."""

    stretches: tuple[Stretch, ...]

    @property
    def most_nodes(self) -> int:
        """Most nodes at any time."""
        return max(one.nodes for one in self.stretches)

    @property
    def lowest_price(self) -> Decimal | None:
        """The lowest price of an on-demand node at any time when there are nodes."""
        return min((one.on_demand for one in self.stretches if one.nodes and one.on_demand is not None), default=None)

    @property
    def last_change(self) -> float:
        """Seconds after which nothing changes any more."""
        return self.stretches[-1].begins

    def windows(self, nodes: int) -> tuple[tuple[Stretch, ...], ...]:
        """The stretches in which so many nodes are there, those in a row together."""
        grouped = groupby(self.stretches, key=lambda one: one.nodes >= nodes)
        return tuple(tuple(some) for is_open, some in grouped if is_open)

    def levels(self, nodes: Array) -> Array:
        """The least number of nodes of a stretch that holds so many: numbers with the same have the same windows."""
        known = np.asarray(sorted({one.nodes for one in self.stretches}))
        return known[np.minimum(np.searchsorted(known, nodes), len(known) - 1)]


@dataclass(frozen=True)
class Running:
    """When phases run that begin at several times and take several durations; arrays broadcast over both."""

    ends: Array
    """Infinite where the nodes are never there long enough."""
    windows: tuple[tuple[Stretch, ...], ...]
    """Stretches in a row in which the nodes are there."""
    spans: tuple[tuple[Array, Array], ...]
    """For each window from when to when they run in it; as long as nothing where they do not."""

    @property
    def pauses(self) -> Array:
        """How often they pause."""
        ran = sum((last > first for first, last in self.spans), np.zeros(np.shape(self.ends), dtype=np.int64))
        return np.asarray(np.maximum(ran - 1, 0), dtype=np.float64)

    def seconds_by_price(self) -> dict[Decimal | None, Array]:
        """How long they run at each price of an on-demand node."""
        found: dict[Decimal | None, Array] = {}
        for window, (first, last) in zip(self.windows, self.spans, strict=True):
            for one in window:
                inside = np.maximum(np.minimum(last, one.ends) - np.maximum(first, one.begins), 0.0)
                found[one.on_demand] = found.get(one.on_demand, np.zeros(np.shape(self.ends))) + inside
        return found


def running(timeline: Timeline, nodes: int, begins: Array, seconds: Array, pause_seconds: Array) -> Running:
    """When phases run that need so many nodes for so many seconds, from some times on.

    They pause while there are fewer nodes, and run `pause_seconds` longer for each pause: a checkpoint is written
    before and read after.
    """
    left = np.array(np.broadcast_arrays(begins, seconds)[1], dtype=np.float64)
    ends, begun, spans = np.full(left.shape, inf), np.zeros(left.shape, dtype=np.bool_), []
    windows = timeline.windows(nodes)
    for window in windows:
        left = np.where(begun & (left > 0), left + pause_seconds, left)
        first = np.broadcast_to(np.maximum(window[0].begins, begins), left.shape)
        room = np.maximum(window[-1].ends - first, 0.0)
        fits = (left > 0) & (left <= room)
        last = np.where(fits, first + left, np.where(left > 0, first + room, first))
        ends, left = np.where(fits, last, ends), np.where(fits, 0.0, np.where(left > 0, left - room, left))
        begun |= last > first
        spans.append((first, last))
    return Running(ends, windows, tuple(spans))


def timeline_of(offer: OwnOffer, start: date, nodes: int, per_node_hour: NodePrice) -> Timeline | None:
    """The timeline of an offer of so many nodes; None where nothing about it changes."""
    if not offer.has_calendar:
        return None
    edges = sorted({0.0, *_edges(offer, start)})
    stretches = [
        Stretch(begins, ends, _nodes(offer, start, nodes, begins), _price(offer, start, begins, per_node_hour))
        for begins, ends in pairwise([*edges, inf])
    ]
    return Timeline(tuple(_joined(stretches)))


NodePrice = Callable[[Price | None], Decimal | None]
"""A price as US dollars per node-hour; None where nodes are not sold this way or not asked for."""


def _edges(offer: OwnOffer, start: date) -> Iterator[float]:
    """The midnights after the first day at which something about an offer may change."""
    days = [(one.first, one.last) for one in offer.closed] + [(one.first, one.last) for one in offer.periods]
    firsts = [seconds_before(start, first) for first, _ in ((offer.first, None), *days) if first]
    lasts = [seconds_until(start, last) for _, last in ((None, offer.until), *days) if last]
    yield from (float(one) for one in (*firsts, *lasts) if one > 0)


def _nodes(offer: OwnOffer, start: date, nodes: int, now: float) -> int:
    """Nodes that are there at a time."""
    if not _holds(offer.first, offer.until, start, now):
        return 0
    away = (
        nodes if one.nodes is None else one.nodes for one in offer.closed if _holds(one.first, one.last, start, now)
    )
    return max(0, nodes - sum(away))


def _holds(first: date | None, last: date | None, start: date, now: float) -> bool:
    """Whether a time is between two days, both included."""
    begun = first is None or now >= seconds_before(start, first)
    return begun and (last is None or now < seconds_until(start, last))


def _price(offer: OwnOffer, start: date, now: float, per_node_hour: NodePrice) -> Decimal | None:
    """What an on-demand node costs an hour: as in the period that began last, or else in the first."""
    if not offer.periods:
        return per_node_hour(offer.on_demand if isinstance(offer.on_demand, Price) else None)
    begun = [one for one in offer.periods if one.first is None or now >= seconds_before(start, one.first)]
    return per_node_hour((begun or offer.periods[:1])[-1].price)


def _joined(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """Stretches between which something changes."""
    for (nodes, price), some in groupby(stretches, key=lambda one: (one.nodes, one.on_demand)):
        alike = list(some)
        yield Stretch(alike[0].begins, alike[-1].ends, nodes, price)


def own_reservations(offer: OwnOffer, per_node_hour: NodePrice) -> Iterator[Reservation]:
    """The offer's nodes for the job or a term, and its capacity blocks."""
    reserved = per_node_hour(offer.reserved)
    if reserved is not None:
        yield Reservation("job", reserved, offer.minimum_term or 0.0)
    for block in offer.blocks:
        price = per_node_hour(block.price)
        if price is not None:
            yield Reservation(block.name, price, 0.0, block)


def block_span(block: BlockOffer, begins: Array, ends: Array) -> tuple[Array, Array]:
    """From when to when capacity blocks are paid, one after another, in which phases run: whole days.

    Infinitely long where they would begin before their lead time is over.
    """
    least, most = block.days
    first, last = np.floor(begins / SECONDS_PER_DAY), np.ceil(ends / SECONDS_PER_DAY)
    days = np.maximum(last - first, 1.0)
    paid = np.maximum(days, least * np.ceil(days / most))
    paid = np.where(first * SECONDS_PER_DAY >= (block.lead or 0.0), paid, inf)
    return first * SECONDS_PER_DAY, (first + paid) * SECONDS_PER_DAY


def reserved_span(reservation: Reservation, stay: Span) -> Span:
    """From when to when reserved nodes are paid that a stay uses."""
    begins, ends = stay
    if reservation.block is not None:
        first, last = block_span(reservation.block, np.asarray(begins), np.asarray(ends))
        return float(first), float(last)
    return begins, max(ends, begins + reservation.committed_seconds)


def refuse_days(problem: Problem, asked: str) -> None:
    """Refuses offers that change in time, for what does not know of days. Raises InputError."""
    for index, offer in enumerate(problem.market.offers):
        if offer.is_dated:
            raise InputError(
                f"{asked} does not know of days, and offer {offer.name} has some",
                place=problem.place("market", "offers", index),
                fix="leave out its from, until, closed, blocks and price periods, or ask plan solve or plan frontier",
            )
