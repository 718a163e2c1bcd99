"""An answer for people: the plan, its bill, memory and time, what limits leave, and the runners-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from planner.catalog.offers import load_offers
from planner.catalog.precisions import substitution, used_precision
from planner.catalog.reliability import spot_statement
from planner.formulation.limits import limits_of
from planner.formulation.outcome import Status
from planner.formulation.plan import PhasePlan, Plan
from planner.layouts.workload import Workload
from planner.market.placements import Placement
from planner.negotiate.answer import (
    Alternative,
    Answer,
    accelerators_of,
    limit_value,
    objective_value,
    why_not,
)
from planner.problem.problem import Problem
from planner.report.certainty import certainty_lines
from planner.report.chances import chances_of
from planner.report.console import wide_console
from planner.report.plan_json import recompute_as_written
from planner.units import (
    format_combinations,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_share,
)
from planner.verify.check import kept_seconds

BAR: Final = 40
"""Characters of a bar."""
BLOCKS: Final = "█▓▒░▞▚▘·"
"""What the parts of a bar are drawn with, in their order."""


def print_answer(answer: Answer) -> None:
    """Prints an answer on stdout, with nothing in it read as markup."""
    console = wide_console()
    console.print(Group(*answer_parts(answer)))


def answer_parts(answer: Answer) -> Iterator[RenderableType]:
    """Everything that is said about a plan, in the order in which people ask."""
    plan = answer.plan
    if plan is None:
        yield from _no_plan(answer)
        return
    yield _headline(answer, plan)
    yield ""
    yield _bill(plan)
    yield ""
    yield _layouts(plan)
    yield ""
    for phase in plan.phases:
        yield from _bars(phase)
    if answer.choices.limits:
        yield _limits(answer, plan)
        yield ""
    if answer.alternatives:
        yield _runners_up(answer, plan)
        yield ""
    yield from notes(answer, plan)


def _nodes(plan: Plan) -> str:
    """How many nodes of how many devices, and what connects them."""
    size, network = plan.machine.per_node, plan.machine.network_gbit_s
    if plan.nodes == 1:
        return f"1 node of {size}"
    return f"{plan.nodes:,} nodes of {size}, {network:g} Gb/s per GPU"


def _headline(answer: Answer, plan: Plan) -> Text:
    """What to buy, how long it takes, what it costs, and whether that is proven."""
    tokens = sum(phase.tokens for phase in plan.phases)
    name = answer.problem.name or answer.choices.workload.model.name
    proof = {
        Status.OPTIMAL: "proven best",
        Status.FEASIBLE: f"not proven: {nearness(answer)}",
    }[answer.status]
    return Text(
        f"{name}: {plan.gpus:,} × {plan.accelerator} for {format_duration(plan.wall_seconds)}, "
        f"{format_money(plan.cost_usd)}\n"
        f"{plan.placement.title}, {_nodes(plan)}; {format_count(tokens)} tokens in "
        f"{format_count(plan.gpu_hours)} GPU-hours\n"
        f"{proof} of {format_combinations(answer.search_space)} combinations, by {answer.choices.objective}"
    )


def nearness(answer: Answer) -> str:
    """How far the plan is from the best at most, in tenths of a per cent, never too few."""
    return f"at most {format_share(ceil((answer.gap or 0) * 1000) / 1000)} from the best"


def _bill(plan: Plan) -> Tree:
    """The purchases as a tree with a total."""
    tree = Tree(Text(f"bill: {format_money(plan.cost_usd)}"), guide_style="")
    for phase in dict.fromkeys(purchase.phase for purchase in plan.purchases):
        lines = [purchase for purchase in plan.purchases if purchase.phase == phase]
        branch = tree.add(Text(f"{phase or 'all phases'}: {format_money(sum(one.cost_usd for one in lines))}"))
        for one in lines:
            kind = one.kind.replace("_", "-") + (f" ({one.note})" if one.note else "")
            nodes, each = _counted(one.nodes, "node"), _counted(plan.machine.per_node, "GPU")
            hours = f"${one.usd_per_gpu_hour:.2f}/h × {one.hours:,.1f} h = {format_money(one.cost_usd)}"
            gpus = _counted(one.nodes * plan.machine.per_node, "GPU")
            branch.add(Text(f"{kind}: {nodes} × {each} × {hours}   ({gpus})"))
    return tree


def _counted(count: int, name: str) -> str:
    """How many of something."""
    return f"{count:,} {name}{'s' * (count != 1)}"


def _layouts(plan: Plan) -> Table:
    """One line per phase: degrees, speed."""
    table = _table("phase", "GPUs", "tensor", "pipeline", "context", "expert", "data", "micro", "recompute", "ZeRO")
    for heading in ("step", "steps", "wall", "MFU"):
        table.add_column(heading, justify="right")
    for phase in plan.phases:
        d = phase.degrees
        pipeline = f"{d['pipeline']}" + (f"×{d['virtual']}" if d["virtual"] > 1 else "")
        table.add_row(
            phase.name,
            f"{phase.gpus:,}" + (f"+{phase.spare_nodes * plan.machine.per_node:,}" if phase.spare_nodes else ""),
            f"{d['tensor']}",
            pipeline,
            f"{d['context']}",
            f"{d['expert']}",
            f"{d['data']}",
            f"{d['micro_batch']}×{phase.microbatches}",
            str(recompute_as_written(phase.recompute)),
            f"{d['zero']}",
            format_duration(phase.step_seconds),
            format_count(phase.steps),
            format_duration(phase.wall_seconds),
            format_share(phase.mfu),
        )
    return table


def _bars(phase: PhasePlan) -> Iterator[RenderableType]:
    """Where memory and time of one phase go."""
    free = phase.memory_limit_gib - phase.memory_total_gib
    memory = {**phase.memory_gib, "free": free}
    yield Text(
        f"{phase.name}: memory {format_number(phase.memory_total_gib)} of "
        f"{format_number(phase.memory_limit_gib)} GiB at the peak"
    )
    yield Padding(_bar(memory, phase.memory_limit_gib, " GiB"), (0, 0, 0, 2))
    yield Text(f"{phase.name}: step {format_duration(phase.step_seconds)}")
    yield Padding(_bar(phase.time, phase.step_seconds, " s"), (0, 0, 1, 2))


def _bar(parts: Mapping[str, float], whole: float, unit: str) -> Group:
    """Parts of a whole as a bar with its legend; parts below one per cent are left out."""
    shown = {name: value for name, value in parts.items() if value >= 0.01 * whole}
    marks = {name: "·" if name == "free" else BLOCKS[index % 7] for index, name in enumerate(shown)}
    bar = "".join(marks[name] * max(1, round(BAR * value / whole)) for name, value in shown.items())
    legend = "  ".join(f"{marks[name]} {name.replace('_', ' ')} {format_number(v)}{unit}" for name, v in shown.items())
    return Group(Text(bar), Text(legend))


def _limits(answer: Answer, plan: Plan) -> Table:
    """Each limit, the plan's figure and what is left."""
    table = _table("limit", "bound", "plan", "left")
    for limit in answer.choices.limits.values():
        value = limit_value(limit, plan)
        table.add_row(limit.name, *(_amount(limit.unit, one) for one in (limit.bound, value, limit.bound - value)))
    confidence, deadline = answer.problem.risk.confidence, answer.problem.limits.deadline
    if confidence is not None and deadline is not None:
        kept = kept_seconds(answer.choices.workload, plan, confidence)
        times = (deadline, kept, deadline - kept)
        table.add_row(f"risk.confidence {format_share(confidence)}", *(_amount("s", one) for one in times))
    return table


