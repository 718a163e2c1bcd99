"""The rules of a plan, one function each: the name is the rule, the docstring says it, the body posts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from planner.cpsat.fixed_point import FixedPoint, budget_of
from planner.cpsat.memory_columns import CONFIDENCE, GROWTH, HEADROOM
from planner.cpsat.model import Domain, Expression, IntVar, LinearExpr, Literal, Model
from planner.cpsat.move_costs import move_costs
from planner.cpsat.variables import PhaseVariables, PlanVariables
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices, Site, site_of
from planner.plans.limits import Limit
from planner.problem.pins import Pin
from planner.problem.problem import LayoutPins


def chooses_one_purchase_option(model: Model, phase: PhaseVariables) -> None:
    """A synchronous job runs in one placement at a time, so a phase is bought with one purchase option."""
    model.add_exactly_one([chosen for _, chosen in phase.purchase_options]).with_name("one purchase option")


def chooses_one_layout(model: Model, phase: PhaseVariables) -> None:
    """Each phase has one layout, and it is one of those on the chosen purchase option's site."""
    name = phase.figures.name
    model.add_exactly_one(phase.options).with_name(f"{name}: one layout")
    layouts: dict[Site, list[IntVar]] = {}
    purchase_options: dict[Site, list[IntVar]] = {}
    for option, site in zip(phase.options, phase.figures.sites, strict=True):
        layouts.setdefault(replace(site, arrives=False), []).append(option)
    for purchase_option, chosen in phase.purchase_options:
        purchase_options.setdefault(site_of(purchase_option), []).append(chosen)
    for site in dict.fromkeys((*layouts, *purchase_options)):
        rule = model.add(LinearExpr.sum(layouts.get(site, [])) == LinearExpr.sum(purchase_options.get(site, [])))
        rule.with_name(f"{name}: a layout for the purchase option")


def waits_on_arrival(model: Model, phase: PhaseVariables) -> None:
    """Where a stay begins spot nodes have to be waited for, and only there."""
    if phase.begins is None:
        return
    sited = list(zip(phase.options, phase.figures.sites, strict=True))
    arriving = [option for option, site in sited if site.arrives]
    going_on = [option for option, site in sited if site.has_spot and not site.arrives]
    model.add(LinearExpr.sum(arriving) <= phase.begins).with_name(f"{phase.figures.name}: waits for spot nodes")
    model.add(LinearExpr.sum(going_on) + phase.begins <= 1).with_name(f"{phase.figures.name}: has its spot nodes")


def stays_go_on(model: Model, before: PhaseVariables, phase: PhaseVariables) -> None:
    """A phase with which no stay begins is bought as the one before, and as many nodes are reserved."""
    if phase.begins is None:
        return
    known = {id(purchase_option): chosen for purchase_option, chosen in before.purchase_options}
    for purchase_option, chosen in phase.purchase_options:
        bought = known.get(id(purchase_option), 0)
        rule = model.add(chosen <= bought).only_enforce_if(~phase.begins)
        rule.with_name(f"{phase.figures.name}: the same purchase option")
    rule = model.add(phase.held == before.held).only_enforce_if(~phase.begins)
    rule.with_name(f"{phase.figures.name}: the same reservation")


def nodes_are_the_layouts(model: Model, phase: PhaseVariables) -> None:
    """Nodes that compute, nodes with spares and their devices are those of the chosen layout."""
    figures = phase.figures
    for name, variable, values in (
        ("nodes", phase.nodes, figures.nodes),
        ("bought", phase.bought, figures.bought),
        ("gpus", phase.gpus, figures.gpus),
    ):
        model.add(variable == phase.chosen_sum(values)).with_name(f"{phase.figures.name}.{name}")


def every_node_is_bought(model: Model, phase: PhaseVariables) -> None:
    """The nodes of a phase: bought = on_demand + spot + reserved."""
    bought = phase.on_demand + phase.spot + phase.reserved
    model.add(phase.bought == bought).with_name(f"{phase.figures.name}: purchases")


def reservation_covers_phase(model: Model, phase: PhaseVariables) -> None:
    """A phase uses no more reserved nodes than are reserved for its stay."""
    model.add(phase.reserved <= phase.held).with_name(f"{phase.figures.name}: reservation")


