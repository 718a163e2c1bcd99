"""What is known about failures, restarts, checkpoints and spot capacity, and what is not."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Count, Positive, Record, Share, SourcedRecord


class FailureRate(SourcedRecord):
    """How often a node of a cluster failed."""

    name: str
    failures_per_1000_node_days: Positive
    accelerators: tuple[str, ...]
    """The devices of that cluster, by their catalog names."""
    usual: bool = False
    """The rate to use when nothing better is known; exactly one is."""


class Restart(SourcedRecord):
    """How long a synchronous job stands still before it computes (again)."""

    name: str
    seconds: Positive
    assumed: bool


class CheckpointStorage(SourcedRecord):
    """How fast a checkpoint is written and read, in decimal gigabytes per second."""

    name: str
    write_gb_s_per_node: Positive
    write_gb_s_total: Positive
    """What the storage sustains however many nodes write."""
    read_gb_s_per_node: Positive
    assumed: bool


class SpotStatistics(SourcedRecord):
    """How spot nodes of one kind came and went in recorded traces. An absent figure was not recorded."""

    name: str
    cloud: str
    accelerators: tuple[str, ...]
    """The traced device, by its catalog name; empty when it has no record there."""
    devices_per_node: Count
    traces: Count
    zones: Count | None = None
    days: Positive
    """Recorded time, summed over the traces."""
    availability_min: Share | None = None
    """Share of time in which a node could be had, in the worst zone."""
    availability_median: Share
    availability_max: Share | None = None
    mean_up_hours: Positive
    median_up_hours: Positive | None = None
    mean_down_hours: Positive | None = None
    preemptions_per_node_up_hour: Positive


Shares = Annotated[tuple[Share, ...], Field(min_length=1)]
Rates = Annotated[tuple[Positive, ...], Field(min_length=1)]


class GangStatistics(SourcedRecord):
    """How far spot nodes of one zone go together: P(all nodes available) / P(at least one), over zones.

    Lists have a figure for each zone, in one order.
    """

    name: str
    cloud: str
    accelerators: tuple[str, ...]
    nodes: Count
    zones: Count
    all_given_any_min: Share
    all_given_any_median: Share
    all_given_any_max: Share
    kept_median: Share
    """Mean share of the nodes that are there when some but not all are; median over zones."""
    one_there: Shares
    """Share of the time in which a node is there: the mean share of the nodes."""
    all_there: Shares
    """Share of the time in which all nodes are there."""
    one_preempted_per_hour: Rates
    """Preemptions of a node per hour that it is up."""
    gang_preempted_per_hour: Rates
    """Preemptions of the whole gang per hour that all of it is up."""


class SpotPeriods(SourcedRecord):
    """How long periods up or away last beside their mean, as a mixture of exponentials."""

    state: Literal["up", "away"]
    shares: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """How often each kind of period occurs; they add up to 1."""
    means: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """The mean of each kind over the mean of all."""


class Untraced(SourcedRecord):
    """What is said of a device that no public trace covers."""

    statement: str
    stand_in: str
    """Name of the statistics that illustrate it, never silently."""


class Reliability(Record):
    """The whole catalog of reliability."""

    failure_rate: Annotated[tuple[FailureRate, ...], Field(min_length=1)]
    restart: tuple[Restart, ...]
    checkpoint: tuple[CheckpointStorage, ...]
    spot: tuple[SpotStatistics, ...]
    gang: tuple[GangStatistics, ...]
    periods: tuple[SpotPeriods, ...]
    untraced: Untraced

    @property
    def usual_failure_rate(self) -> FailureRate:
        """The rate to use when nothing better is known."""
        return next(rate for rate in self.failure_rate if rate.usual)

    @property
    def stand_in(self) -> SpotStatistics:
        """The statistics that illustrate a device without a trace."""
        return next(one for one in self.spot if one.name == self.untraced.stand_in)


@cache
def load_reliability() -> Reliability:
    """The reliability catalog."""
    text = (catalog_directory() / "reliability.toml").read_text("utf-8")
    return Reliability.model_validate(tomllib.loads(text))


def spot_statistics(accelerator: str, *, cloud: str | None = None) -> tuple[SpotStatistics, ...]:
    """The traces of a device (by its catalog name), of one cloud or of all; empty when none is public."""
    return tuple(
        one
        for one in load_reliability().spot
        if accelerator in one.accelerators and (cloud is None or one.cloud == cloud)
    )


def spot_statement(accelerator: str, *, cloud: str | None = None) -> str:
    """One sentence on what is known about a device's spot capacity, or that nothing is."""
    known = spot_statistics(accelerator, cloud=cloud)
    if not known:
        return load_reliability().untraced.statement
    names = ", ".join(f"{one.name} ({one.date})" for one in known)
    return f"Recorded spot traces: {names}."
