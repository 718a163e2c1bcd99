"""`Session`: a problem whose layouts are evaluated once and asked often. What commands and notebooks work with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from planner.clock import Clock, OutOfTimeError
from planner.explore.answer import Answer, answer
from planner.explore.capacity import ungranted
from planner.explore.expected_cost import chosen_alone, least_expected
from planner.explore.near_optimal import WITHIN
from planner.explore.preference import preferred
from planner.explore.promised_cost import best_promised, least_budget
from planner.explore.relaxations import relaxations
from planner.explore.room import Room
from planner.explore.rule_worth import rule_worths
from planner.explore.sensitivity import prepared
from planner.explore.surroundings import Surroundings, surroundings
from planner.explore.time_budget import TimeBudget
from planner.market.names import named_problem
from planner.plans.document import FORMAT_VERSION, PlanDocument
from planner.plans.limits import limits_of
from planner.plans.solution import Status
from planner.problem.document import Document, parse_document, read_document, with_overrides
from planner.problem.objective import Lateness
from planner.problem.problem import Problem
from planner.problem.run import Run
from planner.problem.written import as_written
from planner.report.result import Result

if TYPE_CHECKING:
    from planner.explore.frontier import Axis


@dataclass(frozen=True)
class Answered:
    """An answer with what was asked around it, and its document."""

    answer: Answer
    around: Surroundings

    @cached_property
    def document(self) -> PlanDocument:
        """The typed document of both."""
        from planner.report.document.answer import answer_document

        return answer_document(self.answer, self.around)


class Session:
    """Questions about one problem; layouts are evaluated when they are first needed, and kept.

    Every method may raise InputError, for what the problem states wrongly.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        clock: Clock | None = None,
        progress: Callable[[str], None] | None = None,
        room: Room | None = None,
        within: float = WITHIN,
    ) -> None:
        """`within`: share of the optimum up to which plans count as good as it, see `near_optimal`."""
        self.problem = problem
        self.within = within
        self.clock = clock or Clock()
        self._progress = progress
        budget = TimeBudget(self.clock)
        self.room = Room(problem, room.known, budget) if room else Room(problem, time_budget=budget)

    def changed(self, overrides: Mapping[str, object], *, clock: Clock | None = None) -> Session:
        """A session on the same problem with `overrides`, as `load_problem` takes them. Raises InputError.

        Where they change only deadline, budget or GPUs, evaluated layouts are shared, and the answer takes a moment.
        """
        written = parse_document(json.dumps(as_written(self.problem)), "the problem", self.problem.base_directory)
        problem = Problem.of(with_overrides(written, sets_of(overrides)))
        room = self.room if _but_for_limits(problem) == _but_for_limits(self.problem) else None
        return Session(problem, clock=clock, progress=self._progress, room=room)

    @cached_property
    def found(self) -> Answer:
        """The answer and its proof, without what costs of being late change. Raises FaultyPlanError; see `answered`."""
        found = self._answer(self.room)
        if found.status is Status.INFEASIBLE:
            found = self._instead(found, ungranted(self.problem))
        is_robust = self.problem.limits.lateness is not None
        if found.plan is not None and self.problem.preference is not None and not is_robust:
            found = self._instead(found, preferred(self.room, found.plan))
        return found

    @cached_property
    def answered(self) -> Answered:
        """The answer, its proof and what was asked around it. Raises FaultyPlanError when it fails its verification."""
        found = self.found
        if self.problem.risk.budget_confidence is not None and self.problem.limits.budget is not None:
            return self._promised(found)
        if found.plan is not None and self.problem.limits.lateness is not None:
            return self._robust(found, self.problem.limits.lateness)
        return Answered(found, surroundings(self.room, found, self.within))

    def _robust(self, cheapest: Answer, lateness: Lateness) -> Answered:
        """The plan that costs least with what being late costs by expectation, in place of the cheapest one."""
        try:
            expected = least_expected(self.room, self.clock)
        except OutOfTimeError:
            return Answered(cheapest, Surroundings(left_out=("objective",)))
        found = self._instead(cheapest, chosen_alone(self.problem, expected[0].plan))
        limits = self.problem.limits.model_copy(update={"deadline": lateness.at})
        problem = self.problem.model_copy(update={"limits": limits})
        choices = replace(found.choices, limits=limits_of(self.problem))
        return Answered(replace(found, problem=problem, choices=choices), Surroundings(expected=expected))

    def _promised(self, found: Answer) -> Answered:
        """The best plan that stays within the budget as surely as is asked for, or the budget that one would need."""
        room = self.room
        try:
            chosen = best_promised(room, self.clock)
            needed = least_budget(room) if chosen is None else None
        except OutOfTimeError:
            return Answered(replace(found, plan=None), Surroundings(left_out=("risk.budget_confidence",)))
        if chosen is None:
            gives = (needed,) if needed else relaxations(self.problem, room.time_budget)
            nothing = replace(found.outcome, status=Status.INFEASIBLE)
            return Answered(replace(found, plan=None, outcome=nothing, alternatives=()), Surroundings(gives=gives))
        again = self._instead(found, chosen_alone(self.problem, chosen.plan))
        choices = replace(again.choices, limits=limits_of(self.problem))
        return Answered(
            replace(again, problem=self.problem, plan=chosen.plan, choices=choices, asked=None), Surroundings()
        )

    def _instead(self, found: Answer, other: Problem | None) -> Answer:
        """The answer to another problem in place of the one that was found, where it has a plan."""
        room = None if other is None else Room(other, time_budget=self.room.time_budget)
        again = None if room is None or self.clock.is_over else self._answer(room)
        if room is None or again is None or again.plan is None:
            return found
        self.room = room
        return replace(again, asked=self.problem)

    def _answer(self, room: Room) -> Answer:
        """The answer to a room's problem."""
        return answer(
            room.problem,
            clock=self.clock,
            progress=self._progress,
            prepare=lambda _: prepared(room),
            loosen=partial(rule_worths, room) if self.clock.until is None else None,
        )

    def solve(self) -> PlanDocument:
        """The best plan, proven and verified, or why there is none; what `plan solve --json` prints."""
        return self.answered.document

    def frontier(self, x: Axis = "cost", y: Axis = "time", points: int = 20) -> Result:
        """The exact trade-off between two of cost, time, GPUs and tokens; what `plan frontier --json` prints."""
        from planner.explore.frontier import frontier, room_of
        from planner.report.results import frontier_result

        room = room_of(self.problem)
        return frontier_result(frontier(self.problem, x, y, points, room), room)

    def relaxations(self) -> Result:
        """The smallest change of each limit, and of all together, that allows a plan; empty where one exists."""
        from planner.report.relaxations import print_relaxations

        document = self.solve()
        data = {"format_version": FORMAT_VERSION, "relaxations": document.data()["relaxations"]}
        return Result(data, partial(print_relaxations, document))

    def sensitivity(self) -> Result:
        """What a little more of each limit would change."""
        from planner.report.console import print_report
        from planner.report.sensitivity import rule_lines, worth_lines

        document = self.solve()
        data = {"format_version": FORMAT_VERSION} | {key: document.data()[key] for key in ("limits", "rules")}
        lines = (*worth_lines(document.sensitivity), *rule_lines(document.rules))
        return Result(data, partial(print_report, *lines))

    def alternatives(self, within: float = 0.05) -> Result:
        """Plans of another kind within a share of the optimum; what `plan alternatives --json` prints."""
        from planner.explore.alternatives import kinds
        from planner.report.results import alternatives_result

        return alternatives_result(self.problem, kinds(self.problem, within))

    def scale(
        self, gpus: str | None = None, *, accelerator: str | None = None, phase: str | None = None, weak: bool = False
    ) -> Result:
        """The fastest layout on each of several numbers of GPUs; what `plan scale --json` prints."""
        from planner.explore.gpu_counts import parse_gpu_counts
        from planner.explore.scaling import scaling
        from planner.report.results import scaling_result

        counts = None if gpus is None else parse_gpu_counts(gpus)
        kind: Literal["weak", "strong"] = "weak" if weak else "strong"
        return scaling_result(scaling(self.problem, counts, accelerator=accelerator, phase=phase, kind=kind))

    def replay(self, runs: int = 1000, seed: int = 1) -> Result:
        """The plan run by run against generated capacity; what `plan replay --json` prints. Raises InputError."""
        from planner.report.replay import Replay
        from planner.report.replay_result import replay_result
        from planner.simulate.job import job_of
        from planner.simulate.replay import replay as replayed

        job = job_of(self.solve())
        return replay_result(Replay(job, replayed(job, job.policies(), runs=runs, seed=seed), runs, seed, ()))


