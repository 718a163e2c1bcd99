"""The verification finds whatever is wrong with a plan."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from planner.explore.answer import answer
from planner.plans.plan import PhasePlan, Plan
from planner.problem.problem import Problem
from planner.verify.check import violations


@cache
def solved() -> tuple[Problem, Plan]:
    """A small problem with its plan."""
    problem = Problem.model_validate(
        {
            "schema": "plan/1",
            "model": "llama3.2-1b",
            "training": {"phases": [{"tokens": "5B", "sequence_length": 2048, "global_batch": 64}]},
            "market": {
                "clouds": [],
                "purchase": ["on_demand", "spot"],
                "offers": [
                    {
                        "name": "own",
                        "accelerator": "H100-80GB-SXM5",
                        "nodes": 4,
                        "on_demand": "$3/GPU-h",
                        "spot": "$2/GPU-h",
                        "spot_nodes": 1,
                    }
                ],
            },
            "limits": {"deadline": "10h", "budget": "$400", "gpus": 32},
            "layout": {"tensor": "<=4"},
        }
    )
    found = answer(problem)
    assert found.plan
    return problem, found.plan


def faults(phase: PhasePlan | None = None, **changes: object) -> str:
    """What is found wrong with the plan after changes to it or to its phase."""
    problem, plan = solved()
    changed = replace(plan, phases=(phase,)) if phase else replace(plan, **changes)  # type: ignore[arg-type]
    return "\n".join(violations(problem, changed))


def phase(**changes: object) -> PhasePlan:
    """The plan's phase with changes."""
    return replace(solved()[1].phases[0], **changes)  # type: ignore[arg-type]


def degrees(**changes: int) -> PhasePlan:
    """The plan's phase with other degrees."""
    return phase(degrees={**solved()[1].phases[0].degrees, **changes})


def test_a_good_plan_has_no_faults() -> None:
    """The solver's own plan passes."""
    assert faults() == ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda: degrees(data=3), "gpus = data · tensor"),
        (lambda: degrees(tensor=5), "tensor divides the heads"),
        (lambda: degrees(tensor=16), "tensor is within"),
        (lambda: degrees(expert=2), "expert divides the experts"),
        (lambda: degrees(context=3), "context cuts the sequence"),
        (lambda: degrees(pipeline=40), "every stage has a layer"),
        (lambda: degrees(micro_batch=3), "global_batch = data"),
        (lambda: phase(nodes=7), "nodes are whole"),
        (lambda: phase(step_seconds=1.0), "a step takes"),
        (lambda: phase(wall_seconds=1.0), "wall time is"),
        (lambda: phase(memory=replace(solved()[1].phases[0].memory, weights=1.0)), "it fills"),
        (lambda: phase(steps=1), "fewer than"),
        (lambda: phase(wall_seconds=40000.0), "more than 36000"),
    ],
)
def test_what_is_wrong_with_a_phase_is_told(changed: object, told: str) -> None:
    """Each rule that a phase breaks is named."""
    assert callable(changed)
    assert told in faults(changed())


def test_no_slice_that_nobody_sells() -> None:
    """Of a TPU, numbers of hosts between the provider's slices are a fault, whatever the search says."""
    plan = solved()[1]
    stay = plan.stays[0]
    placement = stay.purchase_option.placement
    tpu = replace(placement.machine, accelerator=placement.machine.accelerator.model_copy(update={"name": "TPUv6e"}))
    purchase_option = replace(stay.purchase_option, placement=replace(placement, machine=tpu))

    def faults_of(nodes: int) -> str:
        return faults(
            stays=(replace(stay, purchase_option=purchase_option),),
            phases=(phase(nodes=nodes, purchase_option=purchase_option),),
        )

    assert "slice that is sold" in faults_of(9)
    assert "slice that is sold" not in faults_of(64)


def test_a_wrong_bill_is_told() -> None:
    """A dollar too little is found, and a purchase of more than there is."""
    _, plan = solved()
    first = plan.purchases[0]
    cheaper = (replace(first, cost_usd=first.cost_usd - Decimal(1)), *plan.purchases[1:])
    assert "the bill is" in faults(purchases=cheaper)
    fewer = (replace(first, nodes=first.nodes + 1), *plan.purchases[1:])
    assert "nodes bought" in faults(purchases=fewer)
    spot = tuple(replace(one, kind="spot", nodes=2) for one in plan.purchases)
    assert "more spot nodes" in faults(purchases=spot)


def test_a_budget_is_kept_to_the_cent() -> None:
    """A budget of what the plan costs is kept, one of a cent less is not."""
    problem, plan = solved()

    def told(budget: Decimal) -> tuple[str, ...]:
        limits = problem.limits.model_copy(update={"budget": budget})
        return violations(problem.model_copy(update={"limits": limits}), plan)

    assert told(plan.cost_usd) == ()
    (fault,) = told(plan.cost_usd - Decimal("0.01"))
    assert fault.startswith(f"it costs ${plan.cost_usd}, more than $")


def test_another_problem_refuses_the_plan() -> None:
    """A plan is checked against the problem that it is for."""
    problem, plan = solved()
    limits = problem.limits.model_copy(update={"budget": Decimal(1), "gpus": 1, "deadline": 60.0})
    told = "\n".join(violations(problem.model_copy(update={"limits": limits}), plan))
    assert all(part in told for part in ("more than $1", "devices, more than 1", "more than 60.0 s"))
