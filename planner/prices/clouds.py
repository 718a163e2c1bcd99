"""The clouds' own price JSON as downloaded: AWS Price List, Azure Retail Prices, Google Cloud Billing SKUs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from planner.errors import InputError, Place
from planner.prices.gcp import gcp_quotes
from planner.prices.quote import Quote
from planner.prices.table import amount, content_of

Cloud = Literal["aws", "azure", "gcp"]


def cloud_quotes(cloud: Cloud, path: Path) -> list[Quote]:
    """The quotes of a cloud's price file. Raises InputError."""
    place = Place(str(path))
    try:
        data = json.loads(content_of(path))
        found = list(READERS[cloud](data, place))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}"[:200], place=place, fix=HOW[cloud]) from None
    except (LookupError, TypeError, AttributeError) as error:
        message = f"not a price file of {cloud}: {type(error).__name__} {error}"[:200]
        raise InputError(message, place=place, fix=HOW[cloud]) from None
    if not found:
        raise InputError(f"no prices of {cloud} in it", place=place, fix=HOW[cloud])
    return found


def _aws(data: Any, place: Place) -> Iterator[Quote]:  # noqa: ANN401  (a JSON document)
    """Linux on shared machines: on demand, and reserved for 1 and 3 years without a part upfront."""
    for one in _aws_products(data):
        attributes = one["product"]["attributes"]
        if attributes.get("operatingSystem") != "Linux" or attributes.get("tenancy") != "Shared":
            continue
        if attributes.get("capacitystatus") != "Used" or attributes.get("preInstalledSw", "NA") != "NA":
            continue
        on_demand = list(_aws_hours(one["terms"].get("OnDemand", {})))
        if not on_demand:
            continue
        usd, date, _ = on_demand[0]
        reserved = {years: price for price, _, years in _aws_hours(one["terms"].get("Reserved", {}))}
        yield Quote(
            place=place,
            cloud="aws",
            region=attributes["regionCode"],
            zone="",
            instance_type=attributes["instanceType"],
            device="",
            count=0,
            on_demand=usd,
            reserved_1y=reserved.get("1yr"),
            reserved_3y=reserved.get("3yr"),
            date=date[:10],
            source="AWS Price List",
        )


def _aws_products(data: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  (a JSON document)
    """Products with their terms, whichever way the file was downloaded."""
    if "PriceList" in data:
        yield from (json.loads(one) if isinstance(one, str) else one for one in data["PriceList"])
        return
    terms = data["terms"]
    for sku, product in data["products"].items():
        yield {"product": product, "terms": {kind: of_kind.get(sku, {}) for kind, of_kind in terms.items()}}


def _aws_hours(terms: Mapping[str, Any]) -> Iterator[tuple[Decimal, str, str]]:
    """Dollars an hour, date and term of each offer that has no upfront part."""
    for term in terms.values():
        attributes = term.get("termAttributes") or {}
        if attributes.get("PurchaseOption", "No Upfront") != "No Upfront":
            continue
        if attributes.get("OfferingClass", "standard") != "standard":
            continue
        for dimension in term["priceDimensions"].values():
            usd = amount(str(dimension["pricePerUnit"].get("USD", "")))
            if usd is not None and dimension.get("unit") == "Hrs":
                yield usd, term.get("effectiveDate", ""), attributes.get("LeaseContractLength", "")


def _azure(data: Any, place: Place) -> Iterator[Quote]:  # noqa: ANN401  (a JSON document)
    """Linux machines from the Retail Prices API: on demand, spot, and reservations by the hour."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in data["Items"]:
        if item.get("serviceName") != "Virtual Machines" or "Windows" in item.get("productName", ""):
            continue
        key, kind = (item["armRegionName"], item["armSkuName"]), _azure_kind(item)
        usd = amount(str(item["retailPrice"]))
        if kind is None or usd is None or item.get("currencyCode", "USD") != "USD":
            continue
        hours = AZURE_HOURS.get(item.get("reservationTerm") or "", 1)
        known = found.setdefault(key, {"date": ""})
        known[kind] = round(usd / hours, 6)
        known["date"] = max(known["date"], str(item.get("effectiveStartDate", ""))[:10])
    for (region, sku), prices in found.items():
        yield Quote(
            place=place,
            cloud="azure",
            region=region,
            zone="",
            instance_type=sku,
            device="",
            count=0,
            source="Azure Retail Prices API",
            **prices,
        )


AZURE_HOURS: Final = {"1 Year": 8760, "3 Years": 26280}
"""Hours of a reservation, whose price is that of its whole term."""


def _azure_kind(item: Mapping[str, Any]) -> str | None:
    """Which price of a machine an item is; None for those that are none of them."""
    if item.get("type") == "Reservation":
        return {"1 Year": "reserved_1y", "3 Years": "reserved_3y"}.get(item.get("reservationTerm") or "")
    if item.get("type") != "Consumption" or "Low Priority" in item.get("skuName", ""):
        return None
    return "spot" if "Spot" in item.get("skuName", "") else "on_demand"


READERS: Final[dict[Cloud, Callable[[Any, Place], Iterator[Quote]]]] = {"aws": _aws, "azure": _azure, "gcp": gcp_quotes}
HOW: Final[dict[Cloud, str]] = {
    "aws": "give what `aws pricing get-products --service-code AmazonEC2` printed, or the offer file of one region",
    "azure": "give what https://prices.azure.com/api/retail/prices answered",
    "gcp": "give what the Cloud Billing Catalog API answered for Compute Engine's SKUs",
}
