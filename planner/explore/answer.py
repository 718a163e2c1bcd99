"""One answer: the best plan, the best of every other accelerator, and what the search covered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.explore.enumeration import best_of_each, best_plan
from planner.explore.memory import holds_any, why_not_held
from planner.explore.proof import optimistic, proven
from planner.explore.rule_worth import RuleWorth, with_beyond
from planner.layouts.degrees import searched_devices
from planner.layouts.layout_space import LayoutSpace
from planner.market.placements import Machine
from planner.market.slices import is_sold
from planner.plans.choices import Choices, MachineKey, choices_of
from planner.plans.limits import Limit
from planner.plans.objective import objective_value
from planner.plans.plan import Plan
from planner.plans.solution import Solution, Status
from planner.problem.layout_rules import lies_in_fabric
from planner.problem.objective import Objective
from planner.problem.problem import Problem
from planner.units import format_duration

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
    outcome: Solution
    plan: Plan | None
    alternatives: tuple[Alternative, ...]
    search_space: int
    """Combinations of purchase option, layout of each phase, and nodes bought in each way."""
    unsearched: tuple[str, ...] = ()
    """Accelerators for some of whose offers there was no time."""
    clock: Clock = field(default_factory=Clock)
    """The clock that ended the search, if anything did."""
    rules: tuple[RuleWorth, ...] | None = None
    """What rules on layouts and nodes are worth, on which the proof then binds; None where nobody asked."""
    asked: Problem | None = None
    """The problem as it was asked, where another one is answered: more nodes granted, or a second objective."""

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
        """No plan is better than this."""
        return self.outcome.bound

    @property
    def gap(self) -> float | None:
        """How far the plan may be from the best, as a share of its value; rounding alone once it is optimal."""
        if self.value is None or self.bound is None:
            return None
        return abs(self.value - self.bound) / max(self.value, 1e-9)


def limit_value(limit: Limit, plan: Plan) -> float:
    """The plan's figure that a limit bounds."""
    return float(getattr(plan, limit.quantity))


def answer(
    problem: Problem,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
    prepare: Callable[[Problem], Choices] | None = None,
    loosen: Callable[[Choices, Plan], tuple[RuleWorth, ...]] | None = None,
) -> Answer:
    """The best plan for a problem and the best of every other accelerator, each verified.

    Enumeration finds them, exactly; the solver, asked once for everything, proves the best one or that there is none.
    Once the clock is over the answer is the best by then. `loosen` finds what would be better without a rule of the
    problem: the solver is shown it too, and has to keep the rule. Raises InputError, KeyboardInterrupt when the clock
    was stopped before any plan was found, and FaultyPlanError when a plan does not hold or the two methods differ.
    """
    tell, clock = progress or _silent, clock or Clock()
    tell("evaluating layouts")
    choices = prepare(problem) if prepare else choices_of(problem, clock=clock)
    tell("comparing plans")
    plans = best_of_each(choices, clock)
    ranked = sorted(accelerators_of(choices), key=lambda name: rank(choices.objective, name, plans.get(name)))
    best = _with_moves(choices, plans.get(ranked[0]), clock)
    if best is None and clock.is_interrupted:
        raise KeyboardInterrupt
    tell("loosening rules" if loosen else "")
    rules = loosen(choices, best) if loosen and best else None
    choices = with_beyond(choices, rules or ())
    tell("proving the best")
    outcome = _proof(choices, best, clock)
    tell("")
    alternatives = (
        Alternative(name, plans.get(name), reason_of(choices, best, name, plans)) for name in ranked if best
    )
    others = tuple(one for one in alternatives if one.plan is not best)
    unsearched = tuple(sorted(unsearched_of(choices, plans)))
    return Answer(problem, choices, outcome, best, others, search_space(choices), unsearched, clock, rules)


def enumerated(problem: Problem, choices: Choices) -> Answer:
    """The best plan among choices by enumeration, in one place and without the other accelerators'."""
    plan = best_plan(choices)
    status = Status.INFEASIBLE if plan is None else Status.OPTIMAL
    return Answer(problem, choices, Solution(status), plan, (), search_space(choices))


def _with_moves(choices: Choices, best: Plan | None, clock: Clock) -> Plan | None:
    """The best plan, on several accelerators too where phases may run on different ones, as long as there is time."""
    if choices.together or len(choices.accelerators) < 2 or (best and clock.is_over):
        return best
    found = best_plan(choices, clock)
    if best is None or found is None:
        return found or best
    return min((best, found), key=lambda one: objective_value(choices.objective, one))


def _proof(choices: Choices, best: Plan | None, clock: Clock) -> Solution:
    """What is proven of the best plan; without time or with machines left out only what no plan can beat."""
    if not clock.is_over and not choices.unsearched:
        return proven(choices, best, clock)
    if best is None:
        return Solution(Status.UNKNOWN)
    return Solution(Status.FEASIBLE, bound=optimistic(choices))


