"""An answer's document for people: the plan, its bill, memory and time, what limits leave, and the runners-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from planner.market.slices import sold_as
from planner.plans.document import PlanDocument
from planner.plans.objective import objective_ratio
from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import AlternativePart, PlanFigures, PlanPart
from planner.report.assumed import assumed_rows
from planner.report.bars import bar
from planner.report.bill import printed_bill
from planner.report.console import wide_console
from planner.report.dates import dated, dated_amount, schedule_lines
from planner.report.deciding_price import deciding_lines
from planner.report.expected_cost import expected_cost_parts
from planner.report.grants import beyond_lines, grant_line
from planner.report.memory import headroom_line, memory_legend
from planner.report.near_optimal import near_optimal_lines
from planner.report.relaxations import print_relaxations
from planner.report.sensitivity import rule_lines, worth_lines
from planner.report.spend import spend_parts
from planner.report.spot_break_even import turning_lines
from planner.report.summary import devices_text, gpus_text, nodes_text
from planner.report.tables import facts, indented, text_table
from planner.units import (
    format_amount,
    format_combinations,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_share,
)

UNNOTICED: Final = 1e-3
"""Share by which paid GPU-hours may differ from those of the wall time without being told apart."""


def print_answer(document: PlanDocument) -> None:
    """Prints an answer on stdout, with nothing in it read as markup, and what would change it."""
    console = wide_console()
    console.print(Group(*answer_parts(document)))
    worth = (*worth_lines(document.sensitivity), *rule_lines(document.rules))
    turning = (*deciding_lines(document.deciding_price), *turning_lines(document.spot_turning_point))
    for line in (*worth, *turning):
        console.print(Text(line))
    if document.relaxations:
        print_relaxations(document)


def answer_parts(document: PlanDocument) -> Iterator[RenderableType]:
    """Everything that is said about a plan, in the order in which people ask."""
    plan = document.plan
    if plan is None:
        yield from _no_plan(document)
        return
    yield _headline(document, plan)
    yield from map(Text, schedule_lines(plan.schedule))
    for line in (*near_optimal_lines(document.near_optimal, plan), *beyond_lines(document.better_with_grant, plan)):
        yield Text(line)
    yield ""
    yield _bill(plan)
    yield from spend_parts(plan.spend)
    yield ""
    yield _layouts(plan, document.problem["layout"])
    yield ""
    for phase in plan.phases:
        yield from _bars(phase)
    limits = document.problem["limits"]
    yield f"{memory_legend(limits['memory_confidence'])} {headroom_line(limits['memory_headroom'])}"
    yield ""
    if document.limits:
        yield _limits(document, plan)
        yield ""
    if document.alternatives:
        yield _runners_up(document, plan)
        yield ""
    yield from expected_cost_parts(document.expected_costs)
    yield from map(Text, document.notes)
    yield ""
    yield Text("assumed")
    yield indented(facts(assumed_rows(document.assumed)))


def nodes_of(plan: PlanFigures) -> str:
    """How many nodes of how many devices, and what connects them."""
    alone = plan.nodes == 1 or sold_as(plan.accelerator, plan.gpus_per_node, plan.nodes)
    return nodes_text(plan, plan.gpus_per_node) + ("" if alone else f", {plan.network_gbit_s:g} Gb/s per GPU")


def _headline(document: PlanDocument, plan: PlanPart) -> Text:
    """What to buy, how long it takes, what it costs, and whether that is proven."""
    tokens = sum(phase.tokens for phase in plan.phases)
    proof = "proven best" if document.status == "optimal" else f"not proven: {nearness(document)}"
    grant = document.needs_grant
    condition = f"; {grant.in_words}\n{grant_line(grant)}" if grant else ""
    return Text(
        f"{document.name}: {devices_text(plan)} for {format_duration(plan.wall_seconds)}, "
        f"{format_money(plan.cost_usd)}{condition}\n"
        f"{plan.placement.title}, {nodes_of(plan)}; {format_count(tokens)} tokens in "
        f"{gpu_hours_text(plan)}\n"
        f"{_journey(plan)}"
        f"{proof} of {format_combinations(document.solver.search_space)} combinations, by {document.objective.name}"
        f"{_preference_words(document)}"
    )


def _journey(plan: PlanFigures) -> str:
    """Where each phase runs, and how long moving takes, on a line each; empty where the job stays in one place."""
    if len({(phases[0].accelerator, phases[0].placement.title) for phases in plan.stays}) == 1:
        return ""
    moved = {one.phase: f", after a move of {format_duration(one.wall_seconds)}" for one in plan.moves}
    lines = []
    for phases in plan.stays:
        names = [one.name for one in phases]
        first = phases[0]
        lines.append(f"{', '.join(names)}: {first.accelerator}, {first.placement.title}{moved.get(names[0], '')}\n")
    return "".join(lines)


def _preference_words(document: PlanDocument) -> str:
    """What decided besides the objective that was proven."""
    if document.expected_costs:
        return " of those as fast on it; least with the cost of being late"
    if document.objective.name == document.problem["objective"] or "preference" not in document.problem:
        return ""
    asked = document.asked.preference
    if asked is None:
        return ""
    if asked.value_of_day is not None:
        return f" within the bill that weighs cost and time best at {format_money(asked.value_of_day)} a day"
    return f" within {format_share(asked.within)} of the least {document.asked.objective}"


def gpu_hours_text(plan: PlanFigures) -> str:
    """Device-hours of the nodes, and how many of them are paid where that is not all."""
    text = f"{format_count(plan.gpu_hours)} GPU-hours"
    if abs(plan.paid_gpu_hours - plan.gpu_hours) <= UNNOTICED * plan.gpu_hours:
        return text
    of_them = "of them " if plan.paid_gpu_hours < plan.gpu_hours else ""
    return f"{text}, {format_count(plan.paid_gpu_hours)} {of_them}paid"


def nearness(document: PlanDocument) -> str:
    """How far the plan is from the best at most, in tenths of a per cent, never too few."""
    return f"at most {format_share(ceil((document.objective.gap or 0) * 1000) / 1000)} from the best"


def _bill(plan: PlanFigures) -> Tree:
    """The purchases as a tree with a total."""
    bill = printed_bill(plan)
    tree = Tree(Text(f"bill: {bill.money(bill.total)}"), guide_style="")
    for phase, lines in bill.phases.items():
        branch = tree.add(Text(f"{phase}: {bill.money(bill.of(phase))}"))
        for line in lines:
            branch.add(Text(bill.text(line)))
    return tree


DEGREES: Final = {
    "tensor": "tensor",
    "pipeline": "pipeline",
    "context": "context",
    "expert": "expert",
    "data": "data",
    "micro_batch": "micro-batches",
    "recompute": "recompute",
    "zero": "ZeRO",
}
"""Headings of a layout's columns by the key that pins them."""