def load_problem(path_or_text: str | Path, overrides: Mapping[str, object] | None = None) -> Problem:
    """The problem in a file, or in YAML text of more than one line, or in an answer's JSON; `-` is standard input.

    `overrides` are what `--set` takes: `{"limits.budget": "$1k"}`. Raises InputError with every issue.
    """
    return named_problem(_document(path_or_text, overrides))


def estimate(run: Run | str | Path, overrides: Mapping[str, object] | None = None) -> Result:
    """Parameters, FLOPs, memory, time and cost of one exact layout; what `plan estimate --json` prints.

    `run` is a run, its file or its text. Raises InputError.
    """
    from planner.catalog.calibration import calibration_from
    from planner.estimator.estimate import estimate as estimated
    from planner.report.estimate_result import estimate_result

    exact = run if isinstance(run, Run) else Run.of(_document(run, overrides))
    with exact.at("calibration"):
        record = calibration_from(exact.calibration, exact.base_directory)
    found = estimated(exact, record)
    return estimate_result(found)


def _document(path_or_text: str | Path, overrides: Mapping[str, object] | None) -> Document:
    """The document in a file or in text, with overrides."""
    sets = sets_of(overrides or {})
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        return with_overrides(parse_document(path_or_text, "text", Path()), sets)
    return read_document(path_or_text, sets)


def sets_of(overrides: Mapping[str, object]) -> tuple[str, ...]:
    """Overrides as `--set` takes them."""
    return tuple(
        f"{key}={value if isinstance(value, str) else json.dumps(value, default=str)}"
        for key, value in overrides.items()
    )


def _but_for_limits(problem: Problem) -> dict[str, object]:
    """All that decides which layouts there are and how fast they run."""
    free = dict.fromkeys(("deadline", "budget", "gpus"))
    return problem.model_copy(update={"limits": problem.limits.model_copy(update=free)}).model_dump()
