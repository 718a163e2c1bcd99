"""What nodes cost: the one place where a price becomes a bill.

Prices are exact `Decimal` US dollars per node-hour from the file to here; amounts that the search compares are floats,
and every line of a bill is whole cents, rounded here in the same way for a search and for its answer.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from planner.availability.spot_cycles import Rates
from planner.performance.symbols import Array
from planner.units import SECONDS_PER_HOUR, round_usd

Nodes = Array | npt.NDArray[np.int64] | float
"""Numbers of nodes."""
Price = Array | Decimal | float | None
"""US dollars per node-hour; None where nodes are not sold, which costs infinitely much."""


def node_hours_usd(nodes: Nodes, usd_per_node_hour: Price, seconds: Array | float) -> Array:
    """US dollars for nodes that are paid for a time: nodes · price · hours; no nodes or no time cost nothing."""
    price = np.inf if usd_per_node_hour is None else np.asarray(usd_per_node_hour, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        usd = nodes * price * seconds / SECONDS_PER_HOUR
        return np.where((np.asarray(nodes) > 0) & (np.asarray(seconds) > 0), usd, 0.0)


def usd_per_second(nodes: Nodes, usd_per_node_hour: Price) -> Array:
    """US dollars for a second of so many nodes."""
    return node_hours_usd(nodes, usd_per_node_hour, 1.0)


def rates_per_second(spot_nodes: int, on_demand_nodes: int, spot: Price, on_demand: Price) -> Rates:
    """US dollars per second of a phase's nodes, without those reserved.

    While spot nodes are away on-demand nodes replace them, where those are sold.
    """
    stand_in = 0.0 if on_demand is None else on_demand
    return Rates(
        spot=usd_per_second(spot_nodes, spot),
        on_demand=usd_per_second(spot_nodes, stand_in),
        fixed=usd_per_second(on_demand_nodes, on_demand),
    )


def line_cents(nodes: Nodes, usd_per_node_hour: Price, seconds: Array | float) -> Array:
    """One line of a bill in whole cents, halves to even."""
    return np.rint(100 * node_hours_usd(nodes, usd_per_node_hour, seconds))


def line_usd(nodes: int, usd_per_node_hour: Decimal, seconds: float) -> Decimal:
    """The same line of a bill as an exact amount."""
    return round_usd(Decimal(int(line_cents(nodes, usd_per_node_hour, seconds))) / 100)


def gpu_hours_usd(gpu_hours: float | Decimal, usd_per_gpu_hour: Decimal) -> Decimal:
    """US dollars for device-hours whose nodes are not known, in whole cents."""
    return round_usd(Decimal(gpu_hours) * usd_per_gpu_hour)
