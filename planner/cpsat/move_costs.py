"""What moving takes, in the integers of the model; rounded down, so that the model never takes more than a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

from planner.cpsat.fixed_point import FixedPoint
from planner.layouts.wall_time import interruption_rates
from planner.plans.choices import Choices
from planner.plans.moves import BYTES_PER_GB, carried_bytes, usd_per_gb
from planner.tolerances import CENT


@dataclass(frozen=True)
class MoveCosts:
    """Before one phase, in units of time and cost."""

    restart: int
    """Time in any other placement."""
    transfer: int
    """Time from one location to another."""
    egress: Mapping[tuple[str, str], int]
    """Cost by the location that is left."""


def move_costs(choices: Choices, scale: FixedPoint, phase: int) -> MoveCosts:
    """Those before a phase; rounding to whole cents may make a move half a cent cheaper."""
    placements = [one.placement for one in choices.purchase_options]
    restart = min(interruption_rates(one.machine.accelerator.name).restart_seconds for one in placements)
    size = carried_bytes(choices.workload, phase)
    usd = {one.location: size / BYTES_PER_GB * float(usd_per_gb(choices.problem, one)) for one in placements}
    return MoveCosts(
        restart=floor(restart / scale.seconds),
        transfer=floor(size / choices.problem.market.moving.bandwidth / scale.seconds),
        egress={location: max(floor((one - float(CENT) / 2) / scale.usd), 0) for location, one in usd.items()},
    )


@dataclass(frozen=True)
class MostMoves:
    """What all moves together take at most, in units."""

    wall: int
    cost: int


def most_moves(choices: Choices, scale: FixedPoint) -> MostMoves:
    """Nothing where the job stays together."""
    if choices.together:
        return MostMoves(0, 0)
    each = [move_costs(choices, scale, phase) for phase in range(1, len(choices.phases))]
    return MostMoves(sum(one.restart + one.transfer for one in each), sum(max(one.egress.values()) for one in each))
