"""When one phase runs on the nodes of an offer, and what of its time is paid at which price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from planner.market.calendar import Timeline, running
from planner.market.money import Span
from planner.market.placements import Placement


def spans_of(
    timeline: Timeline | None, nodes: int, begins: float, seconds: float, pause_seconds: float
) -> tuple[Span, ...]:
    """From when to when a phase runs on so many nodes; empty where they are never there long enough."""
    if timeline is None:
        return ((begins, begins + seconds),)
    found = running(timeline, nodes, *(np.asarray([one]) for one in (begins, seconds, pause_seconds)))
    if not np.isfinite(found.ends[0]):
        return ()
    spans = ((float(first[0]), float(last[0])) for first, last in found.spans)
    return tuple((first, last) for first, last in spans if last > first)


def paid_on_demand(placement: Placement, spans: Sequence[Span]) -> Iterator[tuple[Decimal, tuple[Span, ...]]]:
    """The prices of an on-demand node in some spans, each with when it is paid."""
    if placement.on_demand is None:
        return
    if placement.timeline is None:
        yield placement.on_demand, tuple(spans)
        return
    found: dict[Decimal, list[Span]] = {}
    for begins, ends in spans:
        for one in placement.timeline.stretches:
            inside = (max(begins, one.begins), min(ends, one.ends))
            if inside[0] < inside[1] and one.on_demand is not None:
                found.setdefault(one.on_demand, []).append(inside)
    yield from ((price, tuple(some)) for price, some in found.items())


def length(spans: Sequence[Span]) -> float:
    """Seconds of some spans together."""
    return sum(ends - begins for begins, ends in spans)
