"""The price on which a plan rests most: how old it is, and how far it may rise before another accelerator is best."""

from __future__ import annotations

from dataclasses import dataclass

from planner.clock import today
from planner.explore.answer import Answer
from planner.plans.plan import Plan
from planner.prices.book import days_since
from planner.prices.quote import price_sources


@dataclass(frozen=True)
class DecidingPrice:
    """The price of most of the bill."""

    where: str
    date: str
    days: int
    """Since that date."""
    rise: float | None
    """Share by which it may rise until the best plan of another accelerator costs as much; None without one."""
    rival: str

    @property
    def is_old(self) -> bool:
        """Whether it should be looked up again."""
        return self.days > price_sources().limits.old_days


def deciding_price(found: Answer) -> DecidingPrice | None:
    """The price of most of a plan's bill; None without a plan, or where the problem states the price itself."""
    plan = found.plan
    if plan is None or not plan.placement.date:
        return None
    rival = _cheapest(found)
    return DecidingPrice(
        where=plan.placement.title,
        date=plan.placement.date,
        days=days_since(plan.placement.date, today()),
        rise=None if rival is None else _rise(plan, rival),
        rival="" if rival is None else rival.accelerator,
    )


def _cheapest(found: Answer) -> Plan | None:
    """The cheapest plan of another accelerator, where cost is the objective."""
    plans = [one.plan for one in found.alternatives if one.plan is not None]
    if found.choices.objective != "cost" or not plans:
        return None
    return min(plans, key=lambda one: one.cost_usd)


def _rise(plan: Plan, rival: Plan) -> float:
    """How far the largest price of a bill may rise until the rival costs as much, as a share of it."""
    lines: dict[str, float] = {}
    for one in plan.purchases:
        lines[one.kind] = lines.get(one.kind, 0.0) + float(one.cost_usd)
    return float(rival.cost_usd - plan.cost_usd) / max(*lines.values(), 0.01)
