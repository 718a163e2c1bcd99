"""At which spot price, and at how many preemptions, the cheapest plan would turn to other nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from math import inf
from typing import Final

import numpy as np

from planner.availability.spot_cycles import Rates
from planner.availability.spot_policies import break_even_rate
from planner.explore.enumeration import best_mode
from planner.explore.job_modes import bounds_of, decision_of
from planner.layouts.wall_time import TimedLayouts, run_moments
from planner.market.money import rates_per_second
from planner.market.purchase_options import PurchaseOption, SpotPolicy
from planner.performance.symbols import Array
from planner.plans.choices import Choices
from planner.plans.plan import PhasePlan, Plan, plan_of
from planner.tolerances import SUM_ORDER
from planner.units import exact

RATES: Final = (1e-3, 500.0)
"""Preemptions per node and day between which the break-even point is searched."""
ALMOST: Final = 0.999
"""A rate so near to the end of that range was not found."""
LEAST_FACTOR: Final = 1e-6
"""What stands for spot nodes that cost nothing."""
ROUNDS: Final = 50
"""Each looks at the best plan at the price of the one before; few are ever needed."""


@dataclass(frozen=True)
class SpotBreakEven:
    """Where the cheapest plans with and without spot nodes cost the same, within all limits."""

    factor: float
    """On all spot prices of today."""
    with_spot: Plan
    """At prices times the factor."""
    without_spot: Plan
    preemptions_per_node_day: float | None
    """At which the best plan, its layout and prices unchanged, costs as much as without spot nodes; None if never, or
    if it has none."""

    @property
    def usd_per_gpu_hour(self) -> Decimal:
        """What the plan pays for spot nodes there."""
        return next(one.usd_per_gpu_hour for one in self.with_spot.purchases if one.kind == "spot")


def spot_break_even(choices: Choices, best: Plan) -> SpotBreakEven | None:
    """The factor on spot prices at which the cheapest plan changes; None without plans of both kinds, or if none does.

    At factor f a plan costs F + f·S, so the best plan without spot nodes, of cost C, wins above f = max (C − F)/S:
    found by the best plan at the f of the plan before. Source: Dinkelbach 1967, Management Science 13 (7).
    """
    without = _cheapest(_only(choices, spot=False), bounds_of(choices.problem).cost_usd)
    if without is None:
        return None
    factor, found = 1.0, None
    spot, limit = _only(choices, spot=True), float(without.cost_usd)
    for _ in range(ROUNDS):
        plan = _cheapest(_priced(spot, factor), inf)
        paid = 0.0 if plan is None else _spot_usd(plan) / factor
        if plan is None or not paid:
            return None
        better = max((limit - (float(plan.cost_usd) - factor * paid)) / paid, LEAST_FACTOR)
        if found and better <= factor * (1 + SUM_ORDER):
            break
        found, factor = plan, better
    if found is None or factor <= LEAST_FACTOR:
        return None
    with_spot = _cheapest(_priced(spot, factor), inf) or found
    return SpotBreakEven(factor, with_spot, without, _rate(choices, best, limit))


def _cheapest(choices: Choices, budget: float) -> Plan | None:
    """The plan that costs least within all limits but the budget, which is given."""
    bounds = replace(bounds_of(choices.problem), cost_usd=budget)
    mode = best_mode(choices, bounds)
    return plan_of(choices, decision_of(choices, mode)) if mode else None


def _only(choices: Choices, *, spot: bool) -> Choices:
    """The purchase options with spot nodes, or those without."""
    return replace(
        choices,
        purchase_options=tuple(one for one in choices.purchase_options if (one.spot_policy.policy != "steady") == spot),
    )


def _priced(choices: Choices, factor: float) -> Choices:
    """The purchase options at spot prices times a factor."""
    return replace(
        choices, purchase_options=tuple(_at(purchase_option, factor) for purchase_option in choices.purchase_options)
    )


def _at(purchase_option: PurchaseOption, factor: float) -> PurchaseOption:
    spot = purchase_option.placement.spot
    price = None if spot is None else spot * exact(factor)
    return replace(purchase_option, placement=replace(purchase_option.placement, spot=price))


def _spot_usd(plan: Plan) -> float:
    """What a plan pays for spot nodes."""
    return float(sum(one.cost_usd for one in plan.purchases if one.kind == "spot"))


def _rate(choices: Choices, plan: Plan, limit: float) -> float | None:
    """Preemptions per node and day at which a plan costs as much as another; None if never, or without spot nodes."""
    if not _spot_usd(plan):
        return None
    alike: dict[tuple[str, SpotPolicy, bool], list[PhasePlan]] = {}
    for phase in plan.phases:
        option = phase.purchase_option
        key = (option.placement.machine.accelerator.name, option.spot_policy, phase.begins)
        alike.setdefault(key, []).append(phase)
    jobs = [_PhasesAlike.of(plan, *key, phases) for key, phases in alike.items()]

    def usd_at(rate: Array) -> Array:
        """Cost of the plan at a rate of preemptions."""
        return np.asarray(sum(usd for job in jobs for usd in job.usd_at(choices, float(rate))))

    low, high = (np.asarray(rate) for rate in RATES)
    found = float(break_even_rate(usd_at, np.asarray(limit), low, high))
    return found if found < ALMOST * RATES[1] else None


@dataclass(frozen=True)
class _PhasesAlike:
    """Phases on one accelerator that are interrupted alike; evaluated together, which is quicker."""

    device: str
    spot_policy: SpotPolicy
    begins: bool
    ran: TimedLayouts
    """Layouts with the time of all steps."""
    rates: Rates
    """What the nodes of each cost per second; reserved nodes are paid as before."""

    @classmethod
    def of(
        cls,
        plan: Plan,
        device: str,
        spot_policy: SpotPolicy,
        begins: bool,
        phases: Sequence[PhasePlan],
    ) -> _PhasesAlike:
        """Some phases of a plan."""
        nodes, replicas, seconds = zip(
            *((one.nodes, one.degrees["data"], one.steps * one.step_seconds) for one in phases), strict=True
        )
        each = [_rates(plan, one) for one in phases]
        rates = Rates(*(np.asarray([getattr(one, name.name) for one in each]) for name in fields(Rates)))
        ran = TimedLayouts(np.asarray(nodes), np.asarray(replicas), np.asarray(seconds))
        return cls(device, spot_policy, begins, ran, rates)

    def usd_at(self, choices: Choices, rate: float) -> Array:
        """What each costs at so many preemptions; shape (phases,)."""
        spot_policy = replace(self.spot_policy, preemptions_per_node_day=rate)
        found = run_moments(
            choices.workload, self.device, self.ran, spot_policy, self.rates, steps=1, begins=self.begins
        )
        return np.ravel(np.asarray(found.usd))


def _rates(plan: Plan, phase: PhasePlan) -> Rates:
    """What the nodes of a phase cost per second."""
    bought = [one for one in plan.purchases if one.phase == phase.name and not one.note]
    nodes = {kind: max((one.nodes for one in bought if one.kind == kind), default=0) for kind in ("spot", "on_demand")}
    prices = phase.purchase_option.placement
    return rates_per_second(nodes["spot"], nodes["on_demand"], prices.spot, prices.on_demand)
