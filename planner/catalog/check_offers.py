"""The checks of offers: what hides in price lists. One function per trap; the figures are in traps.toml."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final

from planner.catalog.accelerators import load_accelerators
from planner.catalog.records import Offer
from planner.catalog.traps import load_traps
from planner.errors import Issue, Place

OFFERS: Final = "offers.csv"

OfferCheck = Callable[[Sequence[Offer]], list[Issue]]


def tpu_names_count_cores(offers: Sequence[Offer]) -> list[Issue]:
    """Trap 6: TPU names count TensorCores for v2 to v4 and v5p (v5p-64 is 32 chips), chips for v5e and v6e."""
    issues: list[Issue] = []
    for offer in offers:
        prefix, _, number = offer.instance_type.rpartition("-")
        for rule in load_traps().slice:
            if prefix == rule.prefix and number.isdigit() and offer.accelerators * rule.counted_per_chip != int(number):
                chips = int(number) // rule.counted_per_chip
                issues.append(_priced_wrong(offer, f"{offer.accelerators} chips", f"the name means {chips}"))
    return issues


def form_factors(offers: Sequence[Offer]) -> list[Issue]:
    """Trap 9: an offer's accelerator name hides the form factor, so the instance type decides."""
    return [
        _priced_wrong(offer, f"carries {offer.accelerator}", f"this type carries {' or '.join(rule.accelerators)}")
        for offer in offers
        for rule in load_traps().form_factor
        if rule.cloud == offer.cloud
        and re.fullmatch(rule.types, offer.instance_type)
        and offer.accelerator not in rule.accelerators
    ]


def single_devices_with_a_fabric(offers: Sequence[Offer]) -> list[Issue]:
    """Trap 9: a 1-GPU instance without a published fabric carries no training run of several nodes."""
    published = _published_networks()
    return [
        _priced_wrong(offer, "one device, and a fabric that nobody published", "network_gbit_s = 0")
        for offer in offers
        if offer.accelerators == 1 and offer.network_gbit_s > 0 and (offer.cloud, offer.instance_type) not in published
    ]


def unpublished_networks(offers: Sequence[Offer]) -> list[Issue]:
    """Trap 10: instance types without a published fabric are marked as assumed; published ones are not altered."""
    published = _published_networks()
    issues: list[Issue] = []
    for offer in offers:
        figure = published.get((offer.cloud, offer.instance_type))
        if figure is None and not offer.network_assumed:
            issues.append(_priced_wrong(offer, "no fabric was published", "network_assumed = true"))
        if figure is not None and offer.network_gbit_s != figure:
            issues.append(_priced_wrong(offer, f"network_gbit_s {offer.network_gbit_s:g}", f"published: {figure:g}"))
    return issues


def spot_above_on_demand(offers: Sequence[Offer]) -> list[Issue]:
    """A spot price above the on-demand price is a mistake in one of them."""
    return [
        _priced_wrong(offer, "spot costs more than on demand", "one of the two is another product's price")
        for offer in offers
        if offer.on_demand_usd_per_hour and (offer.spot_usd_per_hour or 0) > offer.on_demand_usd_per_hour
    ]


def spot_equal_to_on_demand(offers: Sequence[Offer]) -> list[Issue]:
    """A spot price equal to the on-demand price stands for no spot offer."""
    return [
        _priced_wrong(offer, "spot costs as much as on demand", "there is no spot offer: leave it out")
        for offer in offers
        if offer.on_demand_usd_per_hour and offer.spot_usd_per_hour == offer.on_demand_usd_per_hour
    ]


def spot_for_nothing(offers: Sequence[Offer]) -> list[Issue]:
    """A spot price of 0.00, or next to nothing, stands for no spot offer."""
    floor = load_traps().prices.spot_share_of_on_demand
    return [
        _priced_wrong(offer, "spot costs next to nothing", "there is no spot offer: leave it out")
        for offer in offers
        if offer.on_demand_usd_per_hour
        and offer.spot_usd_per_hour is not None
        and offer.spot_usd_per_hour < floor * offer.on_demand_usd_per_hour
    ]


