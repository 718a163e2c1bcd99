"""One answer: the best plan, the best of every other accelerator, and what the search covered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from math import comb
from typing import Final

import numpy as np

from planner.formulation.choices import Choices, MachineKey, choices_of, most_nodes
from planner.formulation.limits import Limit
from planner.formulation.outcome import Decision, Outcome, Status
from planner.formulation.plan import Plan, plan_of
from planner.formulation.scale import optimistic
from planner.market.placements import Machine
from planner.negotiate.memory import holds_any, why_not_held
from planner.negotiate.modes import bounds_of, cheapest, decision_of, fastest, undominated_modes
from planner.problem.problem import Objective, Problem
from planner.units import format_duration
from planner.verify.check import FaultyPlanError, violations
from planner.verify.oracle import best_of_choices

Progress = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True)
class Alternative:
    """The best plan of another accelerator, or why it has none."""

    accelerator: str
    plan: Plan | None
    reason: str


@dataclass(frozen=True)
class Answer:
    """Everything that `plan solve` says."""

    problem: Problem
    choices: Choices
    outcome: Outcome
    plan: Plan | None
    alternatives: tuple[Alternative, ...]
    search_space: int
    """Combinations of tender, layout of each phase, and nodes bought in each way."""

    @property
    def status(self) -> Status:
        """How far the search got."""
        return self.outcome.status

    @property
    def value(self) -> float | None:
        """The objective's value: dollars, seconds or tokens."""
        return None if self.plan is None else objective_value(self.choices.objective, self.plan)

    @property
    def bound(self) -> float | None:
        """No plan is better than this: the search's bound, less what rounding may hide."""
        if self.outcome.bound is None:
            return None
        maximised = self.choices.objective == "tokens"
        return self.outcome.bound * (1 + self.outcome.error if maximised else 1 - self.outcome.error)

    @property
    def gap(self) -> float | None:
        """How far the plan may be from the best, as a share of its value; rounding alone once it is optimal."""
        if self.value is None or self.bound is None:
            return None
        return abs(self.value - self.bound) / max(self.value, 1e-9)


def objective_value(objective: Objective, plan: Plan) -> float:
    """What a plan reaches under an objective: dollars, seconds or tokens."""
    return {"cost": float(plan.cost_usd), "time": plan.wall_seconds, "tokens": float(plan.tokens)}[objective]


def limit_value(limit: Limit, plan: Plan) -> float:
    """The plan's figure that a limit bounds."""
    return float(getattr(plan, limit.quantity))


def answer(
    problem: Problem,
    *,
    time_limit: float | None = None,
    progress: Progress | None = None,
    prepare: Callable[[Problem], Choices] = choices_of,
) -> Answer:
    """The best plan for a problem and the best of every other accelerator, each verified.

    The accelerator is decided by cases: one search for each, so that every runner-up is proven too and the best of
    all is the best of the best. Raises InputError, and FaultyPlanError when a plan fails its verification.
    """
    tell = progress or _silent
    tell("evaluating layouts")
    choices = prepare(problem)
    outcomes = _search_each(choices, time_limit, tell)
    plans = {name: _verified(choices, outcome) for name, outcome in outcomes.items()}
    ranked = sorted(accelerators_of(choices), key=lambda name: _rank(choices.objective, name, plans.get(name)))
    best = plans.get(ranked[0])
    alternatives = [
        Alternative(name, plans.get(name), _reason(choices, best, name, plans.get(name), outcomes.get(name)))
        for name in ranked
        if best and plans.get(name) is not best
    ]
    outcome = _together(choices, outcomes, outcomes.get(ranked[0]))
    if outcome.status in {Status.OPTIMAL, Status.INFEASIBLE}:
        _confirm(choices, outcome, best)
    tell("")
    return Answer(problem, choices, outcome, best, tuple(alternatives), search_space(choices))


