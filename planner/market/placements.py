"""Placements: one cloud's region or zone with one instance type, or one of the problem's own offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from operator import is_
from typing import Final

from planner.catalog.accelerators import accelerator_from, load_accelerators
from planner.catalog.capacity import slices_of
from planner.catalog.offers import SpotHistory, load_spot_history, usable
from planner.catalog.precisions import find_precision
from planner.catalog.records import Accelerator, Offer
from planner.catalog.software import Support, load_support
from planner.errors import InputError, Issue, did_you_mean
from planner.market.calendar import Reservation, Timeline, own_reservations, timeline_of
from planner.market.capacity import Basis, Capacities
from planner.market.filters import check_regions, is_asked_for, named, offers_of
from planner.market.places import OWN, by_place, most_exact, place_title
from planner.market.quotas import quotas_of, within_quotas
from planner.market.spot import SpotFigures, spot_figures, spot_price
from planner.problem.own_offer import OwnOffer
from planner.problem.problem import Problem
from planner.problem.quantities import UNLIMITED
from planner.units import SECONDS_PER_YEAR, Price, exact


@dataclass(frozen=True)
class Machine:
    """Nodes of one kind and the network between them: all that a layout's time and memory depend on."""

    accelerator: Accelerator
    per_node: int
    """Devices per node."""
    domain: int
    """Devices that share the scale-up fabric: a node, or a rack where the fabric spans several nodes."""
    network_gbit_s: float
    """Per device; 0 when nodes are not connected."""

    @property
    def memory_bytes(self) -> float:
        """Usable memory of a device."""
        return self.accelerator.memory_usable_gib * 2**30

    @cached_property
    def key(self) -> tuple[str, int, int, float]:
        """What tells machines apart, sortable."""
        return (self.accelerator.name, self.per_node, self.domain, self.network_gbit_s)


@dataclass(frozen=True)
class Placement:
    """Where the job may run and what nodes cost there, US dollars per node-hour; None is not sold."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    machine: Machine
    on_demand: Decimal | None
    spot: Decimal | None
    reservations: tuple[Reservation, ...]
    nodes: int
    """Most nodes at a time."""
    spot_nodes: int
    basis: Basis
    """Why so many nodes can be had."""
    spot_figures: SpotFigures | None
    """How spot nodes come and go; None when spot is not sold."""
    source: str
    date: str
    timeline: Timeline | None = None
    """When nodes are there and what they cost then, at least `on_demand`; None where that does not change."""
    on_demand_nodes: int = UNLIMITED
    """Most nodes on demand, where a quota counts those alone."""

    @property
    def is_dated(self) -> bool:
        """Whether it matters on which days it is used."""
        return self.timeline is not None or any(one.block for one in self.reservations)

    @property
    def highest_price(self) -> float:
        """Of an on-demand node at any time, US dollars an hour; where none is sold nothing."""
        if self.on_demand is None:
            return 0.0
        known = [one.on_demand for one in self.timeline.stretches if one.nodes] if self.timeline else []
        return max(float(one) for one in (self.on_demand, *known) if one is not None)

    @property
    def last_change(self) -> float:
        """Seconds from the first day until nothing about it changes any more, the lead of its blocks included."""
        leads = [one.block.lead or 0.0 for one in self.reservations if one.block]
        return max([self.timeline.last_change if self.timeline else 0.0, *leads])

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells placements apart, sortable."""
        return (self.cloud, self.region, self.zone, self.instance_type)

    @property
    def location(self) -> tuple[str, str]:
        """Inside of which nothing has to be carried over: a region of a cloud, or one own offer."""
        return (OWN, self.instance_type) if self.cloud == OWN else (self.cloud, self.region)

    @property
    def names(self) -> frozenset[str]:
        """Everything that a problem may call it by."""
        cloud = () if self.cloud == OWN else (self.cloud,)
        zones = self.zone.split()
        return frozenset((*cloud, self.region, *zones, self.instance_type, self.machine.accelerator.name)) - {""}

    @property
    def title(self) -> str:
        """The placement on one line; an own offer is called by its name."""
        return place_title(*self.key)

    def discounted(self, share: float) -> Placement:
        """The same for less in every way to buy."""
        left = 1 - exact(share)
        return replace(
            self,
            on_demand=None if self.on_demand is None else self.on_demand * left,
            spot=None if self.spot is None else self.spot * left,
            reservations=tuple(
                replace(one, usd_per_node_hour=one.usd_per_node_hour * left) for one in self.reservations
            ),
        )

    @property
    def prices(self) -> tuple[Decimal, ...]:
        """Every price that is asked, whatever the kind."""
        known = [price for price in (self.on_demand, self.spot) if price is not None]
        return (*known, *(one.usd_per_node_hour for one in self.reservations))


