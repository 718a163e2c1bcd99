"""Building the model and searching it: data, variables, constraints, objective, result."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from planner.clock import Clock, OutOfTimeError
from planner.cpsat import constraints as rule
from planner.cpsat import model as cp
from planner.cpsat.chance_constraint import keeps_deadline_surely, loosening
from planner.cpsat.fixed_point import FixedPoint, fixed_point_of
from planner.cpsat.model import Model, SatParameters, SolverRun
from planner.cpsat.objective import measure_of
from planner.cpsat.timetable import PhaseDays, keeps_days
from planner.cpsat.variables import PhaseVariables, PlanVariables, declare
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices, site_of
from planner.plans.lower_bounds import rounded_off
from planner.plans.solution import Decision, PhaseDecision, Solution, Status, Stay

_STATUS: Final = {
    cp.OPTIMAL: Status.OPTIMAL,
    cp.FEASIBLE: Status.FEASIBLE,
    cp.INFEASIBLE: Status.INFEASIBLE,
    cp.UNKNOWN: Status.UNKNOWN,
}


@dataclass(frozen=True)
class Built:
    """A model with what is needed to read its answer."""

    model: Model
    plan: PlanVariables
    scale: FixedPoint
    days: tuple[PhaseDays, ...] = ()
    """By phase, where offers change in time."""


def build(choices: Choices, clock: Clock | None = None) -> Built:
    """The model of all choices, every phase as long as stated, without an objective.

    Raises OutOfTimeError when the clock is over first.
    """
    model, scale, clock = Model(), fixed_point_of(choices), clock or Clock()
    plan = declare(model, choices, scale)
    for phase in plan.phases[:1] if choices.together else plan.phases:
        rule.chooses_one_purchase_option(model, phase)
    for before, phase in pairwise(plan.phases):
        rule.stays_go_on(model, before, phase)
    for phase in plan.phases:
        clock.check()
        rule.chooses_one_layout(model, phase)
        rule.waits_on_arrival(model, phase)
        rule.nodes_are_the_layouts(model, phase)
        rule.every_node_is_bought(model, phase)
        rule.reservation_covers_phase(model, phase)
        rule.buys_what_is_sold(model, phase)
        rule.memory_adds_up(model, phase)
        rule.leaves_headroom(model, phase)
        rule.fits_surely(model, phase)
        rule.leaves_room_to_grow(model, phase)
        rule.keeps_pins(model, phase, choices.workload.pins)
        rule.step_adds_up(model, phase)
        rule.wall_adds_up(model, phase)
        rule.times_are_the_layouts(model, phase)
    days: tuple[PhaseDays, ...] = ()
    if choices.is_dated:
        days = keeps_days(model, plan, choices, scale)
    else:
        for phase in plan.phases:
            rule.purchases_last_the_phase(model, phase)
            rule.phase_costs(model, phase, scale)
        rule.reservation_costs(model, plan, scale)
        rule.phases_add_up(model, plan, choices, scale)
    rule.costs_at_least_the_lowest_price(model, plan, scale)
    for limit in choices.limits.values():
        rule.keeps_limit(model, plan, choices, limit, scale)
    if deadline := choices.limits.get("wall_seconds"):
        keeps_deadline_surely(model, plan, choices, deadline, scale)
    return Built(model, plan, scale, days)


SEED: Final = 1
MOST_WORK: Final = 20.0
"""Deterministic time, in about as many seconds, after which a search ends without a proof."""
ALMOST: Final = 0.98
"""Part of that time after which an unfinished search counts as out of work rather than interrupted."""
ENOUGH: Final = 0.25
"""A proof ends at this part of the rounding error: beyond, it would tell plans apart that rounding does not."""


def search(choices: Choices, *, clock: Clock | None = None, hint: Decision | None = None) -> Solution:
    """The least cost or time among the choices, or that they hold no plan; every phase is as long as stated.

    One worker makes the search deterministic. Ctrl-C, the clock or a bound on the work end it with what is proven by
    then; Ctrl-C stops the clock. `hint`: where the search begins; it saves time and decides nothing. Raises
    RuntimeError when the model is not well formed, which would be a bug.
    """
    started, clock = time.perf_counter(), clock or Clock()
    if not choices.purchase_options:
        return Solution(Status.INFEASIBLE)
    try:
        built = build(choices, clock)
    except OutOfTimeError:
        return Solution(Status.UNKNOWN)
    if hint:
        _begin_at(built, hint)
    built.model.minimize(measure_of(choices.objective)(built.plan))
    if fault := built.model.fault():
        raise RuntimeError(f"the model is not valid: {fault}")
    run = SolverRun(built.model, _parameters(built.scale, clock))
    try:
        status = _STATUS[run.run()]
    finally:
        _take_back_interrupts()
    if status in {Status.FEASIBLE, Status.UNKNOWN} and not clock.is_over:
        clock.is_interrupted = run.response.deterministic_time < ALMOST * MOST_WORK
    has_plan = status in {Status.OPTIMAL, Status.FEASIBLE}
    return Solution(
        status=status,
        decision=decode(built, choices, run) if has_plan else None,
        bound=None
        if status is Status.INFEASIBLE
        else bound_of(choices, built.scale, run.response.best_objective_bound),
        error=built.scale.error,
        loosened=loosening(choices),
        seconds=time.perf_counter() - started,
    )


def _parameters(scale: FixedPoint, clock: Clock) -> SatParameters:
    """Parameters with which the same model always gives the same answer, and a search always ends."""
    parameters = SatParameters()
    parameters.num_workers = 1
    parameters.random_seed = SEED
    parameters.relative_gap_limit = ENOUGH * scale.error
    parameters.max_deterministic_time = MOST_WORK
    if (left := clock.seconds_left) is not None:
        parameters.max_time_in_seconds = left
    # Looking for constraints inside others, and probing, take several times as long as all the rest of the search.
    parameters.presolve_inclusion_work_limit = 0
    parameters.cp_model_probing_level = 0
    return parameters


def bound_of(choices: Choices, scale: FixedPoint, value: float) -> float:
    """The solver's bound in dollars or seconds, less what rounding a bill to whole cents may take off."""
    if choices.objective == "time":
        return value * scale.seconds
    return max(0.0, value * scale.usd - rounded_off(choices))


