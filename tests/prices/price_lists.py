"""Price lists in the formats of others, written from the catalog's own rows, clean or with a fault."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer

HEADINGS = (
    "InstanceType",
    "AcceleratorName",
    "AcceleratorCount",
    "vCPUs",
    "MemoryGiB",
    "GpuInfo",
    "Price",
    "SpotPrice",
    "Region",
    "AvailabilityZone",
)
Row = dict[str, str]
NAMED_APART = {"a3-megagpu-8g": "H100-MEGA-80GB", "a3-highgpu-8g": "H100"}
HOST_SHARE = Decimal("0.11")
"""Of a GCP machine's price that its host takes."""


def clean(cloud: str) -> list[Offer]:
    """The catalog's rows of a cloud that are believed and have a price on demand."""
    return [one for one in usable(load_offers()) if one.cloud == cloud and one.on_demand_usd_per_hour]


def row(offer: Offer, **changes: str) -> Row:
    """One row of SkyPilot's list."""
    stated = {
        "InstanceType": offer.instance_type,
        "AcceleratorName": offer.accelerator,
        "AcceleratorCount": f"{offer.accelerators}.0",
        "Price": str(offer.on_demand_usd_per_hour),
        "SpotPrice": str(offer.spot_usd_per_hour or ""),
        "Region": offer.region,
        "AvailabilityZone": offer.zone,
    }
    return dict.fromkeys(HEADINGS, "") | stated | changes


def split_rows(offer: Offer, device_usd: Decimal | None = None) -> list[Row]:
    """Host and devices in rows of their own, as Google's are."""
    price, spot = offer.on_demand_usd_per_hour or Decimal(0), offer.spot_usd_per_hour
    host = row(offer, AcceleratorName="", AcceleratorCount="", Price=f"{price * HOST_SHARE:.6f}")
    host["SpotPrice"] = "" if spot is None else f"{spot * HOST_SHARE:.6f}"
    devices = price * (1 - HOST_SHARE) if device_usd is None else device_usd
    name = NAMED_APART.get(offer.instance_type, offer.accelerator)
    device = row(offer, InstanceType="", AcceleratorName=name, Price=f"{devices:.6f}")
    device["SpotPrice"] = "" if spot is None else f"{spot * (1 - HOST_SHARE):.6f}"
    return [host, device]


def write(folder: Path, cloud: str, rows: Iterable[Mapping[str, str]]) -> Path:
    """A cloud's list below a folder of catalogs; returns the folder."""
    path = folder / "v8" / cloud / "vms.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADINGS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def everything(folder: Path) -> Path:
    """The clean lists of all clouds."""
    for cloud in ("aws", "azure", "gcp", "nebius"):
        rows: Callable[[Offer], list[Row]] = split_rows if cloud == "gcp" else lambda offer: [row(offer)]
        offers = [one for one in clean(cloud) if not one.instance_type.startswith("tpu")]
        write(folder, cloud, [line for offer in offers for line in rows(offer)])
    return folder
