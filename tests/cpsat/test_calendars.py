"""Where offers change in time the answer is still the optimum: trying every begin on every day finds the same."""

from __future__ import annotations

import pytest
from batches import few, later
from generated_calendars import START, BruteForce, best_by_days, generated_calendar
from generated_problems import MODEL, problem_of

from planner.cpsat import timetable
from planner.cpsat.search import search
from planner.explore.answer import answer
from planner.explore.job_modes import Bounds, undominated_job_modes
from planner.explore.room import with_bounds
from planner.layouts.workload import workload_of
from planner.market.placements import placements
from planner.market.purchase_options import purchase_options_of
from planner.plans.choices import choices_of
from planner.plans.solution import Status
from planner.problem.problem import Problem
from planner.session import Session, load_problem
from planner.verify.oracle import agrees

QUICK, SLOW, ALL, BATCH = 8, 32, 200, 12
CENTS = 0.06
"""Dollars that rounding the lines of a bill to cents may change."""


def is_best(problem: Problem) -> bool:
    """Whether the answer is what brute force finds; the solver proves it, or runs out of work without a better one."""
    found = answer(problem)
    assert found.status in {Status.OPTIMAL, Status.FEASIBLE, Status.INFEASIBLE}
    cents = CENTS / max(found.value or 1.0, 0.1) if problem.objective == "cost" else 0.0
    return agrees(found.value, best_by_days(problem), cents + 1e-9)


@pytest.mark.parametrize("seed", few(range(QUICK), 2))
def test_best_begin_is_that_of_brute_force(seed: int) -> None:
    """On generated problems with windows, closures, price periods, terms and blocks both find the same."""
    assert is_best(generated_calendar(seed))


@pytest.mark.parametrize("first", later(QUICK, SLOW, ALL, BATCH))
def test_best_begin_is_that_of_brute_force_for_many(first: int) -> None:
    """The same of many more."""
    for seed in range(first, first + BATCH):
        assert is_best(generated_calendar(seed)), f"seed {seed}"


TEXT = f"""\
schema: plan/1
model: llama3.1-8b
training: {{phases: [{{tokens: 20B, sequence_length: 8192, global_batch: 512}}]}}
schedule: {{start: {START}}}
market:
  clouds: []
  offers:
    - name: ours
      accelerator: H100-80GB-SXM5
      nodes: 1
      on_demand: $2/GPU-h
limits: {{deadline: 30d}}
"""
"""A job of three days on one node."""


@pytest.mark.parametrize(
    ("days", "idle", "price"),
    [
        ({}, [], "2.00"),
        ({"from": "2027-01-08"}, [(False, 4.0)], "2.00"),
        ({"on_demand": "[{price: $2/GPU-h}, {from: 2027-01-14, price: $1.50/GPU-h}]"}, [(False, 10.0)], "1.50"),
        ({"on_demand": "[{price: $2/GPU-h}, {from: 2027-01-14, price: $2.50/GPU-h}]"}, [], "2.00"),
    ],
)
def test_a_job_waits_for_days(days: dict[str, str], idle: list[tuple[bool, float]], price: str) -> None:
    """It waits for its nodes and for a cheaper day; the bill has the price of its days."""
    sets = {f"market.offers[0].{key}": value for key, value in days.items()}
    document = Session(load_problem(TEXT, sets)).solve()
    assert document.status == "optimal"
    assert document.plan
    assert document.plan.schedule
    found = [(one.is_pause, round(one.seconds / 86_400, 6)) for one in document.plan.schedule.idle]
    assert found == idle
    assert {str(one.usd_per_gpu_hour) for one in document.plan.purchases} == {price}


def test_a_pause_takes_a_checkpoint_and_a_restart() -> None:
    """What ends first pauses over a closed window: it runs longer by a checkpoint and a restart, and pays for them."""
    soonest = {"objective": "time"}
    closed = soonest | {"market.offers[0].closed": '[{from: "2027-01-05", to: "2027-01-06"}]'}
    whole, paused = (Session(load_problem(TEXT, sets)).solve().plan for sets in (soonest, closed))
    assert whole
    assert paused
    assert paused.schedule
    (idle,) = paused.schedule.idle
    assert idle.is_pause
    assert idle.seconds == pytest.approx(2 * 86_400)
    (phase,) = paused.phases
    more = phase.wall_seconds - whole.phases[0].wall_seconds
    assert more == pytest.approx(phase.checkpoint_seconds + phase.restart_seconds)
    assert paused.wall_seconds == pytest.approx(whole.wall_seconds + more + 2 * 86_400)
    assert float(paused.cost_usd) == pytest.approx(8 * 2 * phase.wall_seconds / 3600, abs=0.01)