def _begin_at(built: Built, hint: Decision) -> None:
    """Hints at the decisions; all other figures follow from them."""
    shared = built.plan.phases[0].purchase_options
    for stay in hint.stays:
        for index in stay.phases:
            phase = built.plan.phases[index]
            if not index or phase.purchase_options is not shared:
                _hint_at_purchase(built.model, phase, stay)
            if phase.begins is not None:
                built.model.hint(phase.begins, index == stay.first)
            _hint_at_phase(built.model, phase, stay, hint.phases[index], arrives=0 < index == stay.first)


def _hint_at_purchase(model: Model, phase: PhaseVariables, stay: Stay) -> None:
    """How a phase is bought."""
    for purchase_option, chosen in phase.purchase_options:
        model.hint(chosen, purchase_option is stay.purchase_option)
    model.hint(phase.held, stay.reserved)


def _hint_at_phase(model: Model, phase: PhaseVariables, stay: Stay, decided: PhaseDecision, *, arrives: bool) -> None:
    """Its layout and its nodes."""
    site = site_of(stay.purchase_option, arrives=arrives)
    for option, place in zip(phase.options, zip(phase.figures.sites, phase.figures.indices, strict=True), strict=True):
        model.hint(option, place == (site, decided.index))
    for variable, nodes in (
        (phase.on_demand, decided.on_demand),
        (phase.spot, decided.spot),
        (phase.reserved, decided.reserved),
    ):
        model.hint(variable, nodes)


def _take_back_interrupts() -> None:
    """Gives Ctrl-C back to Python: the solver handles it while it runs and leaves the system's default behind."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


def decode(built: Built, choices: Choices, found: SolverRun) -> Decision:
    """The decisions of the solver's plan."""
    phases = built.plan.phases
    first = [index for index in range(len(phases)) if not index or _begins(built, index, found)]
    spans = zip(first, [*(index - 1 for index in first[1:]), len(phases) - 1], strict=True)
    return Decision(
        stays=tuple(
            Stay(_bought(phases[begin], found), begin, end, _held(built, begin, found)) for begin, end in spans
        ),
        phases=tuple(_phase(built, choices, found, index) for index in range(len(phases))),
    )


def _begins(built: Built, index: int, found: SolverRun) -> bool:
    """Whether a stay begins with a later phase."""
    phase = built.plan.phases[index]
    if not built.days:
        return phase.begins is not None and found.is_true(phase.begins)
    if found.is_true(built.days[index].goes_on):
        return False
    is_reserved = any(_held(built, one, found) for one in (index - 1, index))
    return is_reserved or (phase.begins is not None and found.is_true(phase.begins))


def _held(built: Built, index: int, found: SolverRun) -> int:
    """Nodes that are reserved for the stay that begins with a phase."""
    if not built.days:
        return found.value(built.plan.phases[index].held)
    days = built.days[index]
    return found.value(days.held if found.is_true(days.whole) else days.phase.reserved)


def _bought(phase: PhaseVariables, found: SolverRun) -> PurchaseOption:
    """The purchase option that was chosen."""
    return next(purchase_option for purchase_option, chosen in phase.purchase_options if found.is_true(chosen))


def _phase(built: Built, choices: Choices, found: SolverRun, index: int) -> PhaseDecision:
    phase, work = built.plan.phases[index], choices.phases[index]
    option = next(place for place, chosen in enumerate(phase.options) if found.is_true(chosen))
    site = phase.figures.sites[option]
    return PhaseDecision(
        columns=choices.modelled[index][site],
        index=phase.figures.indices[option],
        steps=work.steps,
        on_demand=found.value(phase.on_demand),
        spot=found.value(phase.spot),
        reserved=found.value(phase.reserved),
        first_day=_first_day(built, index, found),
    )


def _first_day(built: Built, index: int, found: SolverRun) -> int | None:
    """The day that a phase waits for; None where it begins at once."""
    if not built.days or not found.is_true(built.days[index].waits):
        return None
    return found.value(built.days[index].day)
