"""What it takes when a phase begins in another place than the one before."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from planner.catalog.egress import egress_of
from planner.layouts.wall_time import interruption_rates
from planner.layouts.workload import Workload
from planner.market.placements import Placement
from planner.market.places import OWN
from planner.problem.problem import Problem

BYTES_PER_TOKEN: Final = 4
"""Of tokenised data: 32-bit token ids, as training stacks store vocabularies of more than 65,536 tokens."""
BYTES_PER_GB: Final = 10**9


@dataclass(frozen=True)
class Move:
    """From one place to another, before a phase; no node is paid meanwhile."""

    seconds: float
    """Until the phase can start up there."""
    bytes: float
    """Carried between places: the checkpoint, and the data of all phases to come."""
    cents: int
    """For what leaves the old place, in whole cents, halves to even."""
    usd_per_gb: Decimal = Decimal(0)


STAY: Final = Move(0.0, 0.0, 0)


def move_between(problem: Problem, workload: Workload, phase: int, origin: Placement, target: Placement) -> Move:
    """The move before a phase. In one placement there is none; in one location a restart, elsewhere a transfer too."""
    if origin.key == target.key and origin.machine.key == target.machine.key:
        return STAY
    restart = interruption_rates(target.machine.accelerator.name).restart_seconds
    if origin.location == target.location:
        return Move(restart, 0.0, 0)
    size = carried_bytes(workload, phase)
    price = usd_per_gb(problem, origin)
    cents = round(100 * Decimal(repr(size)) / BYTES_PER_GB * price)
    return Move(restart + size / problem.market.moving.bandwidth, size, cents, price)


def carried_bytes(workload: Workload, phase: int) -> float:
    """Bytes of the checkpoint and of the data of a phase and all after it."""
    tokens = sum(work.tokens for work in workload.phases[phase:])
    return float(workload.checkpoint_bytes) + BYTES_PER_TOKEN * tokens


def usd_per_gb(problem: Problem, origin: Placement) -> Decimal:
    """What is asked for data that leave a place; of an own offer nothing, unless the problem states it."""
    stated = problem.market.moving.egress
    if stated is not None:
        return stated
    return Decimal(0) if origin.cloud == OWN else Decimal(repr(egress_of(origin.cloud).usd_per_gb))
