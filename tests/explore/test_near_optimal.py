"""Knife-edge optima: what hardly more money or time would buy, and preferences that take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import InputError
from planner.explore.near_optimal import BETTER
from planner.problem.problem import Problem
from planner.session import Session, load_problem

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


def problem(**overrides: object) -> Problem:
    """The 13B job on on-demand nodes alone, whose cost hardly depends on their number."""
    keys = {"market.purchase": "[on_demand]"} | {key.replace("__", "."): value for key, value in overrides.items()}
    return load_problem(SPOT, keys)


def test_hardly_more_money_that_ends_much_sooner_is_named() -> None:
    """A plan within the share that is much faster stands in the answer, and its settings make it the answer."""
    asked = problem(limits__deadline="60d")
    session = Session(asked, within=0.05)
    best = session.solve().plan
    assert best is not None
    quicker = {one.better_in: one for one in session.solve().near_optimal}["time"]
    assert quicker.cost_usd <= best.cost_usd * 105 / 100
    assert quicker.wall_seconds <= (1 - BETTER) * best.wall_seconds
    sets = dict(one.split("=", 1) for one in ("market.purchase=[on_demand]", *quicker.sets))
    found = Session(load_problem(SPOT, sets)).solve().plan
    assert found is not None
    assert found.wall_seconds == pytest.approx(quicker.wall_seconds)


def test_nothing_is_named_where_nothing_is_much_better() -> None:
    """Within no share at all no plan costs more, so none is faster."""
    assert Session(problem(limits__deadline="60d"), within=0.0).solve().near_optimal == ()


def test_a_second_objective_decides_within_a_share() -> None:
    """`{cost, within: 5%, then: time}` gives the fastest plan of those that cost at most 5 % more than the cheapest."""
    cheapest = Session(problem(limits__deadline="60d")).solve().plan
    found = Session(problem(limits__deadline="60d", objective="{cost, within: 5%, then: time}")).solve()
    assert cheapest is not None
    assert found.plan is not None
    assert found.status == "optimal"
    assert cheapest.cost_usd <= found.plan.cost_usd <= cheapest.cost_usd * 105 / 100
    assert found.plan.wall_seconds < cheapest.wall_seconds
    assert found.asked.preference is not None


def test_a_day_has_a_value() -> None:
    """The more a day is worth, the sooner the plan ends, and no other plan is better by cost and days together."""
    plans = [Session(problem(objective=f"{{cost, value_of_day: {worth}}}")).solve().plan for worth in ("$1", "$20k")]
    slow, fast = plans
    assert slow is not None
    assert fast is not None
    assert fast.wall_seconds < slow.wall_seconds

    def weighed(usd: float, seconds: float) -> float:
        return usd + 20_000 * seconds / 86400

    points = [one["plan"] for one in Session(problem()).frontier(points=20).data["points"]]
    least = min(weighed(float(one["cost_usd"]), one["wall_seconds"]) for one in points)
    assert weighed(float(fast.cost_usd), fast.wall_seconds) <= least * 1.0001


@pytest.mark.parametrize("wrong", ["{cost, then: cost}", "{time, value_of_day: $1}", "{cost, within: 1%}"])
def test_a_preference_that_decides_nothing_is_refused(wrong: str) -> None:
    """A second objective is another one, and a day has a value only beside cost."""
    with pytest.raises(InputError):
        problem(objective=wrong)
