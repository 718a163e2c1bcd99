"""Small problems made from a seed, and their best value by nothing but loops."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from math import inf
from typing import Any

import numpy as np
from defined_layouts import fastest_defined

from planner.availability.chance_constraint import deviations_of, promised
from planner.layouts.wall_time import RunTime, TimedLayouts, run_time
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.placements import Machine, placements
from planner.market.purchase_options import PurchaseOption, purchase_options_of
from planner.plans.choices import with_spares
from planner.problem.problem import Problem

MODEL = {
    "num_hidden_layers": 4,
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 2048,
    "vocab_size": 32000,
    "hidden_act": "silu",
}


LAYOUTS: list[dict[str, Any]] = [
    *({}, {}, {}),
    {"pipeline": ">=2"},
    {"micro_batch": "<=4", "context": 1},
    {"zero": [0, 3]},
]
"""Most problems leave every degree free."""


def problem_of(data: dict[str, Any]) -> Problem:
    """A problem from plain data."""
    return Problem.model_validate(data)


def generated(seed: int) -> Problem:
    """A problem on own offers only, small enough for loops: few degrees, few nodes, every way to buy."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    phases = [
        {
            "name": f"phase {index}",
            "tokens": draw.choice(["1B", "3B", "10B"]),
            "sequence_length": draw.choice([1024, 2048]),
            "global_batch": draw.choice([8, 12, 15, 16, 20, 30]),
        }
        for index in range(draw.choice([1, 1, 2]))
    ]
    purchase = draw.choice([["on_demand"], ["on_demand", "spot"], ["on_demand", "reserved"], ["spot", "reserved"]])
    limits: dict[str, Any] = {"gpus": draw.choice([4, 8, 12, 24])}
    if draw.random() < 0.6:
        limits["deadline"] = draw.choice(["6h", "1d", "3d", "10d"])
    if draw.random() < 0.4:
        limits["budget"] = draw.choice(["$40", "$200", "$1000"])
    objective = draw.choice(["cost", "cost", "time", "tokens"])
    if objective == "tokens" and not {"deadline", "budget"} & set(limits):
        limits["deadline"] = "1d"
    return problem_of(
        {
            "schema": "plan/1",
            "model": MODEL | {"num_hidden_layers": draw.choice([4, 5, 6])},
            "training": {"precision": "bf16", "phases": phases},
            "market": {
                "together": True,
                "clouds": [],
                "purchase": purchase,
                "offers": [_offer(draw, index) for index in range(draw.choice([1, 2, 3]))],
            },
            "limits": limits,
            "layout": draw.choice(LAYOUTS),
            "risk": {"spare_nodes": draw.choice(["0%", "0%", "30%"])} | _confidence(draw, limits),
            "objective": objective,
        }
    )


def _confidence(draw: random.Random, limits: dict[str, Any]) -> dict[str, Any]:
    """Half of the deadlines are to be kept with a probability."""
    sure = draw.random() < 0.5 and "deadline" in limits
    return {"confidence": draw.choice(["60%", "90%", "95%", "99%"]), "counts": "luck"} if sure else {}


def _offer(draw: random.Random, index: int) -> dict[str, Any]:
    """An own offer with a price for every way to buy."""
    return {
        "name": f"offer {index}",
        "accelerator": draw.choice(["A100-80GB-SXM4", "H100-80GB-SXM5", "L4"]),
        "gpus_per_node": draw.choice([1, 2, 3, 4, 6, 8, 12]),
        "network": draw.choice(["100 Gb/s", "400 Gb/s"]),
        "on_demand": f"${draw.choice([1.0, 1.5, 2.25])}/GPU-h",
        "spot": f"${draw.choice([0.5, 1.2, 2.0])}/GPU-h",
        "reserved": f"${draw.choice([0.8, 1.1])}/GPU-h",
        "nodes": draw.choice([1, 2, 3, 6]),
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["50%", "90%", "100%"]),
        "preemptions_per_node_day": draw.choice([0, 0.5, 4]),
    }


def best_by_loops(problem: Problem) -> float | None:
    """The best value over every layout, purchase option and split of the nodes, one by one."""
    workload = workload_of(problem)
    best: float | None = None
    for purchase_option in purchase_options_of(placements(problem)):
        options = [
            list(_layouts(problem, workload, phase, purchase_option.placement.machine)) for phase in workload.phases
        ]
        for chosen in product(*options):
            for value in _values(problem, workload, purchase_option, chosen):
                better = best is None or (value > best if problem.objective == "tokens" else value < best)
                best = value if better else best
    return best


Chosen = tuple[int, int, float]
"""Nodes, data-parallel replicas and step seconds of a layout."""