def defined_duration_in_disguise(offers: Sequence[Offer]) -> list[Issue]:
    """An on-demand price below 0.6 of the regions' median is a defined-duration price (GCP H100: 33.61 for 88.49)."""
    share = load_traps().prices.on_demand_share_of_regions
    return [
        _priced_wrong(offer, f"on demand far below the regions' median of {middle:.2f}", "another product's price")
        for group in _grouped(offers, lambda offer: (offer.cloud, offer.instance_type)).values()
        for middle in [median({offer.region: offer.on_demand_usd_per_hour or Decimal(0) for offer in group}.values())]
        for offer in group
        if (offer.on_demand_usd_per_hour or 0) < share * middle
    ]


def half_of_a_price(offers: Sequence[Offer]) -> list[Issue]:
    """Where the host and the accelerator are two rows (GCP), one alone is far below the cloud's others."""
    share = load_traps().prices.on_demand_share_of_cloud
    return [
        _priced_wrong(
            offer, f"far below the cloud's {middle:.2f} per device", "add the host row and the accelerator row"
        )
        for group in _grouped(offers, lambda offer: (offer.cloud, offer.accelerator)).values()
        for middle in [median(_per_device(offer) for offer in group)]
        for offer in group
        if _per_device(offer) < share * middle
    ]


def prices_that_stand_alone(offers: Sequence[Offer]) -> list[Issue]:
    """An on-demand or spot price far below those of all other regions and providers of the device is a mistake.

    It would win every problem that allows it. Clouds differ by more than that, so only a cloud that asks more in its
    own other regions is judged.
    """
    return [
        issue
        for kind in ("on_demand_usd_per_hour", "spot_usd_per_hour")
        for group in _of_device(offers, kind).values()
        for issue in _standing_alone(group, kind)
    ]


def _of_device(offers: Iterable[Offer], kind: str) -> dict[str, list[Offer]]:
    """The offers that have a kind of price, by device."""
    groups: dict[str, list[Offer]] = defaultdict(list)
    for offer in offers:
        if getattr(offer, kind):
            groups[offer.accelerator].append(offer)
    return groups


def _standing_alone(offers: Sequence[Offer], kind: str) -> Iterator[Issue]:
    """The offers of one device in the region whose price stands alone."""
    rules, lowest = load_traps().prices, dict[tuple[str, str], Decimal]()
    prices = {offer: getattr(offer, kind) / offer.accelerators for offer in offers}
    for offer, price in prices.items():
        here = (offer.cloud, offer.region)
        lowest[here] = min(price, lowest.get(here, price))
    clouds = Counter(cloud for cloud, _ in lowest)
    cheapest = sorted(lowest, key=lambda place: lowest[place])[:2]
    for offer, price in prices.items():
        elsewhere = next((lowest[place] for place in cheapest if place != (offer.cloud, offer.region)), Decimal(0))
        if clouds[offer.cloud] >= rules.isolated_regions and price < rules.isolated_share * elsewhere:
            name = kind.removesuffix("_usd_per_hour").replace("_", " ")
            message = f"{name} {price:.2f} a device and hour, nowhere else below {elsewhere:.2f}"
            yield _priced_wrong(offer, message, "look the price up again, or mark it suspect")


def priced_where_no_zone_offers_it(offers: Sequence[Offer]) -> list[Issue]:
    """Where a price list names zones, an offer without one is priced but not sold."""
    zoned = {rule.cloud for rule in load_traps().zoned}
    return [
        _priced_wrong(offer, "priced, but no zone offers it", "leave it out or mark it suspect")
        for offer in offers
        if offer.cloud in zoned and not offer.zone
    ]


def local_zones(offers: Sequence[Offer]) -> list[Issue]:
    """A zone near a city has few nodes and a price of its own, which lists give as that of its region."""
    named = re.compile(load_traps().prices.local_zone)
    return [
        _priced_wrong(offer, "a local zone, which is not its region", "mark it suspect")
        for offer in offers
        if named.search(f"{offer.region} {offer.zone}")
    ]


