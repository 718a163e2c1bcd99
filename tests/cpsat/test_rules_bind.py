"""Every rule of the model decides something: without it, on layouts that may break it, another plan is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from inspect import isfunction
from typing import Any

import pytest
from batches import few
from generated_problems import problem_of

from planner.cpsat import constraints
from planner.cpsat.model import OPTIMAL, LinearExpr, SatParameters, SolverRun
from planner.cpsat.objective import measure_of
from planner.cpsat.search import build, search
from planner.explore.answer import answer
from planner.plans.choices import Choices, choices_of
from planner.plans.plan import plan_of
from planner.problem.problem import Problem

NEW = {
    "name": "new",
    "accelerator": "H100-80GB-SXM5",
    "nodes": 4,
    "on_demand": "$3/GPU-h",
    "spot": "$1.4/GPU-h",
    "spot_nodes": 1,
    "availability": "50%",
    "preemptions_per_node_day": 4,
    "reserved": "$2/GPU-h",
    "minimum_term": "2d",
}
OLD = {"name": "old", "accelerator": "A100-40GB-SXM4", "nodes": 4, "on_demand": "$1.5/GPU-h"}
FEW = OLD | {"name": "few", "nodes": 1, "on_demand": "$0.9/GPU-h"}
SCARCE = NEW | {"name": "scarce", "on_demand": None, "reserved": None, "minimum_term": None, "spot": "$0.5/GPU-h"}
PHASES = [
    {"name": "one", "tokens": "5B", "sequence_length": 8192, "global_batch": 256},
    {"name": "two", "tokens": "1B", "sequence_length": 16384, "global_batch": 128},
]


def problem(*offers: Mapping[str, Any], together: bool = True, **changes: Any) -> Problem:  # noqa: ANN401  (keys)
    """Two phases of 3 B parameters on some offers, with every way to buy."""
    market = {"clouds": [], "together": together, "purchase": ["on_demand", "spot", "reserved"], "offers": offers}
    market["moving"] = {"egress": "$1/GB", "bandwidth": "1 Gb/s"}
    training = {"phases": PHASES}
    return problem_of({"schema": "plan/1", "model": "llama3.2-3b", "training": training, "market": market} | changes)


@cache
def unfiltered(asked: Callable[[], Problem]) -> Choices:
    """The choices of a problem, beyond them everything that could be best without the rules on layouts."""
    found, stated = choices_of(asked()), asked()
    limits = stated.limits.model_copy(update={"memory_headroom": 0.0, "memory_confidence": 0.5, "growth": 1.0})
    pins = stated.layout.model_copy(update=dict.fromkeys(type(stated.layout).model_fields))
    loose = choices_of(stated.model_copy(update={"limits": limits, "layout": pins}), found.offered)
    return replace(found, beyond=loose.columns)


def least(choices: Choices) -> int | None:
    """What the model finds, in its units; None where nothing keeps its rules."""
    built = build(choices)
    built.model.minimize(measure_of(choices.objective)(built.plan))
    parameters = SatParameters()
    parameters.num_workers = 1
    run = SolverRun(built.model, parameters)
    return round(run.response.objective_value) if run.run() == OPTIMAL else None


def nothing(*_: object) -> tuple[LinearExpr, LinearExpr]:
    """A rule that is not posted; what moves take."""
    return LinearExpr.constant(0), LinearExpr.constant(0)


def plain() -> Problem:
    """Without limits."""
    return problem(NEW, OLD)


def quick() -> Problem:
    """With a deadline that costs money."""
    return problem(NEW, OLD, limits={"deadline": "35h"})


def scarce() -> Problem:
    """With a deadline that one node does not keep, and more nodes only where they are dear."""
    return problem(NEW, SCARCE, FEW, OLD, limits={"deadline": "20h"})


def spared() -> Problem:
    """With spares that count as devices."""
    return problem(NEW, OLD, limits={"deadline": "35h", "gpus": 16}, risk={"spare_nodes": "50%"})


def moving() -> Problem:
    """Where the first phase is cheap on demand and the second as spot."""
    return problem(
        NEW | {"on_demand": "$6/GPU-h", "spot": "$0.5/GPU-h"},
        OLD | {"on_demand": "$0.15/GPU-h", "nodes": 1},
        together=False,
        limits={"deadline": "30h"},
    )


def tight() -> Problem:
    """On devices with little memory, which has to be enough nearly always."""
    return problem(OLD, limits={"memory_headroom": 0, "memory_confidence": "99.9%"})


def roomy() -> Problem:
    """With a headroom that asks for more than certainty does."""
    return problem(OLD, limits={"memory_headroom": "30%"})


def growing() -> Problem:
    """With room for a model half as large again."""
    return problem(OLD, limits={"growth": "1.5x"})


def pinned() -> Problem:
    """With a degree that is not the best."""
    return problem(OLD, layout={"tensor": 8})


def dear() -> Problem:
    """The fastest within a budget."""
    return problem(NEW, OLD, limits={"budget": "$300"}, objective="time")


RULES = [
    ("chooses_one_layout", plain),
    ("waits_on_arrival", moving),
    ("stays_go_on", moving),
    ("nodes_are_the_layouts", scarce),
    ("every_node_is_bought", scarce),
    ("reservation_covers_phase", plain),
    ("buys_what_is_sold", scarce),
    ("memory_adds_up", tight),
    ("leaves_headroom", roomy),
    ("fits_surely", tight),
    ("leaves_room_to_grow", growing),
    ("keeps_pins", pinned),
    ("step_adds_up", quick),
    ("wall_adds_up", quick),
    ("times_are_the_layouts", plain),
    ("purchases_last_the_phase", plain),
    ("phase_costs", plain),
    ("reservation_costs", plain),
    ("moves", moving),
    ("phases_add_up", plain),
    ("meets_deadline", quick),
    ("keeps_gpu_limit", spared),
    ("keeps_budget", dear),
]
"""Every rule by the name of its function, with a problem on which it decides something."""
IMPLIED = {"chooses_one_purchase_option", "costs_at_least_the_lowest_price"}
"""What the other rules imply: said for the proof alone."""
NO_RULES = {"times", "keeps_limit", "moves_before"}
"""A product, a choice among rules, and one of the moves."""


@pytest.mark.parametrize("case", few(RULES, 4))
def test_without_a_rule_another_plan_is_best(
    case: tuple[str, Callable[[], Problem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least cost or time falls when a rule is taken out."""
    rule, asked = case
    choices = unfiltered(asked)
    known = least(choices)
    assert known is not None
    monkeypatch.setattr(constraints, rule, nothing)
    found = least(choices)
    assert found is not None
    assert found < known