def _layouts(problem: Problem, workload: Workload, phase: PhaseWork, machine: Machine) -> Iterator[Chosen]:
    """Every layout that fits, the fastest for each number of nodes and replicas."""
    ran = fastest_defined(problem, workload, phase, machine)
    return zip(ran.nodes.tolist(), ran.replicas.tolist(), ran.step_seconds.tolist(), strict=True)


def _values(
    problem: Problem, workload: Workload, purchase_option: PurchaseOption, chosen: tuple[Chosen, ...]
) -> Iterator[float]:
    """The objective's value of every way to buy the nodes of chosen layouts that meets the limits."""
    placement, limits = purchase_option.placement, problem.limits
    bought = [int(with_spares(problem, np.asarray([nodes]))[0]) for nodes, _, _ in chosen]
    if max(bought) > placement.nodes or max(bought) * placement.machine.per_node > (limits.gpus or 0):
        return
    runs = [_run(workload, purchase_option, index, one) for index, one in enumerate(chosen)]
    most = max(bought) if purchase_option.reservation else 0
    fixed = [run.after(phase.steps)[0] for run, phase in zip(runs, workload.phases, strict=True)]
    for reserved in range(most + 1):
        for split in product(*(list(_splits(purchase_option, count, reserved)) for count in bought)):
            if problem.objective != "tokens":
                wall = sum(one[0] for one in fixed)
                cost = sum(_usd(purchase_option, nodes, one) for nodes, one in zip(split, fixed, strict=True))
                cost += _reserved_usd(purchase_option, reserved, wall)
                if _kept(problem, fixed) <= (limits.deadline or inf) and cost <= float(limits.budget or inf):
                    yield cost if problem.objective == "cost" else wall
            elif (found := _most_steps(problem, purchase_option, reserved, split, runs, fixed)) >= 1:
                yield found * workload.phases[0].tokens_per_step


def _run(workload: Workload, purchase_option: PurchaseOption, index: int, chosen: Chosen) -> RunTime:
    """How long one layout takes."""
    nodes, data, seconds = chosen
    ran = TimedLayouts(np.asarray([nodes]), np.asarray([data]), np.asarray([seconds]))
    return run_time(
        workload,
        purchase_option.placement.machine.accelerator.name,
        ran,
        purchase_option.spot_policy,
        begins=index == 0,
    )


def _kept(problem: Problem, figures: list[np.ndarray[Any, Any]]) -> float:
    """The time that the deadline bounds, from the figures of each phase."""
    wall, least, variance = (np.asarray(sum(one[place] for one in figures)) for place in range(3))
    confidence = problem.risk.confidence
    return float(wall if confidence is None else promised(least, wall, variance, deviations_of(confidence)))


def _splits(purchase_option: PurchaseOption, bought: int, reserved: int) -> Iterator[tuple[int, int]]:
    """Nodes on demand and as spot in every split of a phase's nodes, the others being reserved."""
    for from_reservation in range(min(bought, reserved) + 1):
        for spot in range(min(bought - from_reservation, purchase_option.spot_nodes) + 1):
            on_demand = bought - from_reservation - spot
            if not on_demand or purchase_option.on_demand_price is not None:
                yield on_demand, spot


def _usd(purchase_option: PurchaseOption, nodes: tuple[int, int], figures: np.ndarray[Any, Any]) -> float:
    """What the nodes of a phase cost, from its wall time and what of it is paid."""
    on_demand, spot = (
        float(price or 0) / 3600 for price in (purchase_option.on_demand_price, purchase_option.spot_price)
    )
    wall, _, _, paid, replaced = figures
    return float(nodes[0] * on_demand * wall + nodes[1] * (spot * paid + on_demand * replaced))


def _reserved_usd(purchase_option: PurchaseOption, reserved: int, seconds: float) -> float:
    if not purchase_option.reservation:
        return 0.0
    paid = max(seconds, purchase_option.reservation.committed_seconds)
    return reserved * float(purchase_option.reservation.usd_per_node_hour) * paid / 3600


def _most_steps(
    problem: Problem,
    purchase_option: PurchaseOption,
    reserved: int,
    split: tuple[tuple[int, int], ...],
    runs: list[RunTime],
    fixed: list[np.ndarray[Any, Any]],
) -> int:
    """Most steps of the first phase that meet the limits, found by halving."""
    rest_cost = sum(_usd(purchase_option, nodes, one) for nodes, one in zip(split[1:], fixed[1:], strict=True))

    def fits(count: int) -> bool:
        first = runs[0].after(count)[0]
        wall = first[0] + sum(one[0] for one in fixed[1:])
        cost = _usd(purchase_option, split[0], first) + rest_cost + _reserved_usd(purchase_option, reserved, wall)
        in_time = _kept(problem, [first, *fixed[1:]]) <= (problem.limits.deadline or inf)
        return in_time and cost <= float(problem.limits.budget or inf)

    low, high = 0, 2**40
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
