"""Plan tables: whatever the limits, looking a plan up finds what solving within them finds."""

from __future__ import annotations

import random
from math import inf
from pathlib import Path

import pytest

from planner.explore.enumeration import best_mode
from planner.explore.evaluations import Evaluated, Evaluations
from planner.explore.job_modes import Bounds
from planner.explore.lookup import Lookup
from planner.explore.plan_table import PlanTable, merged
from planner.explore.room import Room, with_bounds
from planner.explore.sensitivity import sensitivities
from planner.problem.problem import Problem, load_problem

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
SETTINGS = (
    ("llama3_405b.yaml",),
    ("llama3_405b.yaml", "objective=time", "limits.budget=90MUSD"),
    ("spot_heavy.yaml",),
    ("spot_heavy.yaml", "risk.confidence=95%"),
    ("deepseek_v3.yaml", "training.phases[0].tokens=2T"),
    ("own_cluster.yaml",),
)


def evaluated(*setting: str) -> tuple[Problem, Evaluated, PlanTable]:
    """A problem with its setting and the table of all accelerators."""
    name, *sets = setting
    problem = load_problem(PROBLEMS / name, sets)
    found = Evaluations().of(problem)
    return problem, found, merged(*found.tables().values())


def random_bounds(table: PlanTable, draw: random.Random) -> Bounds:
    """Limits near those that plans take: at them, a little beyond, and none."""
    row, other = (draw.randrange(len(table)) for _ in range(2))
    nearly = draw.choice((1.0, 1.02, 0.98))
    return Bounds(
        draw.choice((inf, float(table.kept_seconds[row]) * nearly)),
        draw.choice((inf, round(float(table.cents[other]) / 100 * nearly, 2))),
        draw.choice((inf, float(table.devices[row]), float(table.devices[other]))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=" ".join)
def test_looking_up_equals_solving(setting: tuple[str, ...]) -> None:
    """For limits drawn at random the table and the enumeration give the same cost and time, or both give nothing."""
    problem, found, table = evaluated(*setting)
    draw = random.Random(str(setting))  # noqa: S311  (limits to try)
    for _ in range(40):
        bounds = random_bounds(table, draw)
        asked = with_bounds(problem, bounds)
        row, mode = table.best(bounds, problem.objective), best_mode(found.choices_for(asked), bounds)
        assert (row is None) == (mode is None), bounds
        if row is not None and mode is not None:
            assert float(table.cents[row]) / 100 == pytest.approx(mode.cost_usd, rel=1e-12)
            assert float(table.wall_seconds[row]) == pytest.approx(mode.wall_seconds, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=" ".join)
def test_no_row_is_beaten(setting: tuple[str, ...]) -> None:
    """Every row is the best one within limits at its own figures."""
    problem, _, table = evaluated(*setting)
    for row in range(0, len(table), 7):
        bounds = Bounds(float(table.kept_seconds[row]), float(table.cents[row]) / 100, float(table.devices[row]))
        best = table.best(bounds, problem.objective)
        assert best is not None
        assert table.cents[best] <= table.cents[row]
        assert table.devices[best] <= table.devices[row]


def test_a_limit_changes_no_setting() -> None:
    """Other limits are answered from the same evaluation, another number of tokens from another."""
    kept = Evaluations()
    problem = load_problem(PROBLEMS / "llama3_405b.yaml")
    first = kept.of(problem)
    assert kept.of(with_bounds(problem, Bounds(gpus=1024.0))) is first
    assert kept.of(load_problem(PROBLEMS / "llama3_405b.yaml", ["training.phases[0].tokens=10T"])) is not first


def test_what_more_is_worth_equals_solving_again() -> None:
    """Sensitivities read off the tables are those that are found by solving again."""
    problem = load_problem(PROBLEMS / "spot_heavy.yaml")
    found = Evaluations().of(problem)
    lookup = Lookup.of(problem, found)
    plan = lookup.answer().plan
    assert plan is not None
    assert list(lookup.sensitivities(plan)) == list(sensitivities(Room(problem), plan))


def test_more_tokens_and_another_market_are_the_same_as_cold() -> None:
    """A setting that is derived from kept layouts answers as one that is evaluated for itself."""
    kept, path = Evaluations(), PROBLEMS / "llama3_70b_continued.yaml"
    for sets in ([], ["training.phases[0].tokens=90B"], ["market.purchase=[on_demand, spot]"], ["limits.gpus=64"]):
        problem = load_problem(path, sets)
        warm, cold = (Lookup.of(problem, one.of(problem)).answer() for one in (kept, Evaluations()))
        assert warm.value == cold.value
        assert warm.search_space == cold.search_space
