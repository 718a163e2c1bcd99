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
    """US dollars of a node for the whole phase, on each layout; infinite where it is not sold. Shape (…, layouts)."""

    on_demand: Array
    spot: Array
    reserved: Array

    @property
    def least(self) -> Array:
        """The cheapest way to buy the node."""
        return np.minimum(np.minimum(self.on_demand, self.spot), self.reserved)


def node_cost(purchase_option: PurchaseOption, columns: PhaseModes, steps: int) -> NodeCost:
    """What a node costs on each layout for so many steps."""
    return _node_cost(np.asarray(purchase_option.prices), columns, steps)


def least_node_usd(prices: Array, columns: PhaseModes, steps: int) -> Array:
    """US dollars of a node bought in the cheapest way; `prices` as in `Choices.prices`, shape (options, layouts)."""
    return _node_cost(prices[:, :, None].swapaxes(0, 1), columns, steps).least


def _node_cost(prices: Array, columns: PhaseModes, steps: int) -> NodeCost:
    """Costs on demand, as spot and reserved along the first axis.

    A spot node is paid while it is there, and so is the on-demand node that replaces it.
    """
    on_demand, spot_price, reserved = prices
    wall, spot, replaced = (one.after(steps) for one in (columns.run.wall, columns.run.spot, columns.run.replaced))
    with_stand_in = node_hours_usd(1, spot_price, spot) + node_hours_usd(1, on_demand, replaced)
    return NodeCost(
        on_demand=node_hours_usd(1, on_demand, wall),
        spot=np.where(np.isinf(spot_price), np.inf, with_stand_in),
        reserved=node_hours_usd(1, reserved, wall),
    )
