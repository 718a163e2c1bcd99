"""What a job costs at least, on any layout, any number of devices and in any time."""

from __future__ import annotations

from math import inf

import numpy as np

from planner.explore.least import steps_of
from planner.layouts.evaluator import least_device_seconds
from planner.market.money import node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices, MachineKey
from planner.plans.peak_bound import prices_of


def least_usd(choices: Choices) -> float:
    """No plan is cheaper, whatever deadline, number of devices and memory: fewest device-hours at the lowest price.

    Of each purchase option, the passes of all micro-batches alone; failures, exchanges and spares only add to them.
    """
    seconds = _least_node_seconds(choices)
    return min(
        (
            _least_of(purchase_option, seconds[purchase_option.placement.machine.key])
            for purchase_option in _sold(choices)
        ),
        default=inf,
    )


def _sold(choices: Choices) -> list[PurchaseOption]:
    """The purchase options on machines that can be best."""
    return [one for one in choices.offered if one.placement.machine.key in choices.machines]


def _least_of(purchase_option: PurchaseOption, node_seconds: float) -> float:
    return float(node_hours_usd(1, min(prices_of(purchase_option).values()), node_seconds))


def _least_node_seconds(choices: Choices) -> dict[MachineKey, float]:
    """Fewest seconds of nodes that all phases take together on each machine."""
    machines, workload = list(choices.machines.values()), choices.workload
    of_phases = [
        steps_of(choices, index)
        * np.asarray(least_device_seconds(workload, phase, machines, space.degrees.recompute, space.grid))
        for index, (phase, space) in enumerate(zip(choices.phases, choices.spaces, strict=True))
    ]
    totals = np.sum(of_phases, axis=0).tolist()
    return {one.key: seconds / one.per_node for one, seconds in zip(machines, totals, strict=True)}
