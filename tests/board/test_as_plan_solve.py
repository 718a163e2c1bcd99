"""Whatever a problem states, the board answers as `plan solve`: days, free places, preferences, lateness."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import few

from planner.board.given import Given
from planner.board.plan_pieces import PlanAnswerer, ShownPlan
from planner.board.state import Scenario, State
from planner.board.work import Request, Work
from planner.problem.problem import load_problem
from planner.session import Session

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
CASES = (
    ("own_cluster_until_march.yaml", {"limits.gpus": "64"}),
    ("own_cluster_until_march.yaml", {"limits.gpus": "2"}),
    ("own_cluster.yaml", {"market.clouds": "[]", "limits.deadline": "58d"}),
    ("spot_heavy.yaml", {"objective": "tokens", "limits.budget": "$500k"}),
    ("spot_heavy.yaml", {"objective": "{cost: true, within: 5%, then: time}"}),
    ("spot_heavy.yaml", {"market.capacity": "{any: 1}", "limits.deadline": "20d"}),
    ("spot_heavy.yaml", {"objective": "expected cost", "limits.deadline": "{at: 20d, late: $20k/day}"}),
    ("spot_heavy.yaml", {"risk.budget_confidence": "90%", "limits.budget": "$40k"}),
    ("spot_heavy.yaml", {"risk.budget_confidence": "90%", "limits.budget": "$32k"}),
)


@pytest.mark.parametrize("case", few(CASES, 0))
def test_the_board_answers_as_plan_solve(case: tuple[str, dict[str, str]]) -> None:
    """Status, cost, time and GPUs are those of `plan solve`, and all pieces of the answer are there."""
    name, sets = case
    given = Given.read(str(PROBLEMS / name))
    answerer = PlanAnswerer((given,))
    request = Request(1, State(Scenario(0, tuple(sets.items()))))
    pieces = list(answerer.pieces(Work(request, given, "", lambda _: None)))
    answer = [piece for kind, piece in pieces if kind == "answer"][-1]
    expected = Session(load_problem(PROBLEMS / name, [f"{key}={value}" for key, value in sets.items()])).solve()
    assert {"answer", "around", "controls", "sections", "column", "done"} <= {kind for kind, _ in pieces}
    plan = expected.plan
    assert answer["status"] == expected.status
    assert answer["figures"] == (
        plan and {"cost_usd": str(plan.cost_usd), "wall_seconds": plan.wall_seconds, "gpus": plan.gpus}
    )
    assert isinstance(answerer.shown, ShownPlan)
    offered = {one["limit"] for kind, one in pieces if kind == "relaxation"}
    assert offered == {one.limit for one in expected.relaxations}


@pytest.mark.slow
def test_what_is_kept_of_one_question_serves_no_other() -> None:
    """By cost, then by time, on the same days: each answer is its own."""
    given = Given.read(str(PROBLEMS / "own_cluster_until_march.yaml"))
    answerer = PlanAnswerer((given,))
    costs = []
    for objective in ("cost", "time"):
        request = Request(1, State(Scenario(0, (("objective", objective),))))
        pieces = answerer.pieces(Work(request, given, "", lambda _: None))
        costs.append(next(piece for kind, piece in pieces if kind == "answer")["figures"]["cost_usd"])
    assert float(costs[0]) < float(costs[1])