def _amount(unit: str, value: float) -> str:
    """A limit's quantity for people."""
    if unit == "USD":
        return format_money(value)
    return format_duration(value) if unit == "s" else f"{value:,.0f}"


def _runners_up(answer: Answer, plan: Plan) -> Table:
    """The best plan of every other accelerator."""
    table = _table("other accelerators", "GPUs", "wall", "cost", "difference")
    table.add_column("why")
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
    objective = answer.choices.objective
    ratio = objective_value(objective, plan) / max(objective_value(objective, best), 1e-9) - 1
    return (
        alternative.accelerator,
        f"{plan.gpus:,}",
        format_duration(plan.wall_seconds),
        format_money(plan.cost_usd),
        f"{ratio:+.1%}",
        alternative.reason,
    )


def notes(answer: Answer, plan: Plan) -> Iterator[Text]:
    """How sure all this is: estimator, catalog, spot figures, rounding."""
    workload, device = answer.choices.workload, plan.machine.accelerator
    used = used_precision(workload.precision, device)
    if used is not workload.precision:
        yield Text(f"Precision: {substitution(workload.precision, used, [device.name])}.")
    yield from (Text(line) for line in certainty_lines(answer, plan))
    overhead = plan.wall_seconds - sum(phase.steps * phase.step_seconds for phase in plan.phases)
    yield Text(
        f"Start-up, checkpoints, failures and waiting take {format_duration(overhead)} "
        f"({format_share(overhead / plan.wall_seconds)} of the wall time)."
    )
    yield from (Text(line) for line in _chances(answer.problem, plan))
    if plan.tender.regime.policy != "steady":
        yield Text(_spot_note(plan))
    dates = sorted(one.date for one in load_offers())
    yield Text(f"Prices: catalog of {dates[-1]}; {plan.placement.source} {plan.placement.date}".rstrip() + ".")
    if answer.outcome.error:
        yield Text(f"Fixed-point rounding changes the objective by at most {answer.outcome.error:.3%}.")


