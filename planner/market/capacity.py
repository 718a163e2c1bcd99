"""How many nodes can be had of a cloud: what it sells without a contract, or what a problem says that it grants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from planner.catalog.accelerators import accelerator_from
from planner.catalog.capacity import capacity_of
from planner.catalog.offers import load_offers, usable
from planner.errors import InputError, Issue, did_you_mean
from planner.problem.problem import Problem
from planner.problem.quantities import ANY_CLOUD

Basis = Literal["published", "assumed", "granted", "stated", "unlimited"]
"""Why so many nodes can be had: the provider says so, a cautious guess, `market.capacity`, the own offer's `nodes`, or
nothing, where an own offer states none."""


@dataclass(frozen=True)
class Capacities:
    """The grants of a problem over the catalog's capacity, by cloud and accelerator; either may be empty for any."""

    grants: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, problem: Problem) -> Capacities:
        """The grants of a problem. Raises InputError for unknown clouds and accelerators."""
        known = sorted({offer.cloud for offer in usable(load_offers())})
        issues: list[Issue] = []
        grants = {}
        for where, nodes in (problem.market.capacity or {}).items():
            cloud, _, device = where.partition("/")
            if cloud not in {ANY_CLOUD, *known}:
                place = problem.place("market", "capacity", where, key=True)
                issues.append(Issue(f"unknown cloud {cloud!r}", place, did_you_mean(cloud, [*known, ANY_CLOUD])))
                continue
            with problem.at("market", "capacity", where):
                name = accelerator_from(device, problem.base_directory).name if device else ""
            grants["" if cloud == ANY_CLOUD else cloud, name] = nodes
        if issues:
            raise InputError(issues)
        return cls(grants)

    def nodes(self, cloud: str, accelerator: str) -> tuple[int, Basis]:
        """Most nodes at a time in one zone, and why; the most exact grant counts."""
        for place in _places(cloud, accelerator):
            if place in self.grants:
                return self.grants[place], "granted"
        known = capacity_of(cloud, accelerator)
        return known.nodes, "assumed" if known.assumed else "published"


def _places(cloud: str, accelerator: str) -> Iterator[tuple[str, str]]:
    """Where a grant may be stated, the most exact first."""
    yield from ((cloud, accelerator), (cloud, ""), ("", accelerator), ("", ""))