def listed_everywhere(offers: Sequence[Offer]) -> list[Issue]:
    """A cloud that lists all it has in every region, at one price, says nothing about where capacity is."""
    fewest = load_traps().prices.everywhere_regions
    issues: list[Issue] = []
    for group in _grouped(offers, lambda offer: (offer.cloud,)).values():
        regions = {offer.region for offer in group}
        types = _grouped(group, lambda offer: (offer.instance_type,)).values()
        if len(regions) >= fewest and all(_one_price_in(regions, offers_of_type) for offers_of_type in types):
            issues.append(_priced_wrong(group[0], "the cloud lists every type in every region", "mark it suspect"))
    return issues


def stale_prices(offers: Sequence[Offer]) -> list[Issue]:
    """Prices move by factors within two years, so none is much older than the newest."""
    newest = max((_months(offer.date) for offer in offers), default=0)
    return [
        _priced_wrong(offer, f"priced {offer.date}, long before the newest", "look the price up again")
        for offer in offers
        if newest - _months(offer.date) > load_traps().prices.oldest_months
    ]


def offers_of_unknown_devices(offers: Sequence[Offer]) -> list[Issue]:
    """Every offer names a device of the accelerator catalog."""
    known = {accelerator.name for accelerator in load_accelerators()}
    return [
        _priced_wrong(offer, f"{offer.accelerator} has no record", "use a name of the accelerator catalog")
        for offer in offers
        if offer.accelerator not in known
    ]


def repeated_offers(offers: Sequence[Offer]) -> list[Issue]:
    """The same offer stands in the table once."""
    return [
        Issue("an offer stands twice", Place(OFFERS, text=str(offer))) for offer, n in Counter(offers).items() if n > 1
    ]


def _published_networks() -> dict[tuple[str, str], float]:
    """Published Gbit/s per device, by cloud and instance type."""
    return {(rule.cloud, rule.instance_type): rule.gbit_s for rule in load_traps().network}


def _grouped(offers: Iterable[Offer], key: Callable[[Offer], tuple[str, ...]]) -> dict[tuple[str, ...], list[Offer]]:
    """The offers with an on-demand price, by a key."""
    groups: dict[tuple[str, ...], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.on_demand_usd_per_hour:
            groups[key(offer)].append(offer)
    return groups


def _one_price_in(regions: set[str], offers: Sequence[Offer]) -> bool:
    """Whether offers of one type stand in every region at the same price."""
    return {offer.region for offer in offers} == regions and len(
        {offer.on_demand_usd_per_hour for offer in offers}
    ) == 1


def _per_device(offer: Offer) -> Decimal:
    """On-demand USD per device and hour."""
    return (offer.on_demand_usd_per_hour or Decimal(0)) / offer.accelerators


def _months(date: str) -> int:
    """Months since year 0; a date without a month counts as that year's last."""
    year, _, rest = date.partition("-")
    return 12 * int(year) + int(rest[:2] or 12)


@dataclass(frozen=True, kw_only=True)
class OfferIssue(Issue):
    """What is wrong with one offer."""

    offer: Offer
    fault: str
    """The message without the offer's name."""


def _priced_wrong(offer: Offer, message: str, fix: str) -> OfferIssue:
    """What is wrong with an offer."""
    return OfferIssue(f"{where(offer)}: {message}", Place(OFFERS), fix, offer=offer, fault=message)


def where(offer: Offer) -> str:
    """Place and machine of an offer, as issues begin."""
    return " ".join(part for part in (offer.cloud, offer.region, offer.zone, offer.instance_type) if part)


OFFER_CHECKS: Final[tuple[OfferCheck, ...]] = (
    tpu_names_count_cores,
    form_factors,
    single_devices_with_a_fabric,
    unpublished_networks,
    spot_above_on_demand,
    spot_equal_to_on_demand,
    spot_for_nothing,
    defined_duration_in_disguise,
    half_of_a_price,
    prices_that_stand_alone,
    priced_where_no_zone_offers_it,
    local_zones,
    listed_everywhere,
    stale_prices,
    offers_of_unknown_devices,
    repeated_offers,
)
"""Run on the offers that are used; a suspect one has said what is wrong with it."""