def _chances(problem: Problem, plan: Plan) -> Iterator[str]:
    """What failures and preemptions leave of time and cost."""
    found = chances_of(plan, problem)
    times = " to ".join(format_duration(found.seconds[name]) for name in ("p5", "p95"))
    costs = " to ".join(format_money(found.usd[name]) for name in ("p5", "p95"))
    yield f"Failures and preemptions leave it at {times} and {costs} in nine of ten runs, the estimate being right."
    deadline = problem.limits.deadline
    if deadline is None or found.in_time is None or found.in_time_with_estimate is None:
        return
    yield (
        f"In time for {format_duration(deadline)}: {format_probability(found.in_time)} if the estimate is right, "
        f"{format_probability(found.in_time_with_estimate)} with its own error counted."
    )


def format_probability(share: float) -> str:
    """A probability that is never rounded to certainty."""
    if share > 0.995:
        return "more than 99%"
    return "less than 1%" if share < 0.005 else f"{share:.0%}"


def _spot_note(plan: Plan) -> str:
    """What is assumed about spot nodes."""
    regime = plan.tender.regime
    figures = plan.placement.spot_figures
    known = spot_statement(plan.accelerator) if figures is None or not figures.traced else "Figures stated or recorded."
    return (
        f"Spot, policy {regime.policy}: there {format_share(regime.availability)} of the time, "
        f"{format_number(regime.preemptions_per_node_day)} preemptions per node and day of up-time. {known}"
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _no_plan(answer: Answer) -> Iterator[RenderableType]:
    """Why there is no plan, accelerator by accelerator."""
    name = answer.problem.name or answer.choices.workload.model.name
    if answer.status is not Status.INFEASIBLE:
        yield Text(f"{name}: no plan was found in the time given, and none was ruled out")
        return
    limits = ", ".join(f"{one.name} {_amount(one.unit, one.bound)}" for one in answer.choices.limits.values())
    yield Text(f"{name}: no plan exists" + (f" within {limits}" if limits else ""))
    reasons: dict[str, list[str]] = {}
    for accelerator in accelerators_of(answer.choices):
        reasons.setdefault(why_not(answer.choices, accelerator), []).append(accelerator)
    for reason, names in reasons.items():
        yield Text(f"  {', '.join(names)}: {reason}")


def problem_lines(problem: Problem, workload: Workload, found: Sequence[Placement]) -> Iterator[str]:
    """What a problem asks for, in a few lines."""
    yield f"{problem.name or workload.model.name}: {workload.model.name}, {workload.precision.name}"
    for phase in workload.phases:
        tokens, steps = format_count(phase.tokens), _counted(phase.steps, "step")
        yield f"  {phase.name}: {tokens} tokens in {steps} of {phase.global_batch:,} × {phase.sequence_length:,}"
    accelerators = sorted({one.machine.accelerator.name for one in found})
    offers = f"{_counted(len(found), 'offer')} of {_counted(len(accelerators), 'accelerator')}"
    yield f"  {offers}: {', '.join(accelerators)}"
    yield from _substitutions(workload, found)
    for limit in limits_of(problem).values():
        yield f"  {limit.name}: {_amount(limit.unit, limit.bound)}"
    yield f"  objective: {problem.objective}"


def _substitutions(workload: Workload, found: Sequence[Placement]) -> Iterator[str]:
    """Which devices would compute in another precision than the one asked for."""
    devices = {one.machine.accelerator.name: one.machine.accelerator for one in found}
    for used in dict.fromkeys(used_precision(workload.precision, device) for device in devices.values()):
        if used is not workload.precision:
            names = sorted(
                name for name, device in devices.items() if used_precision(workload.precision, device) is used
            )
            yield f"  {substitution(workload.precision, used, names)}"
