"""What a limit is worth is the difference of two optima, each found from scratch; more room never hurts."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from batches import few
from negotiated_problems import generated

from planner.clock import Clock
from planner.explore.answer import answer
from planner.explore.job_modes import Bounds, bounds_of, cheapest, fastest, undominated_job_modes
from planner.explore.room import Room, with_bounds
from planner.explore.sensitivity import QUANTITIES, NextPoint, Sensitivity, prepared, sensitivities, step_of
from planner.explore.time_budget import TimeBudget
from planner.plans.limits import limits_of
from planner.problem.problem import Problem
from planner.report.document.around import sensitivity_part
from planner.report.sensitivity import worth_lines
from planner.verify.oracle import best_value

ROUNDING = 2e-4
"""Of two searches."""
PENNIES = 0.02
"""Dollars that rounding the lines of a bill to cents may add."""
FEASIBLE = (10_001, 10_003, 10_006, 10_008, 10_010, 10_012, 10_013, 10_014, 10_015, 10_016, 10_018, 10_019)
"""Seeds of generated problems that have a plan."""


def more(problem: Problem, worth: Sensitivity) -> Problem:
    """The problem with one limit wider by what the worth asks about."""
    bounds = bounds_of(problem)
    wider = {worth.quantity: getattr(bounds, worth.quantity) + worth.more}
    return with_bounds(problem, Bounds(**{name: getattr(bounds, name) for name in QUANTITIES} | wider))


@pytest.mark.slow
@pytest.mark.parametrize("seed", FEASIBLE)
def test_worth_is_the_difference_of_two_searches(seed: int) -> None:
    """More of each limit gains what solving both problems from scratch says, and never less than nothing."""
    problem = generated(seed)
    room = Room(problem)
    found = answer(problem, prepare=lambda _: prepared(room))
    assert found.plan
    for worth in sensitivities(room, found.plan):
        assert worth.gain >= 0
        if (worth.quantity, problem.objective) == ("cost_usd", "cost"):
            continue
        base, wider = answer(problem).value, answer(more(problem, worth)).value
        assert base
        assert wider
        assert worth.gain == pytest.approx(base - wider, abs=2 * ROUNDING * base + 0.05)


@pytest.mark.parametrize("seed", few(FEASIBLE, 4))
def test_next_point_is_the_least_money_that_ends_sooner(seed: int) -> None:
    """With the money of the next point the fastest plan is as much sooner as it says, with a little less none is."""
    problem = generated(seed)
    room = Room(problem)
    found = answer(problem, prepare=lambda _: prepared(room))
    assert found.plan
    spent = bounds_of(problem).cost_usd if problem.objective == "time" else float(found.plan.cost_usd)
    fast = problem.model_copy(update={"objective": "time"})

    def soonest(usd: float) -> float:
        """The least wall time for so much money, by enumeration of every layout."""
        value = best_value(with_bounds(fast, replace(bounds_of(problem), cost_usd=usd)))
        return inf if value is None else value

    for worth in sensitivities(room, found.plan):
        if worth.quantity != "cost_usd":
            assert worth.next_point is None
        elif step := worth.next_point:
            assert step.more_usd > 0
            assert soonest(spent + step.more_usd + PENNIES) == pytest.approx(
                found.plan.wall_seconds - step.seconds_sooner, rel=2 * ROUNDING
            )
            assert soonest(spent + step.more_usd - PENNIES) > found.plan.wall_seconds - step.seconds_sooner
            assert (worth.gain >= step.seconds_sooner) == (worth.more >= step.more_usd)
        else:
            assert soonest(inf) >= found.plan.wall_seconds * (1 - ROUNDING) - 1


def test_lines_put_the_lesser_amount_first() -> None:
    """The next plan on the frontier stands before the step when it costs less, and after when it costs more."""
    near, far = NextPoint(443.0, 104_000.0), NextPoint(212_000.0, 104_000.0)
    worth = Sensitivity("cost_usd", 100_000.0, 363_000.0, "s", near)
    lines = [list(worth_lines([sensitivity_part(one)]))[1] for one in (worth, replace(worth, gain=0.0, next_point=far))]
    assert lines == [
        "$443 more: 28.9 h sooner (the next plan on the frontier); $100,000 more: 4.2 d sooner",
        "$100,000 more: no sooner; $212,000 more: 28.9 h sooner (the next plan on the frontier)",
    ]
    assert list(worth_lines([sensitivity_part(replace(worth, gain=0.0, next_point=None))]))[1].endswith(
        "nor for any other amount"
    )


def test_what_is_not_asked_in_time_is_named() -> None:
    """When the time is over nothing more is asked, and every limit that was not is named."""
    problem = generated(FEASIBLE[0])
    room = Room(problem)
    found = answer(problem, prepare=lambda _: prepared(room))
    assert found.plan
    late = replace(room, time_budget=TimeBudget(Clock(until=0.0)))
    assert sensitivities(late, found.plan) == ()
    asked = {one.name for one in limits_of(problem).values()}
    assert set(late.time_budget.left_out) >= asked


@pytest.mark.parametrize("seed", few(FEASIBLE, 4))
def test_prepared_layouts_give_the_same_plan(seed: int) -> None:
    """Choosing among layouts that were evaluated for wider limits changes nothing about the answer."""
    problem = generated(seed)
    assert answer(problem, prepare=lambda _: prepared(Room(problem))).plan == answer(problem).plan


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20_000, 20_100))
def test_relaxing_a_limit_never_makes_it_worse(seed: int) -> None:
    """On generated problems, half as much again of any limit never costs more nor takes longer."""
    problem = generated(seed)
    wide = {name: 1.5 * getattr(bounds_of(problem), name) for name in QUANTITIES}
    room = Room(problem)
    choices = room.choices(wide["wall_seconds"], wide["gpus"])
    tight = {name: getattr(bounds_of(problem), name) for name in QUANTITIES}
    for name in QUANTITIES:
        best = [
            undominated_job_modes(choices, Bounds(**tight)),
            undominated_job_modes(choices, Bounds(**tight | {name: wide[name]})),
        ]
        for least, figure in ((cheapest, "cost_usd"), (fastest, "wall_seconds")):
            before, after = (getattr(least(one, Bounds()), figure, inf) for one in best)
            assert after <= before


@pytest.mark.parametrize(
    ("limits", "spent", "steps"),
    [
        ({"deadline": "60d", "gpus": 2048}, 4_539_751, (86400, 200_000, 128)),
        ({"deadline": "5d", "gpus": 8}, 74, (6 * 3600, 5, 1)),
        ({"deadline": "300d", "budget": "$2M", "gpus": 1024}, 100, (7 * 86400, 100_000, 64)),
        ({"deadline": "1h"}, 0.1, (60, 1, 1)),
    ],
)
def test_steps_scale_with_the_job(limits: dict[str, object], spent: float, steps: tuple[float, ...]) -> None:
    """A job of $74 is told about $5 more, one of $4.5M about $200,000; days and GPUs follow their limits."""
    training = {"phases": [{"tokens": "1B", "sequence_length": 2048, "global_batch": 64}]}
    problem = Problem.model_validate(
        {"schema": "plan/1", "model": "llama3.2-1b", "training": training, "limits": limits}
    )
    assert tuple(step_of(problem, one, spent) for one in QUANTITIES) == steps
