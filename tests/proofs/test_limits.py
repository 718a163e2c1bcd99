"""Limits bind to the cent and the second: what a plan takes is enough for it, and more of anything never hurts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tight_problems import faults, loose, pressed

from planner.clock import Clock
from planner.explore.answer import Answer, answer
from planner.explore.job_modes import bounds_of
from planner.explore.relaxations import relaxations
from planner.explore.room import with_bounds
from planner.plans.solution import Status
from planner.problem.problem import Problem

WIDER = ("wall_seconds", "cost_usd", "gpus")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1016))
def test_a_plan_is_within_its_own_figures(seed: int) -> None:
    """Limits at a plan's own figures give as good a plan; a cent or a second less gives none that is better."""
    assert list(faults(seed)) == []


def value_of(problem: Problem) -> float:
    """The objective's value, the less the better; infinite without a plan."""
    found = answer(problem)
    if found.value is None:
        return float("inf")
    return -found.value if problem.objective == "tokens" else found.value


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2008))
def test_more_of_anything_never_worsens(seed: int) -> None:
    """A longer deadline, a larger budget or more devices never give a worse plan, not by a cent."""
    problem = pressed(seed)
    bounds, value = bounds_of(problem), value_of(problem)
    for name in WIDER:
        wider = replace(bounds, **{name: 1.5 * getattr(bounds, name)})
        assert value_of(with_bounds(problem, wider)) <= value, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(3000, 3012), 100296, 100376])
def test_what_has_to_give_gives_a_plan(seed: int) -> None:
    """Every change of a limit that is proposed is more than what is stated, and gives a plan; nothing crashes."""
    problem = pressed(seed)
    found = answer(problem)
    assert found.status in {Status.OPTIMAL, Status.INFEASIBLE}
    if found.plan is None:
        for one in relaxations(problem):
            assert one.plan is not None or one.after is None
            assert not isinstance(one.before, float) or one.after is None or one.after != one.before


def stopped(problem: Problem) -> Answer:
    """The answer when there is no time for more than the first layouts."""
    return answer(problem, clock=Clock(until=0.0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4000, 4008))
def test_without_time_the_bound_is_honest(seed: int) -> None:
    """The best of what was looked at is no better than the best, and the best no better than the stated bound."""
    problem = loose(seed)
    best, early = answer(problem).value, stopped(problem)
    if best is None or early.value is None or early.bound is None:
        assert best is None or early.status is Status.UNKNOWN
        return
    assert early.status is Status.FEASIBLE
    sign = -1 if problem.objective == "tokens" else 1
    assert sign * early.bound <= sign * best <= sign * early.value
