"""Quotas as lines for `market.quotas`: from the clouds' own files, or from a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from planner.catalog.offers import load_offers, usable
from planner.catalog.quotas import QuotaWay, load_quotas
from planner.errors import Place


@dataclass(frozen=True)
class StatedQuota:
    """One quota as its source states it."""

    place: Place
    title: str
    cloud: str
    region: str
    """Empty where it holds for all of the cloud's."""
    purchase: QuotaWay | None
    machines: tuple[str, ...]
    """Instance types that share it."""
    limit: int
    counts_vcpus: bool = False
    """Whether `limit` is in virtual CPUs; else in devices."""
    used: int = 0
    """How much of it is in use, where the source says so."""


@dataclass(frozen=True)
class QuotaLine:
    """One item of `market.quotas`."""

    quota: StatedQuota
    machines: tuple[str, ...]
    gpus: int

    def data(self) -> dict[str, Any]:
        """The item as a problem file writes it."""
        inside = self.quota.region or self.quota.cloud
        found: dict[str, Any] = {"of": list(self.machines), "within": [inside]}
        if self.quota.purchase:
            found["purchase"] = self.quota.purchase
        return found | {"gpus": self.gpus}


def quota_lines(quotas: Iterable[StatedQuota], *, unused: bool = False) -> tuple[QuotaLine, ...]:
    """The items for every quota that an offer of the catalog shares; `unused`: without what is in use.

    A job has machines of one type at a time: a quota in virtual CPUs becomes an item for each number of devices that
    it allows.
    """
    return tuple(line for quota in quotas for line in _lines(quota, unused=unused))


def _lines(quota: StatedQuota, *, unused: bool) -> Iterator[QuotaLine]:
    limit = max(0, quota.limit - quota.used) if unused else quota.limit
    known = offered(quota.cloud, quota.region)
    by_number: dict[int, list[str]] = {}
    for machine in quota.machines:
        if machine in known:
            gpus = limit // load_quotas().vcpus[machine] * known[machine] if quota.counts_vcpus else limit
            by_number.setdefault(gpus, []).append(machine)
    yield from (QuotaLine(quota, tuple(machines), gpus) for gpus, machines in by_number.items())


@cache
def offered(cloud: str, region: str) -> dict[str, int]:
    """Devices of each instance type that the catalog has in a region of a cloud, "" for all of its regions."""
    return {
        one.instance_type: one.accelerators
        for one in usable(load_offers())
        if one.cloud == cloud and region in {"", one.region}
    }
