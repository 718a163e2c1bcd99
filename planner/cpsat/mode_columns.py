"""The columns of one phase as the integers that the model is built from, aligned with its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.cpsat.fixed_point import LARGEST, FixedPoint, affordable_node_seconds
from planner.performance.symbols import Array
from planner.plans.choices import Choices, Site, site_of


@dataclass(frozen=True)
class ModeColumns:
    """One phase: a list of values per figure, one for each option."""

    name: str
    sites: tuple[Site, ...]
    indices: tuple[int, ...]
    """Among the columns of the site."""
    nodes: list[int]
    bought: list[int]
    gpus: list[int]
    wall: list[int]
    """Expected wall time, units of time."""
    paid: list[int]
    """Time for which a spot node is paid."""
    saved: list[int]
    """Time for which a spot node is not bought on demand: the wall time less what its replacements run."""
    horizon: int
    """Longest wall time that the deadline leaves, units of time."""
    affordable: int
    """Node time that the budget buys in the cheapest way."""
    lowest_bill: list[int]
    """Least that the nodes cost, units of price · time."""

    def most_wall(self) -> int:
        """Longest wall time that any option may take."""
        return max(self._walls())

    def most_node_time(self) -> int:
        """Largest product of nodes bought and wall time that any option may reach."""
        longest = max(bought * wall for bought, wall in zip(self.bought, self._walls(), strict=True))
        return min(longest, self.affordable)

    def _walls(self) -> list[int]:
        """Longest wall time of each option; beyond the horizon none is chosen."""
        return [min(wall, self.horizon) for wall in self.wall]


def mode_columns_of(choices: Choices, scale: FixedPoint, index: int) -> ModeColumns:
    """The integers of one phase."""
    steps = choices.phases[index].steps
    deadline = choices.limits.get("wall_seconds")
    used = [(site, choices.columns[index][site]) for site in choices.sites_of(index)]
    runs = [columns.run for _, columns in used]
    wall, paid, replaced = (
        in_units((getattr(run, name).after(steps) for run in runs), scale.seconds)
        for name in ("wall", "spot", "replaced")
    )
    saved = [one - away for one, away in zip(wall, replaced, strict=True)]
    bought = [int(value) for _, one in used for value in one.bought]
    sites = tuple(site for site, columns in used for _ in range(len(columns)))
    return ModeColumns(
        name=choices.phases[index].name,
        sites=sites,
        indices=tuple(place for _, columns in used for place in range(len(columns))),
        nodes=[int(value) for _, one in used for value in one.nodes],
        bought=bought,
        gpus=[int(value) * site.machine[1] for site, one in used for value in one.bought],
        wall=wall,
        paid=paid,
        saved=saved,
        horizon=scale.time_bound(deadline.bound) if deadline else LARGEST,
        affordable=int(min(affordable_node_seconds(choices) / scale.seconds, LARGEST)),
        lowest_bill=_lowest_bills(choices, scale, sites, bought, (wall, paid, saved)),
    )


def in_units(figures: Iterable[Array], unit: float) -> list[int]:
    """A figure of all options in units, rounded down."""
    return [int(value) for values in figures for value in np.floor(values / unit)]


def _lowest_bills(
    choices: Choices, scale: FixedPoint, sites: Sequence[Site], bought: list[int], times: tuple[list[int], ...]
) -> list[int]:
    """Least that the nodes of each option cost with any purchase option on its site, in units."""
    prices: dict[Site, list[Mapping[str, int]]] = {site: [] for site in choices.sites}
    for purchase_option in choices.purchase_options:
        prices[site_of(purchase_option)].append(scale.prices(purchase_option))
    return [
        count * min(_lowest(one, wall, paid, saved) for one in prices[replace(site, arrives=False)])
        for site, count, wall, paid, saved in zip(sites, bought, *times, strict=True)
    ]


def _lowest(prices: Mapping[str, int], wall: int, paid: int, saved: int) -> int:
    """What a node costs in the cheapest way that a purchase option sells."""
    ways = {"on_demand": wall, "reserved": wall}
    found = [prices[kind] * time for kind, time in ways.items() if kind in prices]
    if "spot" in prices:
        found.append(prices["spot"] * paid + prices.get("on_demand", 0) * (wall - saved))
    return min(found)
