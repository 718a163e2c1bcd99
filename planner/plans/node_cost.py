"""What one node costs for a phase in each way to buy it: a purchase option's prices times a layout's times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.market.money import node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import PhaseModes


@dataclass(frozen=True)
class NodeCost:
    """US dollars of a node for the whole phase, on each layout; infinite where it is not sold. Shape (layouts,)."""

    on_demand: Array
    spot: Array
    reserved: Array

    @property
    def least(self) -> Array:
        """The cheapest way to buy the node."""
        return np.minimum(np.minimum(self.on_demand, self.spot), self.reserved)


def node_cost(purchase_option: PurchaseOption, columns: PhaseModes, steps: int) -> NodeCost:
    """What a node costs on each layout for so many steps.

    A spot node is paid while it is there, and so is the on-demand node that replaces it.
    """
    wall, spot, replaced = (one.after(steps) for one in (columns.run.wall, columns.run.spot, columns.run.replaced))
    on_demand, spot_price = purchase_option.on_demand_price, purchase_option.spot_price
    reserved = purchase_option.reservation.usd_per_node_hour if purchase_option.reservation else None
    return NodeCost(
        on_demand=node_hours_usd(1, on_demand, wall),
        spot=(
            np.full_like(wall, np.inf)
            if spot_price is None
            else node_hours_usd(1, spot_price, spot) + node_hours_usd(1, on_demand, replaced)
        ),
        reserved=node_hours_usd(1, reserved, wall),
    )
