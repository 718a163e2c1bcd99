"""The market catalog: what clouds sell, at what price, and how far spot prices have moved."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from planner.catalog.files import catalog_directory
from planner.catalog.records import Count, Offer, SourcedRecord, UsdPerHour

_OFFERS: Final[TypeAdapter[tuple[Offer, ...]]] = TypeAdapter(tuple[Offer, ...])


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


_HISTORIES: Final[TypeAdapter[tuple[SpotHistory, ...]]] = TypeAdapter(tuple[SpotHistory, ...])


@cache
def load_offers() -> tuple[Offer, ...]:
    """Every offer of the catalog, suspect ones included and marked."""
    return _OFFERS.validate_python(_rows(catalog_directory() / "offers.csv"))


@cache
def load_spot_history() -> tuple[SpotHistory, ...]:
    """The spot price records, one per instance type and region."""
    return _HISTORIES.validate_python(_rows(catalog_directory() / "spot_history.csv"))


def usable(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers whose prices are trusted."""
    return tuple(offer for offer in offers if not offer.suspect)


def suspect(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers whose prices are not to be trusted; each says why."""
    return tuple(offer for offer in offers if offer.suspect)


def for_several_nodes(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers with a fabric between nodes; the others carry one-node jobs only."""
    return tuple(offer for offer in offers if offer.network_gbit_s > 0)


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


def spot_history(offer: Offer, histories: Iterable[SpotHistory]) -> SpotHistory | None:
    """The record of an offer's spot price, or None when nobody kept one."""
    place = (offer.cloud, offer.region, offer.instance_type)
    return next((one for one in histories if (one.cloud, one.region, one.instance_type) == place), None)


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a catalog table, without the cells that are empty (not known)."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{field: cell for field, cell in row.items() if cell} | _always(row) for row in csv.DictReader(file)]


def _always(row: dict[str, str]) -> dict[str, str]:
    """The text fields that are required although they may be empty."""
    return {"zone": row["zone"]} if "zone" in row else {}
