"""How many nodes a cloud has for a customer without a contract, and in which sizes slices are sold."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Count, Record, SourcedRecord


class SoldCapacity(SourcedRecord):
    """Most nodes at a time in one zone that can be had without a contract."""

    cloud: str
    """Empty: any."""
    accelerator: str
    """Its catalog name; empty: any."""
    purchase: Literal["", "on_demand", "spot", "reserved"]
    """Way to buy; empty: any."""
    nodes: Count
    assumed: bool

    def concerns(self, cloud: str, accelerator: str, purchase: str) -> bool:
        """Whether it is about such nodes."""
        stated = (self.cloud, self.accelerator, self.purchase)
        return all(own in {"", asked} for own, asked in zip(stated, (cloud, accelerator, purchase), strict=True))


class Slices(SourcedRecord):
    """The sizes in which an accelerator is sold, smallest first; beyond, only several slices of the largest size."""

    accelerator: str
    chips: Annotated[tuple[Count, ...], Field(min_length=1)]


class PeerToPeer(SourcedRecord):
    """A cloud whose nodes are other people's hosts."""

    cloud: str


class CapacityCatalog(Record):
    """The whole file."""

    capacity: Annotated[tuple[SoldCapacity, ...], Field(min_length=1)]
    slices: tuple[Slices, ...]
    peer_to_peer: tuple[PeerToPeer, ...]


@cache
def load_capacity() -> CapacityCatalog:
    """The catalog of capacity."""
    return CapacityCatalog.model_validate(tomllib.loads((catalog_directory() / "capacity.toml").read_text("utf-8")))


def capacity_of(cloud: str, accelerator: str, purchase: str = "on_demand") -> SoldCapacity:
    """What is known, or assumed, of a cloud's nodes; the first record that fits, the last fits any."""
    return next(one for one in load_capacity().capacity if one.concerns(cloud, accelerator, purchase))


def peer_to_peer_clouds() -> frozenset[str]:
    """Clouds whose nodes are other people's hosts."""
    return frozenset(one.cloud for one in load_capacity().peer_to_peer)


def slices_of(accelerator: str) -> Slices | None:
    """The slices in which an accelerator is sold; None when any number of nodes is."""
    return next((one for one in load_capacity().slices if one.accelerator == accelerator), None)
