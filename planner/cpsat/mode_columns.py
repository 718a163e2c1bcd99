"""The columns of one phase as the integers that the model is built from, aligned with its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.cpsat.fixed_point import LARGEST, FixedPoint, affordable_node_seconds
from planner.cpsat.memory_columns import MemoryColumns, in_parts, memory_columns_of
from planner.layouts.tables import TIME
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, Site, site_of
from planner.problem.parallelism import DEGREES


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
    degrees: Mapping[str, list[int]]
    """Degrees that are pinned and that some option has with another value."""
    memory: MemoryColumns
    step: Mapping[str, list[int]]
    """What a step is spent on, by part: see `STEP_PARTS`. In units of time over the steps of the phase, so that all
    steps together take as many units of time."""
    interruptions: list[int]
    """What start-up, checkpoints, failures, preemptions and waiting add to the steps; units of time."""
    wall: list[int]
    """Expected wall time, units of time: steps and interruptions."""
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
    used = choices.options_of(index)
    runs = [columns.run for _, columns in used]
    wall, paid, replaced = (
        in_units((getattr(run, name).after(steps) for run in runs), scale.seconds)
        for name in ("wall", "spot", "replaced")
    )
    saved = [one - away for one, away in zip(wall, replaced, strict=True)]
    step = in_parts(*_step_parts(used, steps / scale.seconds, np.asarray(wall)))
    computing = map(sum, zip(*step.values(), strict=True))
    bought = [int(value) for _, one in used for value in one.bought]
    sites = tuple(site for site, columns in used for _ in range(len(columns)))
    return ModeColumns(
        name=choices.phases[index].name,
        sites=sites,
        indices=tuple(place for _, columns in used for place in range(len(columns))),
        nodes=[int(value) for _, one in used for value in one.nodes],
        bought=bought,
        gpus=[int(value) * site.machine[1] for site, one in used for value in one.bought],
        degrees=_pinned_degrees(choices, used),
        memory=memory_columns_of(choices, index, _on_devices(choices, used)),
        step=step,
        interruptions=[whole - part for whole, part in zip(wall, computing, strict=True)],
        wall=wall,
        paid=paid,
        saved=saved,
        horizon=scale.time_bound(deadline.bound) if deadline else LARGEST,
        affordable=int(min(affordable_node_seconds(choices) / scale.seconds, LARGEST)),
        lowest_bill=_lowest_bills(choices, scale, sites, bought, (wall, paid, saved)),
    )


STEP_PARTS: Final = MappingProxyType(
    {
        "compute": ("compute", "recompute"),
        "communication": ("tensor", "context", "expert", "pipeline_send", "data"),
        "bubble": ("pipeline_bubble",),
        "other": ("optimizer", "offload", "overhead"),
    }
)
"""What a step is spent on, in the parts that the model adds up; communication is what computing does not hide."""
Ints = npt.NDArray[np.int64]
Options = Sequence[tuple[Site, PhaseModes]]
"""Layouts by their site."""


def _step_parts(used: Options, units_per_second: float, wall: Ints) -> tuple[dict[str, Array], Ints]:
    """What the steps of a phase are spent on, by part, in units of time, and all of it, in whole units within the wall.

    Parts that take nothing are left out.
    """
    of_modes = {name: np.concatenate([modes.time[name] for _, modes in used]) * units_per_second for name in TIME}
    total = np.concatenate([modes.step_seconds for _, modes in used]) * units_per_second
    parts = {name: np.sum([of_modes[one] for one in some], axis=0) for name, some in STEP_PARTS.items()}
    return {name: values for name, values in parts.items() if values.any()}, np.minimum(np.floor(total), wall).astype(
        np.int64
    )


def _pinned_degrees(choices: Choices, used: Options) -> dict[str, list[int]]:
    """Degrees of the options that a pin bounds, where an option breaks it."""
    pins = {name: getattr(choices.workload.pins, name) for name in DEGREES}
    values = {name: [int(one) for _, modes in used for one in modes.rows.degrees[name]] for name in pins if pins[name]}
    return {name: column for name, column in values.items() if not all(map(pins[name].allows, column))}


def _on_devices(choices: Choices, used: Options) -> list[tuple[Array, PhaseModes]]:
    """Layouts with the memory of the devices of their site."""
    return [(np.full(len(modes), choices.machines[site.machine].memory_bytes), modes) for site, modes in used]


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
