"""How spot nodes come and go, and what they cost at a percentile of their history."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

import numpy as np

from planner.availability.checkpointing import gang_preemptions_per_second
from planner.availability.gang import (
    all_available,
    any_available,
    fitted_correlation,
    fitted_together,
    least_correlation,
)
from planner.availability.renewal import mean_length
from planner.availability.spot_cycles import GangCycle
from planner.availability.spot_cycles import capacity as periods_of
from planner.catalog.offers import SpotHistory
from planner.catalog.records import Offer
from planner.catalog.reliability import load_reliability, spot_statistics
from planner.performance.symbols import Array
from planner.units import HOURS_PER_DAY, exact


@dataclass(frozen=True)
class SpotFigures:
    """What is known, or assumed, about one kind of spot node."""

    availability: float
    """Share of the time in which one node can be had."""
    preemptions_per_node_day: float
    """Per day that a node is up."""
    together: float
    """How far nodes of one zone are taken away together, see `gang_preemptions_per_second`."""
    correlation: float
    """Correlation of any two nodes of a zone being available, see `all_available`."""
    traced: bool
    """Whether the figures are of this device or stated by the user, not those of a proxy device."""


@dataclass(frozen=True)
class GangLaw:
    """How nodes of one zone go together, fitted to the catalog's records of gangs."""

    nodes: int
    """Nodes of the largest gang that was recorded."""
    together: float
    correlation: float
    """Correlation over all recorded zones together."""
    worst: float
    """Correlation in the zone where nodes went together least."""
    best: float
    """And in the one where they did most."""


@cache
def gang_law() -> GangLaw:
    """The law that agrees with all recorded gangs, and how far single zones are from it."""
    records = [(one, zone) for one in load_reliability().gang for zone in range(one.zones)]
    nodes = np.asarray([float(one.nodes) for one, _ in records])
    one, every, one_rate, gang_rate = (
        np.asarray([getattr(record, name)[zone] for record, zone in records])
        for name in ("one_there", "all_there", "one_preempted_per_hour", "gang_preempted_per_hour")
    )
    zones = fitted_correlation(nodes[:, None], one[:, None], every[:, None])
    return GangLaw(
        nodes=int(nodes.max()),
        together=float(fitted_together(nodes, one_rate, gang_rate)),
        correlation=float(fitted_correlation(nodes, one, every)),
        worst=float(zones.min()),
        best=float(zones.max()),
    )


@dataclass(frozen=True)
class GangAvailability:
    """How often all spot nodes of a job are there at once."""

    nodes: int
    share: float
    """Share of the time, as plans assume it."""
    low: float
    high: float
    """Between which recorded zones would leave it; beyond recorded gangs the range widens with the size."""
    correlations: tuple[float, float]
    """Correlations of any two nodes that give `low` and `high`."""
    recorded_nodes: int
    """Nodes of the largest gang that was recorded; beyond it the figures are extrapolated."""

    @property
    def extrapolated(self) -> bool:
        """Whether no gang as large was ever recorded."""
        return self.nodes > self.recorded_nodes


def gang_availability(figures: SpotFigures, nodes: int) -> GangAvailability:
    """The availability of so many spot nodes, with its range."""
    law, count = gang_law(), np.asarray(float(nodes))
    correlations = (float(least_correlation(count, law.nodes, law.correlation, law.worst)), law.best)
    share, low, high = (
        float(all_available(count, np.asarray(figures.availability), np.asarray(correlation)))
        for correlation in (figures.correlation, *correlations)
    )
    return GangAvailability(nodes, share, low, high, correlations, law.nodes)


@cache
def spot_figures(device: str, cloud: str | None) -> SpotFigures:
    """The catalog's figures of a device: of that cloud's traces, of any cloud's, or of the proxy device.

    Among several traces the one of the largest nodes counts, because gangs need them.
    """
    catalog = load_reliability()
    known = spot_statistics(device, cloud=cloud) or spot_statistics(device)
    best = max(known, key=lambda one: (one.devices_per_node, one.days)) if known else catalog.stand_in
    return SpotFigures(
        availability=best.availability_median,
        preemptions_per_node_day=HOURS_PER_DAY * best.preemptions_per_node_up_hour,
        together=gang_law().together,
        correlation=gang_law().correlation,
        traced=bool(known),
    )


@cache
def period_kinds(state: Literal["up", "away"]) -> tuple[Array, Array]:
    """Shares and means, over the mean of all, of the kinds of period in the catalog; each of shape (kinds,)."""
    record = next(one for one in load_reliability().periods if one.state == state)
    shares, means = np.asarray(record.shares), np.asarray(record.means)
    shares = shares / shares.sum()
    return shares, means / mean_length(shares, means)


def kept_of_gang() -> float:
    """Share of a gang's nodes that stay in periods in which only some are away."""
    return max(load_reliability().gang, key=lambda one: one.nodes).kept_median


def gang_periods(figures: SpotFigures, nodes: Array, kept: Array) -> GangCycle:
    """How gangs of so many spot nodes come and go, by the equations and the catalog's kinds of period.

    `kept`: share of the work that goes on while only some nodes are away; shape of `nodes`.
    """
    stated = (np.asarray(figures.preemptions_per_node_day), np.asarray(figures.together))
    of_one, correlation = np.asarray(figures.availability), np.asarray(figures.correlation)
    every, some = (share(nodes, of_one, correlation) for share in (all_available, any_available))
    rate = gang_preemptions_per_second(nodes, *stated)
    return periods_of(rate, every, some, kept, period_kinds("up"), period_kinds("away"))


def spot_price(offer: Offer, history: SpotHistory | None, quantile: float | None) -> Decimal:
    """An offer's spot price per hour: the catalog's, or a quantile of its history where one was recorded.

    Between the recorded 10th, 50th and 90th percentile the price is interpolated, beyond them the outermost counts.
    Raises ValueError when the offer has no spot price.
    """
    if offer.spot_usd_per_hour is None:
        raise ValueError(f"{offer.instance_type} is not sold as spot")
    if history is None or quantile is None:
        return offer.spot_usd_per_hour
    recorded = (history.spot_p10_usd_per_hour, history.spot_p50_usd_per_hour, history.spot_p90_usd_per_hour)
    return exact(float(np.interp(quantile, (0.1, 0.5, 0.9), [float(price) for price in recorded])))
