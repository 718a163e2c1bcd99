"""What a job costs at least, on any layout, any number of devices and in any time."""

from __future__ import annotations

from math import inf

from planner.explore.least import steps_of
from planner.layouts.evaluator import Evaluator, evaluator
from planner.layouts.layout_space import LayoutSpace
from planner.layouts.workload import PhaseWork
from planner.market.money import node_hours_usd
from planner.market.placements import Machine
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices
from planner.plans.peak_bound import prices_of


def least_usd(choices: Choices) -> float:
    """No plan is cheaper, whatever deadline, number of devices and memory: fewest device-hours at the lowest price.

    Of each purchase option, the passes of all micro-batches alone; failures, exchanges and spares only add to them.
    """
    seconds = {key: _least_node_seconds(choices, machine) for key, machine in choices.machines.items()}
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


def _least_node_seconds(choices: Choices, machine: Machine) -> float:
    """Fewest seconds of nodes that all phases take together on a machine."""
    device_seconds = sum(
        steps_of(choices, index) * _evaluator(choices, machine, phase, space).least_device_seconds()
        for index, (phase, space) in enumerate(zip(choices.phases, choices.spaces, strict=True))
    )
    return device_seconds / machine.per_node


def _evaluator(choices: Choices, machine: Machine, phase: PhaseWork, space: LayoutSpace) -> Evaluator:
    return evaluator(choices.workload, phase, machine, space.degrees.recompute, space.grid)
