"""A plan as the card of a page: what is bought and where, the bill, the layouts, memory and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import PlanFigures
from planner.report.bill import printed_bill, spot_share
from planner.report.dates import dated, ends_on
from planner.report.page.parts import Badge, Bar, BarPart, BillRow, Card, Fact, Table
from planner.report.plan_text import nodes_of
from planner.report.summary import devices_text
from planner.units import format_count, format_duration, format_money, format_number, format_share

NARROWEST: Final = 0.004
"""Share of a bar below which a part is left out."""

TONES: Final = 11
"""Colours that a page has for parts."""


def plan_card(plan: PlanFigures, *, badges: Sequence[Badge] = (), change: Sequence[str] = ()) -> Card:
    """Everything about one plan."""
    figures = f"{format_money(plan.cost_usd)}, {dated(plan.wall_seconds, plan.start)}"
    devices = devices_text(plan)
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


def _facts(plan: PlanFigures) -> Iterator[Fact]:
    """The figures that people ask for first."""
    yield Fact("cost", format_money(plan.cost_usd))
    yield Fact("time", format_duration(plan.wall_seconds))
    if plan.start:
        yield Fact("ends", ends_on(plan.wall_seconds, plan.start))
    yield Fact("tokens", format_count(sum(phase.tokens for phase in plan.phases)))
    yield Fact("GPU-hours", format_count(plan.gpu_hours))
    yield Fact("bought as spot", format_share(spot_share(plan.purchases)))
    if plan.policy != "steady":
        yield Fact("while spot is away", plan.policy)


def _bill(plan: PlanFigures) -> Iterator[BillRow]:
    """The total, each phase, each purchase."""
    bill = printed_bill(plan)
    yield BillRow(0, "total", "", bill.money(bill.total))
    for phase, lines in bill.phases.items():
        yield BillRow(1, phase, "", bill.money(bill.of(phase)))
        for line in lines:
            yield BillRow(2, line.title, line.product, bill.money(line.amount))


def _layouts(plan: PlanFigures) -> Table:
    """The layout of every phase: a row per property, a column per phase."""
    columns = [_layout(plan, phase) for phase in plan.phases]
    names = [phase.name for phase in plan.phases]
    rows = tuple((name, *(column[name] for column in columns)) for name in columns[0])
    return Table("Layout", ("per phase", *names), rows, frozenset(range(1, len(names) + 1)))


def _layout(plan: PlanFigures, phase: PhasePart) -> dict[str, str]:
    """How one phase is laid out and how fast it is."""
    chunks = f" × {phase.virtual_pipeline} chunks" if phase.virtual_pipeline > 1 else ""
    recompute = phase.recompute
    return {
        "GPUs": f"{phase.gpus:,}",
        "spare GPUs": f"{phase.spare_nodes * plan.gpus_per_node:,}",
        "tensor parallel": f"{phase.tensor}",
        "pipeline stages": f"{phase.pipeline}{chunks}",
        "context parallel": f"{phase.context}",
        "expert parallel": phase.expert_in_words,
        "data parallel": f"{phase.data:,}",
        "micro-batches": f"{phase.microbatches:,} of {phase.micro_batch}",
        "recompute": recompute if isinstance(recompute, str) else f"{recompute['full_layers']} layers",
        "ZeRO stage": phase.zero_in_words,
        "precision": phase.precision,
        "tokens": format_count(phase.tokens),
        "steps": format_count(phase.steps),
        "time of a step": format_duration(phase.step_seconds),
        "wall time": format_duration(phase.wall_seconds),
        **({"ends": f"{phase.end}"} if phase.end else {}),
        "MFU": format_share(phase.mfu),
    }


def _bars(phase: PhasePart) -> Iterator[Bar]:
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


def _parts(parts: Mapping[str, float], whole: float, unit: str) -> tuple[BarPart, ...]:
    """The parts that are wide enough to be seen; without a unit they are seconds."""

    def amount(value: float) -> str:
        return f"{format_number(value)} {unit}" if unit else format_duration(value)

    return tuple(
        BarPart(name.replace("_", " "), amount(value), value / whole, tone % TONES)
        for tone, (name, value) in enumerate(parts.items())
        if value >= NARROWEST * whole
    )
