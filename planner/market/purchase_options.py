"""Purchase options: a placement with a policy for spot and a term of reservation; the model chooses exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from operator import le
from typing import Final, Literal

import numpy as np

from planner.market.calendar import Reservation
from planner.market.money import node_hours_usd
from planner.market.placements import Placement
from planner.market.spot import SpotFigures

Policy = Literal["steady", "wait", "fallback", "elastic"]
"""`steady`: no spot nodes; `wait`: stall until spot returns; `fallback`: on-demand nodes replace what is lost;
`elastic`: go on with the data-parallel replicas that are left."""


@dataclass(frozen=True, order=True)
class SpotPolicy:
    """How the job is interrupted besides hardware failures, and what it does then."""

    policy: Policy
    preemptions_per_node_day: float = 0.0
    availability: float = 1.0
    together: float = 1.0
    """How far nodes go together, see `gang_preemptions_per_second`."""
    correlation: float = 1.0
    """Correlation of any two nodes being available, see `all_available`."""

    @property
    def loses_replicas(self) -> bool:
        """Whether the job goes on with the replicas that are left."""
        return self.policy == "elastic"

    @property
    def figures(self) -> SpotFigures:
        """How spot nodes come and go."""
        return SpotFigures(
            availability=self.availability,
            preemptions_per_node_day=self.preemptions_per_node_day,
            together=self.together,
            correlation=self.correlation,
            traced=True,
        )


STEADY: Final = SpotPolicy("steady")


@dataclass(frozen=True)
class PurchaseOption:
    """One way to buy nodes in one place. Prices are US dollars per node-hour that is paid; None is not sold."""

    placement: Placement
    spot_policy: SpotPolicy
    reservation: Reservation | None

    @property
    def on_demand_price(self) -> Decimal | None:
        """Price of an on-demand node."""
        return self.placement.on_demand

    @property
    def spot_price(self) -> Decimal | None:
        """Price of a spot node; None without spot."""
        return None if self.spot_policy.policy == "steady" else self.placement.spot

    @property
    def spot_nodes(self) -> int:
        """Most spot nodes."""
        return 0 if self.spot_policy.policy == "steady" else self.placement.spot_nodes

    @property
    def committed_seconds(self) -> float:
        """Time for which reserved nodes are paid at least."""
        return self.reservation.committed_seconds if self.reservation else 0.0

    @cached_property
    def prices(self) -> tuple[float, float, float]:
        """Prices of an on-demand, a spot and a reserved node; infinite where there is none."""
        reserved = self.reservation.usd_per_node_hour if self.reservation else None
        return (_or_infinite(self.on_demand_price), _or_infinite(self.spot_price), _or_infinite(reserved))

    @cached_property
    def dominance_key(self) -> tuple[float, ...]:
        """All that the rest of the model sees of a purchase option, each the less the better."""
        return (
            *self.prices,
            self.committed_seconds if self.reservation else np.inf,
            -float(self.placement.nodes),
            -float(self.spot_nodes),
            -self.placement.machine.network_gbit_s,
        )

    @property
    def group(self) -> tuple[str, int, int, SpotPolicy]:
        """Purchase options of one group differ in nothing but their dominance key."""
        name, per_node, domain, _ = self.placement.machine.key
        return (name, per_node, domain, self.spot_policy)


def _or_infinite(price: Decimal | None) -> float:
    return np.inf if price is None else float(price)


def purchase_options_of(placements: Iterable[Placement]) -> tuple[PurchaseOption, ...]:
    """Every way to buy in every placement."""
    return tuple(purchase_option for placement in placements for purchase_option in _purchase_options(placement))


def _purchase_options(placement: Placement) -> Iterator[PurchaseOption]:
    """Every policy that the placement's prices allow, with every term of reservation and with none."""
    for spot_policy in _spot_policies(placement):
        for reservation in (None, *placement.reservations):
            for place in _within_quota(placement, spot_policy):
                if place.on_demand is not None or reservation is not None or spot_policy.policy != "steady":
                    yield PurchaseOption(place, spot_policy, reservation)


def _within_quota(placement: Placement, spot_policy: SpotPolicy) -> Iterator[Placement]:
    """The placement, or where fewer nodes are to be had on demand: no more of any kind, and all but none on demand."""
    most = placement.on_demand_nodes
    if placement.on_demand is None or most >= placement.nodes:
        yield placement
        return
    yield replace(placement, nodes=most, spot_nodes=min(most, placement.spot_nodes))
    if spot_policy.policy != "fallback":
        yield replace(placement, on_demand=None)


def _spot_policies(placement: Placement) -> Iterator[SpotPolicy]:
    """Steady, and with spot nodes each policy: without absences all are alike; falling back needs on-demand nodes."""
    yield STEADY
    figures = placement.spot_figures
    if placement.spot is None or figures is None:
        return
    spot = (figures.preemptions_per_node_day, figures.availability, figures.together, figures.correlation)
    yield SpotPolicy("wait", *spot)
    if figures.availability < 1:
        yield SpotPolicy("elastic", *spot)
        if placement.on_demand is not None:
            yield SpotPolicy("fallback", *spot)


def worth_their_term(purchase_options: Sequence[PurchaseOption], seconds: float) -> tuple[PurchaseOption, ...]:
    """The purchase options without those whose reservation saves nothing in a job that ends within so many seconds.

    A reserved node is paid for its term at least, an on-demand node of the same placement no longer than the job takes.
    """
    on_demand, _, reserved = np.asarray([one.prices for one in purchase_options]).reshape(-1, 3).T
    term = node_hours_usd(1, reserved, np.asarray([one.committed_seconds for one in purchase_options]))
    pays = term <= node_hours_usd(1, on_demand, seconds)
    return tuple(one for one, saves in zip(purchase_options, pays, strict=True) if saves or one.placement.is_dated)


def undominated(purchase_options: Iterable[PurchaseOption], *, moves: bool = False) -> tuple[PurchaseOption, ...]:
    """The purchase options that none of the same group beats: as cheap in every way, as large, on as fast a network.

    Exact: step time never grows with the network's bandwidth. Among equals the first by name stays. `moves`: a job may
    come from elsewhere, so that only those in one location are compared. Those that change in time are all kept.
    """
    everything = tuple(purchase_options)
    dated, others = ([one for one in everything if one.placement.is_dated == wanted] for wanted in (True, False))

    def alike(one: PurchaseOption) -> tuple[object, ...]:
        """What options share that may dominate each other."""
        return (one.group, one.placement.location) if moves else (one.group,)

    groups: dict[tuple[object, ...], list[PurchaseOption]] = {}
    for one in others:
        groups.setdefault(alike(one), []).append(one)
    return (*dated, *(one for key in sorted(groups) for one in _undominated(groups[key])))


def _undominated(group: list[PurchaseOption]) -> Iterator[PurchaseOption]:
    """The purchase options, in ascending order of their dominance key, that no earlier one beats."""
    kept: list[tuple[float, ...]] = []
    for purchase_option in sorted(group, key=lambda one: (one.dominance_key, one.placement.key)):
        key = purchase_option.dominance_key
        if not any(all(map(le, one, key)) for one in kept):
            kept.append(key)
            yield purchase_option
