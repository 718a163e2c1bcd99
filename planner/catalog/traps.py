"""What goes wrong in published tables of hardware and prices, as data: the figures that the checks look for."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from functools import cache
from typing import Annotated

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Accelerator, Count, Positive, Precision, Record, Share


class OfDevices(Record):
    """A rule for the devices whose names contain all its words, as parts between hyphens."""

    words: tuple[str, ...]

    def concerns(self, accelerator: Accelerator) -> bool:
        """Whether the device's name, split at hyphens, has all the words."""
        parts = set(re.split(r"[\s\-_()]+", accelerator.name.casefold()))
        return parts.issuperset(self.words)


class Figure(OfDevices):
    """A figure that belongs to another card or to sparse matrices."""

    trap: Count
    field: str
    """`memory_bandwidth_gb_s`, or the precision whose peak is meant."""
    wrong: tuple[Positive, ...]
    right: str
    why: str


class Direction(OfDevices):
    """The most that a fabric carries per device and direction, in GB/s."""

    fabric: str
    gb_s: Positive


class Absent(Record):
    """Precisions that an architecture has no units for."""

    architecture: str
    precisions: tuple[Precision, ...]


class Pair(OfDevices):
    """What one pair of devices gets of the sum of links, in GB/s."""

    gb_s: Positive


class Package(OfDevices):
    """A package that frameworks show as several devices; its note has to mention what they are called."""

    mention: str


class Slice(Record):
    """How many of what the number in a TPU slice's name counts make one chip."""

    prefix: str
    counted_per_chip: Count


class MeasuredShare(OfDevices):
    """The share of the dense bf16 peak that a large matrix product was measured to reach."""

    share: Share


class UsableMemory(OfDevices):
    """What a framework can have at most, in GiB."""

    usable_gib: Positive


class FormFactor(Record):
    """The devices that an instance type may carry; `types` is a regular expression for the whole name."""

    cloud: str
    types: str
    accelerators: tuple[str, ...]


class Zoned(Record):
    """A cloud whose price lists name the zones of what is sold."""

    cloud: str


class Network(Record):
    """The published scale-out bandwidth of an instance type, Gbit/s per device."""

    cloud: str
    instance_type: str
    fabric: str
    gbit_s: Positive
    source: str


ShareOfPrice = Annotated[Decimal, Field(gt=0, le=1)]


class PriceRules(Record):
    """When a price is too good to be true."""

    on_demand_share_of_regions: ShareOfPrice
    """Below this share of the regions' median an on-demand price is something else."""
    on_demand_share_of_cloud: ShareOfPrice
    """Below this share of the cloud's median for the device a row holds the host or the accelerator alone."""
    spot_share_of_on_demand: ShareOfPrice
    """Below this share of on demand, a spot price is no price."""
    everywhere_regions: Count
    """Number of regions from which on one list repeated in all of them says nothing about capacity."""
    oldest_months: Count
    """Older than the newest price by more than this, a price is stale."""
    isolated_share: ShareOfPrice
    """Below this share of every other region's and provider's price for the device, a price stands alone."""
    isolated_regions: Count
    """From this many regions of a cloud on, one of them can stand alone."""
    local_zone: str
    """How zones are named that are apart from their region, as a regular expression."""


class Traps(Record):
    """The whole table."""

    figure: tuple[Figure, ...]
    direction: tuple[Direction, ...]
    absent: tuple[Absent, ...]
    pair: tuple[Pair, ...]
    package: tuple[Package, ...]
    slice: tuple[Slice, ...]
    share: tuple[MeasuredShare, ...]
    memory: tuple[UsableMemory, ...]
    form_factor: tuple[FormFactor, ...]
    zoned: tuple[Zoned, ...]
    network: Annotated[tuple[Network, ...], Field(min_length=1)]
    prices: PriceRules


@cache
def load_traps() -> Traps:
    """The table of traps."""
    return Traps.model_validate(tomllib.loads((catalog_directory() / "traps.toml").read_text("utf-8")))
