"""Layouts that several problems share: evaluated once within the widest limits, then narrowed to each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import inf

from planner.catalog.accelerators import load_accelerators
from planner.clock import Clock
from planner.explore.job_modes import Bounds, bounds_of
from planner.explore.room import with_bounds, within
from planner.layouts.degrees import searched_devices
from planner.layouts.workload import workload_of
from planner.market.placements import placements
from planner.market.purchase_options import PurchaseOption, purchase_options_of, undominated
from planner.plans.choices import Choices, Site, choices_of, site_of, stays_together, usable, with_spares
from planner.problem.market import Market
from planner.problem.problem import Problem


@dataclass(frozen=True)
class Offers:
    """What a problem's market offers."""

    purchase_options: tuple[PurchaseOption, ...]
    """Those that no other beats."""
    everything: tuple[PurchaseOption, ...]
    """Every one."""
    own_devices: frozenset[str]
    """Records that the user brought, as texts: their names alone do not say what they are."""

    @classmethod
    def of(cls, problem: Problem) -> Offers:
        """The purchase options of a problem. Raises InputError when a filter leaves none."""
        everything = purchase_options_of(placements(problem))
        purchase_options = undominated(everything, moves=not stays_together(problem))
        known = {one.name: one for one in load_accelerators()}
        used = {one.placement.machine.accelerator.name: one.placement.machine.accelerator for one in purchase_options}
        own = frozenset(repr(one) for name, one in used.items() if known.get(name) != one)
        return cls(purchase_options, everything, own)


def market_key(problem: Problem) -> str:
    """All of a problem that its offers depend on, as a text."""
    return repr((problem.market, problem.risk.spot_price, problem.training.precision))


def layout_key(problem: Problem) -> str:
    """All of a problem that its layouts and their times depend on, apart from machines and limits, as a text.

    Deadline, budget, devices, market, spares and the number of tokens only choose among layouts.
    """
    training, limits, risk = problem.training, problem.limits, problem.risk
    phases = tuple(phase.model_copy(update={"tokens": 1}) for phase in training.phases)
    neutral = problem.model_copy(
        update={
            "name": "",
            "training": training.model_copy(update={"phases": phases}),
            "market": Market(together=problem.market.together),
            "limits": limits.model_copy(update={"deadline": None, "budget": None, "gpus": None}),
            "risk": risk.model_copy(update={"spot_price": None, "spare_nodes": 0.0}),
            "objective": "tokens" if problem.objective == "tokens" else "cost",
        }
    )
    return repr(neutral)


def shared_choices(problems: Sequence[Problem], offers: Sequence[Offers], clock: Clock | None = None) -> Choices:
    """The layouts of problems with one `layout_key` on all machines that any can buy, within the widest limits.

    Each phase and machine is evaluated once. `offers` holds those of all problems. Raises InputError, and
    KeyboardInterrupt when the clock is stopped before the end.
    """
    first, limits = problems[0], [bounds_of(one) for one in problems]
    fewest = [min(one.training.phases[i].tokens for one in problems) for i in range(len(first.training.phases))]
    phases = [
        phase.model_copy(update={"tokens": tokens}) for phase, tokens in zip(first.training.phases, fewest, strict=True)
    ]
    training = first.training.model_copy(update={"phases": tuple(phases)})
    widest = Bounds(max(one.wall_seconds for one in limits), inf, max(searched_devices(one.gpus) for one in limits))
    largest: dict[Site, PurchaseOption] = {}
    for purchase_option in chain.from_iterable(one.purchase_options for one in offers):
        known = largest.get(site_of(purchase_option))
        if known is None or known.placement.nodes < purchase_option.placement.nodes:
            largest[site_of(purchase_option)] = purchase_option
    widest_problem = with_bounds(first.model_copy(update={"training": training}), widest)
    return choices_of(widest_problem, tuple(largest.values()), clock)


def narrowed(shared: Choices, problem: Problem, offers: Offers) -> Choices:
    """The choices of one of the problems, as if they had been made for it alone."""
    purchase_options = usable(problem, offers.purchase_options, shared.columns)
    sites = dict.fromkeys(way for one in purchase_options for way in site_of(one).ways_to_begin)
    columns = tuple(
        {
            site: replace(of_phase[site], bought=with_spares(problem, of_phase[site].nodes))
            for site in sites
            if site in of_phase
        }
        for of_phase in shared.columns
    )
    machines = {one.placement.machine.key: one.placement.machine for one in offers.purchase_options}
    choices = replace(
        shared,
        problem=problem,
        workload=workload_of(problem),
        objective=problem.objective,
        machines=machines,
        offered=offers.everything,
        purchase_options=purchase_options,
        columns=columns,
        undominated=offers.purchase_options,
    )
    return within(choices, problem)
