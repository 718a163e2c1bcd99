"""Price lists laid one over another: which row counts for a machine in a region and its zones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from planner.catalog.records import Offer

Machine = tuple[str, str, str]
"""Cloud, region and instance type."""
OF_A_REGION: Final = ("on_demand", "reserved_1y", "reserved_3y", "block")
"""Prices that do not differ between the zones of a region."""


def laid_over(upper: Iterable[Offer], lower: Iterable[Offer]) -> tuple[Offer, ...]:
    """The rows of one list over those of another; rows that are not believed replace none.

    A row replaces those of the same cloud, region and instance type: in the zones that it names, and a row without
    zones. One that names no zone is for the whole region: zones below it take its prices, and keep their spot price
    where it has none.
    """
    above, below = list(upper), list(lower)
    stated: dict[Machine, list[Offer]] = defaultdict(list)
    for one in above:
        if not one.suspect:
            stated[machine_of(one)].append(one)
    zoned = {machine_of(one) for one in below if one.zone and not one.suspect}
    kept = [one for one in above if not one.suspect and (one.zone or machine_of(one) not in zoned)]
    kept += [rest for one in below for rest in _left(one, stated)]
    places = {(machine_of(one), one.zone) for one in kept}
    return (*kept, *(one for one in above if one.suspect and (machine_of(one), one.zone) not in places))


def machine_of(offer: Offer) -> Machine:
    """The machine of an offer, in whichever zone."""
    return offer.cloud, offer.region, offer.instance_type


def _left(offer: Offer, stated: Mapping[Machine, Sequence[Offer]]) -> Iterator[Offer]:
    """What a row still says below others."""
    above = stated.get(machine_of(offer), ())
    regional = next((one for one in above if not one.zone), None)
    named = {zone for one in above for zone in one.zone.split()}
    zones = [zone for zone in offer.zone.split() if zone not in named]
    if not above:
        yield offer
    elif zones and regional is None:
        yield offer.model_copy(update={"zone": " ".join(zones)})
    elif zones and regional is not None and not offer.suspect:
        yield _with_prices(offer, regional).model_copy(update={"zone": " ".join(zones)})


def _with_prices(offer: Offer, regional: Offer) -> Offer:
    """A zone's row at the prices of its region."""
    prices = {f"{kind}_usd_per_hour": getattr(regional, f"{kind}_usd_per_hour") for kind in OF_A_REGION}
    if regional.spot_usd_per_hour is not None:
        prices["spot_usd_per_hour"] = regional.spot_usd_per_hour
    return offer.model_copy(update={**prices, "source": regional.source, "date": regional.date})
