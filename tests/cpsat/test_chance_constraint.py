"""A deadline that is kept with a probability: as enumeration finds it, and no surer than asked for."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from generated_problems import problem_of

from planner.cpsat.search import build, search
from planner.explore.answer import answer
from planner.plans.choices import choices_of
from planner.problem.problem import Problem
from planner.report.deadline_probability import risk_summary
from planner.verify.oracle import best_value

CASES = 0.005
"""Part of the deadline by which posting it by cases may loosen it."""
FEW_SUMS = 10


def job(
    deadline: str,
    confidence: str | None,
    objective: str = "cost",
    *,
    phases: int = 2,
    purchase: tuple[str, ...] = ("on_demand", "spot"),
) -> Problem:
    """A job of some phases on spot nodes that are there three quarters of the time."""
    works = [
        {"name": f"phase {index}", "tokens": f"{6 + 3 * index}B", "sequence_length": 2048, "global_batch": 64}
        for index in range(phases)
    ]
    offer = {
        "name": "own",
        "accelerator": "H100-80GB-SXM5",
        "nodes": 8,
        "on_demand": "$3/GPU-h",
        "spot": "$1/GPU-h",
        "availability": "75%",
        "preemptions_per_node_day": 6,
    }
    data: dict[str, Any] = {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {"phases": works},
        "market": {"clouds": [], "purchase": list(purchase), "offers": [offer]},
        "limits": {"deadline": deadline, "gpus": 64},
        "risk": {} if confidence is None else {"confidence": confidence, "counts": "luck"},
        "objective": objective,
    }
    return problem_of(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deadline", "confidence", "phases"),
    [("16h", "90%", 1), ("10h", "60%", 2), ("16h", "95%", 2), ("30h", "99%", 2), ("24h", "84%", 3), ("30h", "90%", 3)],
)
def test_the_chance_constraint_is_that_of_enumeration(deadline: str, confidence: str, phases: int) -> None:
    """The answer is what evaluating everything finds; the solver proves that, but for what cases may loosen."""
    problem = job(deadline, confidence, phases=phases)
    found, best = answer(problem), best_value(problem)
    assert (found.value is None) == (best is None)
    if found.value is not None and best is not None:
        assert found.value == pytest.approx(best, abs=0.05)
    proof = search(choices_of(problem))
    loose = best_value(job(f"{float(deadline[:-1]) * (1 + CASES)}h", confidence, phases=phases))
    if proof.bound is None:
        assert best is None
    else:
        assert loose is not None
        assert loose * (1 - 2 * proof.error) - 0.1 <= proof.bound <= (best or inf)


@pytest.mark.parametrize("objective", ["cost", "tokens"])
def test_more_certainty_is_never_better(objective: str) -> None:
    """The surer the deadline, the dearer the plan or the fewer the tokens; every plan is as sure as asked for."""
    problems = {share: job("16h", f"{share:.0%}" if share else None, objective) for share in (0.0, 0.6, 0.9, 0.99)}
    answers = {share: answer(problem) for share, problem in problems.items()}
    values = [found.value or 0.0 for found in answers.values()]
    assert values == sorted(values, reverse=objective == "tokens")
    assert values[0] != values[-1]
    for share, found in answers.items():
        assert found.plan is not None
        chances = risk_summary(found.plan, problems[share])
        assert (chances.in_time or 0) >= share - 1e-6


def test_certainty_is_used_up_where_it_costs() -> None:
    """As many tokens as a surely kept deadline allows leave hardly more certainty than asked for."""
    problem = job("5d", "95%", "tokens", phases=1, purchase=("spot",))
    found = answer(problem)
    assert found.plan is not None
    assert risk_summary(found.plan, problem).in_time == pytest.approx(0.95, abs=0.01)


def test_cases_of_a_confidence_are_short() -> None:
    """However many layouts there are, each of the many cases of the chance constraint names only a few sums."""
    model = build(choices_of(job("30h", "95%", phases=3))).model
    cases = [rule for rule in model.model_proto.constraints if rule.name in {"risk.confidence", "skewness"}]
    assert len(cases) > FEW_SUMS
    assert max(len(rule.linear.vars) for rule in cases) < FEW_SUMS
