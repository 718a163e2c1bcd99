"""Plans on more nodes than a cloud sells without a contract: only where nothing else does the job, and said so."""

from __future__ import annotations

from pathlib import Path

from planner.problem.problem import Problem
from planner.session import Session, load_problem

MIXTRAL = Path(__file__).resolve().parent.parent.parent / "problems" / "mixtral_8x22b.yaml"
B200 = {"market.accelerators": "[B200-SXM]"}


def problem(overrides: dict[str, object]) -> Problem:
    """A mixture of experts on B200, whose clouds are assumed to sell 64 nodes without a contract."""
    return load_problem(MIXTRAL, B200 | overrides)


def test_what_nothing_within_capacity_does_is_answered_with_its_condition() -> None:
    """A deadline that 64 nodes miss is kept by more, and the answer says what must be granted, and how to state it."""
    session = Session(problem({"limits.deadline": "3d"}))
    found = session.solve()
    assert found.status == "optimal"
    assert found.plan is not None
    assert found.plan.nodes > 64
    grant = found.needs_grant
    assert grant is not None
    assert (grant.nodes, grant.sold, grant.basis) == (found.plan.nodes, 64, "assumed")
    assert grant.in_words == (f"needs {grant.nodes} nodes in {grant.place}: ask {grant.cloud} first")
    key, value = grant.sets[0].split("=", 1)
    granted = Session(problem({"limits.deadline": "3d", key: value})).solve()
    assert granted.plan is not None
    assert granted.needs_grant is None
    assert granted.plan.cost_usd == found.plan.cost_usd


def test_the_document_keeps_the_problem_that_was_asked() -> None:
    """What had to be granted is no part of the problem in the answer."""
    asked = problem({"limits.deadline": "3d"})
    assert Session(asked).solve().asked.market == asked.market


def test_a_better_plan_beyond_capacity_is_a_runner_up() -> None:
    """Where 64 nodes do the job, a better plan on more is named with its condition, never the answer."""
    found = Session(problem({"objective": "time", "limits.budget": "$900k"})).solve()
    assert found.plan is not None
    assert found.plan.nodes <= 64
    assert found.needs_grant is None
    beyond = found.better_with_grant
    assert beyond is not None
    assert beyond.grant.nodes > 64
    assert beyond.wall_seconds < found.plan.wall_seconds
    assert float(beyond.cost_usd) <= 900_000


def test_what_fits_needs_no_grant() -> None:
    """A plan within what is sold, or granted, has no condition, and nothing better where it is best on any number."""
    found = Session(problem({})).solve()
    assert (found.needs_grant, found.better_with_grant) == (None, None)
