"""What nodes cost under each way to buy them. Prices are US dollars per node-hour."""

from __future__ import annotations

import numpy as np

from planner.performance.symbols import Array
from planner.units import SECONDS_PER_HOUR


def purchase_usd(on_demand_seconds: Array, on_demand: Array, spot_seconds: Array, spot: Array) -> Array:
    """Cost of node-seconds on demand and as spot, at prices per node-hour."""
    return (on_demand_seconds * on_demand + spot_seconds * spot) / SECONDS_PER_HOUR


def node_hours_usd(nodes: Array, usd_per_node_hour: Array, seconds: Array) -> Array:
    """Cost of nodes for a time: nodes · price · hours."""
    return nodes * usd_per_node_hour * seconds / SECONDS_PER_HOUR


def line_cents(nodes: Array, usd_per_node_hour: Array, seconds: Array) -> Array:
    """One line of a bill in whole cents, halves to even; no nodes cost nothing, however long."""
    with np.errstate(invalid="ignore"):
        return np.where(nodes > 0, np.rint(100 * node_hours_usd(nodes, usd_per_node_hour, seconds)), 0.0)


def reservation_usd(nodes: Array, usd_per_node_hour: Array, seconds: Array, committed_seconds: Array) -> Array:
    """Cost of reserved nodes: they are paid from start to end, used or not, and at least for the committed term."""
    return node_hours_usd(nodes, usd_per_node_hour, np.maximum(seconds, committed_seconds))
