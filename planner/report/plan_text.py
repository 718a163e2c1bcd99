"""An answer for people: the plan, its bill, memory and time, what limits leave, and the runners-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from math import ceil
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from planner.catalog.offers import load_offers
from planner.catalog.precisions import substitution, used_precision
from planner.catalog.reliability import spot_statement
from planner.explore.answer import (
    Alternative,
    Answer,
    accelerators_of,
    largest_search,
    limit_value,
    why_not,
)
from planner.explore.pin_blame import pin_blames
from planner.explore.surroundings import NOTHING, Surroundings
from planner.market.slices import sold_as
from planner.plans.plan import PhasePlan, Plan
from planner.plans.solution import Status
from planner.problem.problem import LayoutPins, Problem
from planner.problem.run import recompute_as_written
from planner.report.assumed import assumptions
from planner.report.bars import bar
from planner.report.bill import printed_bill
from planner.report.capacity import beyond_lines, capacity_lines, grant_line
from planner.report.comparison import objective_ratio
from planner.report.console import wide_console
from planner.report.dates import dated, dated_amount, ends_on, schedule_lines
from planner.report.deadline_probability import risk_summary
from planner.report.estimate_error import estimate_error_lines
from planner.report.gang import gang_lines
from planner.report.memory import headroom_line, memory_legend
from planner.report.near_optimal import near_optimal_lines
from planner.report.policies import POLICIES
from planner.report.schedule_json import schedule_of, spend_of
from planner.report.spend import spend_parts
from planner.report.spot_stress import is_on_spot, stress_lines
from planner.report.tables import facts, indented, text_table
from planner.units import (
    counted,
    format_amount,
    format_combinations,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_range,
    format_share,
)
from planner.verify.check import kept_seconds

UNNOTICED: Final = 1e-3
"""Share by which paid GPU-hours may differ from those of the wall time without being told apart."""


def print_answer(answer: Answer, around: Surroundings = NOTHING) -> None:
    """Prints an answer on stdout, with nothing in it read as markup."""
    console = wide_console()
    console.print(Group(*answer_parts(answer, around)))


def answer_parts(answer: Answer, around: Surroundings = NOTHING) -> Iterator[RenderableType]:
    """Everything that is said about a plan, in the order in which people ask."""
    plan = answer.plan
    if plan is None:
        yield from _no_plan(answer)
        return
    yield _headline(answer, plan, around)
    yield from (Text(line) for line in schedule_lines(schedule_of(plan, answer.problem)))
    for line in (*near_optimal_lines(around.near, plan), *beyond_lines(around.beyond, plan)):
        yield Text(line)
    yield ""
    yield _bill(plan)
    yield from spend_parts(spend_of(plan, answer.problem))
    yield ""
    yield _layouts(plan, answer.problem.layout)
    yield ""
    for phase in plan.phases:
        yield from _bars(phase)
    limits = answer.problem.limits
    yield f"{memory_legend(limits.memory_confidence)} {headroom_line(limits.memory_headroom)}"
    yield ""
    if answer.choices.limits:
        yield _limits(answer, plan)
        yield ""
    if answer.alternatives:
        yield _runners_up(answer, plan)
        yield ""
    yield from notes(answer, plan)
    yield ""
    yield Text("assumed")
    yield indented(facts((one.name, one.text) for one in assumptions(answer, plan)))


def _nodes(plan: Plan) -> str:
    """How many nodes of how many devices, and what connects them."""
    size, network = plan.machine.per_node, plan.machine.network_gbit_s
    if slices := sold_as(plan.accelerator, size, plan.nodes):
        return f"{counted(slices[0], 'slice')} of {counted(slices[1], 'chip')}"
    if plan.nodes == 1:
        return f"1 node of {size}"
    return f"{plan.nodes:,} nodes of {size}, {network:g} Gb/s per GPU"


def _headline(answer: Answer, plan: Plan, around: Surroundings) -> Text:
    """What to buy, how long it takes, what it costs, and whether that is proven."""
    tokens = sum(phase.tokens for phase in plan.phases)
    name = answer.problem.name or answer.choices.workload.model.name
    proof = {
        Status.OPTIMAL: "proven best",
        Status.FEASIBLE: f"not proven: {nearness(answer)}",
    }[answer.status]
    condition = f"; {around.grant.in_words}\n{grant_line(around.grant)}" if around.grant else ""
    preference = (answer.asked or answer.problem).preference
    return Text(
        f"{name}: {plan.gpus:,} × {plan.accelerator} for {format_duration(plan.wall_seconds)}, "
        f"{format_money(plan.cost_usd)}{condition}\n"
        f"{plan.placement.title}, {_nodes(plan)}; {format_count(tokens)} tokens in "
        f"{gpu_hours_text(plan)}\n"
        f"{_journey(plan)}"
        f"{proof} of {format_combinations(answer.search_space)} combinations, by {answer.choices.objective}"
        f"{preference_words(answer.asked) if preference and answer.asked else ''}"
    )


def _journey(plan: Plan) -> str:
    """Where each phase runs, and how long moving takes, on a line each; empty where the job stays in one place."""
    if len(plan.stays) == 1:
        return ""
    moved = {one.phase: f", after a move of {format_duration(one.wall_seconds)}" for one in plan.moves}
    lines = []
    for stay in plan.stays:
        placement = stay.purchase_option.placement
        names = [plan.phases[index].name for index in stay.phases]
        device = placement.machine.accelerator.name
        lines.append(f"{', '.join(names)}: {device}, {placement.title}{moved.get(names[0], '')}\n")
    return "".join(lines)


def preference_words(problem: Problem) -> str:
    """What decided besides the objective that was proven."""
    preference = problem.preference
    if preference is None:
        return ""
    if preference.value_of_day is not None:
        return f" within the bill that weighs cost and time best at {format_money(preference.value_of_day)} a day"
    return f" within {format_share(preference.within)} of the least {problem.objective}"


def gpu_hours_text(plan: Plan) -> str:
    """Device-hours of the nodes, and how many of them are paid where that is not all."""
    text = f"{format_count(plan.gpu_hours)} GPU-hours"
    if abs(plan.paid_gpu_hours - plan.gpu_hours) <= UNNOTICED * plan.gpu_hours:
        return text
    of_them = "of them " if plan.paid_gpu_hours < plan.gpu_hours else ""
    return f"{text}, {format_count(plan.paid_gpu_hours)} {of_them}paid"


def nearness(answer: Answer) -> str:
    """How far the plan is from the best at most, in tenths of a per cent, never too few."""
    return f"at most {format_share(ceil((answer.gap or 0) * 1000) / 1000)} from the best"


def _bill(plan: Plan) -> Tree:
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


def _layouts(plan: Plan, pins: LayoutPins) -> Table:
    """One line per phase: degrees, with those that the problem pins, and speed."""
    degrees = [name + (" (pinned)" if getattr(pins, key) is not None else "") for key, name in DEGREES.items()]
    table = text_table("phase", "GPUs", *degrees, "step", "steps", "wall", *(("ends",) if plan.start else ()), "MFU")
    for phase in plan.phases:
        d = phase.degrees
        pipeline = f"{d['pipeline']}" + (f"×{d['virtual_pipeline']}" if d["virtual_pipeline"] > 1 else "")
        table.add_row(
            phase.name,
            f"{phase.gpus:,}" + (f"+{phase.spare_nodes * plan.machine.per_node:,}" if phase.spare_nodes else ""),
            f"{d['tensor']}",
            pipeline,
            f"{d['context']}",
            f"{d['expert']}",
            f"{d['data']}",
            f"{phase.microbatches} of {d['micro_batch']}",
            str(recompute_as_written(phase.recompute)),
            f"{d['zero']}",
            format_duration(phase.step_seconds),
            format_count(phase.steps),
            format_duration(phase.wall_seconds),
            *((ends_on(phase.spans[-1][1], plan.start),) if plan.start else ()),
            format_share(phase.mfu),
        )
    return table


def _bars(phase: PhasePlan) -> Iterator[RenderableType]:
    """Where memory and time of one phase go."""
    memory = phase.memory
    yield Text(
        f"{phase.name}: memory {format_number(memory.total)} of {format_number(memory.limit)} GiB at the peak, "
        f"{format_number(memory.expected)} expected"
    )
    yield indented(bar({**memory.parts, "free": memory.free}, memory.limit, " GiB"))
    yield Text(f"{phase.name}: step {format_duration(phase.step_seconds)}")
    yield indented(bar(phase.time, phase.step_seconds, " s"), below=1)


def _limits(answer: Answer, plan: Plan) -> Table:
    """Each limit, the plan's figure and what is left."""
    table = text_table("limit", "bound", "plan", "left")
    for limit in answer.choices.limits.values():
        value = limit_value(limit, plan)
        table.add_row(limit.name, *_against(limit.unit, limit.bound, value, plan.start))
    confidence, deadline = answer.problem.risk.confidence, answer.problem.limits.deadline
    if confidence is not None and deadline is not None:
        kept = kept_seconds(answer.choices.workload, plan, answer.problem.risk)
        table.add_row(f"risk.confidence {format_share(confidence)}", *_against("s", deadline, kept, plan.start))
    return table


