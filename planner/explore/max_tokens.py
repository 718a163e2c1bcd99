"""The most tokens of the first phase within bounds: exact, by asking for one step more until nothing has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from planner.clock import Clock
from planner.explore.job_modes import (
    Bounds,
    JobMode,
    bounds_of,
    cheapest,
    plan_of_mode,
    soonest_kept,
    undominated_job_modes,
)
from planner.explore.room import Room, with_bounds
from planner.layouts.workload import PhaseWork
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices
from planner.plans.plan import Plan
from planner.problem.problem import Problem

LEAST: Final = 0.01
"""Part of the stated tokens below which a curve does not begin."""
MOST: Final = 4
"""How many times the stated tokens a curve reaches at most where no deadline ends it."""


@dataclass(frozen=True)
class PhaseLengths:
    """One job with its first phase as long as one likes; its layouts are evaluated once for all lengths."""

    problem: Problem
    choices: Choices

    @classmethod
    def of(cls, problem: Problem, bounds: Bounds) -> PhaseLengths:
        """The lengths of a problem's first phase within bounds. Raises InputError."""
        room = Room(problem.model_copy(update={"objective": "tokens"}))
        return cls.among(room.choices(bounds.wall_seconds, bounds.gpus))

    @classmethod
    def among(cls, choices: Choices) -> PhaseLengths:
        """The lengths of the first phase among choices in which it is open."""
        fixed = choices.problem.model_copy(update={"objective": "cost"})
        return cls(fixed, replace(choices, problem=fixed, objective="cost"))

    @property
    def phase(self) -> PhaseWork:
        """The first phase as it is stated."""
        return self.choices.phases[0]

    def steps_of(self, tokens: float) -> int:
        """Whole steps that so many tokens give, at least one."""
        return max(1, int(tokens // self.phase.tokens_per_step))

    def modes(self, steps: int, bounds: Bounds, clock: Clock | None = None) -> tuple[JobMode, ...]:
        """Every undominated way to run so many steps within bounds, fastest first."""
        return undominated_job_modes(_lasting(self.choices, steps), bounds, clock)

    def plan(self, steps: int, mode: JobMode, bounds: Bounds) -> Plan:
        """The plan of a mode of so many steps, verified. Raises FaultyPlanError."""
        problem = with_bounds(_with_steps(self.problem, steps), bounds)
        return plan_of_mode(_lasting(self.choices, steps), problem, mode)

    def only(self, purchase_option: PurchaseOption) -> PhaseLengths:
        """What one purchase option leaves."""
        return replace(self, choices=replace(self.choices, purchase_options=(purchase_option,)))


def _with_steps(problem: Problem, steps: int) -> Problem:
    """The problem with so many steps in its first phase."""
    first, *rest = problem.training.phases
    first = first.model_copy(update={"tokens": steps * first.global_batch * first.sequence_length})
    training = problem.training.model_copy(update={"phases": (first, *rest)})
    return problem.model_copy(update={"training": training})


def _lasting(choices: Choices, steps: int) -> Choices:
    """The choices with so many steps in the first phase."""
    first, *rest = choices.phases
    first = replace(first, tokens=steps * first.tokens_per_step)
    return replace(choices, workload=replace(choices.workload, phases=(first, *rest)))


def plan_of_most_tokens(choices: Choices, clock: Clock | None = None) -> Plan | None:
    """The plan that trains the most tokens of an open first phase, of those the cheapest; None when there is none.

    Once the clock is over it is the best of what was looked at by then. Raises FaultyPlanError when it does not hold.
    """
    lengths, bounds = PhaseLengths.among(choices), bounds_of(choices.problem)
    steps = most_steps(lengths, bounds, clock=clock)
    mode = cheapest(lengths.modes(steps, bounds), bounds) if steps else None
    return lengths.plan(steps, mode, bounds) if mode else None


def lasting(choices: Choices, steps: int) -> Choices:
    """The choices with so many steps in an open first phase, to be run at the least cost."""
    return _lasting(PhaseLengths.among(choices).choices, steps)


MOST_TOKENS: Final = 10**18
"""Most tokens that an open phase may have: where they cost nothing, no budget ends them."""


def most_steps(lengths: PhaseLengths, bounds: Bounds, known: int = 0, clock: Clock | None = None) -> int:
    """The most steps within bounds, of which at least one is finite; `known` steps are known to be within them.

    From a number that can be had to one more, with the option that leaves most of both bounds, and as far as that
    option goes; the proof is that no option has one step more. Once the clock is over it is the most that is known.
    """
    last = MOST_TOKENS // lengths.phase.tokens_per_step
    while known < last and (modes := lengths.modes(known + 1, bounds, clock)):
        roomiest = min(modes, key=lambda one: _used(one, bounds))
        known = min(last, _reach(lengths.only(roomiest.purchase_option), known + 1, bounds))
        if clock and clock.is_over:
            break
    return known


def _used(mode: JobMode, bounds: Bounds) -> float:
    """The larger of the parts of time and money that a mode takes."""
    return max(mode.kept_seconds / bounds.wall_seconds, mode.cost_usd / bounds.cost_usd)


def _reach(lengths: PhaseLengths, steps: int, bounds: Bounds) -> int:
    """The most steps within bounds, when so many are within them and time or cost grow with every step."""
    beyond = 2 * steps
    while beyond < 4 * MOST_TOKENS and lengths.modes(beyond, bounds):
        steps, beyond = beyond, 2 * beyond
    while beyond - steps > 1:
        middle = (steps + beyond) // 2
        steps, beyond = (middle, beyond) if lengths.modes(middle, bounds) else (steps, middle)
    return steps


def tokens_along(
    problem: Problem, x: Literal["cost", "time"], bounds: Bounds, points: int
) -> Iterator[tuple[float, Plan]]:
    """For at most so many amounts of money or time at even ratios, the plan that trains the most tokens with the least.

    Among them is the least that trains the stated tokens. Begins at 1 % of those, or at the most that the bounds allow
    if that is less; ends where more of it trains no more, or at four times the stated tokens where no deadline is
    stated. Each plan is verified and comes with what it takes. Raises InputError, and FaultyPlanError when a plan does
    not hold.
    """
    lengths = PhaseLengths.of(problem, bounds)
    quantity, least = ("cost_usd", cheapest) if x == "cost" else ("wall_seconds", soonest_kept)
    figure = "cost_usd" if x == "cost" else "kept_seconds"
    last = _last(lengths, problem, bounds)
    if not last:
        return
    first = min(last, lengths.steps_of(LEAST * problem.training.phases[0].tokens))
    stated = min(last, lengths.phase.steps)
    low, middle, high = (_value(least(lengths.modes(one, bounds), bounds), figure) for one in (first, stated, last))
    known = 0
    for amount in sorted({*np.geomspace(low, high, max(points - 1, 2)).tolist(), *([middle] if points > 2 else [])}):
        within = replace(bounds, **{quantity: min(amount * (1 + ROUNDING), getattr(bounds, quantity))})
        steps = min(last, most_steps(lengths, within, known))
        mode = least(lengths.modes(steps, within), within)
        if mode and steps > known:
            yield getattr(mode, figure), lengths.plan(steps, mode, within)
        known = max(known, steps)


ROUNDING: Final = 1e-12
"""Relative error of the amounts at even ratios."""


def _value(mode: JobMode | None, figure: str) -> float:
    return max(float(getattr(mode, figure)), ROUNDING)


def _last(lengths: PhaseLengths, problem: Problem, bounds: Bounds) -> int:
    """The most steps of a curve; 0 when not even one can be had."""
    stated = MOST * lengths.steps_of(problem.training.phases[0].tokens)
    if problem.limits.deadline is None and lengths.modes(stated, bounds):
        return stated
    return most_steps(lengths, bounds)
