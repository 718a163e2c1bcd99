"""What no plan among the choices can beat, read off their modes without any search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices, PhaseModes
from planner.plans.node_cost import least_node_usd, node_cost
from planner.problem.objective import Objective
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
    return float(rounded_usd(len(choices.phases)) * choices.most_prices)


@dataclass(frozen=True)
class LeastOfPhase:
    """What no way to run a phase beats."""

    seconds: float
    cents: float

    def of(self, objective: Objective) -> float:
        """Seconds or US dollars, by what is minimised."""
        return self.seconds if objective == "time" else self.cents / 100


def least_of_phases(choices: Choices) -> tuple[LeastOfPhase, ...]:
    """Seconds and cents of each phase at least, wherever and whenever it runs."""
    return tuple(_least(choices, work.steps, choices.bought_modes(index)) for index, work in enumerate(choices.phases))


def least_with(choices: Choices, option: PurchaseOption) -> tuple[LeastOfPhase | None, ...]:
    """The same with one purchase option; None for a phase that it has no layout for."""
    found: list[LeastOfPhase | None] = []
    for index, work in enumerate(choices.phases):
        modes = [choices.modes(index, option, arrives=arrives) for arrives in (False, True)]
        some = [(option, one) for one in modes if one is not None]
        found.append(_least(choices, work.steps, some) if some else None)
    return tuple(found)


def _least(choices: Choices, steps: int, modes: Iterable[tuple[PurchaseOption, PhaseModes]]) -> LeastOfPhase:
    """Those of one phase on some layouts; the rounding of its lines taken off."""
    some = list(modes)
    usd = min(float((one.bought * node_cost(option, one, steps).least).min()) for option, one in some)
    seconds = min(float(one.wall_seconds(steps).min()) for _, one in some)
    cents = floor(100 * usd * (1 - SUM_ORDER)) - PHASE_CENTS * choices.most_prices
    return LeastOfPhase(seconds * (1 - SUM_ORDER), max(0.0, cents))
