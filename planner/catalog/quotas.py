"""What the quotas of clouds are called, what they count, and for which machines they hold."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Literal

from planner.catalog.files import catalog_directory
from planner.catalog.records import Count, Record, SourcedRecord

QuotaWay = Literal["on_demand", "spot"]
"""The way to buy that a quota counts."""


class QuotaRecord(SourcedRecord):
    """One quota of a cloud."""

    cloud: str
    names: tuple[str, ...]
    """As the cloud's own files call it."""
    title: str
    purchase: QuotaWay
    counts: Literal["devices", "vcpus"]
    machines: tuple[str, ...]
    """Instance types that share it."""


class QuotaCatalog(Record):
    """The whole table `quotas.toml`."""

    quota: tuple[QuotaRecord, ...]
    vcpus: dict[str, Count]
    """Virtual CPUs by instance type."""
    headings: dict[str, tuple[str, ...]]
    purchases: dict[QuotaWay, tuple[str, ...]]

    def named(self, cloud: str, name: str) -> QuotaRecord | None:
        """The quota of that name, whatever its capitals; None for one of no machine that is known."""
        wanted = name.casefold()
        quotas = (one for one in self.quota if one.cloud == cloud)
        return next((one for one in quotas if wanted in map(str.casefold, one.names)), None)


@cache
def load_quotas() -> QuotaCatalog:
    """The catalog of quotas."""
    return QuotaCatalog.model_validate(tomllib.loads((catalog_directory() / "quotas.toml").read_text("utf-8")))
