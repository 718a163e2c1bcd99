"""What no plan among the choices can beat, read off their modes without any search."""

from __future__ import annotations

from planner.plans.choices import Choices
from planner.plans.node_cost import least_node_usd
from planner.tolerances import rounded_usd


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
    return float(rounded_usd(len(choices.phases)))