def placements(problem: Problem) -> tuple[Placement, ...]:
    """Every placement that the problem allows, in an order that does not depend on the catalogs'.

    Raises InputError when a filter leaves nothing, naming that filter.
    """
    return _placements(_Asked(problem))


def placement_keys(problem: Problem) -> frozenset[tuple[str, str, str, str]]:
    """The keys of all of them. Raises InputError when a filter leaves nothing."""
    return _keys(_Asked(problem))


@dataclass(frozen=True, eq=False)
class _Asked:
    """A problem, of which only what decides about its offers tells it apart: the same objects, as copies share them."""

    problem: Problem

    @property
    def parts(self) -> tuple[object, ...]:
        """What offers depend on."""
        problem = self.problem
        return problem.market, problem.risk, problem.training, problem.schedule, problem.base_directory

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and all(map(is_, self.parts, other.parts))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.parts)))


@lru_cache(maxsize=4)
def _keys(asked: _Asked) -> frozenset[tuple[str, str, str, str]]:
    return frozenset(one.key for one in _placements(asked))


@lru_cache(maxsize=4)
def _placements(asked: _Asked) -> tuple[Placement, ...]:
    """The same, once for all problems that agree in what offers depend on."""
    problem = asked.problem
    accelerators = _named_accelerators(problem)
    found = [*_own_placements(problem), *_catalog_placements(problem)]
    found = _kept(problem, found, "market.accelerators", lambda one: accelerators is None or _name(one) in accelerators)
    support = support_of(problem)
    found = _kept(
        problem,
        found,
        "training.software.stack",
        lambda one: support is None or support.runs_on(one.machine.accelerator),
    )
    found = _kept(problem, found, "training.precision", lambda one: _computes(one, problem.training.precision))
    excluded = named(problem, ("market", "exclude"), problem.market.exclude)
    found = _kept(problem, found, "market.exclude", lambda one: not one.names & excluded)
    found = _kept(problem, found, "market.purchase", lambda one: bool(one.prices))
    found = _kept(problem, found, "risk.spare_nodes", lambda one: not problem.risk.spare_nodes or _has_spares(one))
    _check_prices(problem, found)
    quotas = tuple(quotas_of(problem))
    found = [within_quotas(quotas, one) for one in found]
    found = _kept(problem, found, "market.quotas", lambda one: one.nodes > 0 and bool(one.prices))
    return tuple(sorted(found, key=lambda one: (one.machine.key, one.key)))


WIDEST: Final = 1_000_000
"""Times that one price of an accelerator may be another one: beyond, no integers are fine enough for both."""


def _check_prices(problem: Problem, found: Iterable[Placement]) -> None:
    """Refuses prices of an accelerator that are too far apart to be weighed against each other."""
    prices: dict[str, list[Decimal]] = {}
    for one in found:
        prices.setdefault(_name(one), []).extend(price for price in one.prices if price > 0)
    for name, asked in prices.items():
        if asked and max(asked) > WIDEST * min(asked):
            span = f"from ${min(asked):.2g} to ${max(asked):.2g} per node and hour"
            raise InputError(
                f"prices of {name} {span} are too far apart, more than {WIDEST:,} times",
                place=problem.place("market", "offers"),
                fix="write $0/GPU-h for what costs next to nothing",
            )


def support_of(problem: Problem) -> Support | None:
    """What the stack that a problem states runs on and offers; None where it states none, or nothing restricts it."""
    software = problem.training.software
    return load_support().get(software.stack.lower()) if software else None


