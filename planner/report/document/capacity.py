"""How many nodes the place of a plan has, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.capacity import capacity_of
from planner.market.placements import Placement
from planner.plans.plan import Plan
from planner.problem.quantities import UNLIMITED

MUCH: Final = 0.5
"""Share of an assumed capacity from which on a plan says that it rests on it."""


def capacity_document(placement: Placement) -> dict[str, Any]:
    """Most nodes at a time, None without a limit, and on what that rests."""
    most = {"nodes": placement.nodes, "spot_nodes": placement.spot_nodes}
    return {name: None if nodes >= UNLIMITED else nodes for name, nodes in most.items()} | {"basis": placement.basis}


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
