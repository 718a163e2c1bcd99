"""The spot price at which the cheapest plan changes: below it spot nodes are bought, above it none are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from negotiated_problems import generated

from planner.cli import main
from planner.explore.answer import answer
from planner.explore.spot_break_even import spot_break_even
from planner.plans.choices import choices_of
from planner.problem.problem import Problem

SPOT_HEAVY = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


def with_factor(problem: Problem, factor: float) -> Problem:
    """The problem at other spot prices."""
    return problem.model_copy(update={"market": problem.market.model_copy(update={"spot_price": factor})})


def sold_as_spot(seed: int) -> Problem:
    """A generated problem of cost in which nodes are sold on demand and as spot."""
    problem = generated(seed)
    market = problem.market.model_copy(update={"purchase": ("on_demand", "spot")})
    return problem.model_copy(update={"market": market, "objective": "cost"})


def buys_spot(problem: Problem) -> bool:
    """Whether the cheapest plan has spot nodes."""
    plan = answer(problem).plan
    assert plan is not None
    return any(one.kind == "spot" for one in plan.purchases)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, 96, 4))
def test_spot_nodes_are_bought_below_and_not_above(seed: int) -> None:
    """One per cent to either side of the turning point the cheapest plan differs in kind."""
    problem = sold_as_spot(seed)
    best = answer(problem).plan
    found = spot_break_even(choices_of(problem), best) if best else None
    if found:
        assert buys_spot(with_factor(problem, found.factor * 0.99))
        assert not buys_spot(with_factor(problem, found.factor * 1.01))


@pytest.mark.slow
def test_most_problems_have_a_turning_point() -> None:
    """The law above is not empty."""
    problems = [sold_as_spot(seed) for seed in range(0, 96, 4)]
    plans = [(problem, answer(problem).plan) for problem in problems]
    found = [spot_break_even(choices_of(problem), plan) for problem, plan in plans if plan]
    assert sum(one is not None for one in found) >= 4


def test_solve_says_where_the_plan_turns() -> None:
    """A spot-heavy plan says so in words and in its document, with the rate of preemptions beside the price."""
    said = CliRunner().invoke(main, ["solve", str(SPOT_HEAVY)]).stdout
    assert "Nodes without preemptions become cheaper where spot costs more than $" in said
    assert "preemptions per node and day, the layout unchanged" in said
    document = json.loads(CliRunner().invoke(main, ["solve", str(SPOT_HEAVY), "--json"]).stdout)
    turning = document["spot_turning_point"]
    assert turning["spot_price_factor"] > 1
    assert turning["preemptions_per_node_day"] > 1.5
