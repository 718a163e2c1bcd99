"""The columns of one phase as the integers that the model is built from, aligned with its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.cpsat.fixed_point import LARGEST, FixedPoint, affordable_node_seconds
from planner.layouts.evaluator import layout_of
from planner.performance.memory import memory
from planner.performance.symbols import Architecture, Array
from planner.plans.choices import Choices, PhaseModes, Site, site_of

DEGREES: Final = ("tensor", "pipeline", "virtual", "context", "expert", "data", "micro_batch", "recompute", "zero")
"""Degrees of a layout; `recompute` is the number of the choice."""


@dataclass(frozen=True)
class ModeColumns:
    """One phase: a list of values per figure, one for each option."""

    name: str
    sites: tuple[Site, ...]
    indices: tuple[int, ...]
    """Among the columns of the site."""
    degrees: Mapping[str, list[int]]
    devices: list[int]
    """data · tensor · pipeline · context."""
    nodes: list[int]
    bought: list[int]
    gpus: list[int]
    wall: list[int]
    """Expected wall time, units of time."""
    paid: list[int]
    """Time for which a spot node is paid."""
    saved: list[int]
    """Time for which a spot node is not bought on demand: the wall time less what stand-ins run."""
    memory: Mapping[str, list[int]]
    """What fills a device, by part; KiB, rounded down: layouts that do not fit exactly are no options."""
    grown_memory: list[int]
    """The same in all of the larger model that there must be room for."""
    time: Mapping[str, list[int]]
    """What a step is spent on, by part; microseconds."""
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
    used = [(site, choices.columns[index][site]) for site in choices.sites]
    runs = [columns.run for _, columns in used]
    wall, paid, replaced = (
        in_units((getattr(run, name).after(steps) for run in runs), scale.seconds)
        for name in ("wall", "spot", "replaced")
    )
    saved = [one - away for one, away in zip(wall, replaced, strict=True)]
    used_memory = [memory_kib(choices, index, columns, choices.workload.architecture) for _, columns in used]
    grown = used_memory
    if choices.workload.growth != 1:
        grown = [memory_kib(choices, index, columns, choices.workload.grown()) for _, columns in used]
    bought = [int(value) for _, one in used for value in one.bought]
    sites = tuple(site for site, columns in used for _ in range(len(columns)))
    return ModeColumns(
        name=choices.phases[index].name,
        sites=sites,
        indices=tuple(place for _, columns in used for place in range(len(columns))),
        degrees={name: [int(v) for _, one in used for v in getattr(one.rows, name)] for name in DEGREES},
        devices=[int(value) for _, one in used for value in one.rows.devices],
        nodes=[int(value) for _, one in used for value in one.nodes],
        bought=bought,
        gpus=[int(value) * site.machine[1] for site, one in used for value in one.bought],
        wall=wall,
        paid=paid,
        saved=saved,
        memory={part: [int(v) for one in used_memory for v in one[part]] for part in used_memory[0]},
        grown_memory=[int(value) for one in grown for value in np.sum(list(one.values()), axis=0)],
        time={part: [int(v * 1e6) for _, one in used for v in one.time[part]] for part in used[0][1].time},
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
        count * min(_lowest(one, wall, paid, saved) for one in prices[site])
        for site, count, wall, paid, saved in zip(sites, bought, *times, strict=True)
    ]


def _lowest(prices: Mapping[str, int], wall: int, paid: int, saved: int) -> int:
    """What a node costs in the cheapest way that a purchase option sells."""
    ways = {"on_demand": wall, "reserved": wall}
    found = [prices[kind] * time for kind, time in ways.items() if kind in prices]
    if "spot" in prices:
        found.append(prices["spot"] * paid + prices.get("on_demand", 0) * (wall - saved))
    return min(found)


EXPECTED_PARTS: Final = ("weights", "gradients", "optimizer", "activations", "other", "reserve")
"""What a device's memory is expected to be filled with; a margin for the asked probability comes on top."""


def memory_kib(choices: Choices, index: int, columns: PhaseModes, architecture: Architecture) -> dict[str, Array]:
    """What fills a device by part, KiB rounded down, of each layout of a phase."""
    workload = choices.workload
    job = workload.job(choices.phases[index])
    layout = layout_of(workload, choices.spaces[index].degrees.recompute, columns.rows)
    used = memory(architecture, workload.software, job, layout, workload.constants)
    size = len(columns)
    parts = {part: getattr(used, part) for part in EXPECTED_PARTS} | {"margin": used.margin(workload.memory_deviations)}
    return {part: np.floor(np.broadcast_to(one, size) / 1024) for part, one in parts.items()}
