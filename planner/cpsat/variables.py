"""The decisions and the figures that follow from them, each a named variable of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.cpsat.fixed_point import LARGEST, FixedPoint, days_units, dearest_of
from planner.cpsat.mode_columns import ModeColumns, mode_columns_of
from planner.cpsat.model import IntVar, LinearExpr, Model
from planner.cpsat.move_costs import most_moves
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices


@dataclass(frozen=True)
class PhaseVariables:
    """One phase. Times and costs are in the units of `FixedPoint`."""

    figures: ModeColumns
    purchase_options: tuple[tuple[PurchaseOption, IntVar], ...]
    """Exactly one is chosen; of a job that stays together they are the same variables for every phase."""
    begins: IntVar | None
    """Whether a stay begins with it, bought anew; None for the first phase, and for a job that stays together."""
    held: IntVar
    """Nodes that are reserved while it runs, used or not."""
    options: tuple[IntVar, ...]
    """Exactly one layout is chosen, on the site of the chosen purchase option."""
    nodes: IntVar
    """Compute nodes, for data · tensor · pipeline · context devices."""
    bought: IntVar
    """nodes and spares = on_demand + spot + reserved."""
    gpus: IntVar
    """Devices of the nodes bought."""
    on_demand: IntVar
    spot: IntVar
    reserved: IntVar
    memory: IntVar
    """Expected peak of the fullest device, of all parts; in KiB. Bounded where a rule on memory can be broken."""
    memory_parts: Mapping[str, IntVar]
    step: IntVar
    """Time of one step, of all parts, in units divided by the steps of the phase."""
    step_parts: Mapping[str, IntVar]
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
    """Cost of on-demand and spot nodes."""

    def chosen_sum(self, values: Sequence[int]) -> LinearExpr:
        """The value of the chosen option, given each option's."""
        return LinearExpr.weighted_sum(self.options, values)


@dataclass(frozen=True)
class PlanVariables:
    """The plan as a whole."""

    phases: tuple[PhaseVariables, ...]
    reserved_cost: IntVar
    """Cost for the wall time of each stay, or for the committed term if that costs more."""
    most_reserved_cost: int
    wall: IntVar
    """Wall time of all phases, one after another."""
    cost: IntVar
    gpus: IntVar
    """Most devices at a time."""


def declare(model: Model, choices: Choices, scale: FixedPoint) -> PlanVariables:
    """All variables of the plan."""
    dearest, days = scale.price(dearest_of(choices)), days_units(choices, scale.seconds)
    figures = [mode_columns_of(choices, scale, index) for index in range(len(choices.phases))]
    most = max(max(one.bought) for one in figures) if any(one.reservation for one in choices.purchase_options) else 0
    together = None
    if choices.together:
        together = _Bought(_purchase_options(model, choices, None, ""), None, _number(model, "reserved", most))
    phases = tuple(
        _phase(model, choices, one, together or _bought(model, choices, index, one.name, most), scale, dearest, days)
        for index, one in enumerate(figures)
    )
    wall = sum(_largest(phase.wall) for phase in phases) + days
    committed = max(scale.commitment(purchase_option) for purchase_option in choices.purchase_options)
    reserved_cost = max(_cost(most * wall, dearest, scale), len(phases) * most * committed)
    moves = most_moves(choices, scale)
    return PlanVariables(
        phases=phases,
        reserved_cost=_number(model, "reserved_cost", reserved_cost),
        most_reserved_cost=reserved_cost,
        wall=_number(model, "wall", wall + moves.wall),
        cost=_number(model, "cost", sum(_largest(phase.cost) for phase in phases) + reserved_cost + moves.cost),
        gpus=_number(model, "gpus", max(_largest(phase.gpus) for phase in phases)),
    )


@dataclass(frozen=True)
class _Bought:
    """How a phase is bought."""

    purchase_options: tuple[tuple[PurchaseOption, IntVar], ...]
    begins: IntVar | None
    held: IntVar


def _bought(model: Model, choices: Choices, index: int, name: str, most: int) -> _Bought:
    """The choice of one phase of a job that may move."""
    begins = model.new_bool_var(f"{name}.begins a stay") if index else None
    return _Bought(_purchase_options(model, choices, index, f"{name}."), begins, _number(model, f"{name}.held", most))


def _purchase_options(
    model: Model, choices: Choices, index: int | None, prefix: str
) -> tuple[tuple[PurchaseOption, IntVar], ...]:
    """A variable for each purchase option that has a layout of a phase; all of them for every phase."""
    return tuple(
        (one, model.new_bool_var(prefix + name_of(one)))
        for one in choices.purchase_options
        if index is None or any(choices.modes(index, one, arrives=arrives) for arrives in (False, True))
    )


def name_of(purchase_option: PurchaseOption) -> str:
    """What a purchase option is called in the model."""
    term = purchase_option.reservation.term if purchase_option.reservation else "no reservation"
    return f"{purchase_option.placement.title}, {purchase_option.spot_policy.policy}, {term}"


def _number(model: Model, name: str, largest: int) -> IntVar:
    return model.new_int_var(0, min(largest, LARGEST), name)


def _largest(variable: IntVar) -> int:
    return int(variable.domain.max())


def _cost(node_time: int, price: int, scale: FixedPoint) -> int:
    """Largest cost of a node time at a price, in units."""
    return -(-node_time * price // scale.cost_ratio)


def _phase(
    model: Model, choices: Choices, figures: ModeColumns, bought_as: _Bought, scale: FixedPoint, dearest: int, days: int
) -> PhaseVariables:
    """The variables of one phase."""
    bought, node_time = max(figures.bought), figures.most_node_time()
    spot = max(min(purchase_option.spot_nodes, bought) for purchase_option in choices.purchase_options)
    reserved = bought if any(purchase_option.reservation for purchase_option in choices.purchase_options) else 0

    memory = figures.memory.parts if figures.memory.rules else {}

    def number(name: str, largest: int) -> IntVar:
        return _number(model, f"{figures.name}.{name}", largest)

    return PhaseVariables(
        figures=figures,
        purchase_options=bought_as.purchase_options,
        begins=bought_as.begins,
        held=bought_as.held,
        options=tuple(model.new_bool_var(f"{figures.name}.layout[{place}]") for place in range(len(figures.nodes))),
        nodes=number("nodes", max(figures.nodes)),
        bought=number("bought", bought),
        gpus=number("gpus", max(figures.gpus)),
        on_demand=number("on_demand", bought),
        spot=number("spot", spot),
        reserved=number("reserved", reserved),
        memory=number("memory", sum(map(max, memory.values()))),
        memory_parts={part: number(f"memory.{part}", max(values)) for part, values in memory.items()},
        step=number("step", sum(map(max, figures.step.values()))),
        step_parts={part: number(f"step.{part}", max(values)) for part, values in figures.step.items()},
        wall=number("wall", figures.most_wall()),
        node_time=number("node_time", node_time),
        paid=number("paid", max(figures.paid)),
        saved=number("saved", max(figures.saved)),
        spot_time=number("spot_time", node_time + spot if spot else 0),
        saved_time=number("saved_time", node_time if spot else 0),
        reserved_time=number("reserved_time", node_time if reserved else 0),
        cost=number("cost", _cost(node_time + bought * days, dearest, scale)),
    )
