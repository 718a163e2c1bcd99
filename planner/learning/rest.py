"""What is left of a run as a problem of its own: what would bring it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import MOST_WEIGHT
from planner.clock import Clock
from planner.explore.answer import Answer, answer
from planner.explore.relaxations import Relaxation, relaxations
from planner.explore.time_budget import TimeBudget
from planner.learning.track import Track
from planner.plans.document import PlanDocument
from planner.plans.solution import Status
from planner.problem.document import parse_document, with_overrides
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_HOUR, round_usd, written_duration, written_money


def going_on(track: Track) -> Calibration:
    """The calibration by which the rest is planned: at the pace that was measured, in every layout.

    Otherwise the layout that runs would be expected to get faster, as far as its measured pace counts as chance, and
    others that nobody measured to be as fast as estimated.
    """
    measured = sum(one.pace is not None for one in track.phases)
    runs = [run.model_copy(update={"layout": None}) for run in track.calibration.own_runs]
    before, now = runs[: len(runs) - measured], runs[len(runs) - measured :]
    heavy = [run.model_copy(update={"weight": MOST_WEIGHT}) for run in now]
    return track.calibration.model_copy(update={"own_runs": (*before, *heavy)})


@dataclass(frozen=True)
class Rest:
    """The rest of a run, planned anew."""

    sets: tuple[str, ...]
    """`--set` arguments that make a problem of it."""
    answer: Answer
    relaxations: tuple[Relaxation, ...]
    """Without a plan: the smallest changes that allow one."""


def rest_sets(track: Track) -> tuple[str, ...]:
    """What is left as `--set` arguments on the plan's problem: tokens, time, money, and the devices it runs on.

    Empty where no time or money is left.
    """
    limits = dict(_limits(track))
    if not track.steps_done < track.steps or any(left <= 0 for left in limits.values()):
        return ()
    phases = [
        f"{{name: {json.dumps(one.part.name)}, tokens: {one.left * one.part.sequence_length * one.part.global_batch}, "
        f"sequence_length: {one.part.sequence_length}, global_batch: {one.part.global_batch}}}"
        for one in track.phases
        if one.left
    ]
    written: dict[str, Callable[[float], str]] = {
        "deadline": written_duration,
        "budget": lambda usd: written_money(round_usd(usd)),
    }
    devices = ", ".join(dict.fromkeys(json.dumps(one.part.accelerator) for one in track.phases if one.left))
    return (
        f"training.phases=[{', '.join(phases)}]",
        *(f"limits.{name}={written[name](left)}" for name, left in limits.items()),
        f"market.accelerators=[{devices}]",
    )


def _limits(track: Track) -> Iterator[tuple[str, float]]:
    """What is left of the deadline, in whole hours, and of the budget."""
    if track.plan.deadline_seconds is not None:
        hours = (track.plan.deadline_seconds - track.elapsed_seconds) // SECONDS_PER_HOUR
        yield "deadline", hours * SECONDS_PER_HOUR
    if track.budget_usd is not None:
        yield "budget", track.budget_usd - track.spent_usd


def planned_anew(document: PlanDocument, sets: tuple[str, ...], clock: Clock) -> Rest:
    """The best plan for what is left, or what would have to give. Raises InputError."""
    written = parse_document(json.dumps(document.problem), "the problem in the plan", Path())
    problem = Problem.of(with_overrides(written, sets))
    found = answer(problem, clock=clock)
    gives = relaxations(problem, TimeBudget(clock)) if found.status is Status.INFEASIBLE else ()
    return Rest(sets, found, gives)