def _named_accelerators(problem: Problem) -> frozenset[str] | None:
    """Catalog names of the accelerators that the problem asks for; None when it asks for none. Raises InputError."""
    names = problem.market.accelerators
    if names is None:
        return None
    found = []
    for index, name in enumerate(names):
        with problem.at("market", "accelerators", index):
            found.append(accelerator_from(name, problem.base_directory).name)
    return frozenset(found)


def _name(placement: Placement) -> str:
    return placement.machine.accelerator.name


def _has_spares(placement: Placement) -> bool:
    """Whether single nodes can stand by: a host of a slice has no substitute outside of it."""
    return slices_of(_name(placement)) is None


def _computes(placement: Placement, precision: str) -> bool:
    """Whether the device has the precision's arithmetic."""
    return find_precision(precision).runs_on(placement.machine.accelerator)


def _kept(problem: Problem, found: list[Placement], key: str, keeps: Callable[[Placement], bool]) -> list[Placement]:
    """The placements that a filter keeps. Raises InputError when it keeps none."""
    kept = [one for one in found if keeps(one)]
    if kept:
        return kept
    names = sorted({_name(one) for one in found})
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    message = f"{key} leaves none of the {len(found)} offers ({shown})" if found else "no offers are left"
    fix = f"widen {key} or add market.offers"
    if problem.market.clouds is None and not problem.market.peer_to_peer:
        fix += ", or write market.peer_to_peer: true to consider other people's hosts"
    raise InputError(message, place=problem.place(*key.split(".")), fix=fix)


def _catalog_placements(problem: Problem) -> Iterator[Placement]:
    """The trusted catalog offers of the clouds that are allowed. Raises InputError for an unknown cloud."""
    offers = usable(offers_of(problem))
    clouds = problem.market.clouds
    if clouds is not None:
        _check_clouds(problem, clouds, sorted({offer.cloud for offer in offers}))
    devices, machines = {one.name: one for one in load_accelerators()}, dict[tuple[str, int, float], Machine]()
    check_regions(problem)
    regions, quantile, capacities = problem.market.regions, problem.risk.spot_price, Capacities.of(problem)
    discounts = by_place(problem, "discounts", problem.market.discounts)
    histories = _histories() if quantile is not None and "spot" in problem.market.purchase else {}
    for offer in offers:
        if is_asked_for(problem, offer.cloud) and (regions is None or offer.region in regions):
            history = histories.get((offer.cloud, offer.region, offer.instance_type))
            kind = (offer.accelerator, offer.accelerators, offer.network_gbit_s)
            machine = machines.get(kind) or machines.setdefault(kind, machine_of(devices[kind[0]], *kind[1:]))
            placement = _catalog_placement(problem, offer, machine, history, capacities)
            discount = most_exact(discounts, offer.cloud, offer.accelerator)
            yield placement if discount is None else placement.discounted(discount)


def _check_clouds(problem: Problem, clouds: Iterable[str], known: list[str]) -> None:
    """Refuses clouds that the catalogs do not have."""
    unknown = [(index, cloud) for index, cloud in enumerate(clouds) if cloud not in known]
    if unknown:
        raise InputError(
            Issue(f"unknown cloud {cloud!r}", problem.place("market", "clouds", index), did_you_mean(cloud, known))
            for index, cloud in unknown
        )


def _histories() -> dict[tuple[str, str, str], SpotHistory]:
    return {(one.cloud, one.region, one.instance_type): one for one in load_spot_history()}


def _catalog_placement(
    problem: Problem, offer: Offer, machine: Machine, history: SpotHistory | None, capacities: Capacities
) -> Placement:
    """One catalog offer with the prices of the ways to buy that the problem allows."""
    kinds, device = problem.market.purchase, machine.accelerator
    nodes, basis = capacities.nodes(offer.cloud, device.name)
    spot_nodes, _ = capacities.nodes(offer.cloud, device.name, "spot")
    if offer.network_gbit_s == 0:
        nodes, spot_nodes, basis = 1, 1, "published"
    spot = offer.spot_usd_per_hour if "spot" in kinds else None
    if spot is not None:
        spot = spot_price(offer, history, problem.risk.spot_price) * exact(problem.market.spot_price)
    return Placement(
        cloud=offer.cloud,
        region=offer.region,
        zone=offer.zone,
        instance_type=offer.instance_type,
        machine=machine,
        on_demand=offer.on_demand_usd_per_hour if "on_demand" in kinds else None,
        spot=spot,
        reservations=_catalog_reservations(offer) if "reserved" in kinds else (),
        nodes=nodes,
        spot_nodes=min(nodes, spot_nodes),
        basis=basis,
        spot_figures=None if spot is None else spot_figures(device.name, offer.cloud),
        source=offer.source,
        date=offer.date,
    )


