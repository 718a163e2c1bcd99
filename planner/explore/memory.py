"""Whether memory is what rules out every plan, and by how much."""

from __future__ import annotations

from math import inf

from planner.layouts.fastest import held_on, leanest_bytes
from planner.layouts.layout_space import LayoutSpace
from planner.market.placements import Machine
from planner.plans.choices import Choices
from planner.units import GIB

MOST_DEVICES = 256
"""Devices up to which the leanest of all layouts is looked for."""


def holds_any(choices: Choices, machine: Machine, space: LayoutSpace) -> bool:
    """Whether any layout of a phase fits on the nodes of a machine that can be had."""
    most = choices.most_nodes(machine)
    return len(held_on(machine, space.outline.leanest, most)) > 0


def is_out_of_memory(choices: Choices) -> bool:
    """Whether some phase fits no machine, whatever the other limits."""
    machines = choices.machines.values()
    return any(
        not any(map(len, columns.values())) and not any(holds_any(choices, one, space) for one in machines)
        for space, columns in zip(choices.spaces, choices.columns, strict=True)
    )


def why_not_held(choices: Choices, machines: list[Machine], index: int) -> str:
    """A sentence that a phase fits no machine, and by how much the closest layout misses."""
    space, phase = choices.spaces[index], choices.phases[index].name
    least = space.outline.tightest_bytes
    if least == inf:
        return f"{phase}: no layout is valid under the pins"
    largest = max(machines, key=lambda machine: machine.memory_bytes)
    if least > largest.memory_bytes:
        return f"{phase}: needs {_needs_and_has(least, largest)}"
    devices = choices.most_nodes(largest) * largest.per_node
    least = leanest_bytes(largest, space, devices) if devices <= MOST_DEVICES else inf
    if largest.memory_bytes < least < inf:
        return f"{phase}: on the {devices} that can be had needs {_needs_and_has(least, largest)}"
    return f"{phase}: no layout fits in memory on the nodes that can be had"


def _needs_and_has(needed_bytes: float, machine: Machine) -> str:
    """The memory of a device that is needed and that there is, with so many digits that they differ."""
    needs, has = needed_bytes / GIB, machine.memory_bytes / GIB
    digits = 0 if round(needs) > round(has) else 1
    return f"{needs:,.{digits}f} GiB a device, it has {has:.{digits}f}"
