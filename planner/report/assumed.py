"""What an answer takes for granted, whether the problem states it or not, and what its bill leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from planner.catalog.offers import load_offers
from planner.clock import today
from planner.explore.answer import Answer
from planner.layouts.wall_time import interruption_rates
from planner.plans.plan import Plan
from planner.prices.book import days_since
from planner.problem.problem import Problem
from planner.units import counted, format_count, format_number, format_share

NOT_IN_THE_BILL: Final = "storage, egress, staff, tax, support, and time before and after the run"
"""What no catalog price holds."""


@dataclass(frozen=True)
class Assumption:
    """One thing that the figures rest on."""

    name: str
    value: str
    stated: bool
    """Whether the problem says so; otherwise it is a default or a figure of the catalogs."""

    @property
    def text(self) -> str:
        """The value, and whether it was asked for."""
        return f"{self.value} (stated)" if self.stated else self.value


def assumptions(answer: Answer, plan: Plan) -> tuple[Assumption, ...]:
    """Everything that the figures of a plan rest on, in the order in which people ask."""
    problem = answer.asked or answer.problem
    return (
        *_training(answer, problem),
        *_pins(problem),
        *_operation(problem, plan),
        *_prices(problem, plan),
        Assumption("not in the bill", NOT_IN_THE_BILL, stated=False),
    )


def _training(answer: Answer, problem: Problem) -> Iterator[Assumption]:
    """How the model is trained."""
    training, workload = problem.training, answer.choices.workload
    stated = training.stated()
    yield Assumption("precision", training.precision, "precision" in stated)
    optimizer = training.optimizer if training.method == "full" else f"{training.optimizer}, {training.method}"
    yield Assumption("optimizer", optimizer, "optimizer" in stated)
    software = f"{workload.stack_name}, release {workload.release}"
    yield Assumption("software", software, training.software is not None)
    for phase in training.phases:
        tokens = format_count(phase.global_batch * phase.sequence_length)
        sequences = f"{counted(phase.global_batch, 'sequence')} of {counted(phase.sequence_length, 'token')}"
        batch = f"{sequences}, {tokens} tokens a step"
        yield Assumption(f"batch of {phase.name}", batch, stated=True)


def _pins(problem: Problem) -> Iterator[Assumption]:
    """What is pinned, and what stays free of the memory."""
    pinned = {name: getattr(problem.layout, name) for name in type(problem.layout).model_fields}
    told = ", ".join(f"{name.replace('_', ' ')} {_pin(pin)}" for name, pin in pinned.items() if pin is not None)
    yield Assumption("pinned", told or "no degree", bool(told))
    headroom = f"{format_share(problem.limits.memory_headroom)} of the device memory stays free"
    yield Assumption("memory headroom", headroom, "memory_headroom" in problem.limits.stated())


def _pin(pin: object) -> str:
    """A pin in words."""
    return ", ".join(str(getattr(one, "kind", one)) for one in pin) if isinstance(pin, tuple) else str(pin)


def _operation(problem: Problem, plan: Plan) -> Iterator[Assumption]:
    """What interrupts the job."""
    rates = interruption_rates(plan.accelerator)
    failures = f"{format_number(rates.failures_per_1000_node_days)} per 1,000 node-days, published clusters'"
    yield Assumption("hardware failures", failures, stated=False)
    spares = f"{format_share(problem.risk.spare_nodes)} of the nodes"
    yield Assumption("spare nodes", spares, bool(problem.risk.spare_nodes))


def _prices(problem: Problem, plan: Plan) -> Iterator[Assumption]:
    """How old the prices are, and what is off them."""
    date, source = plan.placement.date, plan.placement.source
    dated = f"of {date}, {_days(date):,} days old; {source}" if date else "the problem's own offer"
    yield Assumption("price of the plan", dated, stated=not date)
    ages = sorted(_days(one.date) for one in load_offers())
    old = f"catalog prices, {ages[0]:,} to {ages[-1]:,} days old, half of them over {ages[len(ages) // 2]:,}"
    yield Assumption("other prices", old, stated=False)
    if problem.market.discounts:
        shares = ", ".join(f"{where} {format_share(share)}" for where, share in problem.market.discounts.items())
        yield Assumption("discounts", shares, stated=True)


def _days(date: str) -> int:
    """Age of a price today."""
    return days_since(date, today())


def assumption_documents(answer: Answer) -> list[dict[str, Any]]:
    """The `assumed` of the JSON document."""
    found = assumptions(answer, answer.plan) if answer.plan else ()
    return [{"name": one.name, "value": one.value, "stated": one.stated} for one in found]
