"""Problems made from a seed, on own offers of every kind, and what becomes of them when every limit is set tight."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from planner.explore.answer import answer
from planner.layouts.workload import workload_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.verify.check import kept_seconds, limits_broken

MODELS = ("llama2-7b", "llama3.1-8b", "llama3.2-1b", "mixtral-8x7b")
CENT = Decimal("0.01")
ACCELERATORS = ("A100-80GB-SXM4", "H100-80GB-SXM5", "H200-141GB-SXM", "MI300X", "L40S", "L4")


def loose(seed: int) -> Problem:
    """A job of one to three phases on one to three offers; what limits it states, it keeps easily."""
    return Problem.model_validate(document(seed))


def document(seed: int) -> dict[str, Any]:
    """What the file of that problem says."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    limits: dict[str, Any] = {"deadline": draw.choice(["40d", "90d", "200d"])}
    if draw.random() < 0.3:
        limits["gpus"] = draw.choice([16, 24, 64])
    risk: dict[str, Any] = {"spare_nodes": draw.choice(["0%", "0%", "3%", "25%", "50%"])}
    if draw.random() < 0.25:
        risk["confidence"] = draw.choice(["60%", "84%", "95%", "99%"])
    return {
        "schema": "plan/1",
        "model": draw.choice(MODELS),
        "training": {"phases": [_phase(draw, index) for index in range(draw.choice([1, 1, 2, 3]))]},
        "market": {
            "together": True,
            "clouds": [],
            "purchase": draw.choice(
                [["on_demand"], ["on_demand", "spot"], ["on_demand", "reserved"], ["on_demand", "spot", "reserved"]]
            ),
            "offers": [_offer(draw, index) for index in range(draw.choice([1, 1, 2, 3]))],
        },
        "limits": limits,
        "risk": risk,
        "objective": draw.choice(["cost", "cost", "time", "tokens"]),
    }


def _phase(draw: random.Random, index: int) -> dict[str, Any]:
    return {
        "name": draw.choice(["all", f"p{index}"]) if index == 0 else f"p{index}",
        "tokens": draw.choice(["1B", "5B", "20B"]),
        "sequence_length": draw.choice([1000, 1024, 4096]),
        "global_batch": draw.choice([60, 64, 128]),
    }


def _offer(draw: random.Random, index: int) -> dict[str, Any]:
    price = round(draw.choice([0.01, 0.37, 1.0, 2.5, 3.9]) * draw.uniform(0.9, 1.1), 4)
    return {
        "name": f"o{index}",
        "accelerator": draw.choice(ACCELERATORS),
        "gpus_per_node": draw.choice([4, 8, 8]),
        "network": draw.choice(["25 Gb/s", "100 Gb/s", "400 Gb/s"]),
        "nodes": draw.randint(1, 13),
        "on_demand": f"${price}/{draw.choice(['GPU-h', 'GPU-h', 'node-h'])}",
        "spot": f"${round(price * draw.uniform(0.2, 1.1), 4)}/GPU-h",
        "reserved": f"${round(price * draw.uniform(0.4, 1.1), 4)}/GPU-h",
        "availability": draw.choice(["60%", "93%", "97%", "100%"]),
        "preemptions_per_node_day": draw.choice([0, 0.3, 9]),
    }


def at_the_plan(problem: Problem, plan: Plan, *, cents: int = 0, seconds: float = 0.0) -> Problem:
    """The problem with every limit at the figures of a plan, less so many cents and seconds."""
    kept = kept_seconds(workload_of(problem), plan, problem.risk)
    limits = {"budget": plan.cost_usd - cents * CENT, "deadline": kept - seconds, "gpus": plan.gpus}
    return problem.model_copy(update={"limits": problem.limits.model_copy(update=limits)})


def faults(seed: int) -> Iterator[str]:
    """Which laws of limits the answers to a generated problem break; a problem without a plan breaks none."""
    problem = loose(seed)
    found = answer(problem)
    if found.plan is None or found.value is None:
        return
    at = answer(at_the_plan(problem, found.plan))
    if at.value != found.value:
        yield f"{seed}: {found.value} within loose limits, {at.value} within its own figures"
    for less in (at_the_plan(problem, found.plan, cents=1), at_the_plan(problem, found.plan, seconds=1.0)):
        tighter = answer(less)
        if tighter.value is not None and _is_better(problem, tighter.value, found.value):
            yield f"{seed}: {tighter.value} is better within less than {found.value} needs"
        if tighter.plan is not None and limits_broken(less, tighter.plan):
            yield f"{seed}: a plan beyond its limits"


def _is_better(problem: Problem, value: float, other: float) -> bool:
    """Whether a value of the objective is better than another."""
    return value > other if problem.objective == "tokens" else value < other


def pressed(seed: int) -> Problem:
    """A generated problem with limits at the figures of its best plan, or a little more or less than those."""
    problem, draw = loose(seed), random.Random(-seed)  # noqa: S311  (a test's dice)
    found = answer(problem)
    if found.plan is None:
        return problem
    tight = at_the_plan(problem, found.plan).limits
    budget, deadline = tight.budget or Decimal(0), tight.deadline or 0.0
    limits = {
        "budget": max(CENT, draw.choice([budget, budget - CENT, budget * Decimal("0.9"), CENT])),
        "deadline": draw.choice([deadline, deadline - 1, deadline * 0.97, deadline * 1.5]),
        "gpus": draw.choice([tight.gpus, max(1, (tight.gpus or 1) // 2), 64]),
    }
    return problem.model_copy(update={"limits": problem.limits.model_copy(update=limits)})
