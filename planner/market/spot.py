"""How spot nodes come and go, and what they cost at a percentile of their history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np

from planner.catalog.offers import SpotHistory
from planner.catalog.records import Offer
from planner.catalog.reliability import load_reliability, spot_statistics
from planner.equations.reliability import gang_preemptions_per_second
from planner.equations.renewal import mean_length
from planner.equations.spot import Capacity
from planner.equations.spot import capacity as periods_of
from planner.equations.symbols import Array

HOURS_PER_DAY: Final = 24.0


@dataclass(frozen=True)
class SpotFigures:
    """What is known, or assumed, about one kind of spot node."""

    availability: float
    """Share of the time in which nodes can be had."""
    preemptions_per_node_day: float
    """Per day that a node is up."""
    together: float
    """P(all nodes there)/P(at least one): how far the nodes of one zone go together."""
    traced: bool
    """Whether the figures are of this device or stated by the user, not those of a stand-in."""


@cache
def spot_figures(device: str, cloud: str | None) -> SpotFigures:
    """The catalog's figures of a device: of that cloud's traces, of any cloud's, or of the stand-in.

    Among several traces the one of the largest nodes counts, because gangs need them.
    """
    catalog = load_reliability()
    known = spot_statistics(device, cloud=cloud) or spot_statistics(device)
    best = max(known, key=lambda one: (one.devices_per_node, one.days)) if known else catalog.stand_in
    gang = max(catalog.gang, key=lambda one: one.nodes)
    return SpotFigures(
        availability=best.availability_median,
        preemptions_per_node_day=HOURS_PER_DAY * best.preemptions_per_node_up_hour,
        together=gang.all_given_any_median,
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


def gang_periods(figures: SpotFigures, nodes: Array, kept: Array) -> Capacity:
    """How gangs of so many spot nodes come and go, by the equations and the catalog's kinds of period.

    `kept`: share of the work that goes on while only some nodes are away; shape of `nodes`.
    """
    together = np.asarray(figures.together)
    rate = gang_preemptions_per_second(nodes, np.asarray(figures.preemptions_per_node_day), together)
    return periods_of(rate, np.asarray(figures.availability), together, kept, period_kinds("up"), period_kinds("away"))


def spot_price(offer: Offer, history: SpotHistory | None, quantile: float | None) -> float:
    """An offer's spot price per hour: the catalog's, or a quantile of its history where one was recorded.

    Between the recorded 10th, 50th and 90th percentile the price is interpolated, beyond them the outermost counts.
    Raises ValueError when the offer has no spot price.
    """
    if offer.spot_usd_per_hour is None:
        raise ValueError(f"{offer.instance_type} is not sold as spot")
    if history is None or quantile is None:
        return offer.spot_usd_per_hour
    recorded = (history.spot_p10_usd_per_hour, history.spot_p50_usd_per_hour, history.spot_p90_usd_per_hour)
    return float(np.interp(quantile, (0.1, 0.5, 0.9), recorded))
