"""Plans on spot nodes when capacity is not what is assumed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from planner.report.document.deadline_probability import risk_summary
from planner.report.document.spot_stress import capacity_cases, stress, under
from planner.session import Answered, Session, load_problem

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


@cache
def answered(purchase: str) -> Answered:
    """The answer to a job on spot nodes of one's own, or on demand."""
    return Session(load_problem(SPOT, {"market.purchase": f"[{purchase}]"})).answered


def test_the_plans_own_figures_give_its_own_time_and_cost() -> None:
    """Under the policy that it was planned with a plan takes and costs what it says."""
    found = answered("spot, on_demand").answer
    plan = found.plan
    assert plan is not None
    same = under(plan, found.problem, plan.purchase_option.spot_policy)
    assert same.seconds == pytest.approx(plan.wall_seconds)
    assert float(same.usd) == pytest.approx(float(plan.cost_usd), abs=0.02 * len(plan.purchases))


def test_stress_takes_longer() -> None:
    """Half the availability and twice the preemptions take longer, and stand in the document; without spot nothing."""
    found = answered("spot, on_demand")
    plan = found.answer.plan
    assert plan is not None
    harsh = stress(plan, found.answer.problem)
    assert harsh is not None
    assert harsh.seconds > 1.5 * plan.wall_seconds
    assert found.document.plan is not None
    assert found.document.plan.spot_stress is not None
    assert found.document.plan.spot_stress.wall_seconds == pytest.approx(harsh.seconds)
    steady = answered("on_demand").answer
    assert steady.plan is not None
    assert stress(steady.plan, steady.problem) is None


def test_the_uncertainty_of_capacity_enters_the_probability() -> None:
    """The cases weigh one in all, and with them the deadline is less sure than with the estimate's error alone."""
    found = answered("spot, on_demand").answer
    plan = found.plan
    assert plan is not None
    cases = list(capacity_cases(plan, found.problem))
    assert sum(weight for weight, _ in cases) == pytest.approx(1)
    assert len(cases) == 3
    risk = risk_summary(plan, found.problem)
    assert risk.in_time_with_estimate is not None
    assert risk.in_time_with_capacity is not None
    assert risk.in_time_with_capacity <= risk.in_time_with_estimate
