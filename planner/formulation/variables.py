"""The decisions and the figures that follow from them, each a named variable of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python.cp_model import CpModel, IntVar, LinearExpr

from planner.formulation.choices import Choices
from planner.formulation.figures import LARGEST, Figures, figures_of
from planner.formulation.scale import Scale, prices_of
from planner.market.tenders import Tender


@dataclass(frozen=True)
class PhaseVariables:
    """One phase. Times and costs are in the units of `Scale`."""

    figures: Figures
    options: tuple[IntVar, ...]
    """Exactly one layout is chosen, on the ground of the chosen tender."""
    degrees: Mapping[str, IntVar]
    """Those of the chosen layout."""
    memory: Mapping[str, IntVar]
    """What fills a device at the peak, by part; KiB."""
    expected_memory: IntVar
    """weights + gradients + optimizer + activations + other."""
    reserved_memory: IntVar
    """expected + margin: what must be set aside."""
    grown_memory: IntVar
    """The same of the larger model that there must be room for."""
    time: Mapping[str, IntVar]
    """What a step is spent on, by part; microseconds."""
    step: IntVar
    """compute + exposed communication + bubble + optimizer + overhead."""
    nodes: IntVar
    """That compute: data · tensor · pipeline · context devices."""
    bought: IntVar
    """nodes and spares = on_demand + spot + reserved."""
    gpus: IntVar
    """Devices of the nodes bought."""
    on_demand: IntVar
    spot: IntVar
    reserved: IntVar
    count: IntVar
    """How many blocks of steps: 1 unless the phase's tokens are what is maximised."""
    wall: IntVar
    """Expected, from start to end."""
    node_time: IntVar
    """bought · wall."""
    paid: IntVar
    """For which a spot node is paid."""
    saved: IntVar
    """For which a spot node is not bought on demand."""
    spot_time: IntVar
    """spot · paid."""
    saved_time: IntVar
    """spot · saved."""
    reserved_time: IntVar
    """reserved · wall: time that is paid with the reservation."""
    cost: IntVar
    """Of on-demand and spot nodes."""

    def chosen_sum(self, values: Sequence[int]) -> LinearExpr:
        """The value of the chosen option, given each option's."""
        return LinearExpr.weighted_sum(self.options, values)


@dataclass(frozen=True)
class PlanVariables:
    """The plan as a whole."""

    tenders: tuple[tuple[Tender, IntVar], ...]
    """Exactly one is chosen."""
    accelerators: Mapping[str, IntVar]
    phases: tuple[PhaseVariables, ...]
    reserved: IntVar
    """Nodes that are reserved from the first phase to the last."""
    reserved_time: IntVar
    """reserved · wall."""
    reserved_cost: IntVar
    """Of the wall time, or of the committed term if that costs more."""
    wall: IntVar
    """Of all phases, one after another."""
    cost: IntVar
    gpus: IntVar
    """Most devices at a time."""


def declare(model: CpModel, choices: Choices, scale: Scale) -> PlanVariables:
    """All variables of the plan."""
    dearest = scale.price(max(price for tender in choices.tenders for price in prices_of(tender)))
    phases = tuple(
        _phase(model, choices, figures_of(choices, scale, index), scale, dearest)
        for index in range(len(choices.phases))
    )
    wall = sum(_largest(phase.wall) for phase in phases)
    reserved = max(_largest(phase.reserved) for phase in phases)
    committed = max(scale.commitment(tender) for tender in choices.tenders)
    reserved_cost = max(_cost(reserved * wall, dearest, scale), reserved * committed)
    return PlanVariables(
        tenders=tuple((tender, model.new_bool_var(name_of(tender))) for tender in choices.tenders),
        accelerators={name: model.new_bool_var(name) for name in choices.accelerators},
        phases=phases,
        reserved=_number(model, "reserved", reserved),
        reserved_time=_number(model, "reserved_time", reserved * wall),
        reserved_cost=_number(model, "reserved_cost", reserved_cost),
        wall=_number(model, "wall", wall),
        cost=_number(model, "cost", sum(_largest(phase.cost) for phase in phases) + reserved_cost),
        gpus=_number(model, "gpus", max(_largest(phase.gpus) for phase in phases)),
    )


def name_of(tender: Tender) -> str:
    """What a tender is called in the model."""
    term = tender.reservation.term if tender.reservation else "no reservation"
    return f"{tender.placement.title}, {tender.regime.policy}, {term}"


def _number(model: CpModel, name: str, largest: int) -> IntVar:
    return model.new_int_var(0, min(largest, LARGEST), name)


def _largest(variable: IntVar) -> int:
    return int(variable.domain.max())


def _cost(node_time: int, price: int, scale: Scale) -> int:
    """Cost of a node time at a price, in units, rounded up."""
    return -(-node_time * price // scale.cost_ratio)


def _phase(model: CpModel, choices: Choices, figures: Figures, scale: Scale, dearest: int) -> PhaseVariables:
    """The variables of one phase."""
    bought, node_time = max(figures.bought), figures.most_node_time()
    spot = max(min(tender.spot_nodes, bought) for tender in choices.tenders)
    reserved = bought if any(tender.reservation for tender in choices.tenders) else 0

    def number(name: str, largest: int) -> IntVar:
        return _number(model, f"{figures.name}.{name}", largest)

    return PhaseVariables(
        figures=figures,
        options=tuple(model.new_bool_var(f"{figures.name}.layout[{place}]") for place in range(len(figures.nodes))),
        degrees={name: number(name, max(values)) for name, values in figures.degrees.items()},
        memory={part: number(f"memory.{part}", max(values)) for part, values in figures.memory.items()},
        expected_memory=number("memory.expected", sum(max(values) for values in figures.memory.values())),
        reserved_memory=number("memory.reserved", sum(max(values) for values in figures.memory.values())),
        grown_memory=number("memory.grown", max(figures.grown_memory)),
        time={part: number(f"time.{part}", max(values)) for part, values in figures.time.items()},
        step=number("time.step", sum(max(values) for values in figures.time.values())),
        nodes=number("nodes", max(figures.nodes)),
        bought=number("bought", bought),
        gpus=number("gpus", max(figures.gpus)),
        on_demand=number("on_demand", bought),
        spot=number("spot", spot),
        reserved=number("reserved", reserved),
        count=model.new_int_var(1, figures.counts, f"{figures.name}.count"),
        wall=number("wall", figures.most_wall()),
        node_time=number("node_time", node_time),
        paid=number("paid", max(figures.paid.most(figures.counts))),
        saved=number("saved", max(figures.saved.most(figures.counts))),
        spot_time=number("spot_time", node_time + spot if spot else 0),
        saved_time=number("saved_time", node_time if spot else 0),
        reserved_time=number("reserved_time", node_time if reserved else 0),
        cost=number("cost", _cost(node_time, dearest, scale)),
    )