def _confirm(choices: Choices, outcome: Outcome, plan: Plan | None) -> None:
    """Confirms a proof by enumeration in floating point. Raises FaultyPlanError when something better is found.

    Plans within the rounding error of a limit do not count.
    """
    limits = choices.problem.limits
    tighter = 1 - 2 * outcome.error
    update = {
        "deadline": limits.deadline and limits.deadline * tighter * (1 - outcome.tightened),
        "budget": limits.budget and limits.budget * Decimal(tighter),
    }
    problem = choices.problem.model_copy(update={"limits": limits.model_copy(update=update)})
    found = best_of_choices(replace(choices, problem=problem))
    if found is None:
        return
    if plan is None:
        raise FaultyPlanError((f"the search finds no plan, enumeration one of {found:g}",))
    value, cents = objective_value(choices.objective, plan), CENT * len(plan.purchases)
    least, most = sorted((found, value))
    better = found > value if choices.objective == "tokens" else found < value
    if better and most - least > 2 * outcome.error * most + cents:
        raise FaultyPlanError((f"the search finds {value:g}, enumeration {found:g}",))


CENT: Final = 0.01
"""Dollars by which rounding a line of the bill may change it."""


def _search_each(choices: Choices, time_limit: float | None, tell: Progress) -> dict[str, Outcome]:
    """The best of every accelerator that may have a plan; those that no time is left for are missing."""
    from planner.formulation.solve import optimum  # noqa: PLC0415  (only here is the solver needed)

    started, found = time.perf_counter(), dict[str, Outcome]()
    for name in choices.accelerators:
        left = None if time_limit is None else time_limit - (time.perf_counter() - started)
        if left is not None and left <= 0:
            break
        tell(f"searching {name}")
        try:
            only = choices.only(name)
            found[name] = optimum(only, time_limit=left, hint=starting_point(only))
        except KeyboardInterrupt:
            if not any(one.decision for one in found.values()):
                raise
            break
        if found[name].interrupted:
            break
    return found


def starting_point(choices: Choices) -> Decision | None:
    """Where the search may begin: the best way to run the job by enumeration; None while tokens are open."""
    if choices.objective == "tokens":
        return None
    bounds = bounds_of(choices.problem)
    better = fastest if choices.objective == "time" else cheapest
    mode = better(undominated_modes(choices, bounds), bounds)
    return decision_of(choices, mode) if mode else None


def _together(choices: Choices, outcomes: Mapping[str, Outcome], best: Outcome | None) -> Outcome:
    """What the searches of all accelerators prove together."""
    seconds = sum(one.seconds for one in outcomes.values())
    error = max((one.error for one in outcomes.values()), default=0.0)
    tightened = max((one.tightened for one in outcomes.values()), default=0.0)
    proven = {Status.OPTIMAL, Status.INFEASIBLE}
    all_done = all(name in outcomes and outcomes[name].status in proven for name in choices.accelerators)
    interrupted = any(one.interrupted for one in outcomes.values())
    if best is None or best.decision is None:
        status = Status.INFEASIBLE if all_done else Status.UNKNOWN
        return Outcome(status, error=error, tightened=tightened, seconds=seconds, interrupted=interrupted)
    bounds = [_bound(choices, name, outcomes.get(name)) for name in choices.accelerators]
    of_all = (max if choices.objective == "tokens" else min)(one for one in bounds if one is not None)
    status = Status.OPTIMAL if all_done else Status.FEASIBLE
    return replace(
        best, status=status, bound=of_all, seconds=seconds, error=error, tightened=tightened, interrupted=interrupted
    )


def _bound(choices: Choices, name: str, outcome: Outcome | None) -> float | None:
    """What no plan on an accelerator can beat; None when it has none."""
    if outcome is None or outcome.status is Status.UNKNOWN:
        return optimistic(choices.only(name))
    return outcome.bound


def _silent(_: str) -> None:
    """No progress."""