@pytest.mark.slow
def test_blocks_are_paid_by_whole_days() -> None:
    """A block at a lower price is bought for whole days in a size that is sold, after its lead time."""
    block = "[{sizes: [1, 2], days: 1..14, lead: 48h, price: $1/GPU-h}]"
    sets = {"market.offers[0].blocks": block, "market.purchase": "[on_demand, reserved]"}
    plan = Session(load_problem(TEXT, sets)).solve().plan
    assert plan
    (line,) = plan.purchases
    assert (line.kind, line.nodes, line.hours % 24) == ("reserved", 1, 0)
    assert float(line.cost_usd) == 8 * line.hours
    assert line.note.startswith("block, ")
    assert str(line.start) == "2027-01-06"


SMALL = {
    "schema": "plan/1",
    "model": MODEL,
    "training": {
        "phases": [
            {"name": "one", "tokens": "30B", "sequence_length": 1024, "global_batch": 16},
            {"name": "two", "tokens": "10B", "sequence_length": 1024, "global_batch": 16},
        ]
    },
    "schedule": {"start": str(START)},
    "market": {
        "clouds": [],
        "purchase": ["on_demand", "reserved"],
        "offers": [
            {
                "name": "ours",
                "accelerator": "L4",
                "gpus_per_node": 1,
                "nodes": 2,
                "on_demand": [{"price": "$0.30/GPU-h"}, {"from": "2027-01-06", "price": "$0.45/GPU-h"}],
                "closed": [{"from": "2027-01-05", "to": "2027-01-05"}],
                "blocks": [{"sizes": [2], "days": "2..14", "price": "$0.28/GPU-h"}],
            }
        ],
    },
    "limits": {"gpus": 2},
    "layout": {"pipeline": 1, "context": 1},
}
"""Two phases on two nodes that are away on the second day and dearer from the third on."""


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cost", "time"])
@pytest.mark.parametrize(
    ("rule", "decides"),
    [
        ("is_ready", {"time"}),
        ("begins_at_once_or_at_midnight", {"time"}),
        ("runs_while_nodes_are_there", {"cost", "time"}),
        ("pays_for_its_time", {"cost"}),
        ("reserves_for_itself_or_whole", {"cost"}),
        ("pays_whole", {"cost"}),
    ],
)
def test_each_rule_on_days_decides(
    rule: str, decides: set[str], objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the rule the solver finds something better that does not hold: the rule is what excludes it."""
    if objective not in decides:
        return
    choices = choices_of(problem_of(SMALL | {"objective": objective}))
    held = search(choices)
    monkeypatch.setattr(timetable, rule, lambda *_args, **_named: None)
    free = search(choices)
    assert held.bound
    assert free.bound is not None
    assert free.bound < 0.99 * held.bound


def test_a_day_is_worth_what_it_is_said_to_be() -> None:
    """For a cheaper day far off the job waits, unless its days are worth more than that saves."""
    cheaper = {"market.offers[0].on_demand": "[{price: $2/GPU-h}, {from: 2027-01-14, price: $1.50/GPU-h}]"}
    patient, hurried = (
        Session(load_problem(TEXT, cheaper | {"objective": f"{{cost, value_of_day: {worth}}}"})).solve().plan
        for worth in ("$10", "$20k")
    )
    assert patient
    assert hurried
    assert patient.cost_usd < hurried.cost_usd
    assert hurried.wall_seconds < 4 * 86_400 < 10 * 86_400 < patient.wall_seconds


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 106))
def test_every_plan_that_none_beats_is_listed(seed: int) -> None:
    """The frontier of time and cost is exact too: each plan of brute force is matched by a listed one, and no other."""
    problem = with_bounds(generated_calendar(seed), Bounds(gpus=8))
    listed = [(one.wall_seconds, one.cost_usd) for one in undominated_job_modes(choices_of(problem), Bounds(gpus=8))]
    brute = BruteForce(problem, purchase_options_of(placements(problem)), workload_of(problem)).ways()
    found = [(one.seconds, one.usd) for one in brute]

    def covers(some: list[tuple[float, float]], one: tuple[float, float]) -> bool:
        return any(seconds <= one[0] + 1e-3 and usd <= one[1] + CENTS for seconds, usd in some)

    assert listed
    assert all(covers(listed, one) for one in found)
    assert all(covers(found, one) for one in listed)
