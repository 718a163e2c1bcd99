"""The price on which a plan rests most: how old it is, and how far it may rise before another plan is cheaper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from planner.clock import Clock, today
from planner.explore.answer import Answer
from planner.explore.enumeration import best_mode
from planner.explore.job_modes import bounds_of, plan_of_mode
from planner.market.placements import Placement
from planner.market.purchase_options import PurchaseOption, undominated
from planner.plans.choices import Choices, choices_of, site_of, stays_together, usable
from planner.plans.plan import Plan
from planner.plans.purchases import Purchase
from planner.prices.book import days_since
from planner.prices.quote import price_sources
from planner.problem.market import PurchaseKind as Kind


@dataclass(frozen=True)
class DecidingPrice:
    """The price of most of the bill."""

    place: str
    kind: Kind
    usd_per_gpu_hour: Decimal
    share: float
    """Of the bill."""
    date: str
    """Empty where the problem states the price itself."""
    others: int
    """Other regions and zones of the cloud in which the same machine has the same price."""
    rise: float | None
    """Share by which it may rise until `rival` costs as much, or else the budget is spent; None if nothing ends it."""
    rival: Plan | None
    """The cheapest plan that does not pay it; None where the limits leave none."""

    @property
    def days(self) -> int | None:
        """Since its date."""
        return days_since(self.date, today()) if self.date else None

    @property
    def is_old(self) -> bool:
        """Whether it should be looked up again."""
        return self.days is not None and self.days > price_sources().limits.old_days


def deciding_price(found: Answer, clock: Clock | None = None) -> DecidingPrice | None:
    """The price of most of a plan's bill; None without a plan or a bill.

    How far it may rise is asked where cost is the objective and no offer changes in time: to the rival's cost, over
    what the plan pays at that price. Raises OutOfTimeError.
    """
    plan, choices = found.plan, found.choices
    lines = _lines_of_one_price(plan) if plan else []
    if plan is None or not lines or not plan.cost_usd:
        return None
    paid, first = sum((one.cost_usd for one in lines), Decimal(0)), lines[0]
    paying = next(one.purchase_option for one in plan.phases if one.purchase_option.placement.title == first.offer)
    price = _MachinePrice(paying.placement, first.kind, _price_of(paying, first.kind))
    rival, rise = None, None
    if choices.objective == "cost" and not choices.is_dated:
        rival = _cheapest_without(choices, price, clock or Clock())
        limit = found.problem.limits.budget if rival is None else rival.cost_usd
        rise = None if limit is None else max(0.0, float((limit - plan.cost_usd) / paid))
    places = {one.placement.key for one in choices.offered if price.is_of(one)}
    return DecidingPrice(
        place=first.offer,
        kind=first.kind,
        usd_per_gpu_hour=first.usd_per_gpu_hour,
        share=float(paid / plan.cost_usd),
        date=paying.placement.date,
        others=len(places) - 1,
        rise=rise,
        rival=rival,
    )


@dataclass(frozen=True)
class _MachinePrice:
    """What a cloud asks for a machine, in every place where that is the same."""

    placement: Placement
    kind: Kind
    usd_per_node_hour: Decimal | None

    def is_of(self, option: PurchaseOption) -> bool:
        """Whether an option's nodes of that kind have the price."""
        other = option.placement
        same = (other.cloud, other.instance_type) == (self.placement.cloud, self.placement.instance_type)
        return same and _price_of(option, self.kind) == self.usd_per_node_hour


def _price_of(option: PurchaseOption, kind: Kind) -> Decimal | None:
    """US dollars of a node-hour; None where it is not sold so."""
    if kind == "reserved":
        return option.reservation.usd_per_node_hour if option.reservation else None
    return option.placement.spot if kind == "spot" else option.placement.on_demand


def _lines_of_one_price(plan: Plan) -> list[Purchase]:
    """The lines of a bill that one price makes, of which most is paid."""
    prices: dict[tuple[str, Kind, Decimal], list[Purchase]] = {}
    for line in plan.purchases:
        prices.setdefault((line.offer, line.kind, line.usd_per_gpu_hour), []).append(line)
    return max(prices.values(), key=lambda lines: sum(one.cost_usd for one in lines), default=[])


def _cheapest_without(choices: Choices, price: _MachinePrice, clock: Clock) -> Plan | None:
    """The cheapest plan within all limits that does not pay a price, on machines that it hid too."""
    left = [one for option in choices.offered for one in _without(option, price)]
    options = undominated(left, moves=not stays_together(choices.problem))
    known = {site for of_phase in choices.columns for site in of_phase}
    hidden = [one for one in options if site_of(one) not in known]
    if hidden:
        choices = _with_hidden(choices, hidden, clock)
        clock.check()
    choices = replace(choices, purchase_options=usable(choices.problem, options, choices.columns))
    mode = best_mode(choices, bounds_of(choices.problem), clock)
    clock.check()
    return plan_of_mode(choices, choices.problem, mode) if mode else None


def _without(option: PurchaseOption, price: _MachinePrice) -> Iterator[PurchaseOption]:
    """What is left of an option when nothing is bought at a price."""
    placement = option.placement
    if not price.is_of(option):
        yield option
    elif price.kind == "spot":
        yield from [option] if option.spot_policy.policy == "steady" else []
    elif price.kind == "reserved":
        return
    elif option.spot_policy.policy in {"wait", "elastic"} or option.reservation is not None:
        yield replace(option, placement=replace(placement, on_demand=None))


def _with_hidden(choices: Choices, hidden: list[PurchaseOption], clock: Clock) -> Choices:
    """The choices with the layouts of offers that were dominated before."""
    more = choices_of(choices.problem, hidden, clock, spaces=choices.spaces)
    columns = tuple({**ours, **theirs} for ours, theirs in zip(choices.columns, more.columns, strict=True))
    return replace(choices, machines={**choices.machines, **more.machines}, columns=columns)
