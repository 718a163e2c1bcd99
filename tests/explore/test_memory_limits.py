"""Memory as a limit: headroom and confidence bind where they ask for more than a plan leaves anyway."""

from __future__ import annotations

from planner.explore.answer import answer
from planner.plans.plan import Plan
from planner.problem.problem import Problem

ROUNDING = 1e-9


def best(**limits: float) -> Plan:
    """The cheapest plan of 3 B parameters on four nodes of 40 GB devices under some limits."""
    problem = Problem.model_validate(
        {
            "schema": "plan/1",
            "model": "llama3.2-3b",
            "training": {"phases": [{"tokens": "20B", "sequence_length": 8192, "global_batch": 256}]},
            "market": {
                "clouds": [],
                "offers": [{"name": "ours", "accelerator": "A100-40GB-SXM4", "nodes": 4, "on_demand": "$1.5/GPU-h"}],
            },
            "limits": limits,
        }
    )
    plan = answer(problem).plan
    assert plan is not None
    return plan


def test_a_headroom_binds() -> None:
    """The expected peak leaves it free, and one that is larger than what was left costs time and money."""
    plain = best()
    used = plain.phases[0].memory
    left = 1 - used.expected / used.limit
    stricter = best(memory_headroom=left + 0.05)
    memory = stricter.phases[0].memory
    assert memory.expected <= (0.95 - left) * memory.limit * (1 + ROUNDING)
    assert stricter.cost_usd > plain.cost_usd


def test_a_confidence_binds() -> None:
    """The real peak fits with the probability that is asked for, and more certainty never costs less."""
    plain, surer = best(), best(memory_confidence=0.99)
    assert plain.phases[0].memory.fit_probability >= 0.9
    assert surer.phases[0].memory.fit_probability >= 0.99
    assert surer.cost_usd >= plain.cost_usd
