"""The frontier is exact: brute force finds neither a point that is missing nor one that is dominated."""

from __future__ import annotations

import json
from itertools import pairwise
from math import inf
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from negotiated_problems import generated, surely

from planner.cli import main
from planner.explore.frontier import Axis, frontier, knee_of, thinned
from planner.explore.job_modes import Bounds, bounds_of
from planner.explore.room import with_bounds
from planner.problem.limits import Risk
from planner.problem.problem import Problem
from planner.verify.oracle import best_value

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")
PROBLEMS = [generated(seed).model_copy(update={"risk": Risk()}) for seed in range(30_000, 30_024)]
ALL = 1000
PENNIES = 0.02
"""Dollars that rounding the lines of a bill to cents may add."""


def least(problem: Problem, objective: str, bounds: Bounds) -> float:
    """The best value within bounds by enumeration of every layout, infinite without a plan."""
    value = best_value(with_bounds(problem, bounds).model_copy(update={"objective": objective}))
    return inf if value is None else value


@pytest.mark.slow
@pytest.mark.parametrize("problem", [*PROBLEMS, *map(surely, PROBLEMS[:12])])
def test_frontier_is_that_of_brute_force(problem: Problem) -> None:
    """Between any two neighbours enumeration finds nothing: at each point's time no less cost, just below none."""
    points = frontier(problem, "cost", "time", ALL).points
    gpus = bounds_of(problem).gpus
    for point in points[:: max(1, len(points) // 4)]:
        at = least(problem, "cost", Bounds(wall_seconds=point.y * (1 + 1e-9), gpus=gpus))
        assert at == pytest.approx(point.x, rel=1e-9, abs=PENNIES)
    for cheaper, faster in list(pairwise(points))[:3]:
        between = least(problem, "cost", Bounds(wall_seconds=cheaper.y * (1 - 1e-9), gpus=gpus))
        assert between == pytest.approx(faster.x, rel=1e-9, abs=PENNIES)


@pytest.mark.parametrize("problem", PROBLEMS[:8])
@pytest.mark.parametrize("axes", [("cost", "time"), ("time", "cost"), ("cost", "gpus"), ("time", "gpus")])
def test_no_point_is_dominated(problem: Problem, axes: tuple[Axis, Axis]) -> None:
    """Along the frontier x grows and y falls."""
    points = frontier(problem, *axes, ALL).points
    assert all(one.x < other.x and one.y > other.y for one, other in pairwise(points))


@pytest.mark.parametrize("problem", PROBLEMS[:8])
def test_devices_against_cost_is_that_of_brute_force(problem: Problem) -> None:
    """Within each point's devices enumeration finds the same least cost."""
    bounds = bounds_of(problem)
    for point in frontier(problem, "cost", "gpus", ALL).points:
        at = Bounds(bounds.wall_seconds, gpus=point.y)
        assert least(problem, "cost", at) == pytest.approx(point.x, rel=1e-9, abs=PENNIES)


def test_thinning_keeps_ends_and_knee() -> None:
    """Of a hundred points five remain, among them both ends and the knee."""
    x = np.linspace(1, 100, 100)
    values = np.stack((x, 1 / x**2), axis=1)
    shown = thinned(values, 5, [40])
    assert len(shown) == 5
    assert {0, 40, 99} <= set(shown)


def test_knee_is_where_the_curve_bends() -> None:
    """The knee is the corner of a curve that falls steeply, then hardly."""
    assert knee_of(np.asarray([[1.0, 100.0], [1.1, 10.0], [10.0, 9.0]])) == 1


def test_command_prints_text_json_and_csv() -> None:
    """The three outputs show the same points, the request and the knee."""
    runner, words = CliRunner(), ["frontier", DEEPSEEK, "--points", "6", "--set", "limits.deadline=90d"]
    text, document, table = (runner.invoke(main, [*words, *more]) for more in ([], ["--json"], ["--csv"]))
    assert text.exit_code == document.exit_code == table.exit_code == 0
    points = json.loads(document.stdout)["points"]
    assert len(points) == 6 == len(table.stdout.splitlines()) - 1
    assert sum(point["knee"] for point in points) == 1
    assert "The request, time 90 d (dotted)" in text.stdout
    assert text.stdout.count("◆") == 2


def test_plan_that_solve_finds_is_shown() -> None:
    """However few points are shown, the cheapest that keeps the request is one, with the cost that plan solve finds."""
    runner = CliRunner()
    points = json.loads(runner.invoke(main, ["frontier", DEEPSEEK, "--points", "5", "--json"]).stdout)["points"]
    best = json.loads(runner.invoke(main, ["solve", DEEPSEEK, "--json"]).stdout)["plan"]
    assert best["cost_usd"] in {point["plan"]["cost_usd"] for point in points}


def test_same_axes_are_refused() -> None:
    """An axis against itself is a mistake of usage."""
    assert CliRunner().invoke(main, ["frontier", DEEPSEEK, "--x", "time", "--y", "time"]).exit_code == 2


def test_no_plan_is_said_and_ends_with_3() -> None:
    """A node alone cannot hold the job: no point, exit code 3, in all outputs."""
    for more in ([], ["--json"], ["--csv"], ["--y", "tokens"]):
        done = CliRunner().invoke(main, ["frontier", DEEPSEEK, "--set", "limits.gpus=8", *more])
        assert done.exit_code == 3
    assert "no plan exists" in done.stdout