def buys_what_is_sold(model: Model, phase: PhaseVariables) -> None:
    """On-demand, spot and reserved nodes are bought only where the chosen option sells them, within its capacity."""
    for purchase_option, chosen in phase.purchase_options:
        quotas: tuple[tuple[IntVar, int], ...] = (
            (phase.bought, purchase_option.placement.nodes),
            (phase.on_demand, purchase_option.placement.nodes if purchase_option.on_demand_price is not None else 0),
            (phase.spot, purchase_option.spot_nodes),
            (phase.held, purchase_option.placement.nodes if purchase_option.reservation else 0),
        )
        for nodes, quota in quotas:
            if quota < nodes.domain.max():
                model.add(nodes <= quota).only_enforce_if(chosen).with_name(f"{phase.figures.name}: quota")


def memory_adds_up(model: Model, phase: PhaseVariables) -> None:
    """The peak is weights + gradients + optimizer + activations + other, each that of the chosen layout."""
    name, figures = phase.figures.name, phase.figures.memory
    for part, variable in phase.memory_parts.items():
        model.add(variable == phase.chosen_sum(figures.parts[part])).with_name(f"{name}.memory.{part}")
    model.add(phase.memory == LinearExpr.sum(list(phase.memory_parts.values()))).with_name(f"{name}.memory")


def leaves_headroom(model: Model, phase: PhaseVariables) -> None:
    """The expected peak leaves `limits.memory_headroom` of the device free."""
    _keeps_memory_rule(model, phase, HEADROOM, phase.memory)


def fits_surely(model: Model, phase: PhaseVariables) -> None:
    """The real peak fits the device with probability `limits.memory_confidence`: memory ≤ device · exp(−k·σ)."""
    _keeps_memory_rule(model, phase, CONFIDENCE, phase.memory)


def leaves_room_to_grow(model: Model, phase: PhaseVariables) -> None:
    """A model `limits.growth` times larger leaves the headroom and fits as surely."""
    rule = phase.figures.memory.rule(GROWTH)
    _keeps_memory_rule(model, phase, GROWTH, phase.chosen_sum(rule.used) if rule else phase.memory)


def _keeps_memory_rule(model: Model, phase: PhaseVariables, name: str, used: Expression) -> None:
    """A rule on memory, where a layout breaks it: what is used is no more than it leaves of the chosen device."""
    rule = phase.figures.memory.rule(name)
    if rule:
        model.add(used <= phase.chosen_sum(rule.room)).with_name(f"{phase.figures.name}: {name}")


def keeps_pins(model: Model, phase: PhaseVariables, pins: LayoutPins) -> None:
    """Every pinned degree that a layout breaks has one of the values that its pin allows."""
    for degree, values in phase.figures.degrees.items():
        pin: Pin = getattr(pins, degree)
        allowed = Domain.from_values(sorted({value for value in values if pin.allows(value)}))
        model.add_in_domain(phase.chosen_sum(values), allowed).with_name(f"{phase.figures.name}: layout.{degree}")


def step_adds_up(model: Model, phase: PhaseVariables) -> None:
    """A step is compute + exposed communication + pipeline bubble + other, each that of the chosen layout."""
    name = phase.figures.name
    for part, variable in phase.step_parts.items():
        model.add(variable == phase.chosen_sum(phase.figures.step[part])).with_name(f"{name}.step.{part}")
    model.add(phase.step == LinearExpr.sum(list(phase.step_parts.values()))).with_name(f"{name}.step")


def wall_adds_up(model: Model, phase: PhaseVariables) -> None:
    """The wall time is steps · step + interruptions; a step has the smaller unit, so that `steps` needs no factor."""
    wall = phase.step + phase.chosen_sum(phase.figures.interruptions)
    model.add(phase.wall == wall).with_name(f"{phase.figures.name}.wall")


def times_are_the_layouts(model: Model, phase: PhaseVariables) -> None:
    """node_time = bought · wall, and what of the wall time a spot node is paid and saves; the chosen layout's."""
    figures = phase.figures
    node_time = [nodes * wall for nodes, wall in zip(figures.bought, figures.wall, strict=True)]
    for name, variable, values in (
        ("node_time", phase.node_time, node_time),
        ("paid", phase.paid, figures.paid),
        ("saved", phase.saved, figures.saved),
    ):
        model.add(variable == phase.chosen_sum(values)).with_name(f"{figures.name}.{name}")


def purchases_last_the_phase(model: Model, phase: PhaseVariables) -> None:
    """spot_time = spot · paid, saved_time = spot · saved and reserved_time = reserved · wall; the rest is on demand."""
    name = phase.figures.name
    model.add(phase.spot_time == times(model, phase.spot, phase.paid)).with_name(f"{name}.spot_time")
    model.add(phase.saved_time == times(model, phase.spot, phase.saved)).with_name(f"{name}.saved_time")
    model.add(phase.reserved_time == times(model, phase.reserved, phase.wall)).with_name(f"{name}.reserved_time")
    model.add(phase.saved_time + phase.reserved_time <= phase.node_time).with_name(f"{name}.on_demand_time")