def _against(unit: str, bound: float, value: float, start: date | None) -> Iterator[str]:
    """A bound, the plan's figure and what is left."""
    yield from (dated_amount(unit, amount, start) for amount in (bound, value))
    yield format_amount(unit, bound - value)


def _runners_up(answer: Answer, plan: Plan) -> Table:
    """The best plan of every other accelerator."""
    first, *figures, last = "other accelerators", "GPUs", "wall", "cost", "difference", "why"
    table = text_table(first, *figures, last, left=(first, last), wrap=(last,))
    found = [one for one in answer.alternatives if one.plan]
    for one in found:
        table.add_row(*_runner_up(answer, plan, one))
    missing: dict[str, list[str]] = {}
    for one in answer.alternatives:
        if one.plan is None:
            missing.setdefault(one.reason, []).append(one.accelerator)
    for reason, names in missing.items():
        table.add_row(
            names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more", "–", "–", "–", "–", reason
        )
    return table


def _runner_up(answer: Answer, best: Plan, alternative: Alternative) -> Sequence[str]:
    """One line of the table of runners-up."""
    plan = alternative.plan
    if plan is None:
        return (alternative.accelerator, "–", "–", "–", "–", alternative.reason)
    return (
        alternative.accelerator,
        f"{plan.gpus:,}",
        dated(plan.wall_seconds, plan.start),
        format_money(plan.cost_usd),
        f"{objective_ratio(answer.choices.objective, plan, best) - 1:+.1%}",
        alternative.reason,
    )