def _verified(choices: Choices, outcome: Outcome) -> Plan | None:
    """The plan of an outcome once it has passed every check."""
    if outcome.decision is None:
        return None
    plan = plan_of(choices, outcome.decision)
    faults = violations(choices.problem, plan, outcome)
    if faults:
        raise FaultyPlanError(faults)
    return plan


def _rank(objective: Objective, accelerator: str, plan: Plan | None) -> tuple[float, str]:
    """Best first, those without a plan last."""
    if plan is None:
        return (np.inf, accelerator)
    value = objective_value(objective, plan)
    return (-value if objective == "tokens" else value, accelerator)


def accelerators_of(choices: Choices) -> tuple[str, ...]:
    """Every accelerator that is offered."""
    return tuple(dict.fromkeys(key[0] for key in choices.machines))


def _reason(choices: Choices, best: Plan | None, accelerator: str, found: Plan | None, outcome: Outcome | None) -> str:
    """Why an accelerator is not the best one, in a few words."""
    searched = accelerator not in choices.accelerators or (outcome and outcome.status is Status.INFEASIBLE)
    if found is None:
        return why_not(choices, accelerator) if searched else "not searched to the end"
    if best is None:
        return ""
    hours = found.gpu_hours / best.gpu_hours
    price = _usd_per_gpu_hour(found) / _usd_per_gpu_hour(best)
    return f"{_times(hours)} the GPU-hours at {_times(price)} the price"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}×"


def _usd_per_gpu_hour(plan: Plan) -> float:
    return float(plan.cost_usd) / plan.gpu_hours


def why_not(choices: Choices, accelerator: str) -> str:
    """Why no plan exists on an accelerator: memory, pins, time, or everything together."""
    machines = [machine for key, machine in choices.machines.items() if key[0] == accelerator]
    if not any(most_nodes(choices.problem, choices.offered, machine) for machine in machines):
        return "not even one whole node is within limits.gpus and what the offers have"
    for index, space in enumerate(choices.spaces):
        if not any(holds_any(choices, machine, space) for machine in machines):
            return why_not_held(choices, machines, index)
    deadline = choices.limits.get("wall_seconds")
    if deadline and not any(one.placement.machine.key[0] == accelerator for one in choices.tenders):
        return f"no layout ends within {format_duration(deadline.bound)}"
    return "none within all limits together"


def search_space(choices: Choices) -> int:
    """How many combinations the answer is the best of: tender × layout of every phase × nodes bought in each way."""
    layouts: dict[tuple[MachineKey, int, int], int] = {}
    total = 0
    for tender in choices.offered:
        machine, reservation = tender.placement.machine, tender.reservation
        kinds = sum((tender.on_demand_price is not None, tender.spot_price is not None, reservation is not None))
        key = (machine.key, min(tender.placement.nodes, _limit_nodes(choices, machine)), kinds)
        if key not in layouts:
            layouts[key] = _combinations(choices, machine, key[1], kinds)
        total += layouts[key]
    return total


def _limit_nodes(choices: Choices, machine: Machine) -> int:
    gpus = choices.limits.get("gpus")
    return int(gpus.bound) // machine.per_node if gpus else np.iinfo(np.int32).max


def _combinations(choices: Choices, machine: Machine, most_nodes: int, kinds: int) -> int:
    """Layouts of every phase on a machine, each with every way to split its nodes over so many kinds of purchase."""
    product = 1
    for space in choices.spaces:
        in_phase = 0
        for tensor, counts in space.counts.items():
            fits = tensor <= machine.domain and (machine.per_node % tensor == 0 or tensor % machine.per_node == 0)
            for devices in np.flatnonzero(counts) if fits else []:
                nodes = -(-int(devices) // machine.per_node)
                whole = devices % machine.per_node == 0 or devices < machine.per_node
                if whole and nodes <= most_nodes:
                    in_phase += int(counts[devices]) * comb(nodes + kinds - 1, kinds - 1)
        product *= in_phase
    return product