def times(model: Model, first: IntVar, second: IntVar) -> LinearExpr:
    """Product of two variables: a constant factor costs nothing, two free ones a multiplication."""
    for one, other in ((first, second), (second, first)):
        if one.domain.min() == one.domain.max():
            return LinearExpr.term(other, one.domain.min())
    largest = first.domain.max() * second.domain.max()
    product = model.new_int_var(0, largest, f"{first.name}·{second.name}")
    model.add_product(product, (first, second))
    return product


def phase_costs(model: Model, phase: PhaseVariables, scale: FixedPoint) -> None:
    """At the chosen option's prices: cost ≥ on-demand price · on-demand time + spot price · spot time, rounded down."""
    on_demand_time = phase.node_time - phase.saved_time - phase.reserved_time
    for purchase_option, chosen in phase.purchase_options:
        on_demand, spot = _price(purchase_option.on_demand_price, scale), _price(purchase_option.spot_price, scale)
        bill = on_demand * on_demand_time + spot * phase.spot_time
        rule = model.add(scale.cost_ratio * (phase.cost + 1) >= bill + 1).only_enforce_if(chosen)
        rule.with_name(f"{phase.figures.name}: bill")


def reservation_costs(model: Model, plan: PlanVariables, scale: FixedPoint) -> None:
    """Reserved nodes are paid from the first phase of a stay to its last, and at least for the committed term."""
    if not any(purchase_option.reservation for phase in plan.phases for purchase_option, _ in phase.purchase_options):
        model.add(plan.reserved_cost == 0).with_name("no reservation")
        return
    if all(phase.begins is None for phase in plan.phases):
        _reservation_until(model, plan.phases[0], plan.wall, plan.reserved_cost, scale)
        _pays_term(model, plan.phases[0], plan.reserved_cost, (), scale)
        return
    parts: list[IntVar] = []
    for index, phase in enumerate(plan.phases):
        accrued = model.new_int_var(0, plan.most_reserved_cost, f"{phase.figures.name}.accrued reservation")
        paid = model.new_int_var(0, plan.most_reserved_cost, f"{phase.figures.name}.paid reservation")
        _reservation_until(model, phase, phase.wall, accrued, scale, before=parts[-2] if index else None)
        ends = plan.phases[index + 1].begins if index + 1 < len(plan.phases) else None
        conditions = () if ends is None else (ends,)
        model.add(paid >= accrued).with_name(f"{phase.figures.name}: reservation ends").only_enforce_if(*conditions)
        _pays_term(model, phase, paid, conditions, scale)
        parts.extend((accrued, paid))
    model.add(plan.reserved_cost == LinearExpr.sum(parts[1::2])).with_name("reservations")


def _reservation_until(
    model: Model, phase: PhaseVariables, wall: IntVar, cost: IntVar, scale: FixedPoint, before: IntVar | None = None
) -> None:
    """Reserved nodes cost so much for a time, rounded down, and where a stay goes on what they cost before it too."""
    held_time, name = times(model, phase.held, wall), phase.figures.name
    for purchase_option, chosen in phase.purchase_options:
        if purchase_option.reservation is None:
            continue
        bill = _price(purchase_option.reservation.usd_per_node_hour, scale) * held_time
        rule = model.add(scale.cost_ratio * (cost + 1) >= bill + 1).only_enforce_if(chosen)
        rule.with_name(f"{name}: reservation")
        if before is not None and phase.begins is not None:
            rule = model.add(scale.cost_ratio * (cost - before + 1) >= bill + 1)
            rule.with_name(f"{name}: reservation goes on").only_enforce_if(chosen, ~phase.begins)


def _pays_term(
    model: Model, phase: PhaseVariables, paid: IntVar, conditions: tuple[Literal, ...], scale: FixedPoint
) -> None:
    """A reservation costs at least its committed term."""
    for purchase_option, chosen in phase.purchase_options:
        if purchase_option.committed_seconds:
            term = scale.commitment(purchase_option) * phase.held
            model.add(paid >= term).with_name("committed term").only_enforce_if(chosen, *conditions)


def moves(model: Model, plan: PlanVariables, choices: Choices, scale: FixedPoint) -> tuple[LinearExpr, LinearExpr]:
    """Time and cost of all moves: a restart in another placement, a transfer and its price in another location."""
    of_phases = [
        moves_before(model, *pair, choices, scale, index) for index, pair in enumerate(pairwise(plan.phases), start=1)
    ]
    none = LinearExpr.constant(0)
    return LinearExpr.sum([none, *(wall for wall, _ in of_phases)]), LinearExpr.sum(
        [none, *(usd for _, usd in of_phases)]
    )


