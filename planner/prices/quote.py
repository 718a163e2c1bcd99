"""One row of somebody's price list, before it is believed: what it says, and where it stands."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Positive, Record, SourcedRecord
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


class QuoteLimits(Record):
    """When a row is not believed."""

    lowest_ratio: Positive
    highest_ratio: Positive
    lowest_ratio_elsewhere: Positive
    highest_ratio_elsewhere: Positive
    flat_regions: Annotated[int, Field(ge=2)]
    local_zone: str
    old_days: Annotated[int, Field(ge=1)]


class PriceSources(Record):
    """The whole table `price_sources.toml`."""

    skypilot_name: tuple[SkypilotName, ...]
    slice: tuple[SliceName, ...]
    headings: dict[str, tuple[str, ...]]
    commitment_headings: dict[str, tuple[str, ...]]
    limits: QuoteLimits


@cache
def price_sources() -> PriceSources:
    """How price lists name things, and when a row is not believed."""
    text = (catalog_directory() / "price_sources.toml").read_text("utf-8")
    return PriceSources.model_validate(tomllib.loads(text))