def _layouts(plan: PlanFigures, pins: Mapping[str, object]) -> Table:
    """One line per phase: degrees, with those that the problem pins, and speed."""
    degrees = [name + (" (pinned)" if pins.get(key) is not None else "") for key, name in DEGREES.items()]
    table = text_table("phase", "GPUs", *degrees, "step", "steps", "wall", *(("ends",) if plan.start else ()), "MFU")
    for phase in plan.phases:
        table.add_row(
            phase.name,
            f"{phase.gpus:,}" + (f" + {phase.spare_nodes * plan.gpus_per_node:,} spare" if phase.spare_nodes else ""),
            f"{phase.tensor}",
            f"{phase.pipeline}" + (f"×{phase.virtual_pipeline}" if phase.virtual_pipeline > 1 else ""),
            f"{phase.context}",
            phase.expert_in_words,
            f"{phase.data}",
            f"{phase.microbatches} of {phase.micro_batch}",
            str(phase.recompute),
            phase.zero_in_words,
            format_duration(phase.step_seconds),
            format_count(phase.steps),
            format_duration(phase.wall_seconds),
            *((f"{phase.end}",) if plan.start else ()),
            format_share(phase.mfu),
        )
    return table


def _bars(phase: PhasePart) -> Iterator[RenderableType]:
    """Where memory and time of one phase go."""
    memory = phase.memory
    yield Text(
        f"{phase.name}: memory {format_number(memory.total)} of {format_number(memory.limit)} GiB at the peak, "
        f"{format_number(memory.expected)} expected"
    )
    yield indented(bar({**memory.parts, "free": memory.free}, memory.limit, " GiB"))
    yield Text(f"{phase.name}: step {format_duration(phase.step_seconds)}")
    yield indented(bar(phase.time, phase.step_seconds, " s"), below=1)


