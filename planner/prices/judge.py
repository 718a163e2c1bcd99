"""Which rows of a price list are believed: every trap that lists were met with, and the catalog's own checks."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from statistics import median
from typing import Final

from planner.catalog.check_offers import (
    OFFER_CHECKS,
    OfferIssue,
    listed_everywhere,
    prices_that_stand_alone,
    unpublished_networks,
    where,
)
from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.catalog.traps import load_traps
from planner.clock import today
from planner.prices.devices import device_named, devices_of
from planner.prices.quote import Quote, price_sources
from planner.prices.table import is_formula

DATE: Final = r"\d{4}(-\d{2}){0,2}"
"""A date, or as much of one as is known."""


def judged(quotes: Iterable[Quote]) -> tuple[Offer, ...]:
    """Every quote as an offer; those that are not believed say why under `suspect` and are never used."""
    read = [_offer(quote) for quote in quotes]
    offers = [offer for offer, _ in read]
    hosts = {offer: quote.host_usd for offer, quote in read if quote.host_usd is not None}
    faults = {id(offer): fault for offer, fault in _faults(offers, hosts)}
    believed = [offer for offer in offers if not offer.suspect and id(offer) not in faults]
    caught = {where(issue.offer): issue.fault for issue in _catalog_issues(believed)}
    everywhere = {issue.offer.cloud: issue.fault for issue in _of_clouds(believed)}
    floors = dict.fromkeys(_auctions(quote for _, quote in read), "a floor to bid from, not a price")

    def fault(offer: Offer) -> str:
        """What is wrong with a row, with its place, or with all of its cloud's."""
        own = faults.get(id(offer)) or caught.get(where(offer)) or floors.get(offer.cloud)
        return own or ("" if _is_confirmed(offer) else everywhere.get(offer.cloud, ""))

    return tuple(_marked(offer, fault(offer)) for offer in _once(offers))


def _auctions(quotes: Iterable[Quote]) -> Iterator[str]:
    """Clouds that are known to sell by auction, and those whose spot price is always that on demand for any device."""
    clouds: dict[str, list[Quote]] = defaultdict(list)
    for quote in quotes:
        if quote.on_demand and quote.count:
            clouds[quote.cloud].append(quote)
    for cloud, rows in clouds.items():
        each = {row.on_demand / row.count for row in rows if row.on_demand and row.on_demand == row.spot}
        is_one_price = len(each) == 1 and all(row.on_demand == row.spot for row in rows)
        if cloud in price_sources().auctions or (is_one_price and len({row.device for row in rows}) > 1):
            yield cloud


def _marked(offer: Offer, fault: str) -> Offer:
    """The offer with what is wrong with it, if anything is."""
    return offer.model_copy(update={"suspect": fault[:200]}) if fault and not offer.suspect else offer


def _once(offers: Iterable[Offer]) -> Iterator[Offer]:
    """Each offer once, though a list repeats it."""
    seen: set[Offer] = set()
    for offer in offers:
        if offer not in seen:
            seen.add(offer)
            yield offer


def _offer(quote: Quote) -> tuple[Offer, Quote]:
    """The quote as a row of the book; a spot price that is none is left out."""
    name, count = device_named(quote), devices_of(quote)
    spot = quote.spot if quote.spot and (quote.on_demand is None or quote.spot < quote.on_demand) else None
    prices = (quote.on_demand, spot, quote.reserved_1y, quote.reserved_3y, quote.block)
    priced = [price if price and price > 0 else None for price in prices]
    network, fabric, assumed = _network(quote)
    offer = Offer(
        cloud=quote.cloud,
        region=quote.region,
        zone=quote.zone,
        instance_type=quote.instance_type,
        accelerator=name or quote.device or "unknown",
        accelerators=max(1, count),
        fabric=fabric,
        network_gbit_s=network,
        network_assumed=assumed,
        on_demand_usd_per_hour=priced[0],
        spot_usd_per_hour=priced[1],
        reserved_1y_usd_per_hour=priced[2],
        reserved_3y_usd_per_hour=priced[3],
        block_usd_per_hour=priced[4],
        suspect=_unusable(quote, name, count, priced),
        source=quote.source,
        date=quote.date if re.fullmatch(DATE, quote.date) else today().isoformat(),
        note=f"line {quote.place.line}" if quote.place.line else "",
    )
    return offer, quote


