"""What a job takes at least on a machine, before any layout is evaluated: its operations at the peak rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from planner.layouts.degrees import searched_devices
from planner.layouts.workload import PhaseWork, Workload
from planner.market.money import node_hours_usd
from planner.market.placements import Machine
from planner.market.purchase_options import PurchaseOption
from planner.performance import flops
from planner.problem.problem import Problem


@dataclass(frozen=True)
class PeakBound:
    """Lower bounds of wall time and cost: no layout computes faster than the peak of its devices."""

    seconds: float
    usd: float


def peak_bound(
    problem: Problem, workload: Workload, purchase_options: Sequence[PurchaseOption], steps: Sequence[int]
) -> PeakBound:
    """So many steps of each phase on all nodes that can be had, at the lowest price; the options share one machine."""
    machine = purchase_options[0].placement.machine
    of_phases = zip(steps, workload.phases, strict=True)
    device_seconds = sum(count * _device_seconds(workload, phase, machine) for count, phase in of_phases)
    most = min(
        max(one.placement.nodes for one in purchase_options) * machine.per_node, searched_devices(problem.limits.gpus)
    )
    lowest = min(price for one in purchase_options for price in prices_of(one).values())
    seconds = device_seconds / most if most else inf
    return PeakBound(seconds, float(node_hours_usd(1, lowest, device_seconds / machine.per_node)))


def _device_seconds(workload: Workload, phase: PhaseWork, machine: Machine) -> float:
    """Device-seconds of a step at least: the model's FLOPs over the peak rate."""
    counted = flops.causal_attention if workload.trains_base else flops.lora_causal_attention
    of_step = float(counted(workload.architecture, workload.job(phase).sequence)) * phase.tokens_per_step
    return of_step / float(workload.device(machine).peak_flops_s)


def prices_of(purchase_option: PurchaseOption) -> dict[str, float]:
    """US dollars per node and hour of what a purchase option sells, by way to buy."""
    reserved = purchase_option.reservation.usd_per_node_hour if purchase_option.reservation else None
    asked = {"on_demand": purchase_option.on_demand_price, "spot": purchase_option.spot_price, "reserved": reserved}
    return {kind: float(price) for kind, price in asked.items() if price is not None}
