"""Rows of a contract that state a share off the list price instead of a price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.prices.devices import device_named
from planner.prices.quote import Quote
from planner.units import QuantityError, parse_share


def at_discount(quote: Quote, text: str) -> Iterator[Quote]:
    """The catalog's offers that a row is about, at its share off; the row itself with its fault when there is none.

    A row is about the offers of its cloud, and of its region, instance type and device where it names them. Spot prices
    are the market's and stay.
    """
    try:
        share = parse_share(text)
    except QuantityError as error:
        yield replace(quote, fault=f"discount {text[:30]!r}: {error.message}")
        return
    offers = [offer for offer in usable(load_offers()) if _is_about(quote, offer)]
    yield from (_reduced(quote, offer, share) for offer in offers)
    if not offers:
        yield replace(quote, fault="the catalog has no offer that the discount is about")


def _is_about(quote: Quote, offer: Offer) -> bool:
    """Whether a row means an offer."""
    device = device_named(quote) if quote.device else offer.accelerator
    stated = ((quote.region, offer.region), (quote.zone, offer.zone), (quote.instance_type, offer.instance_type))
    same = all(own in {"", other} for own, other in stated)
    return same and quote.cloud == offer.cloud and device == offer.accelerator


def _reduced(quote: Quote, offer: Offer, share: float) -> Quote:
    """One offer's prices at a share off."""
    left = 1 - Decimal(str(share))

    def off(price: Decimal | None) -> Decimal | None:
        """A price by contract."""
        return None if price is None else round(price * left, 6)

    return replace(
        quote,
        region=offer.region,
        zone=offer.zone,
        instance_type=offer.instance_type,
        device=offer.accelerator,
        count=offer.accelerators,
        on_demand=off(offer.on_demand_usd_per_hour),
        spot=offer.spot_usd_per_hour,
        reserved_1y=off(offer.reserved_1y_usd_per_hour),
        reserved_3y=off(offer.reserved_3y_usd_per_hour),
        block=off(offer.block_usd_per_hour),
        network_gbit_s=offer.network_gbit_s or None,
        date=quote.date or offer.date,
        source=f"{quote.source}: {share:.4g} off {offer.source}",
    )
