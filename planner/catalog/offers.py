"""The market catalog: what clouds sell, at what price, and how far spot prices have moved."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Annotated, Final

from pydantic import Field

from planner.catalog.files import csv_records
from planner.catalog.records import Count, Offer, SourcedRecord, UsdPerHour

ANY_REGION: Final = "any"
"""The region of an offer whose source names none, or whose price holds in every one."""


class SpotHistory(SourcedRecord):
    """How one instance type's spot price moved in one region, from first_date to date."""

    cloud: str
    region: str
    instance_type: str
    spot_p10_usd_per_hour: UsdPerHour
    """Tenth percentile over the recorded dates, per instance, as every price here."""
    spot_p50_usd_per_hour: UsdPerHour
    spot_p90_usd_per_hour: UsdPerHour
    spot_latest_usd_per_hour: UsdPerHour
    on_demand_latest_usd_per_hour: UsdPerHour
    first_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    dates: Count
    """Number of recorded dates."""


@cache
def load_offers() -> tuple[Offer, ...]:
    """Every offer of the catalog, suspect ones included and marked."""
    return csv_records(Offer, "offers.csv")


@cache
def load_spot_history() -> tuple[SpotHistory, ...]:
    """The spot price records, one per instance type and region."""
    return csv_records(SpotHistory, "spot_history.csv")


def usable(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers whose prices are trusted."""
    return tuple(offer for offer in offers if not offer.suspect)


def suspect(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers whose prices are not to be trusted; each says why."""
    return tuple(offer for offer in offers if offer.suspect)


def usd_per_accelerator_hour(offer: Offer) -> Decimal | None:
    """The price by which offers are compared: the on-demand price per device, else the lowest other one."""
    others = (
        offer.spot_usd_per_hour,
        offer.block_usd_per_hour,
        offer.reserved_1y_usd_per_hour,
        offer.reserved_3y_usd_per_hour,
    )
    price = offer.on_demand_usd_per_hour or min((other for other in others if other), default=None)
    return price / offer.accelerators if price else None
