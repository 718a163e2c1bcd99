"""What must hold whatever the numbers: more freedom never hurts, dearer is dearer, order does not matter."""

from __future__ import annotations

from typing import Any

import pytest
from batches import few
from generated_problems import generated, problem_of

from planner.explore.answer import answer

SLACK = 1 + 2e-4
"""Rounding of two searches."""


def cost(data: dict[str, Any]) -> float:
    """Dollars of the cheapest plan, infinite without one."""
    value = answer(problem_of(data)).value
    return float("inf") if value is None else value


def job(seed: int, **limits: str | int) -> dict[str, Any]:
    """A small job on two own offers, cheapest wanted."""
    offers: list[dict[str, Any]] = [
        {"name": "a", "accelerator": "A100-80GB-SXM4", "nodes": 2 + seed % 3, "on_demand": "$1.5/GPU-h"},
        {
            "name": "h",
            "accelerator": "H100-80GB-SXM5",
            "nodes": 1 + seed % 4,
            "on_demand": "$3/GPU-h",
            "spot": "$1/GPU-h",
        },
    ]
    offers[1]["spot"] = "$1/GPU-h"
    tokens = f"{2 + seed}B"
    return {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {"phases": [{"tokens": tokens, "sequence_length": 2048, "global_batch": 64}]},
        "market": {"clouds": [], "purchase": ["on_demand", "spot"], "offers": offers},
        "limits": {"deadline": "5d", "gpus": 32, **limits},
    }


SEEDS = few(range(6), 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_longer_deadline_never_costs_more(seed: int) -> None:
    """Twice the time never makes the cheapest plan dearer."""
    assert cost(job(seed, deadline="16h")) * SLACK >= cost(job(seed, deadline="32h"))


@pytest.mark.parametrize("seed", SEEDS)
def test_larger_budget_is_never_slower(seed: int) -> None:
    """Twice the money never makes the fastest plan slower."""
    fast = [job(seed, budget=budget) | {"objective": "time"} for budget in ("$40", "$80")]
    assert cost(fast[0]) * SLACK >= cost(fast[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_more_devices_never_cost_more(seed: int) -> None:
    """A larger limit on devices never makes the cheapest plan dearer."""
    assert cost(job(seed, gpus=8)) * SLACK >= cost(job(seed, gpus=32))


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_offer_never_hurts(seed: int) -> None:
    """Another accelerator on offer never makes the cheapest plan dearer."""
    more = job(seed)
    fewer = job(seed)
    fewer["market"]["offers"] = fewer["market"]["offers"][:1]
    assert cost(fewer) * SLACK >= cost(more)


@pytest.mark.parametrize("seed", SEEDS)
def test_doubled_prices_double_the_cost(seed: int) -> None:
    """Without a budget, twice the price of everything is twice the cost."""
    single, double = job(seed), job(seed)
    for offer in double["market"]["offers"]:
        for kind in {"on_demand", "spot"} & set(offer):
            price = float(offer[kind].strip("$").removesuffix("/GPU-h"))
            offer[kind] = f"${2 * price}/GPU-h"
    assert cost(double) == pytest.approx(2 * cost(single), rel=2e-4, abs=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_offers_does_not_matter(seed: int) -> None:
    """The same offers in another order give the same plan."""
    turned = job(seed)
    turned["market"]["offers"] = turned["market"]["offers"][::-1]
    assert answer(problem_of(turned)).plan == answer(problem_of(job(seed))).plan


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_same_problem_gives_the_same_plan(seed: int) -> None:
    """Two searches of the same problem end with the same plan."""
    problem = generated(seed)
    assert answer(problem).plan == answer(problem).plan


def test_room_to_grow_never_costs_less() -> None:
    """A plan that must hold for a model four times larger is never cheaper."""
    assert cost(job(1)) <= cost(job(1, growth="4x")) * SLACK


def test_spare_nodes_cost() -> None:
    """Half the nodes again standing by costs as much again as they do."""
    plain, spared = job(0), job(0) | {"risk": {"spare_nodes": "100%"}}
    assert cost(spared) >= 1.5 * cost(plain)
