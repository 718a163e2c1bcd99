"""The decisions and the figures that follow from them, each a named variable of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.cpsat.fixed_point import LARGEST, FixedPoint
from planner.cpsat.mode_columns import ModeColumns, mode_columns_of
from planner.cpsat.model import IntVar, LinearExpr, Model
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices
from planner.plans.peak_bound import prices_of


@dataclass(frozen=True)
class PhaseVariables:
    """One phase. Times and costs are in the units of `FixedPoint`."""

    figures: ModeColumns
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

    purchase_options: tuple[tuple[PurchaseOption, IntVar], ...]
    """Exactly one is chosen."""
    accelerators: Mapping[str, IntVar]
    phases: tuple[PhaseVariables, ...]
    reserved: IntVar
    """Nodes that are reserved from the first phase to the last."""
    reserved_time: IntVar
    """reserved · wall."""
    reserved_cost: IntVar
    """Cost for the wall time, or for the committed term if that costs more."""
    wall: IntVar
    """Wall time of all phases, one after another."""
    cost: IntVar
    gpus: IntVar
    """Most devices at a time."""


def declare(model: Model, choices: Choices, scale: FixedPoint) -> PlanVariables:
    """All variables of the plan."""
    dearest = scale.price(
        max(price for purchase_option in choices.purchase_options for price in prices_of(purchase_option).values())
    )
    phases = tuple(
        _phase(model, choices, mode_columns_of(choices, scale, index), scale, dearest)
        for index in range(len(choices.phases))
    )
    wall = sum(_largest(phase.wall) for phase in phases)
    reserved = max(_largest(phase.reserved) for phase in phases)
    committed = max(scale.commitment(purchase_option) for purchase_option in choices.purchase_options)
    reserved_cost = max(_cost(reserved * wall, dearest, scale), reserved * committed)
    return PlanVariables(
        purchase_options=tuple(
            (purchase_option, model.new_bool_var(name_of(purchase_option)))
            for purchase_option in choices.purchase_options
        ),
        accelerators={name: model.new_bool_var(name) for name in choices.accelerators},
        phases=phases,
        reserved=_number(model, "reserved", reserved),
        reserved_time=_number(model, "reserved_time", reserved * wall),
        reserved_cost=_number(model, "reserved_cost", reserved_cost),
        wall=_number(model, "wall", wall),
        cost=_number(model, "cost", sum(_largest(phase.cost) for phase in phases) + reserved_cost),
        gpus=_number(model, "gpus", max(_largest(phase.gpus) for phase in phases)),
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


def _phase(model: Model, choices: Choices, figures: ModeColumns, scale: FixedPoint, dearest: int) -> PhaseVariables:
    """The variables of one phase."""
    bought, node_time = max(figures.bought), figures.most_node_time()
    spot = max(min(purchase_option.spot_nodes, bought) for purchase_option in choices.purchase_options)
    reserved = bought if any(purchase_option.reservation for purchase_option in choices.purchase_options) else 0

    def number(name: str, largest: int) -> IntVar:
        return _number(model, f"{figures.name}.{name}", largest)

    return PhaseVariables(
        figures=figures,
        options=tuple(model.new_bool_var(f"{figures.name}.layout[{place}]") for place in range(len(figures.nodes))),
        nodes=number("nodes", max(figures.nodes)),
        bought=number("bought", bought),
        gpus=number("gpus", max(figures.gpus)),
        on_demand=number("on_demand", bought),
        spot=number("spot", spot),
        reserved=number("reserved", reserved),
        wall=number("wall", figures.most_wall()),
        node_time=number("node_time", node_time),
        paid=number("paid", max(figures.paid)),
        saved=number("saved", max(figures.saved)),
        spot_time=number("spot_time", node_time + spot if spot else 0),
        saved_time=number("saved_time", node_time if spot else 0),
        reserved_time=number("reserved_time", node_time if reserved else 0),
        cost=number("cost", _cost(node_time, dearest, scale)),
    )
