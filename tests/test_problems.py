"""Every problem in `problems/` is solved, and enumeration finds the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.explore.answer import answer
from planner.plans.solution import Status
from planner.problem.problem import load_problem
from planner.verify.oracle import agrees, best_value

FOLDER = Path(__file__).resolve().parent.parent / "problems"
PROBLEMS = sorted(FOLDER.glob("*.yaml"))
ANYWHERE = {"deepseek_v3_anywhere", "deepseek_v3_free_places", "long_context_8b", "own_cluster", "startup_7b"}
"""Problems over whole clouds: enumerating them takes long; of what stays in one place `plan solve --check` does it."""
QUICK = {"own_cluster", "spot_heavy"}
"""Those that are solved by the quick tests too."""


@pytest.mark.parametrize(
    "path", [pytest.param(one, id=one.stem, marks=() if one.stem in QUICK else pytest.mark.slow) for one in PROBLEMS]
)
def test_problem_has_its_optimum(path: Path) -> None:
    """The search proves its plan, and evaluating every layout finds no better one."""
    problem = load_problem(path)
    found = answer(problem)
    assert found.status is Status.OPTIMAL
    assert found.value is not None
    assert found.gap is not None
    assert found.gap <= 1e-3
    knows_days = problem.market.is_dated
    if path.stem not in ANYWHERE and not knows_days:  # tests/cpsat/test_calendars.py walks days
        assert agrees(found.value, best_value(problem), found.outcome.error + 0.05 / found.value)
