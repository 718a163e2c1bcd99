"""Generated problems that have no plan, and what is wrong with the relaxations that are proposed for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count, islice
from random import Random
from typing import Any

from planner.explore.answer import answer
from planner.explore.relaxations import Relaxation, money_unit, relaxations
from planner.plans.limits import limits_of
from planner.plans.solution import Status
from planner.problem.problem import Problem

ACCELERATORS = ("A100-80GB-SXM4", "H100-80GB-SXM5", "L4")


SURE = 0.3
"""Part of the deadlines that are to be kept with a probability."""


def generated(seed: int) -> Problem:
    """A small job on own offers with every limit stated, tighter or looser."""
    draw = Random(seed)  # noqa: S311  (a test's dice)
    phases = [
        {"name": f"phase {index}", "tokens": draw.choice(["2B", "5B", "9B"]), "sequence_length": 2048}
        | {"global_batch": draw.choice([16, 24, 64])}
        for index in range(draw.choice([1, 1, 2]))
    ]
    market = {
        "clouds": [],
        "together": True,
        "purchase": draw.choice([["on_demand"], ["on_demand", "spot"], ["on_demand", "reserved"]]),
        "offers": [_offer(draw, index) for index in range(draw.choice([1, 2, 3]))],
    }
    limits = {
        "deadline": draw.choice(["5h", "12h", "30h", "4d"]),
        "budget": draw.choice(["$60", "$150", "$400", "$2000"]),
        "gpus": draw.choice([2, 4, 8, 16]),
    }
    for name in draw.sample(sorted(limits), draw.choice([0, 0, 1])):
        del limits[name]
    document: dict[str, Any] = {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {"phases": phases},
        "market": market,
        "limits": limits,
        "layout": {"context": 1, "recompute": ["none", "full"], "virtual_pipeline": 1, "micro_batch": "<=4"},
        "objective": draw.choice(["cost", "time"]),
    }
    if "deadline" in limits and draw.random() < SURE:
        document["risk"] = {"confidence": draw.choice(["75%", "95%"])}
    return Problem.model_validate(document)


def _offer(draw: Random, index: int) -> dict[str, Any]:
    return {
        "name": f"offer {index}",
        "accelerator": draw.choice(ACCELERATORS),
        "gpus_per_node": draw.choice([1, 2, 4, 8]),
        "network": "400 Gb/s",
        "on_demand": f"${draw.choice([1.0, 1.5, 2.25])}/GPU-h",
        "spot": f"${draw.choice([0.5, 1.2])}/GPU-h",
        "reserved": f"${draw.choice([0.8, 1.1])}/GPU-h",
        "nodes": draw.choice([1, 2, 4, 8]),
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["80%", "100%"]),
    }


def surely(problem: Problem) -> Problem:
    """The problem with a deadline that must be met in nineteen of twenty runs."""
    return problem.model_copy(update={"risk": problem.risk.model_copy(update={"confidence": 0.95})})


def is_possible(problem: Problem) -> bool:
    """Whether `plan solve` finds a plan, from layouts that are evaluated for this problem alone, or proves none."""
    found = answer(problem)
    assert found.status in {Status.OPTIMAL, Status.INFEASIBLE}
    return found.plan is not None


def infeasible_problems() -> Iterator[Problem]:
    """Those of the generated problems that have no plan, endlessly."""
    return (problem for problem in map(generated, count()) if not is_possible(problem))


_FOUND: list[Problem] = []
_MORE = infeasible_problems()


def infeasible(number: int) -> Problem:
    """The problem of that number that has no plan."""
    _FOUND.extend(islice(_MORE, max(0, number + 1 - len(_FOUND))))
    return _FOUND[number]


def with_limits(problem: Problem, **limits: Any) -> Problem:  # noqa: ANN401  (whatever a limit is)
    """The problem with other limits."""
    return problem.model_copy(update={"limits": problem.limits.model_copy(update=limits)})


def faults(problem: Problem) -> list[str]:
    """What is wrong with the relaxations of a problem's single limits; nothing when all are sound and smallest."""
    found = {one.limit: one for one in relaxations(problem)}
    stated = limits_of(problem).values()
    return [fault for limit in stated for fault in _faults(problem, limit.name.split(".")[1], found[limit.name])]


def _faults(problem: Problem, key: str, one: Relaxation) -> Iterator[str]:
    if not isinstance(one.after, float):
        if is_possible(with_limits(problem, **{key: None})):
            yield f"{key} would help"
        return
    if not is_possible(with_limits(problem, **{key: _value(key, one.after)})):
        yield f"{key} {one.after} is not enough"
    if is_possible(with_limits(problem, **{key: _value(key, one.after - _unit(key, one))})):
        yield f"{key} {one.after} is more than needed"


def _value(key: str, value: float) -> float | Decimal | int:
    read: dict[str, Callable[[float], float | Decimal | int]] = {"deadline": float, "budget": Decimal, "gpus": int}
    return read[key](value)


def _unit(key: str, one: Relaxation) -> float:
    """One unit less: an hour, the budget's step, a node; devices in whole nodes of the plan."""
    assert one.plan is not None
    assert isinstance(one.after, float)
    per_node = one.plan.machine.per_node
    return {"deadline": 3600.0, "budget": float(money_unit(one.after)), "gpus": float(per_node)}[key]
