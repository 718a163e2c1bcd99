"""Google's SKUs of the Cloud Billing Catalog: device, virtual CPUs and memory added up to machines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal

from planner.catalog.offers import load_offers
from planner.errors import Place
from planner.prices.quote import GcpMachine, Quote, price_sources

Way = Literal["on_demand", "spot"]
Prices = Mapping[tuple[str, str, Way], set[Decimal]]
"""Dollars of a unit by SKU name, region and way to buy; more than one where SKUs contradict each other."""
SPOT: Final = "Spot Preemptible "
PARTS: Final = re.compile(r"(?:Spot Preemptible )?(.+?)(?: attached to Spot Preemptible VMs)? running in .+")
"""What a SKU prices; reservations, commitments and defined durations are worded otherwise."""
SOURCE: Final = "Google Cloud Billing Catalog, SKUs of a machine added up"


@dataclass(frozen=True)
class Sku:
    """What one SKU says."""

    name: str
    way: Way
    usd: Decimal
    """Of a device, virtual CPU or GiB, and hour."""
    regions: tuple[str, ...]


def gcp_quotes(data: Any, place: Place) -> Iterator[Quote]:  # noqa: ANN401  (a JSON document)
    """Every machine in every region where its device has a price; devices of no such machine with their fault."""
    prices: dict[tuple[str, str, Way], set[Decimal]] = {}
    used = {name for machine in price_sources().gcp.machines for name in machine.gpu}
    for one in data["skus"]:
        sku = _sku(one)
        if sku is None or (sku.name not in used and _is_device(one)):
            yield from _unused(one, place)
            continue
        for region in sku.regions:
            prices.setdefault((sku.name, region, sku.way), set()).add(sku.usd)
    for machine in price_sources().gcp.machines:
        for region in dict.fromkeys(region for name, region, _ in prices if name in machine.gpu):
            yield from _machines(machine, region, prices, place)


def _is_device(sku: Mapping[str, Any]) -> bool:
    return sku.get("category", {}).get("resourceGroup") in {"GPU", "TPU"}


def _sku(data: Mapping[str, Any]) -> Sku | None:
    """What a SKU prices by the hour; None for reservations, commitments, defined durations and other services."""
    description = str(data["description"])
    match, usage = PARTS.fullmatch(description), data.get("category", {}).get("usageType", "")
    if match is None or usage not in {"OnDemand", "Preemptible"} or description.startswith("Commitment"):
        return None
    rate = data["pricingInfo"][0]["pricingExpression"]["tieredRates"][-1]["unitPrice"]
    usd = Decimal(str(rate.get("units") or 0)) + Decimal(rate.get("nanos", 0)) / 10**9
    way: Way = "spot" if usage == "Preemptible" or SPOT.strip() in description else "on_demand"
    return Sku(match[1], way, usd, tuple(map(str, data.get("serviceRegions", ()))))


def _unused(data: Mapping[str, Any], place: Place) -> Iterator[Quote]:
    """A device that is part of no machine that is known, or sold in another way; nothing for other SKUs."""
    if not _is_device(data):
        return
    name = str(data["description"])[:200]
    fault = "a device without its machine, or a price that is not on demand or spot"
    yield Quote(place, "gcp", "", "", name, "", 1, source=SOURCE, fault=fault)


def _machines(machine: GcpMachine, region: str, prices: Prices, place: Place) -> Iterator[Quote]:
    """A machine's price in each zone of a region that the catalog has it in, or why its parts do not add up."""
    sums = {way: _sum(machine, region, way, prices) for way in ("on_demand", "spot")}
    on_demand, host, fault = sums["on_demand"]
    for zone in _zones().get((machine.name, region), ("",)):
        yield Quote(
            place=place,
            cloud="gcp",
            region=region,
            zone=zone,
            instance_type=machine.name,
            device="",
            count=machine.devices,
            on_demand=on_demand,
            spot=sums["spot"][0],
            host_usd=host,
            source=SOURCE,
            fault=fault,
        )


@cache
def _zones() -> dict[tuple[str, str], tuple[str, ...]]:
    """The zones of each of Google's machines by region: SKUs price regions, and not every region has every machine."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for one in load_offers():
        if one.cloud == "gcp" and one.zone:
            found.setdefault((one.instance_type, one.region), {})[one.zone] = None
    return {key: tuple(zones) for key, zones in found.items()}


def _sum(
    machine: GcpMachine, region: str, way: Literal["on_demand", "spot"], prices: Prices
) -> tuple[Decimal | None, Decimal | None, str]:
    """The machine's price, its host's part, and why there is none: a part has no price there, or two."""
    parts = [(machine.gpu, machine.devices), ((machine.core,), machine.vcpus), ((machine.ram,), machine.gib)]
    usd: list[Decimal] = []
    for names, count in parts:
        found = {price for name in names for price in prices.get((name, region, way), ())} if count else {Decimal(0)}
        if len(found) != 1:
            how = "two prices" if found else "no price"
            return None, None, f"{names[0]} has {how} in {region}"
        usd.append(found.pop() * count)
    return sum(usd, Decimal(0)), usd[1] + usd[2] if machine.core else None, ""
