"""Fixed-point numbers: seconds and dollars as integers that are fine enough and do not overflow.

Times and prices are rounded down and limits up, so a plan that is feasible is feasible in the integers too, and costs
and takes no more there: what the integers prove holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Final

import numpy as np

from planner.layouts.wall_time import checkpoint_and_restart_seconds, interruption_rates
from planner.market.money import node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, Site
from planner.plans.lower_bounds import least_seconds, least_usd, rounded_off
from planner.plans.node_cost import least_node_usd
from planner.plans.peak_bound import prices_of
from planner.units import SECONDS_PER_DAY

TIME_STEPS: Final = 25_000
"""Units in the shortest possible wall time of the plan: the relative rounding error of a time is at most 1/this."""
PRICE_STEPS: Final = 25_000
"""Units in the lowest price."""
COST_STEPS: Final = 1_000_000
"""Units in the lowest possible cost."""
LARGEST: Final = 2**61
"""Largest value of a variable and of a limit: two of them still add up within 64 bits."""


@dataclass(frozen=True)
class FixedPoint:
    """What one integer stands for."""

    seconds: float
    usd_per_node_hour: float
    cost_ratio: int
    """Units of price · time · nodes in one unit of cost."""
    error: float
    """Bound of the relative rounding error of time and cost."""
    slack: int = 0
    """Units by which rounding may let something begin early, where offers change in time."""

    @property
    def usd(self) -> float:
        """Dollars in one unit of cost."""
        return float(node_hours_usd(self.cost_ratio, self.usd_per_node_hour, self.seconds))

    def time_bound(self, seconds: float) -> int:
        """A limit on time in units, rounded up."""
        return min(ceil(seconds / self.seconds), LARGEST)

    def price(self, usd_per_node_hour: float) -> int:
        """A price in units, rounded down."""
        return floor(usd_per_node_hour / self.usd_per_node_hour)

    def prices(self, purchase_option: PurchaseOption) -> Mapping[str, int]:
        """What a purchase option sells, by way to buy, in units."""
        return {kind: self.price(price) for kind, price in prices_of(purchase_option).items()}

    def commitment(self, purchase_option: PurchaseOption) -> int:
        """What a reserved node costs for the term that it is committed for, in units, rounded down."""
        if purchase_option.reservation is None:
            return 0
        reservation = purchase_option.reservation
        usd = node_hours_usd(1, reservation.usd_per_node_hour, reservation.committed_seconds)
        return floor(float(usd) / self.usd)

    def cost_bound(self, usd: float) -> int:
        """A limit on cost in units, rounded up."""
        return min(ceil(usd / self.usd), LARGEST)


LARGEST_PRODUCT: Final = 2**50
"""Most that price · time · nodes may come to: far above it, CP-SAT 9.15 was seen to call plans optimal that are not."""
COARSEST: Final = 6
"""How often the units are doubled at most to stay below."""


def fixed_point_of(choices: Choices) -> FixedPoint:
    """The finest integers whose products stay within bounds; each doubling of the units doubles the stated error."""
    for doublings in range(COARSEST + 1):
        scale = _scale(choices, 2**doublings)
        if _largest_product(choices, scale) <= LARGEST_PRODUCT:
            break
    return scale


def _scale(choices: Choices, coarse: int) -> FixedPoint:
    """Integers of the promised fineness, divided by `coarse`."""
    prices = [price for purchase_option in choices.purchase_options for price in prices_of(purchase_option).values()]
    price_unit = min((price for price in prices if price > 0), default=1.0) * coarse / PRICE_STEPS
    phases, slack = len(choices.phases), slack_of(choices)
    seconds = least_seconds(choices) * coarse / (TIME_STEPS * phases)
    if choices.is_dated:  # midnights are whole units
        seconds = SECONDS_PER_DAY / ceil(FINER * SECONDS_PER_DAY / seconds)
    ratio = max(1, floor(least_usd(choices) / COST_STEPS / float(node_hours_usd(1, price_unit, seconds))))
    error = coarse * _weight_of_rounding(choices) / TIME_STEPS + coarse / PRICE_STEPS + (phases + 1) / COST_STEPS
    error += coarse * slack * (1 + choices.most_prices) * _dearest_ratio(choices) / (FINER * TIME_STEPS)
    return FixedPoint(seconds, price_unit, ratio, error, slack)


FINER: Final = 8
"""How many times finer times are where offers change in time: what begins some units early pays other prices."""


def slack_of(choices: Choices) -> int:
    """Units that rounding down takes off the begin of the last phase at most; nothing where time does not matter."""
    if not choices.is_dated:
        return 0
    timelines = (one.placement.timeline for one in choices.purchase_options)
    stretches = max((len(one.stretches) for one in timelines if one), default=1)
    return len(choices.phases) * (3 + stretches) + 1


def _dearest_ratio(choices: Choices) -> float:
    """How many times its lowest price an on-demand node costs at most."""
    placements = [one.placement for one in choices.purchase_options if one.placement.on_demand]
    return max((one.highest_price / float(one.on_demand or 1) for one in placements), default=1.0)


def dearest_of(choices: Choices) -> float:
    """The highest price of any node at any time."""
    return max(max(*prices_of(one).values(), one.placement.highest_price) for one in choices.purchase_options)


def pause_units(choices: Choices, sites: Sequence[Site], nodes: Sequence[int], unit: float) -> list[int]:
    """What a pause takes on some numbers of nodes: a checkpoint is written before and read after; rounded down."""
    found = []
    for site, count in zip(sites, nodes, strict=True):
        rates = interruption_rates(site.machine[0])
        found.append(sum(map(float, checkpoint_and_restart_seconds(choices.workload, rates, np.asarray(count)))))
    return [floor(seconds / unit) for seconds in found]


def days_units(choices: Choices, unit: float) -> int:
    """Units of time that waiting for days, pausing and paying whole days can add to the best plan at most."""
    if not choices.is_dated:
        return 0
    placements = [one.placement for one in choices.purchase_options]
    changes = max(one.last_change for one in placements)
    blocks = [one.block for placement in placements for one in placement.reservations if one.block]
    days = len(choices.phases) * (1 + max((one.days[0] for one in blocks), default=0))
    return ceil((changes + days * SECONDS_PER_DAY) / unit) + slack_of(choices)


def _weight_of_rounding(choices: Choices) -> float:
    """Rounding both times of a spot node by a unit costs at most so many times its cost in a unit of wall time."""
    return max(_weight(*one) for index in range(len(choices.phases)) for one in choices.bought_modes(index))


def _weight(purchase_option: PurchaseOption, columns: PhaseModes) -> float:
    """The weight of one phase with one purchase option; 1 without spot nodes."""
    spot, stand_in = (float(price or 0) for price in (purchase_option.spot_price, purchase_option.on_demand_price))
    if not spot:
        return 1.0
    run = columns.run
    rounded = spot + np.where(run.replaced.each > 0, stand_in, 0.0)
    return float((rounded * run.wall.each / (spot * run.spot.each + stand_in * run.replaced.each)).max())


def _largest_product(choices: Choices, scale: FixedPoint) -> float:
    """Most that the dearest price times the nodes and the wall time of all phases can come to in time, in units."""
    deadline = choices.limits["wall_seconds"].bound if "wall_seconds" in choices.limits else inf
    dearest = dearest_of(choices) / scale.usd_per_node_hour
    total = 0.0
    for index, work in enumerate(choices.phases):
        walls = [(one.bought, np.minimum(one.wall_seconds(work.steps), deadline)) for one in _used(choices, index)]
        total += max(float((bought * wall).max()) for bought, wall in walls)
    reserved = any(purchase_option.reservation for purchase_option in choices.purchase_options)
    return dearest * min(total, affordable_node_seconds(choices)) / scale.seconds * (2 if reserved else 1)


def affordable_node_seconds(choices: Choices) -> float:
    """Node-seconds of wall time that the budget buys at most, in the cheapest way of all."""
    budget = budget_of(choices)
    if budget == inf:
        return inf
    return max(
        _affordable(choices.prices[numbers], columns, work.steps, budget)
        for index, work in enumerate(choices.phases)
        for numbers, columns in choices.modes_by_site(index, modelled=True)
    )


def budget_of(choices: Choices) -> float:
    """What a plan may cost before the lines of its bill are rounded to whole cents; endless without a budget."""
    limit = choices.limits.get("cost_usd")
    return inf if limit is None else limit.bound + rounded_off(choices)


def _affordable(prices: Array, columns: PhaseModes, steps: int, usd: float) -> float:
    """Node-seconds of one phase on one site."""
    rate = least_node_usd(prices, columns, steps) / columns.wall_seconds(steps)
    with np.errstate(divide="ignore"):
        return float((usd / rate).max())


def _used(choices: Choices, phase: int) -> list[PhaseModes]:
    return [modes for _, modes in choices.options_of(phase)]
