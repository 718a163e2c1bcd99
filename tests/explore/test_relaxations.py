"""Every proposed relaxation, applied, allows a plan; one unit less does not, as the search itself finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from negotiated_problems import faults, generated, infeasible, is_possible, with_limits

from planner.clock import Clock
from planner.explore.answer import why_not
from planner.explore.lower_bound import least_usd
from planner.explore.relaxations import relaxations
from planner.explore.time_budget import TimeBudget
from planner.plans.choices import choices_of
from planner.plans.document_parts import LimitPart
from planner.plans.limits import limits_of
from planner.problem.problem import Problem, load_problem
from planner.report.document.answer import limit_part
from planner.report.document.around import relaxation_parts
from planner.report.relaxations import reason
from planner.verify.oracle import best_value

BATCH = 10
DEEPSEEK = Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml"


def limits_in(problem: Problem) -> list[LimitPart]:
    """The limits of a problem without a plan as its document has them."""
    return [limit_part(one, None) for one in limits_of(problem).values()]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 50, BATCH))
def test_proposals_are_sound(first: int) -> None:
    """On generated problems without a plan every proposal holds and is the smallest, and no hope is denied wrongly."""
    for number in range(first, first + BATCH):
        assert faults(infeasible(number)) == [], f"problem {number}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60_000, 60_030))
def test_nothing_costs_less_than_the_least(seed: int) -> None:
    """Without any limit, the cheapest plan costs no less than what the passes alone cost on the cheapest offer."""
    problem = with_limits(generated(seed), deadline=None, budget=None, gpus=128)
    cheapest = best_value(problem.model_copy(update={"objective": "cost"}))
    least = least_usd(choices_of(problem))
    assert least > 0
    assert cheapest is None or 0.1 * cheapest < least <= cheapest


def test_what_is_not_asked_in_time_is_named() -> None:
    """When the time is over nothing is asked, every question is named, and no limit is blamed."""
    problem, time_budget = infeasible(0), TimeBudget(Clock(until=0.0))
    assert relaxations(problem, time_budget) == ()
    assert {one.name for one in limits_of(problem).values()} <= set(time_budget.left_out)
    assert "not found in time" in reason(limits_in(problem), ())


@pytest.mark.slow
def test_stretch_and_fewer_tokens_are_sound() -> None:
    """The equal stretch and the fewer tokens that are proposed allow a plan that keeps them."""
    for number in range(8):
        problem = infeasible(number)
        for one in relaxations(problem):
            if one.limit == "all limits" and one.plan and isinstance(one.after, float):
                limits = problem.limits
                assert limits.deadline is None or one.plan.wall_seconds <= limits.deadline * one.after + 3600
                assert limits.gpus is None or one.plan.gpus <= limits.gpus * one.after
            if one.limit == "training.phases[0].tokens" and isinstance(one.after, float):
                first, *others = problem.training.phases
                phases = (first.model_copy(update={"tokens": int(one.after)}), *others)
                training = problem.training.model_copy(update={"phases": phases})
                assert is_possible(problem.model_copy(update={"training": training}))


@pytest.mark.slow
def test_commands_are_what_was_proposed() -> None:
    """Applied as `--set` to the file, every proposal for DeepSeek-V3 in 30 days solves it."""
    file, sets = DEEPSEEK, ("limits.deadline=30d", "limits.gpus=1024")
    problem = load_problem(file, sets)
    found = relaxations(problem)
    applied = [one for one in found if one.sets and one.limit.startswith(("limits.", "all", "training.phases"))]
    assert len(applied) >= 2
    for one in applied:
        assert is_possible(load_problem(file, (*sets, *one.sets))), one.sets


@pytest.mark.slow
def test_a_problem_without_hope_says_so() -> None:
    """Where every limit alone rules out all plans, the sentence says that and no amount is proposed."""
    problem = with_limits(load_problem(DEEPSEEK), deadline=3600.0, gpus=512)
    found = relaxations(problem)
    parts = {one.limit: one for one in relaxation_parts(found)}
    assert parts["limits.gpus"].after is None
    assert parts["limits.gpus"].sets == ()
    assert float(parts["limits.deadline"].after or 0) > 3600.0
    assert reason(limits_in(problem), tuple(parts.values())).startswith("The job needs limits.deadline")


def test_what_has_to_give_is_asked_without_proving_the_best() -> None:
    """A deadline that is far too short is answered with the shortest, however hard the best within it is to prove."""
    sets = ["model=llama2-7b", "training.phases[0].tokens=100B", "limits.deadline=1s"]
    problem = load_problem(DEEPSEEK.with_name("spot_heavy.yaml"), sets)
    found, *_ = relaxations(problem)
    assert isinstance(found.after, float)
    assert found.plan is not None
    assert 0 <= found.after - found.plan.wall_seconds < 2 * 3600


@pytest.mark.slow
def test_what_takes_ages_is_answered_too() -> None:
    """For very many tokens rounding is many hours: the shortest deadline is found all the same."""
    sets = ["training.phases[0].tokens=1000000T", "market.purchase=[spot]", "market.offers[0].gpus_per_node=1"]
    found, *_ = relaxations(load_problem(DEEPSEEK.with_name("spot_heavy.yaml"), sets))
    assert isinstance(found.after, float)
    assert found.plan is not None
    assert found.plan.wall_seconds <= found.after <= 1.001 * found.plan.wall_seconds


@pytest.mark.slow
def test_nodes_that_a_cloud_would_have_to_grant_are_said() -> None:
    """Where more nodes are needed than are sold without a contract, the grant that allows a plan is proposed."""
    file, sets = DEEPSEEK.with_name("mixtral_8x22b.yaml"), ("market.accelerators=[B200-SXM]", "limits.deadline=3d")
    (grant,) = (one for one in relaxations(load_problem(file, sets)) if one.limit == "market.capacity")
    assert grant.plan is not None
    assert grant.plan.nodes > 64
    assert grant.sets == (f"market.capacity={{{grant.plan.placement.cloud}: {grant.plan.nodes}}}",)
    assert is_possible(load_problem(file, (*sets, *grant.sets)))


@pytest.mark.slow
def test_what_takes_less_memory_is_proposed() -> None:
    """Where nothing fits the devices, other formats of the states and the hosts' memory are among what helps."""
    problem = Problem.model_validate(
        {
            "schema": "plan/1",
            "model": "llama3.1-70b",
            "training": {"phases": [{"tokens": "500M", "sequence_length": 4096, "global_batch": 64}]},
            "market": {
                "clouds": [],
                "offers": [{"name": "ours", "accelerator": "H100-80GB-SXM5", "nodes": 2, "on_demand": "$2.5/GPU-h"}],
            },
            "limits": {"deadline": "7d", "gpus": 16},
        }
    )
    told = why_not(choices_of(problem), "H100-80GB-SXM5")
    assert re.fullmatch(r"train: needs \d+ GiB a device, it has 79", told)
    helping = {one.limit for one in relaxations(problem) if one.plan}
    assert {"training.optimizer", "training.offload"} <= helping
