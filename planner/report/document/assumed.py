"""What an answer takes for granted, whether the problem states it or not, and what its bill leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planner.catalog.egress import egress_of
from planner.catalog.offers import load_offers
from planner.explore.answer import Answer
from planner.layouts.wall_time import interruption_rates
from planner.layouts.workload import Workload
from planner.market.places import OWN
from planner.plans.document_parts import AssumptionPart
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.units import counted, format_count, format_money, format_number, format_share

NOT_IN_THE_BILL: Final = "storage, egress, staff, tax, support, and time before and after the run"
"""What no catalog price holds."""


def assumptions(answer: Answer, plan: Plan) -> tuple[AssumptionPart, ...]:
    """Everything that the figures of a plan rest on, in the order in which people ask."""
    problem = answer.asked or answer.problem
    return (
        *_training(answer, problem),
        *_pins(problem),
        *_not_searched(answer.choices.workload, problem),
        *_operation(problem, plan),
        *_days(problem),
        *_prices(problem, plan),
        *_moves(problem, plan),
        _assumption("not in the bill", _not_in_the_bill(plan), stated=False),
    )


def _not_in_the_bill(plan: Plan) -> str:
    """What is missing; of a plan that moves its moves are not."""
    return NOT_IN_THE_BILL.replace("egress", "egress beside the moves") if plan.moves else NOT_IN_THE_BILL


def _assumption(name: str, value: str, stated: bool) -> AssumptionPart:
    return AssumptionPart(name=name, value=value, stated=stated)


def _training(answer: Answer, problem: Problem) -> Iterator[AssumptionPart]:
    """How the model is trained."""
    training, workload = problem.training, answer.choices.workload
    stated = training.stated()
    yield _assumption("precision", training.precision, "precision" in stated)
    optimizer = training.optimizer if training.method == "full" else f"{training.optimizer}, {training.method}"
    yield _assumption("optimizer", optimizer, "optimizer" in stated)
    software = f"{workload.stack_name}, release {workload.release}"
    yield _assumption("software", software, training.software is not None)
    for phase in training.phases:
        tokens = format_count(phase.global_batch * phase.sequence_length)
        sequences = f"{counted(phase.global_batch, 'sequence')} of {counted(phase.sequence_length, 'token')}"
        batch = f"{sequences}, {tokens} tokens a step"
        yield _assumption(f"batch of {phase.name}", batch, stated=True)


def _pins(problem: Problem) -> Iterator[AssumptionPart]:
    """What is pinned, and what stays free of the memory."""
    pinned = {name: getattr(problem.layout, name) for name in type(problem.layout).model_fields}
    told = ", ".join(f"{name.replace('_', ' ')} {_pin(pin)}" for name, pin in pinned.items() if pin is not None)
    yield _assumption("pinned", told or "no degree", bool(told))
    headroom = f"{format_share(problem.limits.memory_headroom)} of the device memory stays free"
    yield _assumption("memory headroom", headroom, "memory_headroom" in problem.limits.stated())


def _not_searched(workload: Workload, problem: Problem) -> Iterator[AssumptionPart]:
    """Which degrees stay as they are in every layout, since the stack has no others or none is stated that has."""
    groups = "" if workload.hybrid_zero else "states over a part of the replicas (shard)"
    whole = workload.model.is_moe and problem.layout.expert_tensor is None and workload.pins.expert_tensor is not None
    inside = "a tensor degree inside experts (expert_tensor)" if whole else ""
    if told := " and ".join(filter(None, (groups, inside))):
        stated = problem.training.software is not None
        why = f"{workload.stack_name} has no such layouts, or none that is modelled" if stated else "pin it to have it"
        yield _assumption("not searched", f"{told}: {why}", stated=False)


def _pin(pin: object) -> str:
    """A pin in words."""
    return ", ".join(str(getattr(one, "kind", one)) for one in pin) if isinstance(pin, tuple) else str(pin)


def _operation(problem: Problem, plan: Plan) -> Iterator[AssumptionPart]:
    """What interrupts the job."""
    rates = interruption_rates(plan.accelerator)
    failures = f"{format_number(rates.failures_per_1000_node_days)} per 1,000 node-days, published clusters'"
    yield _assumption("hardware failures", failures, stated=False)
    spares = f"{format_share(problem.risk.spare_nodes)} of the nodes"
    yield _assumption("spare nodes", spares, bool(problem.risk.spare_nodes))


def _moves(problem: Problem, plan: Plan) -> Iterator[AssumptionPart]:
    """What is taken to be asked for data that leave a place."""
    stated = problem.market.moving.egress
    for one in plan.moves:
        if not one.move.bytes:
            continue
        cloud, price = one.origin.cloud, f"{format_money(one.move.usd_per_gb)}/GB"
        known = egress_of(cloud)
        source = f", {known.source} of {known.date}" if known.cloud == cloud else ", whose price is not known"
        where = "own nodes" if cloud == OWN else f"{cloud}{'' if stated is not None else source}"
        yield _assumption(f"egress before {one.phase}", f"{price} leaving {where}", stated is not None)


def _days(problem: Problem) -> Iterator[AssumptionPart]:
    """What is fixed where offers change in time."""
    if problem.market.is_dated:
        yield _assumption("days", DAYS, stated=False)


DAYS: Final = (
    "a phase begins at once or at midnight, keeps its layout, and pauses only while its nodes are away; nodes for a "
    "term or in blocks are not mixed with others; probabilities count no delay into a closed window or another price"
)
"""What is fixed in plans with days."""


def _prices(problem: Problem, plan: Plan) -> Iterator[AssumptionPart]:
    """How old the prices are, and what is off them."""
    date, source = plan.placement.date, plan.placement.source
    value = f"of {date}, {source}" if date else "the problem's own offer"
    own = (date,) if date else ()
    yield AssumptionPart(name="price of the plan", value=value, stated=not date, dates=own)
    dates = tuple(sorted(one.date for one in load_offers()))
    ends = (dates[-1], dates[(len(dates) - 1) // 2], dates[0])
    yield AssumptionPart(name="other prices", value="catalog prices", stated=False, dates=ends)
    if problem.market.discounts:
        shares = ", ".join(f"{where} {format_share(share)}" for where, share in problem.market.discounts.items())
        yield _assumption("discounts", shares, stated=True)