def _unusable(quote: Quote, name: str | None, count: int, priced: Sequence[Decimal | None]) -> str:
    """Why a row says nothing of what a device costs."""
    if quote.fault:
        return quote.fault
    names = {"cloud": quote.cloud, "region": quote.region, "zone": quote.zone, "instance type": quote.instance_type}
    if formulas := [what for what, text in {**names, "device": quote.device}.items() if is_formula(text)]:
        return f"{formulas[0]} begins like a formula"
    if name is None:
        return f"which device {quote.device[:60]!r} is, is not known" if quote.device else "no device that is known"
    if not count:
        return "how many devices it has is not known"
    if not any(priced):
        return "it costs nothing"
    return ""


def _network(quote: Quote) -> tuple[float, str, bool]:
    """Gbit/s per device, the fabric's name, and whether it is assumed; nodes that nothing is known of have none."""
    if quote.network_gbit_s is not None:
        return quote.network_gbit_s, "as stated", False
    return _known_networks().get((quote.cloud, quote.instance_type), (0.0, "", True))


@cache
def _known_networks() -> dict[tuple[str, str], tuple[float, str, bool]]:
    catalog = {
        (one.cloud, one.instance_type): (one.network_gbit_s, one.fabric, one.network_assumed) for one in load_offers()
    }
    published = {(one.cloud, one.instance_type): (one.gbit_s, one.fabric, False) for one in load_traps().network}
    return catalog | published


def _faults(offers: Sequence[Offer], hosts: dict[Offer, Decimal]) -> Iterator[tuple[Offer, str]]:
    """What hides in lists beyond the catalog's own traps; the first fault of an offer counts last."""
    usual = [offer for offer in offers if not offer.suspect]
    yield from _repeated(usual)
    yield from _far_from_the_catalog(usual)
    yield from _next_to_nothing(usual)
    yield from _not_scaled(usual)
    yield from _flat(usual, hosts)
    yield from _flat_beside_the_catalog(usual)


