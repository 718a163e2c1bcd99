"""What money and time train: every point is the most that brute force finds, and the least that it takes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from negotiated_problems import generated, surely, with_limits

from planner.cli import main
from planner.errors import InputError
from planner.explore.frontier import QUANTITY, Axis, Frontier, Point, frontier
from planner.explore.max_tokens import MOST
from planner.explore.room import with_bounds
from planner.problem.problem import Problem
from planner.verify.oracle import best_value

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")
PROBLEMS = [generated(seed) for seed in range(31_000, 31_016)]
SURE = [surely(problem) for problem in PROBLEMS if problem.limits.deadline]
AXES: tuple[Axis, Axis] = ("cost", "time")
NEAR = 1e-7
"""Relative difference that is left for sums of floats that were added in another order."""


PENNIES = 0.02
"""Dollars that rounding the lines of a bill to cents may add."""


def most(found: Frontier, x: float, pennies: float) -> float:
    """The most tokens for so much of x, and pennies more, by enumeration of every layout; 0 without a plan."""
    bounds = replace(found.within, **{QUANTITY[found.axes[0]]: x})
    bounds = replace(bounds, cost_usd=bounds.cost_usd + pennies)
    problem = with_bounds(found.problem, bounds).model_copy(update={"objective": "tokens"})
    return best_value(problem) or 0.0


def is_most(found: Frontier, point: Point) -> bool:
    """Whether no more can be had for as much, and not as much for less."""
    at, below = point.x * (1 + NEAR), point.x * (1 - NEAR)
    return most(found, at, -PENNIES) <= point.y <= most(found, at, PENNIES) and point.y > most(found, below, -PENNIES)


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS + SURE)
@pytest.mark.parametrize("x", AXES)
def test_points_are_those_of_brute_force(problem: Problem, x: Axis) -> None:
    """For each point's money or time enumeration finds as many tokens, for a trifle less fewer."""
    found = frontier(problem, x, "tokens", 4)
    assert [point for point in found.points if not is_most(found, point)] == []


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("x", AXES)
def test_more_of_x_trains_more(problem: Problem, x: Axis) -> None:
    """Along the curve both grow, and nothing is beyond a limit that is no axis."""
    found = frontier(problem, x, "tokens", 6)
    assert all(one.x < other.x and one.y < other.y for one, other in pairwise(found.points))
    for point in found.points:
        assert point.plan.wall_seconds <= found.within.wall_seconds * (1 + NEAR)
        assert float(point.plan.cost_usd) <= found.within.cost_usd + 0.05
        assert point.plan.gpus <= found.within.gpus


@pytest.mark.slow
@pytest.mark.parametrize("problem", [one for one in PROBLEMS if one.limits.deadline])
def test_curve_of_money_ends_where_more_trains_no_more(problem: Problem) -> None:
    """The last point has as many tokens as any money trains before the deadline; no plan, no point."""
    points = frontier(problem, "cost", "tokens", 3).points
    endless = with_limits(problem, budget=None).model_copy(update={"objective": "tokens"})
    assert (points[-1].y if points else None) == best_value(endless)


def test_curve_without_deadline_ends_at_four_times_the_stated_tokens() -> None:
    """Nothing else would end it."""
    problem = with_limits(generated(31_001), deadline=None)
    first = problem.training.phases[0]
    last = frontier(problem, "cost", "tokens", 3).points[-1]
    assert last.y == pytest.approx(MOST * first.tokens, abs=MOST * first.global_batch * first.sequence_length)


@pytest.mark.slow
def test_what_the_request_keeps() -> None:
    """As many tokens as are stated keep the request, fewer do not, whatever the cost."""
    document = json.loads(run("--json"))
    asked = document["request"][1]
    table = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert [int(row["within_request"]) for row in table] == [int(int(row["tokens"]) >= asked) for row in table]
    assert {row["within_request"] for row in table} == {"0", "1"}


@pytest.mark.slow
def test_stated_tokens_are_a_point() -> None:
    """The least cost of the tokens that are asked for is on the curve."""
    document = json.loads(run("--json"))
    asked = document["request"][1]
    least = next(point["y"] for point in document["points"] if point["y"] >= asked)
    assert asked <= least < asked * (1 + 1e-4)


@pytest.mark.slow
def test_knee_is_where_a_dollar_trains_most() -> None:
    """The point with the most tokens per dollar is the knee."""
    table = list(csv.DictReader(io.StringIO(run("--csv"))))
    value = [float(row["tokens"]) / float(row["cost_usd"]) for row in table]
    assert [row["knee"] for row in table].index("1") == value.index(max(value))


@pytest.mark.slow
def test_text_says_that_every_point_is_the_most() -> None:
    """The text shows tokens, and that each point is proven."""
    text = run()
    assert "8 points of the exact frontier, each the proven most tokens for its cost" in text
    assert "The request, 14.8T tokens (dotted)" in text


def test_tokens_need_cost_or_time() -> None:
    """Tokens against devices are refused with what to write."""
    with pytest.raises(InputError, match="against cost or time"):
        frontier(PROBLEMS[0], "gpus", "tokens", 2)


@pytest.mark.parametrize("problem", PROBLEMS[:4])
def test_cost_and_time_are_of_the_stated_tokens(problem: Problem) -> None:
    """A problem that asks for the most tokens has the same frontier of cost and time as one that asks for less cost."""
    asked, other = (
        frontier(problem.model_copy(update={"objective": objective}), "cost", "time", 1000)
        for objective in ("tokens", "cost")
    )
    assert asked.curve == other.curve


def run(*words: str) -> str:
    """What the command prints for eight points."""
    done = CliRunner().invoke(main, ["frontier", DEEPSEEK, "--y", "tokens", "--points", "8", *words])
    assert done.exit_code == 0
    return done.stdout
