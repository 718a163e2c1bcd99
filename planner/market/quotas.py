"""Quotas that a problem states: most devices of what shares each, in all or in one way to buy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from planner.market.filters import named
from planner.problem.problem import Problem
from planner.problem.quantities import UNLIMITED

if TYPE_CHECKING:
    from planner.market.placements import Placement


@dataclass(frozen=True)
class SharedQuota:
    """A quota with its names as the catalogs spell them."""

    of: frozenset[str]
    within: frozenset[str] | None
    """None: wherever they are."""
    purchase: Literal["on_demand", "spot"] | None
    """None: every way to buy."""
    gpus: int

    def covers(self, placement: Placement) -> bool:
        """Whether a placement shares it."""
        return bool(self.of & placement.names) and (self.within is None or bool(self.within & placement.names))


def quotas_of(problem: Problem) -> Iterator[SharedQuota]:
    """The quotas of a problem. Raises InputError for names that nothing has."""
    for index, quota in enumerate(problem.market.quotas):
        path = ("market", "quotas", index)
        inside = None if quota.within is None else named(problem, (*path, "within"), quota.within)
        yield SharedQuota(named(problem, (*path, "of"), quota.of), inside, quota.purchase, quota.gpus)


def within_quotas(quotas: Iterable[SharedQuota], placement: Placement) -> Placement:
    """A placement with no more nodes than the quotas that it shares; a job is in one place at a time."""
    most: dict[str | None, int] = {}
    for quota in quotas:
        if quota.covers(placement):
            nodes = quota.gpus // placement.machine.per_node
            most[quota.purchase] = min(nodes, most.get(quota.purchase, UNLIMITED))
    every = most.get(None, UNLIMITED)
    if every < placement.nodes:
        placement = replace(placement, nodes=every, spot_nodes=min(placement.spot_nodes, every), basis="stated")
    return _on_demand_within(most.get("on_demand"), _spot_within(most.get("spot"), placement))


def _spot_within(nodes: int | None, placement: Placement) -> Placement:
    """The placement with so many spot nodes at most."""
    if nodes is None or placement.spot is None or nodes >= placement.spot_nodes:
        return placement
    if not nodes:
        return replace(placement, spot=None, spot_nodes=0, spot_figures=None)
    return replace(placement, spot_nodes=nodes, basis="stated")


def _on_demand_within(nodes: int | None, placement: Placement) -> Placement:
    """The placement with so many on-demand nodes at most."""
    if nodes is None or placement.on_demand is None or nodes >= placement.nodes:
        return placement
    if not nodes:
        return replace(placement, on_demand=None)
    if placement.spot is None and not placement.reservations:
        return replace(placement, nodes=nodes, basis="stated")
    return replace(placement, on_demand_nodes=nodes, basis="stated")
