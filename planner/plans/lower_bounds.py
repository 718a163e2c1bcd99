"""What no plan among the choices can beat, read off their modes without any search."""

from __future__ import annotations

from typing import Final

from planner.plans.choices import Choices
from planner.plans.node_cost import node_cost


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
            float((columns.bought * node_cost(purchase_option, columns, work.steps).least).min())
            for purchase_option, columns in choices.bought_modes(index)
        )
        for index, work in enumerate(choices.phases)
    )


ROUNDED_USD: Final = 0.02
"""Dollars that rounding the lines of a phase to whole cents takes off the bill at most."""


def rounded_usd(choices: Choices) -> float:
    """Dollars that rounding takes off the whole bill at most, the reservation's line included."""
    return ROUNDED_USD * (len(choices.phases) + 1)
