"""Each rule by itself: values are fixed, and the model says whether the rule allows them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from generated_problems import problem_of

from planner.cpsat.model import FEASIBLE, OPTIMAL, LinearExpr, SatParameters, SolverRun
from planner.cpsat.search import build
from planner.cpsat.variables import PlanVariables
from planner.plans.choices import Choices, choices_of

OFFERS = [
    {
        "name": "own",
        "accelerator": "H100-80GB-SXM5",
        "nodes": 4,
        "on_demand": "$3/GPU-h",
        "spot": "$1/GPU-h",
        "spot_nodes": 2,
        "availability": "50%",
        "reserved": "$2/GPU-h",
    },
    {"name": "old", "accelerator": "A100-80GB-SXM4", "nodes": 3, "on_demand": "$2/GPU-h"},
]


@cache
def choices(*, together: bool = True) -> Choices:
    """A job of two phases on two offers, with every way to buy and every limit."""
    phases = [
        {"name": "one", "tokens": "5B", "sequence_length": 2048, "global_batch": 64},
        {"name": "two", "tokens": "1B", "sequence_length": 4096, "global_batch": 32},
    ]
    return choices_of(
        problem_of(
            {
                "schema": "plan/1",
                "model": "llama3.2-1b",
                "training": {"phases": phases},
                "market": {
                    "clouds": [],
                    "together": together,
                    "purchase": ["on_demand", "spot", "reserved"],
                    "offers": OFFERS,
                },
                "limits": {"deadline": "3d", "budget": "$900", "gpus": 24, "growth": "2x"},
                "layout": {"tensor": "<=4"},
            }
        )
    )


def chosen_on(plan: PlanVariables, accelerator: str, phase: int = 0) -> LinearExpr:
    """1 where a phase is bought on an accelerator."""
    options = plan.phases[phase].purchase_options
    return LinearExpr.sum([one for option, one in options if option.placement.machine.accelerator.name == accelerator])


def allowed(rules: Any, *, together: bool = True) -> bool:  # noqa: ANN401  (a function of the built model)
    """Whether a plan exists that also keeps to further rules."""
    built = build(choices(together=together))
    for rule in rules(built.plan):
        built.model.add(rule)
    parameters = SatParameters()
    parameters.num_workers = 1
    return SolverRun(built.model, parameters).run() in {OPTIMAL, FEASIBLE}


def test_the_model_is_valid_and_named() -> None:
    """Nothing overflows, and every variable and most rules have a name."""
    model = build(choices()).model
    assert model.fault() == ""
    assert all(one.name for one in model.model_proto.variables)
    names = {one.name for one in model.model_proto.constraints}
    assert {"limits.deadline", "limits.budget", "limits.gpus", "one purchase option", "wall", "cost"} <= names


@pytest.mark.parametrize(
    ("rules", "holds"),
    [
        (lambda _: [], True),
        (lambda plan: [plan.phases[0].nodes == 2], True),
        (lambda plan: [plan.phases[0].bought == 4], False),  # limits.gpus
        (lambda plan: [chosen_on(plan, "A100-80GB-SXM4") == 1, plan.phases[0].nodes == 2], True),
        (lambda plan: [chosen_on(plan, "A100-80GB-SXM4") == 1, plan.phases[0].spot >= 1], False),
        (lambda plan: [chosen_on(plan, "A100-80GB-SXM4") == 1, plan.phases[0].held >= 1], False),
        (lambda plan: [plan.phases[0].spot == 2], True),
        (lambda plan: [plan.phases[0].spot == 3], False),  # spot_nodes
        (lambda plan: [plan.phases[0].reserved == 2, plan.phases[0].held == 1], False),
        (lambda plan: [plan.phases[0].reserved == 1, plan.phases[0].held == 2], True),
        (
            lambda plan: [
                plan.phases[0].on_demand + plan.phases[0].spot < plan.phases[0].bought,
                plan.phases[0].held == 0,
            ],
            False,
        ),
        (lambda plan: [plan.wall < plan.phases[0].wall + plan.phases[1].wall], False),
        (lambda plan: [plan.cost < plan.phases[0].cost + plan.phases[1].cost], False),
        (lambda plan: [plan.phases[0].spot_time > plan.phases[0].node_time], False),
        (lambda plan: [plan.phases[0].wall == 0], False),
        (lambda plan: [plan.phases[0].cost == 0, plan.reserved_cost == 0], False),
        (lambda plan: [plan.phases[0].held >= 1, plan.reserved_cost == 0], False),
    ],
)
def test_rules_allow_what_they_should(rules: Any, holds: bool) -> None:  # noqa: ANN401  (a function of the plan)
    """A plan with these values exists, or the rule forbids it."""
    assert allowed(rules) is holds


H100, A100 = "H100-80GB-SXM5", "A100-80GB-SXM4"


@pytest.mark.parametrize(
    ("rules", "holds"),
    [
        (lambda plan: [chosen_on(plan, H100, 0) == 1, chosen_on(plan, A100, 1) == 1], True),
        (
            lambda plan: [chosen_on(plan, H100, 0) == 1, chosen_on(plan, A100, 1) == 1, plan.phases[1].begins == 0],
            False,
        ),
        (
            lambda plan: [
                chosen_on(plan, H100, 0) == 1,
                chosen_on(plan, A100, 1) == 1,
                plan.wall <= plan.phases[0].wall + plan.phases[1].wall,
            ],
            False,
        ),
        (lambda plan: [plan.phases[1].begins == 0, plan.phases[0].held == 1, plan.phases[1].held == 2], False),
        (lambda plan: [plan.phases[1].begins == 1, plan.phases[0].held == 1, plan.phases[1].held == 2], True),
        (lambda plan: [plan.phases[0].held == 1, chosen_on(plan, A100, 1) == 1, plan.reserved_cost == 0], False),
    ],
)
def test_phases_may_move(rules: Any, holds: bool) -> None:  # noqa: ANN401  (a function of the plan)
    """Where phases may run elsewhere a move takes time, a stay goes on as it was bought, and each stay is paid."""
    assert allowed(rules, together=False) is holds
