"""Fixed-point numbers: seconds and dollars as integers that are fine enough and do not overflow.

Times and prices are rounded up and bounds down, so a plan that the integers call feasible is feasible.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Final

import numpy as np

from planner.formulation.bills import node_bill, node_bill_per_step
from planner.formulation.choices import Choices, Columns, ground_of, is_open
from planner.market.tenders import Tender

TIME_STEPS: Final = 25_000
"""Units in the shortest possible wall time of the plan: the relative rounding error of a time is at most 1/this."""
PRICE_STEPS: Final = 25_000
"""Units in the lowest price."""
COST_STEPS: Final = 1_000_000
"""Units in the lowest possible cost."""
OPEN_BLOCKS: Final = 10_000
"""Parts that the most steps of an open phase are counted in."""


@dataclass(frozen=True)
class Scale:
    """What one integer stands for."""

    seconds: float
    usd_per_node_hour: float
    cost_ratio: int
    """Units of price · time · nodes in one unit of cost."""
    block_steps: int
    """Steps in one count of an open phase."""
    blocks: int
    """Most counts of an open phase."""
    error: float
    """Bound of the relative rounding error of time and cost, and of tokens but for the last count."""

    @property
    def usd(self) -> float:
        """Dollars in one unit of cost."""
        return self.cost_ratio * self.usd_per_node_hour * self.seconds / 3600

    def time(self, seconds: float) -> int:
        """A time in units, rounded up."""
        return ceil(seconds / self.seconds)

    def time_bound(self, seconds: float) -> int:
        """A limit on time in units, rounded down."""
        return floor(seconds / self.seconds)

    def price(self, usd_per_node_hour: float) -> int:
        """A price in units, rounded up."""
        return ceil(usd_per_node_hour / self.usd_per_node_hour)

    def prices(self, tender: Tender) -> dict[str, int]:
        """What a tender sells, by way to buy, in units."""
        return {kind: self.price(price) for kind, price in _asked(tender).items()}

    def commitment(self, tender: Tender) -> int:
        """What a reserved node costs for the term that it is committed for, in units, rounded up."""
        if tender.reservation is None:
            return 0
        usd = float(tender.reservation.usd_per_node_hour) * tender.committed_seconds / 3600
        return ceil(usd / self.usd)

    def cost_bound(self, usd: float) -> int:
        """A limit on cost in units, rounded down."""
        return floor(usd / self.usd)


LARGEST_PRODUCT: Final = 2**50
"""Most that price · time · nodes may come to: far above it, CP-SAT 9.15 was seen to call plans optimal that are not."""
COARSEST: Final = 6
"""How often the units are doubled at most to stay below."""


def scale_of(choices: Choices, most_steps: int | None = None) -> Scale:
    """The finest integers whose products stay within bounds; each doubling of the units doubles the stated error.

    `most_steps`: an open phase provably has no more steps than this.
    """
    for doublings in range(COARSEST + 1):
        scale = _scale(choices, most_steps, 2**doublings)
        if _largest_product(choices, scale) <= LARGEST_PRODUCT:
            break
    return scale


def _scale(choices: Choices, most_steps: int | None, coarse: int) -> Scale:
    """Integers of the promised fineness, divided by `coarse`."""
    prices = [price for tender in choices.tenders for price in prices_of(tender)]
    price_unit = min((price for price in prices if price > 0), default=1.0) * coarse / PRICE_STEPS
    block, blocks = _blocks(choices, most_steps, OPEN_BLOCKS // coarse)
    phases = len(choices.phases)
    seconds = sum(_shortest(choices, index, _steps(choices, index, block)) for index in range(phases))
    seconds *= coarse / (TIME_STEPS * phases)
    if blocks > 1:
        seconds = block * min(float(one.run.wall.each.min()) for one in _used(choices, 0)) * coarse / OPEN_BLOCKS
    cheapest = sum(_least_cost(choices, index, _steps(choices, index, block)) for index in range(phases))
    ratio = max(1, floor(cheapest / COST_STEPS / (price_unit * seconds / 3600)))
    error = coarse * _weight_of_rounding(choices) / TIME_STEPS + coarse / PRICE_STEPS + (phases + 1) / COST_STEPS
    return Scale(seconds, price_unit, ratio, block, blocks, error if blocks == 1 else error + coarse / OPEN_BLOCKS)


def _weight_of_rounding(choices: Choices) -> float:
    """Rounding both times of a spot node up by a unit costs at most so many times its cost in a unit of wall time."""
    return max(_weight(choices, index, one) for index in range(len(choices.phases)) for one in choices.tenders)


def _weight(choices: Choices, phase: int, tender: Tender) -> float:
    """That of one phase with one tender; 1 without spot nodes."""
    columns = choices.columns[phase][ground_of(tender)]
    spot, stand_in = (float(price or 0) for price in (tender.spot_price, tender.on_demand_price))
    if not spot:
        return 1.0
    run = columns.run
    rounded = spot + np.where(run.replaced.each > 0, stand_in, 0.0)
    return float((rounded * run.wall.each / (spot * run.spot.each + stand_in * run.replaced.each)).max())


def _shortest(choices: Choices, phase: int, steps: int) -> float:
    """Least wall time of so many steps of a phase."""
    return min(float(one.wall_seconds(steps).min()) for one in _used(choices, phase))


def _largest_product(choices: Choices, scale: Scale) -> float:
    """Most that the dearest price times the nodes and the wall time of all phases can come to in time, in units."""
    deadline = choices.limits["wall_seconds"].bound if "wall_seconds" in choices.limits else inf
    dearest = max(price for tender in choices.tenders for price in prices_of(tender)) / scale.usd_per_node_hour
    total = 0.0
    for index in range(len(choices.phases)):
        count = scale.blocks if is_open(choices.problem, choices.phases[index].name) else 1
        steps = count * _steps(choices, index, scale.block_steps)
        walls = [(one.bought, np.minimum(one.wall_seconds(steps), deadline)) for one in _used(choices, index)]
        total += max(float((bought * wall).max()) for bought, wall in walls)
    reserved = any(tender.reservation for tender in choices.tenders)
    return dearest * min(total, affordable_node_seconds(choices)) / scale.seconds * (2 if reserved else 1)


def affordable_node_seconds(choices: Choices) -> float:
    """Node-seconds of wall time that the budget buys at most, in the cheapest way of all."""
    budget = choices.limits.get("cost_usd")
    if budget is None:
        return inf
    return max(
        _affordable(choices, index, tender, budget.bound)
        for index in range(len(choices.phases))
        for tender in choices.tenders
    )


def _affordable(choices: Choices, phase: int, tender: Tender, usd: float) -> float:
    """Node-seconds of one phase; what passes before the first step may cost nothing."""
    columns = choices.columns[phase][ground_of(tender)]
    rate = node_bill_per_step(tender, columns).least / columns.run.wall.each
    with np.errstate(divide="ignore"):
        return float((usd / rate + columns.bought * columns.run.wall.start).max())


def prices_of(tender: Tender) -> list[float]:
    """Every price of a tender per node and hour that is paid."""
    return list(_asked(tender).values())


def _asked(tender: Tender) -> dict[str, float]:
    """The prices of what a tender sells, by way to buy."""
    reserved = tender.reservation.usd_per_node_hour if tender.reservation else None
    asked = {"on_demand": tender.on_demand_price, "spot": tender.spot_price, "reserved": reserved}
    return {kind: float(price) for kind, price in asked.items() if price is not None}


def _used(choices: Choices, phase: int) -> list[Columns]:
    return [choices.columns[phase][ground] for ground in choices.grounds]


def _steps(choices: Choices, phase: int, block: int) -> int:
    """Steps of a phase, or of one block of it while it is open."""
    return block if is_open(choices.problem, choices.phases[phase].name) else choices.phases[phase].steps


def _least_cost(choices: Choices, phase: int, steps: int) -> float:
    """Lowest cost of a phase at the lowest price of each tender, US dollars."""
    return min(
        float((columns.bought * node_bill(tender, columns, steps).least).min())
        for tender in choices.tenders
        for columns in [choices.columns[phase][ground_of(tender)]]
    )


MOST_TOKENS: Final = 10**18
"""Most tokens that an open phase may have."""


def _blocks(choices: Choices, most_steps: int | None, parts: int) -> tuple[int, int]:
    """Steps per count and most counts of an open phase, in so many parts; one count when no phase is open."""
    phase = choices.phases[0]
    if not is_open(choices.problem, phase.name):
        return phase.steps, 1
    most = MOST_TOKENS / phase.tokens_per_step if most_steps is None else most_steps
    deadline, budget = (choices.limits.get(name) for name in ("wall_seconds", "cost_usd"))
    if deadline:
        most = min(most, deadline.bound / min(float(one.run.wall.each.min()) for one in _used(choices, 0)))
    if budget:
        per_step = min(
            float((columns.bought * node_bill_per_step(tender, columns).least).min())
            for tender in choices.tenders
            for columns in [choices.columns[0][ground_of(tender)]]
        )
        most = min(most, budget.bound / per_step if per_step > 0 else inf)
    block = max(1, ceil(most / parts))
    return block, max(1, floor(most / block))


def optimistic(choices: Choices) -> float:
    """A value that no plan among the choices can beat: dollars, seconds or tokens, without any search."""
    match choices.objective:
        case "cost":
            return sum(_least_cost(choices, index, work.steps) for index, work in enumerate(choices.phases))
        case "time":
            return sum(_shortest(choices, index, work.steps) for index, work in enumerate(choices.phases))
        case "tokens":
            block, blocks = _blocks(choices, None, OPEN_BLOCKS)
            return float((blocks + 1) * block * choices.phases[0].tokens_per_step)
