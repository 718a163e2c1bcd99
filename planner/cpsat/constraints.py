"""The rules of a plan, one function each: the name is the rule, the docstring says it, the body posts it."""

from __future__ import annotations

from decimal import Decimal

from planner.cpsat.fixed_point import FixedPoint, budget_of
from planner.cpsat.model import IntVar, LinearExpr, Model
from planner.cpsat.variables import PhaseVariables, PlanVariables
from planner.plans.choices import Choices, Site, site_of
from planner.plans.limits import Limit


def chooses_one_purchase_option(model: Model, plan: PlanVariables) -> None:
    """The whole job is bought with one purchase option: a synchronous job stays in one placement."""
    model.add_exactly_one([chosen for _, chosen in plan.purchase_options]).with_name("one tender")


def purchase_option_has_its_accelerator(model: Model, plan: PlanVariables) -> None:
    """The accelerator is that of the chosen purchase option."""
    for name, accelerator in plan.accelerators.items():
        of_it = [
            chosen
            for purchase_option, chosen in plan.purchase_options
            if purchase_option.placement.machine.accelerator.name == name
        ]
        model.add(sum(of_it) == accelerator).with_name(f"accelerator {name}")


def chooses_one_layout(model: Model, plan: PlanVariables, phase: PhaseVariables, choices: Choices) -> None:
    """Each phase has one layout, and it is one of those on the chosen purchase option's site."""
    model.add_exactly_one(phase.options).with_name(f"{phase.figures.name}: one layout")
    layouts: dict[Site, list[IntVar]] = {site: [] for site in choices.sites}
    purchase_options: dict[Site, list[IntVar]] = {site: [] for site in choices.sites}
    for option, site in zip(phase.options, phase.figures.sites, strict=True):
        layouts[site].append(option)
    for purchase_option, chosen in plan.purchase_options:
        purchase_options[site_of(purchase_option)].append(chosen)
    for site in choices.sites:
        rule = model.add(LinearExpr.sum(layouts[site]) == LinearExpr.sum(purchase_options[site]))
        rule.with_name(f"{phase.figures.name}: a layout for the tender")


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


def reservation_covers_phase(model: Model, plan: PlanVariables, phase: PhaseVariables) -> None:
    """A phase uses no more reserved nodes than are reserved for the whole job."""
    model.add(phase.reserved <= plan.reserved).with_name(f"{phase.figures.name}: reservation")


def buys_what_is_sold(model: Model, plan: PlanVariables, phase: PhaseVariables) -> None:
    """On-demand, spot and reserved nodes are bought only where the chosen option sells them, within its capacity."""
    for purchase_option, chosen in plan.purchase_options:
        quotas: tuple[tuple[IntVar, int], ...] = (
            (phase.bought, purchase_option.placement.nodes),
            (phase.on_demand, purchase_option.placement.nodes if purchase_option.on_demand_price is not None else 0),
            (phase.spot, purchase_option.spot_nodes),
            (phase.reserved, purchase_option.placement.nodes if purchase_option.reservation else 0),
        )
        for nodes, quota in quotas:
            if quota < nodes.domain.max():
                model.add(nodes <= quota).only_enforce_if(chosen).with_name(f"{phase.figures.name}: quota")


def times_are_the_layouts(model: Model, phase: PhaseVariables) -> None:
    """The chosen layout's wall, node_time = bought · wall, and what of it a spot node is paid and saves."""
    figures = phase.figures
    node_time = [nodes * wall for nodes, wall in zip(figures.bought, figures.wall, strict=True)]
    for name, variable, values in (
        ("wall", phase.wall, figures.wall),
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


def phase_costs(model: Model, plan: PlanVariables, phase: PhaseVariables, scale: FixedPoint) -> None:
    """At the chosen option's prices: cost ≥ on-demand price · on-demand time + spot price · spot time, rounded down."""
    on_demand_time = phase.node_time - phase.saved_time - phase.reserved_time
    for purchase_option, chosen in plan.purchase_options:
        on_demand, spot = _price(purchase_option.on_demand_price, scale), _price(purchase_option.spot_price, scale)
        bill = on_demand * on_demand_time + spot * phase.spot_time
        rule = model.add(scale.cost_ratio * (phase.cost + 1) >= bill + 1).only_enforce_if(chosen)
        rule.with_name(f"{phase.figures.name}: bill")


def reservation_costs(model: Model, plan: PlanVariables, scale: FixedPoint) -> None:
    """Reserved nodes are paid from the first phase to the last, and at least for the committed term."""
    model.add(plan.reserved_time == times(model, plan.reserved, plan.wall)).with_name("reserved_time")
    for purchase_option, chosen in plan.purchase_options:
        if purchase_option.reservation is None:
            model.add(plan.reserved == 0).only_enforce_if(chosen).with_name("no reservation")
            continue
        bill = _price(purchase_option.reservation.usd_per_node_hour, scale) * plan.reserved_time
        rule = model.add(scale.cost_ratio * (plan.reserved_cost + 1) >= bill + 1).only_enforce_if(chosen)
        rule.with_name("reservation")
        term = scale.commitment(purchase_option) * plan.reserved
        model.add(plan.reserved_cost >= term).only_enforce_if(chosen).with_name("committed term")


def phases_add_up(model: Model, plan: PlanVariables) -> None:
    """Wall times and costs add up, the phases run one after another; gpus is the largest number at a time."""
    model.add(plan.wall == sum(phase.wall for phase in plan.phases)).with_name("wall")
    model.add(plan.cost == sum(phase.cost for phase in plan.phases) + plan.reserved_cost).with_name("cost")
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
