"""What no plan among the choices can beat, read off their modes without any search."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from planner.plans.choices import Choices
from planner.plans.node_cost import least_node_usd, node_cost
from planner.tolerances import PHASE_CENTS, SUM_ORDER, rounded_usd


def least_seconds(choices: Choices) -> float:
    """A wall time that no plan among the choices can beat, without any search."""
    return sum(
        min(
            float(one.wall_seconds(work.steps).min())
            for one in (choices.columns[index][site] for site in choices.sites_of(index))
        )
        for index, work in enumerate(choices.phases)
    )


def least_usd(choices: Choices) -> float:
    """A cost in US dollars that no plan among the choices can beat, without any search."""
    return sum(
        min(
            float((columns.bought * least_node_usd(choices.prices[numbers], columns, work.steps)).min())
            for numbers, columns in choices.modes_by_site(index)
        )
        for index, work in enumerate(choices.phases)
    )


def rounded_off(choices: Choices) -> float:
    """US dollars that rounding to cents takes off the whole bill at most."""
    return float(rounded_usd(len(choices.phases)) * most_prices(choices))


def most_prices(choices: Choices) -> int:
    """Most prices that an offer has in turn: as many lines of a bill each way to buy may take."""
    timelines = (one.placement.timeline for one in choices.purchase_options)
    return max((len(one.stretches) for one in timelines if one), default=1)


@dataclass(frozen=True)
class LeastOfPhase:
    """What no way to run a phase beats."""

    seconds: float
    cents: float


def least_of_phases(choices: Choices) -> tuple[LeastOfPhase, ...]:
    """Seconds and cents of each phase at least, wherever and whenever it runs."""
    return tuple(_least(choices, index, work.steps) for index, work in enumerate(choices.phases))


def _least(choices: Choices, index: int, steps: int) -> LeastOfPhase:
    """Those of one phase; the rounding of its lines taken off."""
    some = list(choices.bought_modes(index))
    usd = min(float((one.bought * node_cost(option, one, steps).least).min()) for option, one in some)
    seconds = min(float(one.wall_seconds(steps).min()) for _, one in some)
    return LeastOfPhase(
        seconds * (1 - SUM_ORDER), max(0.0, floor(100 * usd * (1 - SUM_ORDER)) - PHASE_CENTS * most_prices(choices))
    )