def _silent(_: str) -> None:
    """No progress."""


def rank(objective: Objective, accelerator: str, plan: Plan | None) -> tuple[float, str]:
    """The order of accelerators: best first, those without a plan last."""
    if plan is None:
        return (np.inf, accelerator)
    value = objective_value(objective, plan)
    return (-value if objective == "tokens" else value, accelerator)


def accelerators_of(choices: Choices) -> tuple[str, ...]:
    """Every accelerator that is offered."""
    return tuple(dict.fromkeys(key[0] for key in choices.machines))


def reason_of(choices: Choices, best: Plan | None, accelerator: str, plans: Mapping[str, Plan | None]) -> str:
    """Why an accelerator is not the best one, in a few words."""
    found = plans.get(accelerator)
    if found is None:
        return NOT_SEARCHED if accelerator in unsearched_of(choices, plans) else why_not(choices, accelerator)
    if best is None:
        return ""
    if not (found.paid_gpu_hours and best.paid_gpu_hours and best.cost_usd):
        return ""
    hours = found.paid_gpu_hours / best.paid_gpu_hours
    price = _usd_per_paid_gpu_hour(found) / _usd_per_paid_gpu_hour(best)
    return f"{_times(hours)} the paid GPU-hours at {_times(price)} the price"


NOT_SEARCHED: Final = "not searched to the end"


def unsearched_of(choices: Choices, plans: Mapping[str, Plan | None]) -> frozenset[str]:
    """Accelerators for some of whose offers there was no time."""
    left = {one.placement.machine.accelerator.name for one in choices.unsearched}
    return frozenset(left | (set(choices.accelerators) - set(plans)))


def _times(ratio: float) -> str:
    return f"{ratio:.2f}×"


def _usd_per_paid_gpu_hour(plan: Plan) -> float:
    return float(plan.cost_usd) / plan.paid_gpu_hours


def why_not(choices: Choices, accelerator: str) -> str:
    """Why no plan exists on an accelerator: memory, pins, time, or everything together."""
    machines = [machine for key, machine in choices.machines.items() if key[0] == accelerator]
    if not any(choices.most_nodes(machine) for machine in machines):
        return "not even one whole node is within limits.gpus and what the offers have"
    for index, space in enumerate(choices.spaces):
        if not any(holds_any(choices, machine, space) for machine in machines):
            return why_not_held(choices, machines, index)
    deadline = choices.limits.get("wall_seconds")
    if deadline and not any(one.placement.machine.key[0] == accelerator for one in choices.purchase_options):
        return f"no layout ends within {format_duration(deadline.bound)}"
    return "none within all limits together"


def largest_search(answer: Answer) -> int | None:
    """Devices at which the search ended although offers have more; None where all of them were searched."""
    most, stated = searched_devices(answer.problem.limits.gpus), answer.problem.limits.gpus
    offered = max(one.placement.nodes * one.placement.machine.per_node for one in answer.choices.offered)
    return most if stated is None and offered > most else None


def search_space(choices: Choices) -> int:
    """How many combinations the answer is the best of: option × layout of every phase × nodes bought in each way."""
    layouts: dict[tuple[MachineKey, int, int], int] = {}
    total = 0
    for purchase_option in choices.offered:
        machine, reservation = purchase_option.placement.machine, purchase_option.reservation
        kinds = sum(
            (
                purchase_option.on_demand_price is not None,
                purchase_option.spot_price is not None,
                reservation is not None,
            )
        )
        key = (machine.key, min(purchase_option.placement.nodes, _limit_nodes(choices, machine)), kinds)
        if key not in layouts:
            layouts[key] = _combinations(choices, machine, key[1], kinds)
        total += layouts[key]
    return total


def _limit_nodes(choices: Choices, machine: Machine) -> int:
    gpus = choices.limits.get("gpus")
    return int(gpus.bound) // machine.per_node if gpus else np.iinfo(np.int32).max


def _combinations(choices: Choices, machine: Machine, most_nodes: int, kinds: int) -> int:
    """Layouts of every phase on a machine, each with every way to split its nodes over so many kinds of purchase."""
    return prod(_in_phase(space, machine, most_nodes, kinds) for space in choices.spaces)


def _in_phase(space: LayoutSpace, machine: Machine, most_nodes: int, kinds: int) -> int:
    """Those of one phase."""
    end = most_nodes * machine.per_node + 1
    held = [
        counts[:end]
        for tensor, counts in space.counts.items()
        if lies_in_fabric(tensor, machine.per_node, machine.domain)
    ]
    if not held:
        return 0
    counts = np.sum(held, axis=0)
    devices = np.arange(len(counts))
    nodes = -(-devices // machine.per_node)
    whole = is_sold(machine.accelerator.name, machine.per_node, devices)
    splits = {1: np.ones_like(nodes), 2: nodes + 1, 3: (nodes + 1) * (nodes + 2) // 2}[kinds]
    return int((counts * splits)[whole].sum())
