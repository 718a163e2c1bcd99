"""The best plan among choices, read off all undominated ways to run the job; verified, and exact to the cent."""

from __future__ import annotations

from collections.abc import Mapping

from planner.clock import Clock
from planner.explore.job_modes import Bounds, JobMode, bounds_of, cheapest, fastest, plan_of_mode, undominated_job_modes
from planner.explore.max_tokens import plan_of_most_tokens
from planner.plans.choices import Choices
from planner.plans.plan import Plan


def best_mode(choices: Choices, bounds: Bounds, clock: Clock | None = None) -> JobMode | None:
    """The fastest way to run the job within bounds when time is what is minimised, else the cheapest."""
    better = fastest if choices.objective == "time" else cheapest
    return better(undominated_job_modes(choices, bounds, clock), bounds)


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
