"""A deadline that is kept with a probability: as enumeration finds it, and no surer than asked for."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from generated_problems import problem_of

from planner.cpsat.search import build, search
from planner.explore.answer import answer
from planner.plans.choices import choices_of
from planner.plans.plan_error import error_of
from planner.problem.problem import Problem
from planner.report.document.deadline_probability import risk_summary
from planner.report.document.plan import plan_document
from planner.simulate.planned import job_of_plan, plan_distribution
from planner.simulate.replay import replay
from planner.verify.check import kept_seconds
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
    counts: str = "luck",
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
        "market": {"clouds": [], "together": True, "purchase": list(purchase), "offers": [offer]},
        "limits": {"deadline": deadline, "gpus": 64},
        "risk": {} if confidence is None else {"confidence": confidence, "counts": counts},
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


@pytest.mark.slow
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


@pytest.mark.parametrize(("confidence", "phases"), [("80%", 1), ("90%", 2), ("95%", 3)])
def test_both_methods_agree_with_everything_counted(confidence: str, phases: int) -> None:
    """With the estimate's error in the columns, evaluating everything finds the optimum that the solver proves."""
    problem = job("30h", confidence, phases=phases, counts="everything")
    found, best = answer(problem), best_value(problem)
    assert found.value is not None
    assert best is not None
    assert found.value == pytest.approx(best, abs=0.05)
    assert found.bound is not None
    assert found.bound >= best * (1 - 2 * found.outcome.error) - 0.1


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_what_is_promised_is_what_is_printed_and_drawn(confidence: float) -> None:
    """As many tokens as may be promised leave the probability asked for, in the answer and over replayed runs."""
    problem = job("5d", f"{confidence:.0%}", "tokens", phases=1, purchase=("on_demand",), counts="everything")
    found = answer(problem)
    assert found.plan is not None
    assert risk_summary(found.plan, problem).in_time_with_estimate == pytest.approx(confidence, abs=0.01)
    drawn = replace(job_of_plan(found.plan, problem), error=error_of(found.choices.workload, found.plan))
    (outcome,) = replay(drawn, ["steady"], runs=5_000, seed=1)
    assert outcome.probability_in_time == pytest.approx(confidence, abs=0.01)


def test_phases_add_up_on_the_safe_side() -> None:
    """Ten phases on spot nodes are promised no less than asked for, and hardly more."""
    problem = job("200h", "90%", "time", phases=10, counts="everything")
    found = answer(problem)
    assert found.plan is not None
    kept = kept_seconds(found.choices.workload, found.plan, problem.risk)
    error = error_of(found.choices.workload, found.plan)
    seconds = plan_distribution(found.plan, problem).seconds
    assert 0.89 <= float(seconds.within_uncertain(np.asarray(kept), error)) <= 0.95


def test_the_error_counts_unless_luck_alone_does() -> None:
    """The same confidence costs more with the estimate's error than without; `probability_in_time` says which it is."""
    luck, everything = (job("6h", "95%", phases=1, counts=one) for one in ("luck", "everything"))
    values = [answer(one).value or inf for one in (luck, everything)]
    assert values[0] < values[1]
    for problem in (luck, everything):
        found = answer(problem)
        assert found.plan is None or (plan_document(found.plan, problem)["probability_in_time"] or 0) >= 0.94
