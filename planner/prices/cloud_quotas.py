"""The clouds' own quota files as downloaded: AWS Service Quotas, Google's regions and Cloud Quotas, Azure's usage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from planner.catalog.offers import load_offers
from planner.catalog.quotas import load_quotas
from planner.errors import InputError, Place, did_you_mean
from planner.prices.clouds import Cloud, read_cloud_json
from planner.prices.quotas import StatedQuota
from planner.prices.table import amount, content_of

MOST: Final = 10_000_000
"""Largest limit that is taken for a number of devices or virtual CPUs."""


def cloud_quotas(cloud: Cloud, path: Path, region: str = "") -> list[StatedQuota]:
    """The quotas on accelerators in a cloud's file. Raises InputError.

    `region`: where they hold; required for Azure, whose file does not say it, unless the file is named after it.
    """
    place = Place(str(path))

    def quotas(data: Any) -> Iterator[StatedQuota]:  # noqa: ANN401  (a JSON document)
        """Of the region, which is asked for once the file is known to be JSON."""
        return READERS[cloud](data, place, _region(cloud, path, region))

    found = read_cloud_json(content_of(path, "a quota file"), place, f"quota file of {cloud}", HOW[cloud], quotas)
    if not found:
        raise InputError(f"no quota on accelerators of {cloud} in it", place=place, fix=HOW[cloud])
    return found


def _region(cloud: Cloud, path: Path, region: str) -> str:
    """The region that is stated, or after which a file is named. Raises InputError for one that is not known."""
    known = {one.region for one in load_offers() if one.cloud == cloud}
    if region and region not in known:
        raise InputError(f"unknown region {region!r}", place=Place("--region"), fix=did_you_mean(region, sorted(known)))
    return region or (path.stem if path.stem in known else "")


def _aws(data: Any, place: Place, region: str) -> Iterator[StatedQuota]:  # noqa: ANN401  (a JSON document)
    """What `aws service-quotas list-service-quotas --service-code ec2` printed; the region is in each quota's ARN."""
    for one in data["Quotas"] if "Quotas" in data else [data["Quota"]]:
        own = str(one.get("QuotaArn", "")).split(":")
        here = region or (own[3] if len(own) > 3 else "")
        yield from _stated(place, "aws", one["QuotaCode"], here, one["Value"], 0)


def _gcp(data: Any, place: Place, region: str) -> Iterator[StatedQuota]:  # noqa: ANN401  (a JSON document)
    """Regions with their `quotas`, or quotas of the Cloud Quotas API with their `dimensionsInfos`."""
    for one in data if isinstance(data, list) else data.get("quotaInfos", [data]):
        if "dimensionsInfos" in one:
            yield from _gcp_families(one, place)
            continue
        for quota in one["quotas"]:
            yield from _stated(place, "gcp", quota["metric"], region or one["name"], quota["limit"], quota["usage"])


def _gcp_families(data: Any, place: Place) -> Iterator[StatedQuota]:  # noqa: ANN401  (a JSON document)
    """GPUs per family and region; what is stated for a region comes before what holds for all others."""
    if "GPU-FAMILY" not in str(data.get("quotaId", "")):
        return
    for info in data["dimensionsInfos"]:
        dimensions = info.get("dimensions") or {}
        regions = [dimensions["region"]] if "region" in dimensions else info.get("applicableLocations", ())
        for region in regions:
            yield from _stated(place, "gcp", dimensions.get("gpu_family", ""), region, info["details"]["value"], 0)


def _azure(data: Any, place: Place, region: str) -> Iterator[StatedQuota]:  # noqa: ANN401  (a JSON document)
    """What `az vm list-usage --location REGION -o json` printed, or the REST API of the same."""
    if not region:
        fix = "add --region eastus, or name the file eastus.json"
        raise InputError("Azure's file does not say for which region it is", place=place, fix=fix)
    for one in data if isinstance(data, list) else data["value"]:
        yield from _stated(place, "azure", one["name"].get("value", ""), region, one["limit"], one["currentValue"])


def _stated(
    place: Place,
    cloud: Cloud,
    name: object,
    region: str,
    limit: object,
    used: object,
) -> Iterator[StatedQuota]:
    """The quota of that name where it is one on accelerators. Raises InputError for a limit that is no number."""
    record = load_quotas().named(cloud, str(name))
    if record is None:
        return
    numbers = [amount(str(one)) for one in (limit, used)]
    if any(one is None or not 0 <= one <= MOST for one in numbers):
        message = f"{record.title}: limit {str(limit)[:30]!r}, in use {str(used)[:30]!r}: not numbers"
        raise InputError(message, place=place, fix=HOW[cloud])
    most, taken = (int(one or 0) for one in numbers)
    vcpus = record.counts == "vcpus"
    yield StatedQuota(place, record.title, cloud, region, record.purchase, record.machines, most, vcpus, taken)


READERS: Final[dict[Cloud, Callable[[Any, Place, str], Iterator[StatedQuota]]]] = {
    "aws": _aws,
    "azure": _azure,
    "gcp": _gcp,
}
HOW: Final[dict[Cloud, str]] = {
    "aws": "give what `aws service-quotas list-service-quotas --service-code ec2` printed",
    "azure": "give what `az vm list-usage --location REGION -o json` printed",
    "gcp": "give what `gcloud compute regions describe REGION --format=json` printed",
}
