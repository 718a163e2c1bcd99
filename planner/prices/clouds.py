"""The clouds' own price JSON as downloaded: AWS Price List, Azure Retail Prices, Google Cloud Billing SKUs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from planner.errors import InputError, Place
from planner.prices.gcp import gcp_quotes
from planner.prices.quote import Quote
from planner.prices.table import amount, content_of

Cloud = Literal["aws", "azure", "gcp"]
Found = TypeVar("Found")


def cloud_quotes(cloud: Cloud, path: Path) -> list[Quote]:
    """The quotes of a cloud's price file. Raises InputError."""
    place = Place(str(path))

    def quotes(data: Any) -> Iterator[Quote]:  # noqa: ANN401  (a JSON document)
        """Of each page, dated as it is listed."""
        for page in data if isinstance(data, list) else [data]:
            yield from (replace(one, date=_listed_on(page, path)) for one in READERS[cloud](page, place))

    found = read_cloud_json(content_of(path), place, f"price file of {cloud}", HOW[cloud], quotes)
    if not found:
        raise InputError(f"no prices of {cloud} in it", place=place, fix=HOW[cloud])
    return found


def read_cloud_json(
    content: bytes,
    place: Place,
    kind: str,
    fix: str,
    read: Callable[[Any], Iterator[Found]],
) -> list[Found]:
    """What a reader finds in what a cloud gave. Raises InputError for no JSON, one of several pages, or no `kind`."""
    try:
        data = json.loads(content)
        _refuse_part(data, place)
        return list(read(data))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}"[:200], place=place, fix=fix) from None
    except (LookupError, TypeError, AttributeError) as error:
        message = f"not a {kind}: {type(error).__name__} {error}"[:200]
        raise InputError(message, place=place, fix=fix) from None


def _listed_on(data: object, path: Path) -> str:
    """The day of a list: as it says, else of its file. What a price is valid from says nothing of when it was asked."""
    stated = str(data.get("publicationDate", ""))[:10] if isinstance(data, Mapping) else ""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", stated):
        return stated
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date().isoformat()


def _refuse_part(data: object, place: Place) -> None:
    """Raises InputError for an answer that goes on with another page, which is not there."""
    last = data[-1] if isinstance(data, list) and data else data
    keys = ("NextPageLink", "nextPageToken", "NextToken", "nextLink")
    if key := next((key for key in keys if isinstance(last, Mapping) and last.get(key)), None):
        fix = "fetch the others too, and give all of them as one JSON list: [page, page, …]"
        raise InputError(f"one page of several: {key} says that there are more", place=place, fix=fix)


def _aws(data: Any, place: Place) -> Iterator[Quote]:  # noqa: ANN401  (a JSON document)
    """Linux on shared machines: on demand, and reserved for 1 and 3 years without a part upfront."""
    for one in _aws_products(data):
        attributes = one["product"]["attributes"]
        if attributes.get("operatingSystem") != "Linux" or attributes.get("tenancy") != "Shared":
            continue
        if attributes.get("capacitystatus") != "Used" or attributes.get("preInstalledSw", "NA") != "NA":
            continue
        if attributes.get("marketoption", "OnDemand") != "OnDemand":  # capacity blocks stand there for nothing
            continue
        on_demand = list(_aws_hours(one["terms"].get("OnDemand", {})))
        if not on_demand:
            continue
        reserved = {years: price for price, years in _aws_hours(one["terms"].get("Reserved", {}))}
        yield Quote(
            place=place,
            cloud="aws",
            region=attributes["regionCode"],
            zone="",
            instance_type=attributes["instanceType"],
            device="",
            count=0,
            on_demand=on_demand[0][0],
            reserved_1y=reserved.get("1yr"),
            reserved_3y=reserved.get("3yr"),
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


def _aws_hours(terms: Mapping[str, Any]) -> Iterator[tuple[Decimal, str]]:
    """Dollars an hour and term of each offer that has no upfront part."""
    for term in terms.values():
        attributes = term.get("termAttributes") or {}
        if attributes.get("PurchaseOption", "No Upfront") != "No Upfront":
            continue
        if attributes.get("OfferingClass", "standard") != "standard":
            continue
        for dimension in term["priceDimensions"].values():
            usd = amount(str(dimension["pricePerUnit"].get("USD", "")))
            if usd is not None and dimension.get("unit") == "Hrs":
                yield usd, attributes.get("LeaseContractLength", "")


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
        found.setdefault(key, {})[kind] = round(usd / hours, 6)
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
