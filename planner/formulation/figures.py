"""The columns of one phase as the integers that the model is built from, aligned with its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from planner.equations.memory import memory
from planner.equations.risk import Growth
from planner.equations.symbols import Architecture, Array
from planner.formulation.choices import Choices, Columns, Ground, ground_of, is_open
from planner.formulation.scale import Scale, affordable_node_seconds
from planner.layouts.evaluator import layout_of

DEGREES: Final = ("tensor", "pipeline", "virtual", "context", "expert", "data", "micro_batch", "recompute", "zero")
"""Degrees of a layout; `recompute` is the number of the choice."""


LARGEST: Final = 2**61
"""Largest value of a variable: two of them still add up within 64 bits."""


@dataclass(frozen=True)
class Counted:
    """A figure of each option as start + count · block."""

    start: list[int]
    """0 unless the phase is open."""
    block: list[int]
    """Of a block of steps: of the whole phase unless it is open."""

    def most(self, counts: int) -> list[int]:
        """Its largest value on each option."""
        return [start + counts * block for start, block in zip(self.start, self.block, strict=True)]

    def times(self, factors: Sequence[int]) -> Counted:
        """The figure times a number that each option has."""
        return Counted(*([f * v for f, v in zip(factors, values, strict=True)] for values in (self.start, self.block)))

    def capped(self, most: int) -> Counted:
        """The figure, but no more than what no plan may reach anyway."""
        return Counted(*([min(value, most) for value in values] for values in (self.start, self.block)))

    def less(self, other: Counted) -> Counted:
        """The difference of two figures."""
        pairs = (self.start, other.start), (self.block, other.block)
        return Counted(*([one - two for one, two in zip(*pair, strict=True)] for pair in pairs))


@dataclass(frozen=True)
class Figures:
    """One phase: a list of values per figure, one for each option."""

    name: str
    is_open: bool
    """Whether its tokens are what is maximised."""
    counts: int
    """Most blocks of steps: 1 unless the phase is open."""
    grounds: tuple[Ground, ...]
    indices: tuple[int, ...]
    """Among the columns of the ground."""
    degrees: Mapping[str, list[int]]
    devices: list[int]
    """data · tensor · pipeline · context."""
    nodes: list[int]
    bought: list[int]
    gpus: list[int]
    wall: Counted
    """Expected wall time, units of time."""
    paid: Counted
    """Time for which a spot node is paid."""
    saved: Counted
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
    """Least that the nodes cost for a block, units of price · time."""

    def most_wall(self) -> int:
        """Longest wall time that any option may take."""
        return max(self._walls())

    def most_node_time(self) -> int:
        """Largest product of nodes bought and wall time that any option may reach."""
        longest = max(bought * wall for bought, wall in zip(self.bought, self._walls(), strict=True))
        return min(longest, self.affordable)

    def _walls(self) -> list[int]:
        """Longest wall time of each option; beyond the horizon none is chosen."""
        return [min(wall, self.horizon) for wall in self.wall.most(self.counts)]


def figures_of(choices: Choices, scale: Scale, index: int) -> Figures:
    """The integers of one phase."""
    work = choices.phases[index]
    deadline = choices.limits.get("wall_seconds")
    used = [(ground, choices.columns[index][ground]) for ground in choices.grounds]
    steps = scale.block_steps if is_open(choices.problem, work.name) else work.steps
    opened = is_open(choices.problem, work.name)

    runs = [columns.run for _, columns in used]
    counted = partial(figure_of, steps=steps, unit=scale.seconds, is_open=opened)
    wall, paid = counted(run.wall for run in runs), counted(run.spot for run in runs)
    saved = wall.less(counted(run.replaced for run in runs))
    used_memory = [memory_kib(choices, index, columns, choices.workload.architecture) for _, columns in used]
    grown = [memory_kib(choices, index, columns, choices.workload.grown()) for _, columns in used]
    bought = [int(value) for _, one in used for value in one.bought]
    grounds = tuple(ground for ground, columns in used for _ in range(len(columns)))
    return Figures(
        name=work.name,
        is_open=opened,
        counts=scale.blocks if opened else 1,
        grounds=grounds,
        indices=tuple(place for _, columns in used for place in range(len(columns))),
        degrees={name: [int(v) for _, one in used for v in getattr(one.rows, name)] for name in DEGREES},
        devices=[int(value) for _, one in used for value in one.rows.devices],
        nodes=[int(value) for _, one in used for value in one.nodes],
        bought=bought,
        gpus=[int(value) * ground.machine[1] for ground, one in used for value in one.bought],
        wall=wall,
        paid=paid,
        saved=saved,
        memory={part: [int(v) for one in used_memory for v in one[part]] for part in used_memory[0]},
        grown_memory=[int(value) for one in grown for value in np.sum(list(one.values()), axis=0)],
        time={part: [int(v * 1e6) for _, one in used for v in one.time[part]] for part in used[0][1].time},
        horizon=scale.time_bound(deadline.bound) if deadline else LARGEST,
        affordable=int(min(affordable_node_seconds(choices) / scale.seconds, LARGEST)),
        lowest_bill=_lowest_bills(choices, scale, grounds, bought, (wall.block, paid.block, saved.block)),
    )


def figure_of(growths: Iterable[Growth], *, steps: int, unit: float, is_open: bool) -> Counted:
    """A figure of all options in units, rounded up: before the first block and of a block, or of the whole phase."""
    start, block = list[int](), list[int]()
    for one in growths:
        parts = (one.start, steps * one.each) if is_open else (0 * one.start, one.after(steps))
        for values, found in zip((start, block), parts, strict=True):
            values.extend(int(value) for value in np.ceil(found / unit))
    return Counted(start, block)


def _lowest_bills(
    choices: Choices, scale: Scale, grounds: Sequence[Ground], bought: list[int], times: tuple[list[int], ...]
) -> list[int]:
    """Least that the nodes of each option cost for a block with any tender on its ground, in units."""
    tenders = {ground: [one for one in choices.tenders if ground_of(one) == ground] for ground in choices.grounds}
    prices = {ground: [scale.prices(one) for one in some] for ground, some in tenders.items()}
    return [
        count * min(_lowest(one, wall, paid, saved) for one in prices[ground])
        for ground, count, wall, paid, saved in zip(grounds, bought, *times, strict=True)
    ]


def _lowest(prices: Mapping[str, int], wall: int, paid: int, saved: int) -> int:
    """What a node costs in the cheapest way that a tender sells."""
    ways = {"on_demand": wall, "reserved": wall}
    found = [prices[kind] * time for kind, time in ways.items() if kind in prices]
    if "spot" in prices:
        found.append(prices["spot"] * paid + prices.get("on_demand", 0) * (wall - saved))
    return min(found)


EXPECTED_PARTS: Final = ("weights", "gradients", "optimizer", "activations", "other", "reserve")
"""What a device's memory is expected to be filled with; a margin for the asked probability comes on top."""


def memory_kib(choices: Choices, index: int, columns: Columns, architecture: Architecture) -> dict[str, Array]:
    """What fills a device by part, KiB rounded down, of each layout of a phase."""
    workload = choices.workload
    job = workload.job(choices.phases[index])
    layout = layout_of(workload, choices.spaces[index].degrees.recompute, columns.rows)
    used = memory(architecture, workload.software, job, layout, workload.constants)
    size = len(columns)
    parts = {part: getattr(used, part) for part in EXPECTED_PARTS} | {"margin": used.margin(workload.memory_deviations)}
    return {part: np.floor(np.broadcast_to(one, size) / 1024) for part, one in parts.items()}
