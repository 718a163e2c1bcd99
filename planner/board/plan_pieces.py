"""The answer to a problem in pieces: read off a table of plans, or found and proven as `plan solve` does."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planner.board.answers import around, headline, relaxation, scenario_column, sections, stated_worth, worth_lines
from planner.board.charts import certainty_spec, frontier_spec
from planner.board.controls import Steps, controls, steps_along
from planner.board.given import Given, GivenFile
from planner.board.replay_pieces import replayed
from planner.board.state import Scenario
from planner.board.work import Pieces, Request, Shown, Work
from planner.clock import Clock
from planner.explore.answer import Answer, enumerated
from planner.explore.capacity import grant_for, ungranted
from planner.explore.evaluations import Evaluations, KeptRoom, setting_key
from planner.explore.frontier import frontier
from planner.explore.lookup import CostCurve, Lookup, curve_of, is_looked_up
from planner.explore.relaxations import each_relaxation
from planner.explore.room import Room
from planner.explore.surroundings import Surroundings
from planner.explore.time_budget import TimeBudget
from planner.plans.document import PlanDocument
from planner.plans.document_parts import RelaxationPart
from planner.problem.problem import Problem
from planner.report.document.answer import answer_document
from planner.report.document.around import relaxation_part
from planner.report.relaxations import reason_of
from planner.session import Session

MOST_CONFIDENT_OPTIONS: Final = 40
"""Purchase options up to which a table is made under `risk.confidence`, where far more rows are undominated."""
FRONTIER_POINTS: Final = 40
"""Points of a frontier that is searched for."""


@dataclass(frozen=True)
class ShownPlan(Shown):
    """An answer to a problem."""

    document: PlanDocument
    curve: CostCurve | None
    """The trade-off between cost and time, once it is known."""


@dataclass
class PlanAnswerer:
    """Answers to problem files; layouts and tables of lately asked settings are kept."""

    files: Sequence[GivenFile]
    shown: ShownPlan | None = None
    evaluations: Evaluations = field(default_factory=Evaluations)
    searched: tuple[str, Room] | None = None
    """The setting that was searched last, with its layouts."""

    def setting(self, request: Request) -> str:
        """What the evaluation of layouts depends on. Raises InputError."""
        return setting_key(self._problem(request.state.scenario))

    def _problem(self, scenario: Scenario) -> Problem:
        given = self.files[scenario.problem]
        assert isinstance(given, Given)  # noqa: S101  (the solver asks for problems alone)
        return given.problem(scenario.changes)

    def pieces(self, work: Work) -> Pieces:
        """Every piece of the answer, the most wanted first. Raises InputError, OutOfTimeError, and for bugs others."""
        problem = self._problem(work.request.state.scenario)
        if not self._has_table(problem, work.clock):
            yield from self._searched(work, problem)
            return
        evaluated = self.evaluations.of(problem, work.clock)
        if evaluated.known_tables is None:
            yield "answer", headline(answer_document(enumerated(problem, evaluated.choices_for(problem))))
            yield "controls", self._controls(work, problem, {})
            yield "progress", "listing plans"
        yield from self._looked_up(work, Lookup.of(problem, evaluated, work.clock))

    def _has_table(self, problem: Problem, clock: Clock) -> bool:
        """Whether answers are looked up; the layouts are evaluated then. Raises InputError and OutOfTimeError."""
        if not is_looked_up(problem):
            return False
        options = self.evaluations.of(problem, clock).choices.purchase_options
        return problem.risk.confidence is None or len(options) <= MOST_CONFIDENT_OPTIONS

    def _looked_up(self, work: Work, lookup: Lookup) -> Pieces:
        """The pieces that a table holds."""
        answer, problem, curve = lookup.answer(), lookup.problem, lookup.curve()
        document = self._shows(work, answer_document(answer), curve)
        yield "answer", headline(document)
        worth = dict(worth_lines(lookup, document.plan)) if document.plan else {}
        spec = frontier_spec(curve, problem, document.plan)
        yield "around", around(document, worth, spec)
        yield "controls", self._controls(work, problem, steps_along(curve, lookup.gpus))
        sensitivities = tuple(lookup.sensitivities(answer.plan)) if answer.plan else ()
        answer = lookup.with_alternatives(answer)
        document = self._shows(work, answer_document(answer, Surroundings(worth=sensitivities)), curve)
        yield "around", around(document, worth, spec)
        if answer.plan is None and (granted := self._granted(work, lookup)):
            answer, document = granted
            self._shows(work, document, curve)
            yield "answer", headline(document)
        room = None if answer.plan else KeptRoom.of(problem, self.evaluations, TimeBudget(work.clock))
        yield from self._ending(work, answer, document, room)

    def _granted(self, work: Work, lookup: Lookup) -> tuple[Answer, PlanDocument] | None:
        """The best plan if every cloud granted what is asked for, with its condition; None where there is none."""
        wider = ungranted(lookup.problem)
        if wider is None:
            return None
        found = Lookup.of(wider, self.evaluations.of(wider, work.clock), work.clock).answer()
        if found.plan is None:
            return None
        grant = grant_for(lookup.problem, found.plan)
        return found, answer_document(replace(found, asked=lookup.problem), Surroundings(grant=grant))

    def _searched(self, work: Work, problem: Problem) -> Pieces:
        """The pieces of an answer that is searched for and proven."""
        key = f"{problem.objective} {setting_key(problem)}"
        work.end_with_any()
        yield "progress", "evaluating layouts"
        known = self.searched[1] if self.searched and self.searched[0] == key else None
        session = Session(problem, clock=work.clock, progress=work.tell, room=known)
        found = session.found
        self.searched = key, session.room
        document = self._shows(work, answer_document(found), None)
        if not problem.weighs_chance:
            yield "answer", headline(document)
        if found.plan is None and not problem.weighs_chance:
            yield "around", around(document, {}, None)
            yield "controls", self._controls(work, problem, {})
            document = yield from self._relaxed(work, document, session.room)
        else:
            found, document = session.answered.answer, self._shows(work, session.solve(), None)
            yield "answer", headline(document)
            yield from (("relaxation", relaxation(one)) for one in document.relaxations)
            if found.plan is None:
                yield "reason", reason_of(document)
        yield from self._with_frontier(work, session, document)
        yield from self._ending(work, found, document)

    def _with_frontier(self, work: Work, session: Session, document: PlanDocument) -> Pieces:
        """The worth of limits, and the frontier of cost and time unless tokens are maximised or chance is weighed."""
        problem, worth = session.problem, dict(stated_worth(document))
        yield "around", around(document, worth, None)
        yield "controls", self._controls(work, problem, {})
        if problem.objective == "tokens" or problem.weighs_chance:
            return
        yield "progress", "looking for the frontier"
        curve = curve_of(frontier(problem, "cost", "time", FRONTIER_POINTS, session.room))
        self._shows(work, document, curve)
        yield "around", around(document, worth, frontier_spec(curve, problem, document.plan))
        yield "controls", self._controls(work, problem, steps_along(curve, [one.gpus for one in curve.points]))

    def _ending(self, work: Work, answer: Answer, document: PlanDocument, room: Room | None = None) -> Pieces:
        """What comes last: the views, the smallest relaxations where a room for them is given, and a replay."""
        scenario, plan = work.request.state.scenario, answer.plan
        yield "sections", sections(document, certainty_spec(plan, answer.problem) if plan else None)
        yield "column", scenario_column(work.given, scenario.changes, document)
        if plan is None and room is not None:
            yield from self._relaxed(work, document, room)
        yield "done", None
        work.end_with_any()
        if plan is not None:
            work.rest()
            yield from replayed(document, work.clock)

    def _controls(self, work: Work, problem: Problem, steps: Steps) -> list[dict[str, Any]]:
        assert isinstance(work.given, Given)  # noqa: S101  (the solver asks for problems alone)
        return controls(work.given, work.request.sets, problem, steps)

    def _shows(self, work: Work, document: PlanDocument, curve: CostCurve | None) -> PlanDocument:
        """Keeps a document for exports."""
        self.shown = ShownPlan(work.request.version, work.given, work.request.sets, document, curve)
        return document

    def _relaxed(
        self, work: Work, document: PlanDocument, room: Room
    ) -> Generator[tuple[str, Any], None, PlanDocument]:
        """The smallest relaxations, one after another; returns the document with them."""
        work.end_with_any()
        yield "progress", "looking for the smallest relaxations"
        found: list[RelaxationPart] = []
        for one in each_relaxation(room):
            found.append(relaxation_part(one))
            yield "relaxation", relaxation(found[-1])
        document = document.model_copy(update={"relaxations": tuple(found)})
        if self.shown is not None:
            self.shown = replace(self.shown, document=document)
        yield "reason", reason_of(document)
        return document

    def column(self, scenario: Scenario) -> dict[str, Any]:
        """The answer of a pinned scenario in short. Raises InputError."""
        problem, clock = self._problem(scenario), Clock()
        if self._has_table(problem, clock):
            found = Lookup.of(problem, self.evaluations.of(problem, clock), clock)
            document = answer_document(found.answer())
        else:
            document = Session(problem, clock=clock).solve()
        return scenario_column(self.files[scenario.problem], scenario.changes, document)
