"""One row of somebody's price list, before it is believed: what it says, and where it stands."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Count, Positive, Record, SourcedRecord
from planner.errors import Place


@dataclass(frozen=True)
class Quote:
    """Prices are US dollars per instance and hour; None is not sold or not said."""

    place: Place
    cloud: str
    region: str
    zone: str
    instance_type: str
    device: str
    """As the list spells it; empty where only the instance type tells."""
    count: int
    """Devices per instance; 0 where only the instance type tells."""
    on_demand: Decimal | None = None
    spot: Decimal | None = None
    reserved_1y: Decimal | None = None
    reserved_3y: Decimal | None = None
    block: Decimal | None = None
    host_usd: Decimal | None = None
    """What of it is the host's, where a list prices host and devices apart."""
    network_gbit_s: float | None = None
    date: str = ""
    source: str = ""
    fault: str = ""
    """Why the list's own shape makes it useless, if it does."""


class SkypilotName(SourcedRecord):
    """What a plain name means there."""

    name: str
    accelerator: str
    machines: str = ""
    """How the names of the machines begin that carry it, where a list prices hosts and devices apart."""


class SliceName(Record):
    """The device of slices whose name begins so."""

    prefix: str
    accelerator: str


class GcpMachine(Record):
    """What one machine of Google's is made of, by the SKUs that price it."""

    name: str
    devices: Count
    gpu: tuple[str, ...]
    """Names of the device's SKU."""
    core: str = ""
    """Of a virtual CPU's; empty where the device's carries the whole machine."""
    ram: str = ""
    """Of a GiB's."""
    vcpus: Annotated[int, Field(ge=0)] = 0
    gib: Annotated[int, Field(ge=0)] = 0


class GcpMachines(SourcedRecord):
    """Google's machines with devices."""

    machines: tuple[GcpMachine, ...]


class QuoteLimits(Record):
    """When a row is not believed."""

    lowest_ratio: Positive
    highest_ratio: Positive
    lowest_ratio_elsewhere: Positive
    highest_ratio_elsewhere: Positive
    lowest_share_of_on_demand: Positive
    flat_regions: Annotated[int, Field(ge=2)]
    old_days: Annotated[int, Field(ge=1)]


class PriceSources(Record):
    """The whole table `price_sources.toml`."""

    skypilot_name: tuple[SkypilotName, ...]
    slice: tuple[SliceName, ...]
    gcp: GcpMachines
    auctions: tuple[str, ...]
    """Clouds that sell by auction, whose lists state the floor to bid from."""
    headings: dict[str, tuple[str, ...]]
    commitment_headings: dict[str, tuple[str, ...]]
    limits: QuoteLimits


@cache
def price_sources() -> PriceSources:
    """How price lists name things, and when a row is not believed."""
    text = (catalog_directory() / "price_sources.toml").read_text("utf-8")
    return PriceSources.model_validate(tomllib.loads(text))