def _limits(document: PlanDocument, plan: PlanPart) -> Table:
    """Each limit, the plan's figure and what is left."""
    table = text_table("limit", "bound", "plan", "left")
    for row in (*limit_rows(document), *confidence_rows(plan)):
        table.add_row(*row)
    return table


def limit_rows(document: PlanDocument) -> Iterator[tuple[str, ...]]:
    """Each limit with its bound, what the plan reaches and what is left."""
    for limit in document.limits:
        if limit.value is not None and limit.slack is not None:
            figures = (dated_amount(limit.unit, one, document.start) for one in (limit.bound, limit.value))
            yield limit.name, *figures, format_amount(limit.unit, limit.slack)


def confidence_rows(plan: PlanPart) -> Iterator[tuple[str, ...]]:
    """Deadline and budget against the time and cost that are kept with a confidence, where one is asked for."""
    confidence, deadline, kept = plan.confidence, plan.deadline_seconds, plan.kept_seconds
    if confidence is not None and deadline is not None and kept is not None:
        figures = (dated(one, plan.start) for one in (deadline, kept))
        yield f"risk.confidence {format_share(confidence)}", *figures, format_duration(deadline - kept)
    share, budget, promised = plan.budget_confidence, plan.budget_usd, plan.promised_usd
    if share is not None and budget is not None and promised is not None:
        figures = (format_money(one) for one in (budget, promised))
        yield f"risk.budget_confidence {format_share(share)}", *figures, format_money(budget - promised)


def _runners_up(document: PlanDocument, best: PlanPart) -> Table:
    """The best plan of every other accelerator."""
    first, *figures, last = "other accelerators", "GPUs", "wall", "cost", "difference", "why"
    table = text_table(first, *figures, last, left=(first, last), wrap=(last,))
    missing: dict[str, list[str]] = {}
    for one in document.alternatives:
        if one.plan is None:
            missing.setdefault(one.reason, []).append(one.accelerator)
        else:
            table.add_row(*runner_up(document, best, one, one.plan))
    for reason, names in missing.items():
        name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        table.add_row(name, "–", "–", "–", "–", reason)
    return table


def runner_up(document: PlanDocument, best: PlanFigures, one: AlternativePart, plan: PlanFigures) -> Sequence[str]:
    """The figures of another accelerator's best plan, and why it is not the best."""
    difference = objective_ratio(document.objective.name, plan, best) - 1
    figures = (gpus_text(plan), dated(plan.wall_seconds, plan.start), format_money(plan.cost_usd))
    return (one.accelerator, *figures, f"{difference:+.1%}", one.reason)


def _no_plan(document: PlanDocument) -> Iterator[RenderableType]:
    """Why there is no plan, accelerator by accelerator."""
    if document.status != "infeasible":
        yield Text(f"{document.name}: time limit reached: no plan found, feasibility unknown")
        return
    asked = limits_asked(document)
    yield Text(f"{document.name}: no plan exists" + (f" within {asked}" if asked else ""))
    yield from (Text(f"  {line}") for line in ruled_out_lines(document))
    yield from (Text(one.text) for one in document.pins_to_blame)


def limits_asked(document: PlanDocument) -> str:
    """The limits that a plan would have to keep; empty without any."""
    return ", ".join(f"{one.name} {dated_amount(one.unit, one.bound, document.start)}" for one in document.limits)


def ruled_out_lines(document: PlanDocument) -> Iterator[str]:
    """Why there is no plan, accelerators with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for one in document.ruled_out:
        reasons.setdefault(one.reason, []).append(one.accelerator)
    yield from (f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
