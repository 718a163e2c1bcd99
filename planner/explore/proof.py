"""The second method: what the solver, asked for all choices at once, proves of what enumeration found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, inf
from typing import Final

from planner.clock import Clock
from planner.explore.enumeration import best_mode
from planner.explore.job_modes import Bounds, bounds_of, decision_of
from planner.explore.least import no_worse
from planner.explore.max_tokens import lasting
from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import Choices, is_open
from planner.plans.lower_bounds import least_of_phases, least_seconds, least_usd, least_with, rounded_off
from planner.plans.peak_bound import PeakBound, peak_bound
from planner.plans.plan import Plan, plan_of
from planner.plans.solution import Decision, Solution, Status
from planner.tolerances import CENT, SUM_ORDER
from planner.verify.check import FaultyPlanError, limits_broken


@dataclass(frozen=True)
class _Question:
    """What the solver is asked, with what enumeration says to it."""

    choices: Choices
    plan: Plan | None
    clock: Clock

    def value(self, plan: Plan) -> float:
        """Dollars or seconds of a plan."""
        return plan.wall_seconds if self.choices.objective == "time" else float(plan.cost_usd)

    def search(self, hint: Decision | None = None) -> Solution:
        """The solver's answer."""
        from planner.cpsat.search import search  # noqa: PLC0415  (only here is the solver needed)

        return search(self.choices, clock=self.clock, hint=hint)


def proven(choices: Choices, plan: Plan | None, clock: Clock) -> Solution:
    """What the solver proves of the best plan that enumeration found, or of there being none.

    Raises FaultyPlanError where the two methods differ by more than rounding.
    """
    if choices.objective == "tokens":
        if plan is not None:
            return _no_more_tokens(_Question(choices, plan, clock), plan)
        choices = lasting(choices, 1)
    question = _Question(_that_may_be_better(choices, plan), plan, clock)
    return _agreed(question, question.search(_starting_point(choices, plan)))


def _that_may_be_better(choices: Choices, plan: Plan | None) -> Choices:
    """The layouts and purchase options with which some phase may cost or take less than in a plan.

    With any other one the whole job is no better, whatever the other phases take at least.
    """
    if plan is None:
        return choices
    is_time = choices.objective == "time"
    if not choices.is_dated:
        longest = plan.wall_seconds if is_time else bounds_of(choices.problem).wall_seconds
        return no_worse(choices, longest, inf if is_time else float(plan.cost_usd))
    least = [one.seconds if is_time else one.cents / 100 for one in least_of_phases(choices)]
    most = (plan.wall_seconds if is_time else float(plan.cost_usd)) * (1 + SUM_ORDER) - sum(least)

    def may_be_better(option: PurchaseOption) -> bool:
        """Whether a phase bought so leaves the whole job within the plan's value."""
        found = least_with(choices, option)
        return any(
            one is not None and one.of(choices.objective) - of_all <= most
            for one, of_all in zip(found, least, strict=True)
        )

    return choices.keeping(may_be_better)


def _starting_point(choices: Choices, plan: Plan | None) -> Decision | None:
    """The decisions of the best plan: without them, a search was seen to creep through hundreds of better ones."""
    if plan is None:
        return None
    within = replace(bounds_of(choices.problem), cost_usd=float(plan.cost_usd))
    if choices.objective == "time" or choices.problem.risk.confidence is None:
        within = replace(within, expected_seconds=plan.wall_seconds * (1 + SUM_ORDER))
    mode = best_mode(_around(choices, plan), within)
    return decision_of(choices, mode) if mode else None


def _around(choices: Choices, plan: Plan) -> Choices:
    """Choices that hold a plan: its accelerator's, where it has only one."""
    devices = {phase.purchase_option.placement.machine.accelerator.name for phase in plan.phases}
    return choices.only(*devices)


def _agreed(question: _Question, found: Solution) -> Solution:
    """The proof of the least cost or time, or of there being no plan, once both methods agree."""
    plan = question.plan
    if found.status in {Status.FEASIBLE, Status.UNKNOWN}:
        status = Status.UNKNOWN if plan is None else Status.FEASIBLE
        return replace(found, status=status, bound=max(found.bound or 0.0, optimistic(question.choices)))
    if plan is None:
        if found.decision is not None:
            _is_beyond_a_limit(question, found, found.decision)
        return replace(found, status=Status.INFEASIBLE, bound=None)
    value = question.value(plan)
    if found.bound is None or found.bound > value * (1 + SUM_ORDER):
        raise FaultyPlanError((f"enumeration finds {value:.10g}, the solver proves {found.bound or inf:.10g}",))
    lowest = value * (1 - found.error) - _cents(plan)
    if found.bound < lowest and found.decision is not None:
        _is_beyond_a_limit(question, found, found.decision)
    return replace(found, bound=max(found.bound, lowest))


def _cents(plan: Plan) -> float:
    """US dollars by which rounding the lines of a bill may change it."""
    return float(CENT * len(plan.purchases))


