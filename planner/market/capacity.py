"""How many nodes can be had of a cloud: what it sells without a contract, or what a problem says that it grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.catalog.capacity import capacity_of
from planner.market.places import Where, by_place, most_exact
from planner.problem.market import PurchaseKind as Kind
from planner.problem.problem import Problem

Basis = Literal["published", "assumed", "granted", "stated", "unlimited"]
"""Why so many nodes can be had: the provider says so, a cautious guess, `market.capacity`, the own offer's `nodes`, or
nothing, where an own offer states none."""


@dataclass(frozen=True)
class Capacities:
    """The grants of a problem over the catalog's capacity, by cloud and accelerator; either may be empty for any."""

    grants: Mapping[Where, int]

    @classmethod
    def of(cls, problem: Problem) -> Capacities:
        """The grants of a problem. Raises InputError for unknown clouds and accelerators."""
        return cls(by_place(problem, "capacity", problem.market.capacity))

    def nodes(self, cloud: str, accelerator: str, purchase: Kind = "on_demand") -> tuple[int, Basis]:
        """Most nodes at a time in one zone, and why; the most exact grant counts."""
        granted = most_exact(self.grants, cloud, accelerator)
        if granted is not None:
            return granted, "granted"
        known = capacity_of(cloud, accelerator, purchase)
        return known.nodes, "assumed" if known.assumed else "published"
