"""The lines of a plan's bill: what is bought for which phase, for how long, and when it is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from planner.market.calendar import reserved_span
from planner.market.money import Payment, Span, line_usd
from planner.market.placements import Placement
from planner.plans.solution import Decision, PhaseDecision, Stay
from planner.plans.timetable import length, paid_on_demand
from planner.problem.market import PurchaseKind as Kind
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, counted, round_usd

if TYPE_CHECKING:
    from planner.plans.plan import PhasePlan


@dataclass(frozen=True)
class Purchase:
    """One line of the bill."""

    phase: str | None
    """None for what is reserved from the first phase to the last."""
    offer: str
    accelerator: str
    kind: Kind
    nodes: int
    gpus_per_node: int
    usd_per_gpu_hour: Decimal
    hours: float
    """Hours for which each node is paid."""
    wall_hours: float
    """From the start to the end of what it is bought for."""
    cost_usd: Decimal
    """Whole cents."""
    spans: tuple[Span, ...]
    """From when to when it is due."""
    note: str = ""
    used: float = 1.0
    """Share of the paid hours in which a phase uses the nodes."""

    @property
    def idle_usd(self) -> Decimal:
        """What is paid for hours in which none does; whole cents."""
        return round_usd(self.cost_usd * (1 - Decimal(self.used)))

    @property
    def payment(self) -> Payment:
        """When it is due."""
        return Payment(self.cost_usd, self.spans)

    @property
    def gpu_hours(self) -> float:
        """Device-hours that are paid for."""
        return self.nodes * self.gpus_per_node * self.hours


def bill_of(decision: Decision, phases: Sequence[PhasePlan]) -> Iterator[Purchase]:
    """Every purchase, stay by stay: the reservation, then phase by phase."""
    for stay in decision.stays:
        purchase_option = stay.purchase_option
        if stay.reserved and purchase_option.reservation:
            wall = sum(phases[index].wall_seconds for index in stay.phases)
            span = reserved_span(purchase_option.reservation, stay_span(stay, phases, wall))
            paid, price = span[1] - span[0], purchase_option.reservation.usd_per_node_hour
            line = _purchase(purchase_option.placement, None, "reserved", stay.reserved, price, (paid, wall))
            block = purchase_option.reservation.block
            note = f"{block.name}, {counted(round(paid / SECONDS_PER_DAY), 'day')}" if block else ""
            yield replace(line, spans=(span,), used=_used(stay, decision, phases) / (stay.reserved * paid), note=note)
        for index in stay.phases:
            yield from _phase_bill(purchase_option.placement, phases[index], decision.phases[index])


def stay_span(stay: Stay, phases: Sequence[PhasePlan], running: float) -> Span:
    """From the begin of a stay to its end; of one without a break as long as its phases run."""
    begins, ends = phases[stay.first].spans[0][0], phases[stay.last].spans[-1][1]
    has_break = any(len(phases[index].spans) > 1 for index in stay.phases)
    has_break |= any(phases[index].idle_seconds for index in range(stay.first + 1, stay.last + 1))
    return (begins, ends if has_break else begins + running)


def _used(stay: Stay, decision: Decision, phases: Sequence[PhasePlan]) -> float:
    """Seconds in which the reserved nodes of a stay compute, all nodes together."""
    return sum(decision.phases[index].reserved * phases[index].wall_seconds for index in stay.phases)


def _phase_bill(placement: Placement, phase: PhasePlan, decided: PhaseDecision) -> Iterator[Purchase]:
    """What one phase buys on top of the reservation."""
    wall, name = phase.wall_seconds, phase.name
    if decided.on_demand:
        for price, spans in paid_on_demand(placement, phase.spans):
            paid = wall if spans == phase.spans else length(spans)
            line = _purchase(placement, name, "on_demand", decided.on_demand, price, (paid, wall))
            yield replace(line, spans=spans)
    if decided.spot and placement.spot is not None:
        line = _purchase(placement, name, "spot", decided.spot, placement.spot, (phase.spot_seconds, wall))
        yield replace(line, spans=phase.spans)
        if not phase.replaced_seconds:
            return
        for price, spans in paid_on_demand(placement, phase.spans):
            share = 1.0 if spans == phase.spans else length(spans) / length(phase.spans)
            away = (phase.replaced_seconds * share, wall)
            line = _purchase(placement, name, "on_demand", decided.spot, price, away)
            yield replace(line, spans=spans, note=WHILE_AWAY)


WHILE_AWAY: Final = "while spot is away"
"""Note on nodes that replace spot nodes and are not bought on top of them."""


def _purchase(
    placement: Placement,
    phase: str | None,
    kind: Kind,
    nodes: int,
    usd_per_node_hour: Decimal,
    paid_and_wall_seconds: tuple[float, float],
) -> Purchase:
    """One line of the bill, without when it is due."""
    seconds, wall = paid_and_wall_seconds
    return Purchase(
        phase=phase,
        offer=placement.title,
        accelerator=placement.machine.accelerator.name,
        kind=kind,
        nodes=nodes,
        gpus_per_node=placement.machine.per_node,
        usd_per_gpu_hour=usd_per_node_hour / placement.machine.per_node,
        hours=seconds / SECONDS_PER_HOUR,
        wall_hours=wall / SECONDS_PER_HOUR,
        cost_usd=line_usd(nodes, usd_per_node_hour, seconds),
        spans=(),
    )
