"""A plan against the days of its offers, walked day by day from what the problem states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import ceil, floor, isclose

from planner.market.money import node_hours_usd
from planner.market.places import OWN
from planner.plans.plan import PhasePlan, Plan
from planner.plans.solution import Stay
from planner.problem.own_offer import OwnOffer
from planner.problem.problem import Problem
from planner.problem.quantities import UNLIMITED
from planner.tolerances import SUM_ORDER
from planner.units import SECONDS_PER_DAY, Price


@dataclass(frozen=True)
class _Day:
    """One day in which a phase runs."""

    day: date
    seconds: float
    """For which it runs."""


def calendar_faults(problem: Problem, plan: Plan) -> Iterator[str]:
    """Phases that run before they can or without their nodes, pauses that none needs, and blocks that are none."""
    ready = 0.0
    moved = {move.phase: move.wall_seconds for move in plan.moves}
    for phase in plan.phases:
        ready += moved.get(phase.name, 0.0)
        yield from _begin(phase, ready)
        yield from _spans(problem, phase)
        ready = phase.spans[-1][1] if phase.spans else ready
    if not isclose(ready, plan.wall_seconds, rel_tol=SUM_ORDER):
        yield f"it ends after {ready} s, not {plan.wall_seconds} s"
    yield from _reservations(plan)


def _begin(phase: PhasePlan, ready: float) -> Iterator[str]:
    """A phase begins at once or at midnight."""
    begins = phase.spans[0][0] if phase.spans else 0.0
    slack = SUM_ORDER * max(ready, 1.0)
    if begins < ready - slack:
        yield f"{phase.name}: it begins after {begins} s, before it can, {ready} s"
    if abs(begins - ready) > slack and begins % SECONDS_PER_DAY:
        yield f"{phase.name}: it begins neither at once nor at midnight"


def _spans(problem: Problem, phase: PhasePlan) -> Iterator[str]:
    """It runs only while its nodes are there, pauses only while they are not, and as long as it has to."""
    offer, needed = _offer(problem, phase), phase.nodes + phase.spare_nodes
    running = sum(ends - begins for begins, ends in phase.spans)
    if not isclose(running, phase.wall_seconds, rel_tol=SUM_ORDER, abs_tol=SUM_ORDER * phase.spans[-1][1]):
        yield f"{phase.name}: it runs for {running} s, not {phase.wall_seconds} s"
    if offer is None or problem.schedule is None:
        if len(phase.spans) > 1:
            yield f"{phase.name}: it pauses, and its nodes are always there"
        return
    start = problem.schedule.start
    for begins, ends in phase.spans:
        for day in _days(start, begins, ends):
            if nodes_there(offer, day.day) < needed:
                yield f"{phase.name}: on {day.day} it needs {needed} nodes, more than there are"
    for (_, begins), (ends, _) in pairwise(phase.spans):
        for day in _days(start, begins, ends):
            if nodes_there(offer, day.day) >= needed:
                yield f"{phase.name}: on {day.day} it pauses although its nodes are there"


def _offer(problem: Problem, phase: PhasePlan) -> OwnOffer | None:
    """The own offer that a phase runs on, where days matter to it."""
    placement = phase.purchase_option.placement
    named = (one for one in problem.market.offers if placement.cloud == OWN and one.name == placement.instance_type)
    return next((one for one in named if one.is_dated), None)


def _days(start: date, begins: float, ends: float) -> Iterator[_Day]:
    """The days of a span."""
    for number in range(floor(begins / SECONDS_PER_DAY), ceil(ends / SECONDS_PER_DAY)):
        first, last = max(begins, number * SECONDS_PER_DAY), min(ends, (number + 1) * SECONDS_PER_DAY)
        if last - first > SUM_ORDER * last:
            yield _Day(start + timedelta(days=number), last - first)


def nodes_there(offer: OwnOffer, day: date) -> int:
    """Nodes of an offer on a day."""
    if (offer.first and day < offer.first) or (offer.until and day > offer.until):
        return 0
    whole = offer.nodes or UNLIMITED
    away = [whole if one.nodes is None else one.nodes for one in offer.closed if one.first <= day <= one.last]
    return max(0, whole - sum(away))


def price_on(offer: OwnOffer, day: date) -> Price | None:
    """The price of an on-demand node on a day."""
    if isinstance(offer.on_demand, Price):
        return offer.on_demand
    begun = [one.price for one in offer.periods if one.first is None or one.first <= day]
    return begun[-1] if begun else offer.periods[0].price if offer.periods else None


def on_demand_usd(problem: Problem, phase: PhasePlan, node_seconds: float) -> float:
    """US dollars for so many seconds of on-demand nodes, spread evenly over the time in which a phase runs."""
    placement, offer = phase.purchase_option.placement, _offer(problem, phase)
    if offer is None or problem.schedule is None:
        return float(node_hours_usd(1, placement.on_demand, node_seconds))
    per_node, total = placement.machine.per_node, 0.0
    whole = sum(ends - begins for begins, ends in phase.spans)
    for begins, ends in phase.spans:
        for day in _days(problem.schedule.start, begins, ends):
            price = price_on(offer, day.day)
            usd = None if price is None else price.usd_per_gpu_hour(per_node) * per_node
            total += float(node_hours_usd(1, usd, node_seconds * day.seconds / whole))
    return total


def reserved_seconds(plan: Plan, stay: Stay) -> float:
    """How long a stay's reserved nodes are paid: from begin to end, at least for a term, or in blocks of whole days."""
    begins, ends = plan.phases[stay.first].spans[0][0], plan.phases[stay.last].spans[-1][1]
    reservation = stay.purchase_option.reservation
    if reservation is None or reservation.block is None:
        return max(ends - begins, stay.purchase_option.committed_seconds)
    (least, most), days = reservation.block.days, ceil(ends / SECONDS_PER_DAY) - floor(begins / SECONDS_PER_DAY)
    blocks = ceil(days / most)
    return float(max(days, blocks * least) * SECONDS_PER_DAY)


def _reservations(plan: Plan) -> Iterator[str]:
    """Reserved nodes are paid for as long as they are used; blocks have a size that is sold, and their lead time."""
    stays = [stay for stay in plan.stays if stay.reserved and stay.purchase_option.reservation]
    lines = [line for line in plan.purchases if line.kind == "reserved"]
    for stay, line in zip(stays, lines, strict=True):
        begins, ends = plan.phases[stay.first].spans[0][0], plan.phases[stay.last].spans[-1][1]
        slack = SUM_ORDER * max(ends, 1.0)
        if line.spans[0][0] > begins + slack or line.spans[-1][1] < ends - slack or line.nodes != stay.reserved:
            yield f"{line.offer}: reserved nodes are not paid for as long as they are used"
        reservation = stay.purchase_option.reservation
        block = reservation.block if reservation else None
        if block and stay.reserved not in block.sizes:
            yield f"{block.name}: no block has {stay.reserved} nodes"
        if block and floor(begins / SECONDS_PER_DAY) * SECONDS_PER_DAY < (block.lead or 0.0):
            yield f"{block.name}: it begins before its lead time is over"
