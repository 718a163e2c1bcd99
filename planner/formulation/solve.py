"""Building the model and searching it: data, variables, constraints, objective, result."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ortools.sat.python import cp_model

from planner.formulation import constraints as rule
from planner.formulation.choices import Choices, ground_of, is_open
from planner.formulation.confidence import keeps_deadline_surely, tightening
from planner.formulation.objective import Measure, measures
from planner.formulation.outcome import Decision, Outcome, PhaseDecision, Status
from planner.formulation.plan import plan_of
from planner.formulation.scale import Scale, scale_of
from planner.formulation.variables import PlanVariables, declare

Progress = Callable[[float, float], None]
"""Told the best value and the bound, in the objective's unit, whenever a better plan is found."""

_STATUS: Final = {
    cp_model.OPTIMAL: Status.OPTIMAL,
    cp_model.FEASIBLE: Status.FEASIBLE,
    cp_model.INFEASIBLE: Status.INFEASIBLE,
    cp_model.UNKNOWN: Status.UNKNOWN,
}


@dataclass(frozen=True)
class Built:
    """A model with what is needed to read its answer."""

    model: cp_model.CpModel
    plan: PlanVariables
    scale: Scale


def build(choices: Choices, most_steps: int | None = None) -> Built:
    """The model of all choices, without an objective; `most_steps` bounds the steps of an open phase."""
    model, scale = cp_model.CpModel(), scale_of(choices, most_steps)
    plan = declare(model, choices, scale)
    rule.chooses_one_tender(model, plan)
    rule.tender_has_its_accelerator(model, plan)
    for phase in plan.phases:
        rule.chooses_one_layout(model, plan, phase, choices)
        rule.degrees_are_the_layouts(model, phase)
        rule.degrees_keep_to_pins(model, phase, choices.workload.pins)
        rule.degrees_multiply_to_devices(model, phase)
        rule.memory_adds_up(model, phase)
        rule.fits_memory(model, plan, phase, choices)
        rule.leaves_headroom(model, plan, phase, choices)
        rule.leaves_room_to_grow(model, plan, phase, choices)
        rule.step_adds_up(model, phase)
        rule.nodes_are_the_layouts(model, phase)
        rule.every_node_is_bought(model, phase)
        rule.reservation_covers_phase(model, plan, phase)
        rule.buys_what_is_sold(model, plan, phase)
        rule.times_are_the_layouts(model, phase)
        rule.purchases_last_the_phase(model, phase)
        rule.phase_costs(model, plan, phase, scale)
    rule.reservation_costs(model, plan, scale)
    rule.phases_add_up(model, plan)
    rule.costs_at_least_the_lowest_price(model, plan, scale)
    for limit in choices.limits.values():
        rule.keeps_limit(model, plan, limit, scale)
    if deadline := choices.limits.get("wall_seconds"):
        keeps_deadline_surely(model, plan, choices, deadline, scale)
    return Built(model, plan, scale)


SEED: Final = 1


def optimum(
    choices: Choices,
    *,
    time_limit: float | None = None,
    progress: Progress | None = None,
    hint: Decision | None = None,
) -> Outcome:
    """The best plan among the choices by the problem's objective; among equals its second and third decide.

    One worker makes the search deterministic. Ctrl-C or the time limit (seconds) end it with the best plan so far.
    `hint`: where the search begins; it saves time and decides nothing.
    """
    started = time.perf_counter()
    if not choices.tenders:
        return Outcome(Status.INFEASIBLE, seconds=time.perf_counter() - started)
    built = build(choices)
    if hint:
        _begin_at(built, hint)
    first, *ties = measures(choices.objective)
    best = proven = _search(built, first, started, time_limit, progress)
    if best.status is Status.OPTIMAL and (most_steps := _coarsely_counted(built, best)):
        built = build(choices, most_steps)
        best = proven = _search(built, first, started, time_limit, progress)
    for measure in ties:
        if best.status is not Status.OPTIMAL:
            break
        _settle(built, best)
        following = _search(built, measure, started, time_limit, None)
        best = following if following.has_plan else best
    interrupted = proven.status in {Status.FEASIBLE, Status.UNKNOWN} and not _is_late(started, time_limit)
    decision = decode(built, choices, best.solver) if best.has_plan else None
    return Outcome(
        status=proven.status,
        decision=decision,
        bound=bound_of(choices, built.scale, proven.solver.best_objective_bound) if best.has_plan else None,
        claimed_seconds=best.solver.value(built.plan.wall) * built.scale.seconds if best.has_plan else None,
        claimed_usd=best.solver.value(built.plan.cost) * built.scale.usd if best.has_plan else None,
        error=_error_of_limits(choices, decision, built.scale.error) + _count_error(built, best),
        tightened=_tightened(choices, decision),
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
    )