def notes(answer: Answer, plan: Plan) -> Iterator[Text]:
    """How sure all this is: estimator, catalog, spot figures, rounding."""
    workload, device = answer.choices.workload, plan.machine.accelerator
    used = used_precision(workload.precision, device)
    if used is not workload.precision:
        yield Text(f"Precision: {substitution(workload.precision, used, [device.name])}.")
    yield from (Text(line) for line in estimate_error_lines(answer, plan))
    overhead = plan.wall_seconds - sum(phase.steps * phase.step_seconds for phase in plan.phases)
    yield Text(
        f"Start-up, checkpoints, failures and waiting take {format_duration(overhead)} "
        f"({format_share(overhead / plan.wall_seconds)} of the wall time)."
    )
    yield from (Text(line) for line in _risk(answer.problem, plan))
    if plan.purchase_option.spot_policy.policy != "steady":
        yield Text(_spot_note(plan))
        yield from (Text(line) for line in (*gang_lines(plan, answer.problem), *stress_lines(plan, answer.problem)))
    yield from (Text(line) for line in capacity_lines(plan))
    if searched := largest_search(answer):
        yield Text(f"Searched up to {searched:,} GPUs: state limits.gpus to search more of what is offered.")
    dates = sorted(one.date for one in load_offers())
    yield Text(f"Prices: catalog of {dates[-1]}; {plan.placement.source} {plan.placement.date}".rstrip() + ".")
    if answer.outcome.error:
        yield Text(f"Fixed-point rounding changes the objective by at most {answer.outcome.error:.3%}.")


def _risk(problem: Problem, plan: Plan) -> Iterator[str]:
    """Time and cost after failures and preemptions, and the probability of meeting the deadline."""
    summary = risk_summary(plan, problem)
    times = format_range(*(dated(summary.seconds[name], plan.start) for name in ("p5", "p95")))
    costs = format_range(*(format_money(summary.usd[name]) for name in ("p5", "p95")))
    yield f"If the estimate is right, 90% of runs finish in {times} for {costs} after failures and preemptions."
    if summary.runs:
        yield (
            f"These are quantiles of {summary.runs:,} simulated runs, because so few interruptions are expected that "
            "closed forms are not accurate."
        )
    deadline = problem.limits.deadline
    if deadline is None or summary.in_time is None or summary.in_time_with_estimate is None:
        return
    expected, exact = map(format_probability, (summary.in_time_with_estimate, summary.in_time))
    meeting = f"Probability of meeting the {dated(deadline, plan.start)} deadline"
    yield f"{meeting}: {expected} ({exact} if the estimate were exact)."
    if is_on_spot(plan) and summary.in_time_with_capacity is not None:
        known = format_probability(summary.in_time_with_capacity)
        yield f"Counting how well the spot figures are known too: {known}."


def format_probability(share: float) -> str:
    """A probability that is never rounded to certainty."""
    if share > 0.995:
        return "over 99%"
    return "under 1%" if share < 0.005 else f"{share:.0%}"


def _spot_note(plan: Plan) -> str:
    """What is assumed about spot nodes."""
    spot_policy = plan.purchase_option.spot_policy
    figures = plan.placement.spot_figures
    known = spot_statement(plan.accelerator) if figures is None or not figures.traced else "Figures stated or recorded."
    return (
        f"Spot nodes are there {format_share(spot_policy.availability)} of the time; while some are away "
        f"{POLICIES[spot_policy.policy]} (policy {spot_policy.policy}); "
        f"{format_number(spot_policy.preemptions_per_node_day)} preemptions per node and day of up-time. {known}"
    )


def _no_plan(answer: Answer) -> Iterator[RenderableType]:
    """Why there is no plan, accelerator by accelerator."""
    name = answer.problem.name or answer.choices.workload.model.name
    if answer.status is not Status.INFEASIBLE:
        yield Text(f"{name}: time limit reached: no plan found, feasibility unknown")
        return
    asked = ((one, dated_amount(one.unit, one.bound, one.start)) for one in answer.choices.limits.values())
    limits = ", ".join(f"{one.name} {bound}" for one, bound in asked)
    yield Text(f"{name}: no plan exists" + (f" within {limits}" if limits else ""))
    reasons: dict[str, list[str]] = {}
    for accelerator in accelerators_of(answer.choices):
        reasons.setdefault(why_not(answer.choices, accelerator), []).append(accelerator)
    for reason, names in reasons.items():
        yield Text(f"  {', '.join(names)}: {reason}")
    yield from (Text(one.text) for one in pin_blames(answer.choices))