def machine_of(device: Accelerator, per_node: int, network_gbit_s: float) -> Machine:
    """Nodes of `per_node` devices; a fabric that spans racks ends with the largest slice, any other with the node."""
    rack, slices = device.scale_up_domain > device.accelerators_per_node, slices_of(device.name)
    most = max(slices.chips) if slices else device.scale_up_domain
    domain = min(device.scale_up_domain, most if rack else per_node)
    return Machine(device, per_node, domain, network_gbit_s)


def _catalog_reservations(offer: Offer) -> tuple[Reservation, ...]:
    """The terms for which a catalog offer can be reserved."""
    terms = (
        ("block", offer.block_usd_per_hour, 0.0),
        ("1 year", offer.reserved_1y_usd_per_hour, float(SECONDS_PER_YEAR)),
        ("3 years", offer.reserved_3y_usd_per_hour, 3.0 * SECONDS_PER_YEAR),
    )
    return tuple(Reservation(term, price, seconds) for term, price, seconds in terms if price)


def _own_placements(problem: Problem) -> Iterator[Placement]:
    """The problem's own offers, with the prices of the ways to buy that it allows. Raises InputError."""
    for index, offer in enumerate(problem.market.offers):
        with problem.at("market", "offers", index, "accelerator"):
            device = accelerator_from(offer.accelerator, problem.base_directory)
        yield _own_placement(problem, offer, device)


def _own_placement(problem: Problem, offer: OwnOffer, device: Accelerator) -> Placement:
    """One of the problem's own offers; what it does not state is what is usual for the device."""
    kinds = problem.market.purchase
    per_node = offer.gpus_per_node or device.accelerators_per_node
    network = device.nic_gbit_s if offer.network is None else offer.network * 8 / 1e9

    def per_node_hour(price: Price | None, kind: str) -> Decimal | None:
        """Price of a node that is sold in this way; None where it is not, or not asked for."""
        return price.usd_per_gpu_hour(per_node) * per_node if price is not None and kind in kinds else None

    spot = per_node_hour(offer.spot, "spot")
    nodes = min(offer.nodes or UNLIMITED, UNLIMITED if network > 0 else 1)
    timeline = None
    if problem.schedule:
        timeline = timeline_of(offer, problem.schedule.start, nodes, lambda price: per_node_hour(price, "on_demand"))
    one_price = offer.on_demand if isinstance(offer.on_demand, Price) else None
    return Placement(
        cloud=OWN,
        region="",
        zone="",
        instance_type=offer.name,
        machine=machine_of(device, per_node, network),
        on_demand=timeline.lowest_price if timeline else per_node_hour(one_price, "on_demand"),
        spot=None if spot is None else spot * exact(problem.market.spot_price),
        reservations=tuple(own_reservations(offer, lambda price: per_node_hour(price, "reserved"))),
        nodes=nodes if timeline is None else timeline.most_nodes,
        spot_nodes=min(offer.spot_nodes or nodes, nodes),
        basis="unlimited" if nodes == UNLIMITED else "stated",
        spot_figures=None if spot is None else _own_spot_figures(offer, device.name),
        source="the problem's own offer",
        date="",
        timeline=timeline,
    )


RATE_OF_ABSENCES: Final = 1.0
"""Preemptions per node and day of nodes that are not always there although none are stated."""


def _own_spot_figures(offer: OwnOffer, device: str) -> SpotFigures:
    """The offer's own figures over the catalog's."""
    usual, stated = spot_figures(device, None), offer.preemptions_per_node_day
    if stated is None:
        return replace(usual, availability=offer.availability)
    rate = stated if stated or offer.availability == 1 else RATE_OF_ABSENCES
    return replace(usual, availability=offer.availability, preemptions_per_node_day=rate, traced=True)