def _is_beyond_a_limit(question: _Question, found: Solution, decision: Decision) -> None:
    """A better plan of the solver is beyond a limit by what rounding hides, and there enumeration has it too."""
    plan = plan_of(question.choices, decision)
    value = question.value(plan)
    known = inf if question.plan is None else question.value(question.plan)
    better = value < known * (1 - found.error) - _cents(plan)
    if better and not limits_broken(question.choices.problem, plan):
        raise FaultyPlanError((f"the solver finds {value:.10g}, enumeration {known:.10g}",))
    mode = best_mode(question.choices, _wider(question.choices, found))
    least = inf if mode is None else mode.wall_seconds if question.choices.objective == "time" else mode.cost_usd
    if least > value * (1 + found.error) + _cents(plan):
        raise FaultyPlanError((f"within rounding the solver finds {value:.10g}, enumeration {least:.10g}",))


def _wider(choices: Choices, found: Solution) -> Bounds:
    """The limits, wider by what rounding may hide: of cents once off the solver's bill, and once onto the real one."""
    stated, cents = bounds_of(choices.problem), 2 * rounded_off(choices)
    return replace(
        stated,
        wall_seconds=stated.wall_seconds * (1 + 2 * found.error + found.loosened),
        cost_usd=stated.cost_usd * (1 + 2 * found.error) + cents,
    )


NEAR: Final = 4e-4
"""Part of the tokens that rounding hides where the first phase takes all of the time and the money."""
FURTHER: Final = 4
"""How many times further the next try goes."""
TRIES: Final = 4


def _no_more_tokens(question: _Question, plan: Plan) -> Solution:
    """The solver finds no plan with more tokens than rounding hides: first a few more, then further."""
    choices, steps, seconds = question.choices, plan.phases[0].steps, 0.0
    more = NEAR * _weight_of_the_rest(plan)
    for _ in range(TRIES):
        beyond = steps + 1 + ceil(more * steps)
        found = replace(question, choices=lasting(choices, beyond)).search()
        seconds += found.seconds
        if found.status is Status.INFEASIBLE:
            bound = float((beyond - 1) * choices.phases[0].tokens_per_step)
            return replace(found, status=Status.OPTIMAL, bound=bound, error=(beyond - 1) / steps - 1, seconds=seconds)
        if found.decision is None:
            break
        better = plan_of(lasting(choices, beyond), found.decision)
        if not limits_broken(choices.problem, better):
            raise FaultyPlanError((f"the solver finds {better.tokens} tokens, enumeration {plan.tokens}",))
        more *= FURTHER
    return replace(found, status=Status.FEASIBLE, bound=optimistic(choices), seconds=seconds)


def _weight_of_the_rest(plan: Plan) -> float:
    """How many times more time or money the whole job takes than the first phase."""
    first = plan.phases[0]
    paid = sum(float(one.cost_usd) for one in plan.purchases if one.phase in {first.name, None})
    usd = float(plan.cost_usd) / paid if paid else 1.0
    return max(usd, plan.wall_seconds / first.wall_seconds)


def optimistic(choices: Choices) -> float:
    """A value that no plan can beat, of the options that no time was left for too: dollars, seconds or tokens."""
    match choices.objective:
        case "cost":
            usd = [*_unsearched(choices, "usd"), *([least_usd(choices)] if choices.purchase_options else [])]
            return max(0.0, min(usd, default=0.0) - rounded_off(choices))
        case "time":
            found = [*_unsearched(choices, "seconds"), *([least_seconds(choices)] if choices.purchase_options else [])]
            return min(found, default=0.0)
        case "tokens":
            steps = max(
                _most_steps(choices, some) for some in _by_machine((*choices.purchase_options, *choices.unsearched))
            )
            return steps * choices.phases[0].tokens_per_step


def _unsearched(choices: Choices, figure: str) -> Iterator[float]:
    """A figure of the whole job on each machine that was not searched, at least."""
    steps = [phase.steps for phase in choices.phases]
    for purchase_options in _by_machine(choices.unsearched):
        yield getattr(peak_bound(choices.problem, choices.workload, purchase_options, steps), figure)


def _by_machine(purchase_options: Iterable[PurchaseOption]) -> Iterator[list[PurchaseOption]]:
    """Purchase options of one machine together."""
    ordered = sorted(purchase_options, key=lambda one: one.placement.machine.key)
    return (list(some) for _, some in groupby(ordered, key=lambda one: one.placement.machine.key))


def _most_steps(choices: Choices, purchase_options: list[PurchaseOption]) -> float:
    """Steps of an open first phase that no plan on a machine can exceed."""
    closed = [0 if is_open(choices.problem, phase.name) else phase.steps for phase in choices.phases]
    rest = peak_bound(choices.problem, choices.workload, purchase_options, closed)
    step = peak_bound(choices.problem, choices.workload, purchase_options, [1, *[0] * (len(closed) - 1)])
    bounds = bounds_of(choices.problem)
    usd = bounds.cost_usd + rounded_off(choices)
    return max(0.0, min(_left(bounds.wall_seconds, rest, step, "seconds"), _left(usd, rest, step, "usd")))


def _left(bound: float, rest: PeakBound, step: PeakBound, figure: str) -> float:
    """How many steps a bound leaves room for beside the other phases."""
    each = getattr(step, figure)
    return (bound - getattr(rest, figure)) / each if each else inf