def is_possible(choices: Choices) -> bool:
    """Whether the search finds any plan among the choices, whatever it is worth."""
    if not choices.tenders:
        return False
    built = build(choices)
    solver = _solver()
    try:
        return _STATUS[solver.solve(built.model)] is not Status.INFEASIBLE
    finally:
        _take_back_interrupts()


def _coarsely_counted(built: Built, best: _Search) -> int | None:
    """Most steps that an open phase can have, when the plan has so few that they should be counted more finely."""
    phase = built.plan.phases[0]
    count = best.solver.value(phase.count)
    coarse = phase.figures.is_open and built.scale.block_steps > 1 and count < built.scale.blocks / 2
    return (count + 2 + count // ROOM) * built.scale.block_steps if coarse else None


ROOM: Final = 50
"""Rounding hides less than this part of the steps of an open phase that are counted coarsely."""


def _count_error(built: Built, best: _Search) -> float:
    """One count more would have been too many: the part of the tokens that this hides."""
    phase = built.plan.phases[0]
    return 1 / best.solver.value(phase.count) if phase.figures.is_open and best.has_plan else 0.0


BINDING: Final = 0.98
"""Part of a limit from which on it may be what bounds the tokens."""


def _tightened(choices: Choices, decision: Decision | None) -> float:
    """Part of the deadline by which its cases may tighten it: of the margin that the plan leaves, or at most of all."""
    deadline = choices.limits.get("wall_seconds")
    if deadline is None or decision is None:
        return tightening(choices)
    return tightening(choices) * max(0.0, 1 - plan_of(choices, decision).wall_seconds / deadline.bound)


def _error_of_limits(choices: Choices, decision: Decision | None, error: float) -> float:
    """The rounding error of the objective: of an open phase's steps that of a limit over their part of it."""
    if decision is None or not is_open(choices.problem, choices.phases[0].name):
        return error
    plan, first = plan_of(choices, decision), decision.phases[0]
    running = first.steps * float(first.columns.run.wall.each[first.index])
    paid = sum(float(one.cost_usd) for one in plan.purchases if one.phase == plan.phases[0].name)
    reserved = sum(float(one.cost_usd) for one in plan.purchases if one.kind == "reserved")
    paid = paid * running / plan.phases[0].wall_seconds + reserved * running / plan.wall_seconds
    errors = [error]
    if (budget := choices.limits.get("cost_usd")) and float(plan.cost_usd) >= BINDING * budget.bound and paid:
        errors.append(error * budget.bound / paid)
    if deadline := choices.limits.get("wall_seconds"):
        margin = tightening(choices) * (deadline.bound - plan.wall_seconds)
        if margin or plan.wall_seconds >= BINDING * deadline.bound:
            errors.append((error * deadline.bound + margin) / running)
    return max(errors)


@dataclass(frozen=True)
class _Search:
    """One finished search."""

    status: Status
    goal: cp_model.LinearExprT
    solver: cp_model.CpSolver

    @property
    def has_plan(self) -> bool:
        return self.status in {Status.OPTIMAL, Status.FEASIBLE}


ENOUGH: Final = 0.25
"""A proof ends at this part of the rounding error: beyond, it would tell plans apart that rounding does not."""


def _search(
    built: Built, measure: Measure, started: float, time_limit: float | None, progress: Progress | None
) -> _Search:
    """Minimises one measure. Raises RuntimeError when the model is not well formed, which would be a bug."""
    goal = measure(built.plan)
    built.model.minimize(goal)
    fault = built.model.validate()
    if fault:
        raise RuntimeError(f"the model is not valid: {fault}")
    solver = _solver()
    solver.parameters.relative_gap_limit = ENOUGH * built.scale.error
    if time_limit is not None:
        solver.parameters.max_time_in_seconds = max(0.0, time_limit - (time.perf_counter() - started))
    try:
        status = solver.solve(built.model, _Watch(progress) if progress else None)
    finally:
        _take_back_interrupts()
    return _Search(_STATUS[status], goal, solver)


def _solver() -> cp_model.CpSolver:
    """The solver, so that the same model always gives the same answer."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    # Looking for constraints inside others, and probing, take several times as long as all the rest of the search.
    solver.parameters.presolve_inclusion_work_limit = 0
    solver.parameters.cp_model_probing_level = 0
    return solver


def _begin_at(built: Built, hint: Decision) -> None:
    """Hints at the decisions; all other figures follow from them."""
    model, plan, ground = built.model, built.plan, ground_of(hint.tender)
    for tender, chosen in plan.tenders:
        model.add_hint(chosen, tender == hint.tender)
    model.add_hint(plan.reserved, hint.reserved)
    for phase, decided in zip(plan.phases, hint.phases, strict=True):
        places = zip(phase.figures.grounds, phase.figures.indices, strict=True)
        for option, place in zip(phase.options, places, strict=True):
            model.add_hint(option, place == (ground, decided.index))
        for variable, nodes in (
            (phase.on_demand, decided.on_demand),
            (phase.spot, decided.spot),
            (phase.reserved, decided.reserved),
        ):
            model.add_hint(variable, nodes)


def _take_back_interrupts() -> None:
    """Gives Ctrl-C back to Python: the solver handles it while it runs and leaves the system's default behind."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


def _settle(built: Built, best: _Search) -> None:
    """Keeps the value that was reached and starts the next search from the plan that reached it."""
    built.model.add(best.goal <= best.solver.value(best.goal))
    built.model.clear_hints()  # type: ignore[no-untyped-call]
    for index in range(len(built.model.proto.variables)):
        variable = built.model.get_int_var_from_proto_index(index)
        built.model.add_hint(variable, best.solver.value(variable))


class _Watch(cp_model.CpSolverSolutionCallback):
    """Tells of every better plan."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_solution_callback(self) -> None:
        """Called by the solver."""
        self._progress(self.objective_value, self.best_objective_bound)


def _is_late(started: float, time_limit: float | None) -> bool:
    return time_limit is not None and time.perf_counter() - started >= time_limit * ALMOST


ALMOST: Final = 0.98
"""Part of the time limit after which an unfinished search counts as out of time rather than interrupted."""


def bound_of(choices: Choices, scale: Scale, value: float) -> float:
    """The solver's bound in the objective's unit: dollars, seconds or tokens."""
    match choices.objective:
        case "cost":
            return value * scale.usd
        case "time":
            return value * scale.seconds
        case "tokens":
            return -value * scale.block_steps * choices.phases[0].tokens_per_step


def decode(built: Built, choices: Choices, solver: cp_model.CpSolver) -> Decision:
    """The decisions of the solver's plan."""
    plan = built.plan
    tender = next(tender for tender, chosen in plan.tenders if solver.boolean_value(chosen))
    return Decision(
        tender=tender,
        phases=tuple(_phase(built, choices, solver, index) for index in range(len(plan.phases))),
        reserved=solver.value(plan.reserved),
    )


def _phase(built: Built, choices: Choices, solver: cp_model.CpSolver, index: int) -> PhaseDecision:
    phase, work = built.plan.phases[index], choices.phases[index]
    option = next(place for place, chosen in enumerate(phase.options) if solver.boolean_value(chosen))
    ground = phase.figures.grounds[option]
    counted = solver.value(phase.count) * built.scale.block_steps
    return PhaseDecision(
        columns=choices.columns[index][ground],
        index=phase.figures.indices[option],
        steps=counted if phase.figures.is_open else work.steps,
        on_demand=solver.value(phase.on_demand),
        spot=solver.value(phase.spot),
        reserved=solver.value(phase.reserved),
    )