def _repeated(offers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
    """One place and machine at two prices."""
    groups: dict[str, set[tuple[Decimal | None, Decimal | None]]] = defaultdict(set)
    for offer in offers:
        groups[where(offer)].add((offer.on_demand_usd_per_hour, offer.spot_usd_per_hour))
    yield from ((offer, "listed twice at two prices") for offer in offers if len(groups[where(offer)]) > 1)


def _far_from_the_catalog(offers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
    """A price a device far below or above what the catalog knows of it."""
    limits, (here, anywhere) = price_sources().limits, _known_prices()
    for offer in offers:
        price = float(offer.on_demand_usd_per_hour or 0)
        known = here.get((offer.cloud, offer.region, offer.accelerator)) or here.get(
            (offer.cloud, "", offer.accelerator)
        )
        low, high = limits.lowest_ratio, limits.highest_ratio
        if known is None and offer.accelerator in anywhere:
            known, dearest = anywhere[offer.accelerator]
            low, high = limits.lowest_ratio_elsewhere, max(limits.highest_ratio_elsewhere, dearest / known)
        if price and known and not low <= price / offer.accelerators / known <= high:
            ratio = price / offer.accelerators / known
            yield offer, f"on demand is {ratio:.2g} times the catalog's ${known:.2f} a device and hour"


def _next_to_nothing(offers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
    """A spot or reserved price that is no more than a floor to bid from."""
    least, (_, anywhere) = price_sources().limits.lowest_share_of_on_demand, _known_prices()
    for offer in offers:
        cheapest = anywhere.get(offer.accelerator, (0.0, 0.0))[0]
        for kind in ("spot", "reserved_1y", "reserved_3y", "block"):
            price = getattr(offer, f"{kind}_usd_per_hour")
            if price is not None and float(price) / offer.accelerators < least * cheapest:
                each = float(price) / offer.accelerators
                yield offer, f"{kind.replace('_', ' ')} is ${each:.2g} a device and hour, next to nothing"


@cache
def _known_prices() -> tuple[dict[tuple[str, str, str], float], dict[str, tuple[float, float]]]:
    """The catalog's median price a device by cloud, region ("" for all) and device; of any cloud the ends."""
    groups: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for offer in usable(load_offers()):
        if offer.on_demand_usd_per_hour:
            each = float(offer.on_demand_usd_per_hour) / offer.accelerators
            groups[offer.cloud, offer.region, offer.accelerator].append(each)
            groups[offer.cloud, "", offer.accelerator].append(each)
    here = {key: median(prices) for key, prices in groups.items()}
    anywhere: dict[str, tuple[float, float]] = {}
    for (_, region, device), price in here.items():
        if not region:
            cheapest, dearest = anywhere.get(device, (price, price))
            anywhere[device] = min(price, cheapest), max(price, dearest)
    return here, anywhere


def _not_scaled(offers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
    """Machines of different size at one price: the price is not that of the machine."""
    groups: dict[tuple[str, str, str, Decimal], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.on_demand_usd_per_hour:
            groups[offer.cloud, offer.region, offer.accelerator, offer.on_demand_usd_per_hour].append(offer)
    for group in groups.values():
        if len({offer.accelerators for offer in group}) > 1:
            yield from ((offer, "the same price for another number of devices") for offer in group)


def _flat(offers: Sequence[Offer], hosts: dict[Offer, Decimal]) -> Iterator[tuple[Offer, str]]:
    """One price a device in many regions although the hosts' prices differ: another product's price."""
    fewest = price_sources().limits.flat_regions
    groups: dict[tuple[str, str, int], list[tuple[Decimal, Offer]]] = defaultdict(list)
    for offer in offers:
        if offer in hosts and offer.on_demand_usd_per_hour:
            price = round(offer.on_demand_usd_per_hour - hosts[offer], 4)
            groups[offer.cloud, offer.accelerator, offer.accelerators].append((price, offer))
    for group in groups.values():
        regions = Counter(price for price, _ in {(price, offer.region) for price, offer in group})
        for price, offer in group:
            same = {hosts[other] for known, other in group if known == price}
            if len(same) > 1 and regions[price] >= fewest and not _is_confirmed(offer):
                yield offer, f"one price a device in {regions[price]} regions while the hosts' prices differ"


def _flat_beside_the_catalog(offers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
    """One price in many regions of a cloud in which the catalog has several."""
    limits, here = price_sources().limits, _known_prices()[0]
    groups: dict[tuple[str, str, int, Decimal | None], list[Offer]] = defaultdict(list)
    for offer in offers:
        if (offer.cloud, offer.region, offer.accelerator) in here and offer.on_demand_usd_per_hour:
            key = (offer.cloud, offer.accelerator, offer.accelerators, offer.on_demand_usd_per_hour)
            groups[key].append(offer)
    for group in groups.values():
        known = {offer.region: here[offer.cloud, offer.region, offer.accelerator] for offer in group}
        if len(known) >= limits.flat_regions and max(known.values()) > (1 + CONFIRMED) * min(known.values()):
            fault = f"one price in {len(known)} regions in which the catalog has several"
            yield from ((offer, fault) for offer in group if not _is_confirmed(offer))


def _is_confirmed(offer: Offer) -> bool:
    """Whether the catalog has about the same price for the device in the same place."""
    known = _known_prices()[0].get((offer.cloud, offer.region, offer.accelerator))
    price = float(offer.on_demand_usd_per_hour or 0) / offer.accelerators
    return known is not None and abs(price / known - 1) <= CONFIRMED


CONFIRMED: Final = 0.05
"""Share by which a price may differ from the catalog's and still be the same product's."""


def _catalog_issues(offers: Sequence[Offer]) -> Iterator[OfferIssue]:
    """What the catalog's own checks find of single offers."""
    places = {where(offer) for offer in offers}
    others = [one for one in usable(load_offers()) if where(one) not in places]
    for check in OFFER_CHECKS:
        if check not in {unpublished_networks, listed_everywhere}:  # a contract states its own; see `_of_clouds`
            seen = [*offers, *others] if check is prices_that_stand_alone else offers
            yield from (issue for issue in check(seen) if isinstance(issue, OfferIssue))


def _of_clouds(offers: Sequence[Offer]) -> Iterator[OfferIssue]:
    """What the catalog's checks find of all that a cloud lists, one issue a cloud."""
    yield from (issue for issue in listed_everywhere(offers) if isinstance(issue, OfferIssue))