def test_every_rule_is_taken_out_once() -> None:
    """No rule is posted that decides nothing, but for those that are there for the proof."""
    public = {name for name, one in vars(constraints).items() if isfunction(one) and not name.startswith("_")}
    own = {name for name in public if getattr(constraints, name).__module__ == constraints.__name__}
    assert own - IMPLIED - NO_RULES == {rule for rule, _ in RULES}


@pytest.mark.parametrize(
    ("rule", "asked", "looser"),
    [
        ("leaves_headroom", roomy, lambda: problem(OLD, limits={"memory_headroom": 0})),
        ("fits_surely", tight, lambda: problem(OLD, limits={"memory_headroom": 0, "memory_confidence": 0.5})),
        ("leaves_room_to_grow", growing, lambda: problem(OLD)),
        ("keeps_pins", pinned, lambda: problem(OLD)),
        ("meets_deadline", quick, plain),
    ],
)
def test_a_rule_is_relaxed_exactly(
    rule: str, asked: Callable[[], Problem], looser: Callable[[], Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a rule the model proves the optimum of the problem that does not state it."""
    value = answer(looser()).value
    choices = choices_with_all(asked, looser)
    monkeypatch.setattr(constraints, rule, nothing)
    found = search(choices)
    assert found.decision is not None
    assert float(plan_of(choices, found.decision).cost_usd) == pytest.approx(value, rel=found.error, abs=0.02)


def choices_with_all(asked: Callable[[], Problem], looser: Callable[[], Problem]) -> Choices:
    """The choices of a problem, beyond them those of a looser one."""
    found = choices_of(asked())
    return replace(found, beyond=choices_of(looser(), found.offered).columns)
