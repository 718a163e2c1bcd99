"""Where a job may run, how it may be paid, and which quotas its offers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from planner.problem.document import dotted
from planner.problem.own_offer import OwnOffer
from planner.problem.quantities import (
    AcceleratorReference,
    Bandwidth,
    Discounts,
    Factor,
    Grants,
    Money,
    Name,
    TransferPrice,
)
from planner.problem.schema_base import Rule, SchemaModel

PurchaseKind = Literal["on_demand", "spot", "reserved"]


class Moving(SchemaModel):
    """What it takes when a phase begins in another place than the one before: checkpoint and data are carried over."""

    bandwidth: Bandwidth = 1.25e9
    """Between places, such as `10 Gb/s`; default 10 Gb/s."""
    egress: TransferPrice | None = None
    """Price of what leaves a place, such as `$0.09/GB`; default: what its cloud asks for, nothing for own offers."""


class Quota(SchemaModel):
    """A limit that several offers share."""

    of: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]
    """The clouds, regions, zones, instance types, accelerators or own offers that share it."""
    within: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] | None = None
    """Of these only what is in one of these clouds, regions or zones; default: wherever they are."""
    purchase: Literal["on_demand", "spot"] | None = None
    """The way to buy that it counts; default: every one. Where fewer nodes may be bought on demand than otherwise, a
    job takes no more than those, or none on demand."""
    gpus: Annotated[int, Field(ge=0, le=10_000_000, strict=True, examples=[512])]
    """Most devices of all of them together at a time; 0: none."""


class Market(SchemaModel):
    """Where the job may run and how it may be paid."""

    accelerators: Annotated[tuple[AcceleratorReference, ...], Field(min_length=1, max_length=1000)] | None = None
    """Accelerators to consider; default: every one in the catalogs."""
    clouds: Annotated[tuple[Name, ...], Field(max_length=1000)] | None = None
    """Clouds to consider; default: every one in the catalogs; `[]`: none, only the problem's own offers."""
    regions: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] | None = None
    """Regions of the catalogs' clouds to consider; default: every one."""
    exclude: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """What not to consider: clouds, regions, zones, instance types, accelerators or own offers; default: nothing."""
    peer_to_peer: bool = False
    """Whether hosts of private persons and small firms are considered (Vast.ai); default: only where `clouds` names
    their marketplace."""
    purchase: Annotated[tuple[PurchaseKind, ...], Field(min_length=1, max_length=3)] = ("on_demand",)
    """Ways to buy: on_demand, spot, reserved; default on_demand."""
    offers: Annotated[tuple[OwnOffer, ...], Field(max_length=1000)] = ()
    """Own prices and quotas, beside the catalogs' offers; default: none."""
    spot_price: Factor = 1.0
    """Factor on all spot prices, such as `×1.5`; default 1."""
    together: bool = False
    """Whether all phases stay in one place with one accelerator and one way to buy; default: each may have its own.
    Under `objective: tokens` they always stay."""
    moving: Moving = Moving()
    """What moving from one place to another takes."""
    prices: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    """Books of own prices that `plan prices import` wrote, laid over the catalogs' offers, the first before the next:
    paths beside the problem, or `user` for the one in the user's configuration folder; default: none."""
    discounts: Discounts | None = None
    """Shares off the catalogs' prices by place, such as `{aws: 22%, gcp/TPUv5p: 30%}`; default: none."""
    quotas: Annotated[tuple[Quota, ...], Field(max_length=1000)] = ()
    """Quotas that offers share, such as `[{of: [us-east-1, ours], gpus: 512}]`; default: none."""
    committed: Annotated[dict[Name, Money], Field(min_length=1, max_length=1000)] | None = None
    """What is paid already, whatever is decided, by what it was paid for, such as `{2026 reservation: $310k}`: told
    beside the bill, in which it is not; default: nothing."""
    capacity: Grants | None = None
    """Nodes that the catalogs' clouds grant at a time in one zone, such as `{aws: 256, gcp/B200-SXM: 512, any: 64}`, or
    `unlimited`; default: what clouds are known or assumed to sell without a contract."""

    @property
    def is_dated(self) -> bool:
        """Whether it matters on which days something runs: an own offer changes in time."""
        return any(offer.is_dated for offer in self.offers)

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if self.clouds == () and not self.offers:
            yield Rule(("market", "clouds"), "no clouds and no own offers: nothing can be bought", "add market.offers")
        yield from repeated(("market", "offers"), [offer.name for offer in self.offers])
        for index, offer in enumerate(self.offers):
            for rule in offer.broken_rules():
                yield Rule(("market", "offers", index, *rule.path), rule.message, rule.fix)


def repeated(path: tuple[str, ...], names: list[str]) -> Iterator[Rule]:
    """A rule for every name that a list has twice."""
    counts = Counter(names)
    for index, name in enumerate(names):
        if counts[name] > 1 and names.index(name) < index:
            yield Rule((*path, index), f"{dotted(path)} has {name!r} twice", "give each a name of its own")
