"""Plans on more nodes than a cloud sells without a contract, and what would have to be granted for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from planner.explore.job_modes import Bounds
from planner.explore.relaxations import best_plan
from planner.explore.room import Room
from planner.market.capacity import Basis, Capacities
from planner.market.places import OWN
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.problem.quantities import ANY_CLOUD, UNLIMITED


@dataclass(frozen=True)
class Grant:
    """Nodes that a cloud would have to grant before a plan can be had."""

    cloud: str
    place: str
    """The region or zone."""
    nodes: int
    kind: str
    """The way to buy of which it is too many: `on-demand`, or `spot`."""
    sold: int
    """Nodes that can be had without a contract."""
    basis: Basis
    setting: str
    """The `--set` that states it."""


def ungranted(problem: Problem) -> Problem | None:
    """The problem with as many nodes of every cloud as are asked for, but for those whose grant is stated.

    None where nothing changes: no cloud is asked, or all grant any number.
    """
    stated = problem.market.capacity or {}
    if problem.market.clouds == () or ANY_CLOUD in stated:
        return None
    market = problem.market.model_copy(update={"capacity": {**stated, ANY_CLOUD: UNLIMITED}})
    return problem.model_copy(update={"market": market})


def grant_for(problem: Problem, plan: Plan) -> Grant | None:
    """What the problem would have to be granted for a plan; None where it can be had as it is."""
    placement, capacities = plan.placement, Capacities.of(problem)
    if placement.cloud == OWN or placement.machine.network_gbit_s == 0:
        return None
    spot = max((one.nodes for one in plan.purchases if one.kind == "spot"), default=0)
    needed = {"on-demand": (plan.nodes, "on_demand"), "spot": (spot, "spot")}
    for kind, (nodes, way) in needed.items():
        sold, basis = capacities.nodes(placement.cloud, plan.accelerator, "spot" if way == "spot" else "on_demand")
        if nodes > sold:
            grants = (problem.market.capacity or {}) | {placement.cloud: plan.nodes}
            setting = f"market.capacity={{{', '.join(f'{where}: {count}' for where, count in grants.items())}}}"
            place = placement.zone.partition(" ")[0] or placement.region
            return Grant(placement.cloud, place, nodes, kind, sold, basis, setting)
    return None


@dataclass(frozen=True)
class BetterWithGrant:
    """A better plan on nodes that would have to be granted."""

    plan: Plan
    grant: Grant


NOTICED: Final = 0.001
"""Share by which a plan must be better to be worth asking a cloud for."""


def better_with_grant(problem: Problem, best: Plan, room: Room) -> BetterWithGrant | None:
    """The best plan if every cloud granted what is asked for, where it is better than the best one that can be had."""
    wider = ungranted(problem)
    if wider is None or problem.objective == "tokens":
        return None
    around = Room(wider, time_budget=room.time_budget)
    bounds = around.bounds if problem.objective == "time" else _cheaper(around.bounds, best)
    found = best_plan(around, bounds)
    if found is None or (grant := grant_for(problem, found)) is None:
        return None
    values = [objective_value(problem.objective, one) for one in (found, best)]
    return BetterWithGrant(found, grant) if values[0] < (1 - NOTICED) * values[1] else None


def _cheaper(bounds: Bounds, best: Plan) -> Bounds:
    return replace(bounds, cost_usd=min(bounds.cost_usd, float(best.cost_usd)))
