"""A plan as the card of a page: what is bought and where, the bill, the layouts, memory and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.plans.plan import PhasePlan, Plan
from planner.problem.run import recompute_as_written
from planner.report.bill import printed_bill
from planner.report.dates import dated, ends_on
from planner.report.frontier import spot_share
from planner.report.page.parts import Badge, Bar, BillLine, Card, Fact, Part, Table
from planner.units import format_count, format_duration, format_money, format_number, format_share

NARROWEST: Final = 0.004
"""Share of a bar below which a part is left out."""

TONES: Final = 10
"""Colours that a page has for parts."""


def plan_card(plan: Plan, *, badges: Sequence[Badge] = (), change: Sequence[str] = ()) -> Card:
    """Everything about one plan."""
    figures = f"{format_money(plan.cost_usd)}, {dated(plan.wall_seconds, plan.start)}"
    devices = f"{plan.gpus:,} × {plan.accelerator}"
    return Card(
        title=devices,
        subtitle=f"{plan.placement.title}, {nodes_of(plan)}",
        short=f"{figures}: {devices}",
        badges=tuple(badges),
        facts=tuple(_facts(plan)),
        change=tuple(change),
        bill=tuple(_bill(plan)),
        tables=(_layouts(plan),),
        bars=tuple(bar for phase in plan.phases for bar in _bars(phase)),
    )


def nodes_of(plan: Plan) -> str:
    """How many nodes of how many devices, and what connects them."""
    size, network = plan.machine.per_node, plan.machine.network_gbit_s
    return f"1 node of {size}" if plan.nodes == 1 else f"{plan.nodes:,} nodes of {size}, {network:g} Gb/s per GPU"


def _facts(plan: Plan) -> Iterator[Fact]:
    """The figures that people ask for first."""
    yield Fact("cost", format_money(plan.cost_usd))
    yield Fact("time", dated(plan.wall_seconds, plan.start))
    yield Fact("tokens", format_count(sum(phase.tokens for phase in plan.phases)))
    yield Fact("GPU-hours", format_count(plan.gpu_hours))
    yield Fact("bought as spot", format_share(spot_share(plan)))
    if plan.purchase_option.spot_policy.policy != "steady":
        yield Fact("while spot is away", plan.purchase_option.spot_policy.policy)


def _bill(plan: Plan) -> Iterator[BillLine]:
    """The total, each phase, each purchase."""
    bill = printed_bill(plan)
    yield BillLine(0, "total", "", bill.money(bill.total))
    for phase, lines in bill.phases.items():
        yield BillLine(1, phase, "", bill.money(bill.of(phase)))
        for line in lines:
            yield BillLine(2, line.title, line.product, bill.money(line.amount))


def _layouts(plan: Plan) -> Table:
    """The layout of every phase: a row per property, a column per phase."""
    columns = [_layout(plan, phase) for phase in plan.phases]
    names = [phase.name for phase in plan.phases]
    rows = tuple((name, *(column[name] for column in columns)) for name in columns[0])
    return Table("Layout", ("per phase", *names), rows, frozenset(range(1, len(names) + 1)))


def _layout(plan: Plan, phase: PhasePlan) -> dict[str, str]:
    """How one phase is laid out and how fast it is."""
    degrees = phase.degrees
    chunks = f" × {degrees['virtual_pipeline']} chunks" if degrees["virtual_pipeline"] > 1 else ""
    recompute = recompute_as_written(phase.recompute)
    return {
        "GPUs": f"{phase.gpus:,}",
        "spare GPUs": f"{phase.spare_nodes * plan.machine.per_node:,}",
        "tensor parallel": f"{degrees['tensor']}",
        "pipeline stages": f"{degrees['pipeline']}{chunks}",
        "context parallel": f"{degrees['context']}",
        "expert parallel": f"{degrees['expert']}",
        "data parallel": f"{degrees['data']:,}",
        "micro-batches": f"{phase.microbatches:,} of {degrees['micro_batch']}",
        "recompute": recompute if isinstance(recompute, str) else f"{recompute['full_layers']} layers",
        "ZeRO stage": f"{degrees['zero']}",
        "precision": phase.precision,
        "tokens": format_count(phase.tokens),
        "steps": format_count(phase.steps),
        "time of a step": format_duration(phase.step_seconds),
        "wall time": format_duration(phase.wall_seconds),
        **({"ends": ends_on(phase.spans[-1][1], plan.start)} if plan.start else {}),
        "MFU": format_share(phase.mfu),
    }


def _bars(phase: PhasePlan) -> Iterator[Bar]:
    """Memory against what a GPU has, and where a step's time goes."""
    memory = phase.memory
    yield Bar(
        f"{phase.name}: memory at the peak",
        f"{format_number(memory.total)} of {format_number(memory.limit)} GiB, "
        f"{format_number(memory.expected)} expected",
        _parts(memory.parts, memory.limit, "GiB"),
        f"free {format_number(memory.free)} GiB",
    )
    yield Bar(f"{phase.name}: a step", format_duration(phase.step_seconds), _parts(phase.time, phase.step_seconds, ""))


def _parts(parts: Mapping[str, float], whole: float, unit: str) -> tuple[Part, ...]:
    """The parts that are wide enough to be seen; without a unit they are seconds."""

    def amount(value: float) -> str:
        return f"{format_number(value)} {unit}" if unit else format_duration(value)

    return tuple(
        Part(name.replace("_", " "), amount(value), value / whole, tone % TONES)
        for tone, (name, value) in enumerate(parts.items())
        if value >= NARROWEST * whole
    )
