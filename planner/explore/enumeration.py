"""The best plan among choices, read off all undominated ways to run the job; verified, and exact to the cent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from planner.clock import Clock
from planner.explore.job_modes import (
    Bounds,
    JobMode,
    bounds_of,
    cheapest,
    fastest,
    plan_of_mode,
    undominated_job_modes,
)
from planner.explore.least import Least, usd_per_device_hour
from planner.explore.max_tokens import plan_of_most_tokens
from planner.market.purchase_options import undominated
from planner.plans.choices import Choices, in_one_place, usable
from planner.plans.plan import Plan


def best_mode(choices: Choices, bounds: Bounds, clock: Clock | None = None) -> JobMode | None:
    """The fastest way to run the job within bounds when time is what is minimised, else the cheapest.

    Purchase option by purchase option, the cheapest first, each within what the best so far takes: that lists fewer.
    """
    if choices.is_dated:
        return _best_by_days(choices, bounds, clock)
    if not choices.together:
        return _best_that_may_move(choices, bounds, clock)
    best: JobMode | None = None
    seconds, cents = (one[:, 0].tolist() for one in Least.of(choices, bounds.left.wall_seconds).of_jobs(together=True))
    options = choices.purchase_options
    for number in sorted(range(len(options)), key=lambda one: usd_per_device_hour(options[one])):
        if best and clock and clock.is_over:
            break
        within = bounds if best is None else _tighter(choices, bounds, best)
        if seconds[number] > within.left.wall_seconds or cents[number] > within.cents:
            continue
        alone = replace(choices, purchase_options=(options[number],))
        found = _better(choices)(undominated_job_modes(alone, within, cheapest=_wants_cheapest(choices)), within)
        if found and (best is None or _figures(choices, found) < _figures(choices, best)):
            best = found
    return best


def _best_that_may_move(choices: Choices, bounds: Bounds, clock: Clock | None) -> JobMode | None:
    """The same where each phase may run elsewhere: the best that stays is found first, and bounds what is listed."""
    best = best_mode(that_stay(choices), bounds, clock)
    if best and clock and clock.is_over:
        return best
    within = bounds if best is None else _tighter(choices, bounds, best)
    found = _better(choices)(undominated_job_modes(choices, within, clock, cheapest=_wants_cheapest(choices)), within)
    both = [one for one in (best, found) if one]
    return min(both, key=lambda one: _figures(choices, one), default=None)


def _best_by_days(choices: Choices, bounds: Bounds, clock: Clock | None) -> JobMode | None:
    """The same where offers change in time: the best without those offers is found first, and bounds what is listed."""
    steady = choices.keeping(lambda one: not one.placement.is_dated)
    best = best_mode(steady, bounds, clock)
    if best and clock and clock.is_over:
        return best
    within = bounds if best is None else _tighter(choices, bounds, best)
    found = _better(choices)(undominated_job_modes(choices, within, clock), within)
    return min((one for one in (found, best) if one), key=lambda one: _figures(choices, one), default=None)


def that_stay(choices: Choices) -> Choices:
    """The choices of the same job when all phases stay together."""
    problem = in_one_place(choices.problem)
    options = undominated(usable(problem, choices.purchase_options, choices.columns))
    return replace(choices, problem=problem, purchase_options=options)


def _wants_cheapest(choices: Choices) -> bool:
    """Whether the least cost is all that is asked for; of a stated number of tokens it is, too."""
    return choices.objective != "time"


def _better(choices: Choices) -> Callable[[tuple[JobMode, ...], Bounds], JobMode | None]:
    return fastest if choices.objective == "time" else cheapest


def _figures(choices: Choices, mode: JobMode) -> tuple[float, float]:
    """What is best, and what decides between equals."""
    wall, cost = mode.wall_seconds, mode.cost_usd
    return (wall, cost) if choices.objective == "time" else (cost, wall)


def _tighter(choices: Choices, bounds: Bounds, best: JobMode) -> Bounds:
    """The bounds within which something may be as good."""
    if choices.objective != "time":
        return replace(bounds, cost_usd=min(bounds.cost_usd, best.cost_usd))
    return replace(bounds, expected_seconds=min(bounds.expected_seconds, best.wall_seconds))


def best_plan(choices: Choices, clock: Clock | None = None) -> Plan | None:
    """The best plan by the problem's objective; None when there is none.

    Once the clock is over it is the best of what was looked at by then. Raises FaultyPlanError when a plan does not
    hold.
    """
    if choices.objective == "tokens":
        return plan_of_most_tokens(choices, clock)
    mode = best_mode(choices, bounds_of(choices.problem), clock)
    return None if mode is None else plan_of_mode(choices, choices.problem, mode)


def best_of_each(choices: Choices, clock: Clock) -> Mapping[str, Plan | None]:
    """The best plan of every accelerator by name, or None; with one found and the clock over no more are looked at."""
    found: dict[str, Plan | None] = {}
    for name in choices.accelerators:
        if clock.is_over and any(found.values()):
            break
        found[name] = best_plan(choices.only(name), clock)
    return found