def moves_before(
    model: Model, before: PhaseVariables, phase: PhaseVariables, choices: Choices, scale: FixedPoint, index: int
) -> tuple[LinearExpr, LinearExpr]:
    """Time and cost of a move before one phase."""
    if phase.begins is None:
        return LinearExpr.constant(0), LinearExpr.constant(0)
    of, name = move_costs(choices, scale, index), phase.figures.name
    restarts = model.new_bool_var(f"{name}.restarts elsewhere")
    for gone in _left(before, phase, lambda one: (one.placement.key, one.placement.machine.key)).values():
        model.add(restarts >= gone).with_name(f"{name}: leaves its nodes")
    carried = {}
    for place, gone in _left(before, phase, lambda one: one.placement.location).items():
        carried[place] = model.new_bool_var(f"{name}.carried from {' '.join(place)}")
        model.add(carried[place] >= gone).with_name(f"{name}: leaves a location")
    time = of.restart * restarts + of.transfer * LinearExpr.sum(list(carried.values()))
    return time, LinearExpr.weighted_sum(list(carried.values()), [of.egress[place] for place in carried])


Place = TypeVar("Place")


def _left(
    before: PhaseVariables, phase: PhaseVariables, place_of: Callable[[PurchaseOption], Place]
) -> dict[Place, LinearExpr]:
    """For each place, 1 where the phase before ran there and this one does not."""
    found: dict[Place, list[LinearExpr]] = {}
    for purchase_option, chosen in before.purchase_options:
        found.setdefault(place_of(purchase_option), []).append(chosen)
    for purchase_option, chosen in phase.purchase_options:
        if place_of(purchase_option) in found:
            found[place_of(purchase_option)].append(-chosen)
    return {place: LinearExpr.sum(terms) for place, terms in found.items()}


def phases_add_up(model: Model, plan: PlanVariables, choices: Choices, scale: FixedPoint) -> None:
    """Wall times and costs add up, the phases run one after another; gpus is the largest number at a time."""
    moving_time, moving_cost = moves(model, plan, choices, scale)
    model.add(plan.wall == sum(phase.wall for phase in plan.phases) + moving_time).with_name("wall")
    bought = sum(phase.cost for phase in plan.phases) + plan.reserved_cost
    model.add(plan.cost == bought + moving_cost).with_name("cost")
    model.add_maximum(plan.gpus, [phase.gpus for phase in plan.phases])


def costs_at_least_the_lowest_price(model: Model, plan: PlanVariables, scale: FixedPoint) -> None:
    """All nodes in the cheapest way of their site: a valid bound that joins layout and price for the proof."""
    least = [
        phase.chosen_sum([bill // scale.cost_ratio for bill in phase.figures.lowest_bill]) for phase in plan.phases
    ]
    rounded = len(plan.phases) + 1
    model.add(plan.cost + rounded >= sum(least)).with_name("lowest price")


def meets_deadline(model: Model, plan: PlanVariables, deadline: Limit, scale: FixedPoint) -> None:
    """The phases, one after another and with what failures cost, end before the deadline."""
    model.add(plan.wall <= scale.time_bound(deadline.bound)).with_name(deadline.name)


def keeps_budget(model: Model, plan: PlanVariables, choices: Choices, budget: Limit, scale: FixedPoint) -> None:
    """All purchases together cost no more than the budget."""
    model.add(plan.cost <= scale.cost_bound(budget_of(choices))).with_name(budget.name)


def keeps_gpu_limit(model: Model, plan: PlanVariables, gpus: Limit) -> None:
    """No phase uses more devices, spares included."""
    model.add(plan.gpus <= int(gpus.bound)).with_name(gpus.name)


def keeps_limit(model: Model, plan: PlanVariables, choices: Choices, limit: Limit, scale: FixedPoint) -> None:
    """Whichever limit it is."""
    match limit.quantity:
        case "wall_seconds":
            meets_deadline(model, plan, limit, scale)
        case "cost_usd":
            keeps_budget(model, plan, choices, limit, scale)
        case "gpus":
            keeps_gpu_limit(model, plan, limit)


def _price(usd_per_node_hour: Decimal | None, scale: FixedPoint) -> int:
    """A price in units; what is not sold is not bought, so its price does not matter."""
    return 0 if usd_per_node_hour is None else scale.price(float(usd_per_node_hour))
