"""How many nodes the place of a plan has, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.capacity import capacity_of
from planner.explore.capacity import BetterWithGrant, Grant
from planner.market.placements import Placement
from planner.plans.plan import Plan
from planner.problem.quantities import UNLIMITED
from planner.report.dates import dated
from planner.units import counted, format_duration, format_money

MUCH: Final = 0.5
"""Share of an assumed capacity from which on a plan says that it rests on it."""


def capacity_document(placement: Placement) -> dict[str, Any]:
    """Most nodes at a time, None without a limit, and on what that rests."""
    most = {"nodes": placement.nodes, "spot_nodes": placement.spot_nodes}
    return {name: None if nodes >= UNLIMITED else nodes for name, nodes in most.items()} | {"basis": placement.basis}


def grant_document(grant: Grant | None) -> dict[str, Any] | None:
    """What a cloud would have to grant, for JSON."""
    if grant is None:
        return None
    figures = {"cloud": grant.cloud, "place": grant.place, "kind": grant.kind, "nodes": grant.nodes, "sold": grant.sold}
    return figures | {"basis": grant.basis, "set": [grant.setting]}


def grant_line(grant: Grant) -> str:
    """What is known of a place's nodes, and how to state that more are granted."""
    basis = {"assumed": "assumed to be sold without a contract", "published": "sold without a contract"}
    sold = f"{counted(grant.sold, 'node')} {basis.get(grant.basis, 'granted')}"
    return f"Condition: {sold}, {grant.nodes:,} are needed; once granted: --set '{grant.setting}'"


def beyond_lines(beyond: BetterWithGrant | None, best: Plan) -> Iterator[str]:
    """A better plan on nodes that would have to be granted."""
    if beyond is None:
        return
    plan, grant = beyond.plan, beyond.grant
    saved = best.cost_usd - plan.cost_usd
    gain = f"{format_money(saved)} less" if saved > 0 else f"{format_money(-saved)} more"
    sooner = best.wall_seconds - plan.wall_seconds
    change = f"{format_duration(abs(sooner))} {'sooner' if sooner > 0 else 'later'}"
    yield (
        f"With a grant: {plan.gpus:,} × {plan.accelerator} for {dated(plan.wall_seconds, plan.start)}, "
        f"{format_money(plan.cost_usd)} ({plan.placement.title}): {gain}, {change}; {grant.in_words}, "
        f"then --set '{grant.setting}'"
    )


def capacity_lines(plan: Plan) -> Iterator[str]:
    """What a plan takes for granted of its place; nothing where few nodes are needed or the offer states how many."""
    placement = plan.placement
    usual = capacity_of(placement.cloud, plan.accelerator)
    if placement.basis == "unlimited":
        yield f"Capacity: {placement.title} states no nodes and is taken to have all {plan.nodes:,}."
    elif placement.basis == "granted" and plan.nodes > usual.nodes:
        yield (
            f"Capacity: {plan.nodes:,} nodes in one zone rest on market.capacity; without a contract "
            f"{usual.nodes:,} are {'assumed to be ' if usual.assumed else ''}sold."
        )
    elif placement.basis == "assumed" and plan.nodes > max(1, MUCH * placement.nodes):
        yield (
            f"Capacity: {plan.nodes:,} nodes of {placement.nodes:,} that are assumed to be sold in one zone without a "
            "contract; market.capacity states what is granted."
        )
