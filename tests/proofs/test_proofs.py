"""Problems whose proofs were false, or that hung or crashed: each gives the right answer."""

from __future__ import annotations

import random
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from planner.clock import Clock
from planner.explore.answer import Answer, answer
from planner.explore.relaxations import relaxations
from planner.plans.solution import Status
from planner.problem.problem import Problem, load_problem

HERE = Path(__file__).parent


def solved(name: str, *sets: str) -> Answer:
    """The answer to a file of this folder, with changes."""
    return answer(load_problem(HERE / f"{name}.yaml", sets))


def test_a_budget_of_the_bill_is_enough() -> None:
    """The bill itself is a budget that gives the plan; a cent less does not, and what is missing is told."""
    cheapest = solved("crash_budget_is_cost", "limits.budget=$1M").plan
    assert cheapest is not None
    bill = cheapest.cost_usd
    found = solved("crash_budget_is_cost", f"limits.budget=${bill}")
    assert (found.status, found.plan and found.plan.cost_usd) == (Status.OPTIMAL, bill)
    less = load_problem(HERE / "crash_budget_is_cost.yaml", [f"limits.budget=${bill - Decimal('0.01')}"])
    assert answer(less).status is Status.INFEASIBLE
    budget = next(one for one in relaxations(less) if one.limit == "limits.budget")
    assert (budget.after, budget.sets) == (float(ceil(bill)), (f"limits.budget=${ceil(bill)}",))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["budget_3004", "budget_3007", "hang"])
def test_what_has_to_give_is_told_and_holds(name: str) -> None:
    """Both methods find no plan; each proposed change of a limit gives one, of the deadline an hour less none.

    Where it is said that no deadline helps, the longest does not.
    """
    problem = load_problem(HERE / f"{name}.yaml")
    assert answer(problem).status is Status.INFEASIBLE
    found = {one.limit: one for one in relaxations(problem)}
    for limit in ("limits.deadline", "limits.budget"):
        assert not found[limit].sets or solved(name, *found[limit].sets).plan
    hours = found["limits.deadline"].after
    assert hours is None or isinstance(hours, float)
    less = "10000d" if hours is None else f"{hours / 3600 - 1:.0f}h"
    assert solved(name, f"limits.deadline={less}").status is Status.INFEASIBLE


def test_no_name_is_reserved() -> None:
    """A phase may be called `all`: its nodes are not those of the reservation."""
    plan = solved("phase_named_all").plan
    assert plan is not None
    assert [(one.phase, one.kind) for one in plan.purchases] == [(None, "reserved")]


@pytest.mark.slow
def test_the_most_tokens_are_the_most() -> None:
    """On the whole market so many tokens can be had within the limits, and not one step more."""
    found = solved("tokens_slow")
    assert found.status is Status.OPTIMAL
    assert found.plan is not None
    step = found.problem.training.phases[0].global_batch * found.problem.training.phases[0].sequence_length
    at, beyond = (
        solved("tokens_slow", "objective=cost", f"training.phases[0].tokens={tokens}").status
        for tokens in (found.plan.tokens, found.plan.tokens + step)
    )
    assert (at, beyond) == (Status.OPTIMAL, Status.INFEASIBLE)


def many_offers(count: int) -> Problem:
    """A small job on so many offers, each of its own price, size and network."""
    draw = random.Random(count)  # noqa: S311  (a test's dice)

    def offer(index: int) -> dict[str, Any]:
        price = draw.uniform(1.0, 4.0)
        return {
            "name": f"o{index}",
            "accelerator": draw.choice(["A100-80GB-SXM4", "H100-80GB-SXM5", "L40S", "MI300X"]),
            "nodes": draw.randint(1, 64),
            "network": f"{draw.randint(50, 400)} Gb/s",
            "on_demand": f"${price:.4f}/GPU-h",
            "spot": f"${price * draw.uniform(0.3, 1.2):.4f}/GPU-h",
            "reserved": f"${price * draw.uniform(0.5, 1.4):.4f}/GPU-h",
            "availability": f"{draw.randint(40, 99)}%",
            "preemptions_per_node_day": round(draw.uniform(0, 5), 2),
        }

    phase = {"tokens": "50B", "sequence_length": 4096, "global_batch": 512}
    return Problem.model_validate(
        {
            "schema": "plan/1",
            "model": "llama2-7b",
            "training": {"phases": [phase]},
            "market": {
                "clouds": [],
                "purchase": ["on_demand", "spot", "reserved"],
                "offers": [offer(index) for index in range(count)],
            },
            "limits": {"deadline": "30d"},
        }
    )


@pytest.mark.slow
def test_a_plan_is_there_as_soon_as_one_layout_is_evaluated() -> None:
    """However many offers and however little time, there is a verified plan, and what is left out is named."""
    found = answer(many_offers(500), clock=Clock(until=0.0))
    assert found.status is Status.FEASIBLE
    assert found.plan is not None
    assert found.bound is not None
    assert 0 < found.bound <= float(found.plan.cost_usd)
    assert found.unsearched
    assert found.choices.unsearched
