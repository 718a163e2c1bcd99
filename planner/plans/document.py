"""`PlanDocument`: an answer as typed, versioned data with the whole problem inside, which is all that readers need.

The JSON of `plan solve --json`. Money is a decimal string, every other figure a number in the unit that its name ends
in. Keys of a newer release are kept as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import ValidationError

from planner.errors import InputError, Place
from planner.files import ANSWER_FIX, LARGEST_ANSWER, read_given, read_whole
from planner.plans.document_parts import (
    AssumptionPart,
    CatalogPart,
    DecidingPricePart,
    GrantPart,
    LimitPart,
    ModelPart,
    Objective,
    Part,
    PinBlamePart,
    RelaxationPart,
    RuledOutPart,
    RulePart,
    SensitivityPart,
    SoftwarePart,
    SolverPart,
    SpotTurningPart,
)
from planner.plans.frames import frame_of
from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import (
    AlternativePart,
    BetterWithGrantPart,
    EstimatePart,
    ExpectedCostPart,
    NearOptimalPart,
    PlanPart,
)
from planner.problem.document import parse_document
from planner.problem.problem import Problem
from planner.units import format_duration, format_money

FORMAT_VERSION: Final = 1


class PlanDocument(Part):
    """The answer to a problem, with the problem in it."""

    format_version: int
    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    objective: Objective
    plan: PlanPart | None
    estimate: EstimatePart | None
    alternatives: tuple[AlternativePart, ...]
    limits: tuple[LimitPart, ...]
    needs_grant: GrantPart | None = None
    """What must be granted before the plan can be had: nothing within what is sold without a contract does the job."""
    better_with_grant: BetterWithGrantPart | None = None
    near_optimal: tuple[NearOptimalPart, ...] = ()
    expected_costs: tuple[ExpectedCostPart, ...] = ()
    """Under `objective: expected cost` the best plan of each accelerator, the best first."""
    notes: tuple[str, ...] = ()
    """How sure the plan's figures are and what they rest on, in sentences."""
    assumed: tuple[AssumptionPart, ...] = ()
    sensitivity: tuple[SensitivityPart, ...] = ()
    """What a little more of each limit brings; `worth` of a stated limit is the same."""
    rules: tuple[RulePart, ...] = ()
    """What loosening memory, growth, a pin, or the nodes of an own offer would bring."""
    ruled_out: tuple[RuledOutPart, ...] = ()
    """Every accelerator and why it has no plan, where none has."""
    pins_to_blame: tuple[PinBlamePart, ...] = ()
    relaxations: tuple[RelaxationPart, ...]
    solver: SolverPart
    catalog: CatalogPart
    spot_turning_point: SpotTurningPart | None
    deciding_price: DecidingPricePart | None = None
    left_out: tuple[str, ...]
    """What there was no time to ask."""
    problem: dict[str, Any]
    """The problem as its file would state it, overrides applied and defaults filled in."""
    model: ModelPart
    software: SoftwarePart

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The document in a file. Raises InputError."""
        return cls.parsed(read_whole(path, LARGEST_ANSWER, fix=ANSWER_FIX), Place(str(path)))

    @classmethod
    def given(cls, path: str) -> Self:
        """The document in what a user gives a command: a file, or standard input for `-`. Raises InputError."""
        return cls.parsed(read_given(path, LARGEST_ANSWER, fix=ANSWER_FIX), Place(path))

    @classmethod
    def parsed(cls, content: bytes | str, place: Place | None = None) -> Self:
        """The document in JSON text. Raises InputError."""
        try:
            return cls.of(json.loads(content), place)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not a plan in JSON: {error}"[:200], place=place, fix=ANSWER_FIX) from None

    @classmethod
    def of(cls, data: object, place: Place | None = None) -> Self:
        """The document that plain data holds. Raises InputError."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(_not_a_plan(error), place=place, fix=ANSWER_FIX) from None

    @property
    def name(self) -> str:
        """What the job is called."""
        return str(self.problem.get("name") or self.model.name)

    @property
    def start(self) -> date | None:
        """The day from which times count, where the problem states it."""
        schedule = self.problem.get("schedule")
        return date.fromisoformat(schedule["start"]) if schedule else None

    @cached_property
    def asked(self) -> Problem:
        """The problem that it answers. Raises InputError."""
        text = json.dumps(self.problem)
        return Problem.of(parse_document(text, "the problem in the answer", Path()))

    def data(self) -> dict[str, Any]:
        """The document as plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def _repr_html_(self) -> str:
        """The answer as a table in a notebook."""
        return html_of(self.facts())

    def facts(self) -> Iterator[tuple[str, str]]:
        """The answer in a few lines of name and value."""
        yield "status", self.status
        if self.plan is None:
            yield from (("relaxation", f"{one.limit}: {one.then or 'no amount helps'}") for one in self.relaxations)
            return
        plan = self.plan
        yield "plan", f"{plan.gpus:,} × {plan.accelerator}"
        yield "place", ", ".join(filter(None, (plan.placement.cloud, plan.placement.zone or plan.placement.region)))
        yield "time", format_duration(plan.wall_seconds)
        yield "cost", format_money(plan.cost_usd)
        for line in plan.purchases:
            bought = f"{line.nodes:,} nodes {line.kind.replace('_', '-')} for {line.hours:,.1f} h"
            yield f"bill, {line.phase}", f"{bought}: {format_money(line.cost_usd)}"
        for phase in plan.phases:
            yield f"layout, {phase.name}", layout_in_words(phase)

    def to_json(self) -> str:
        """The text that `plan solve --json` prints."""
        return json.dumps(self.data(), indent=2, ensure_ascii=False)

    def to_frame(self) -> Any:  # noqa: ANN401  (pandas is no dependency)
        """The lines of the bill as a pandas data frame, empty without a plan. Raises InputError without pandas."""
        return frame_of([one.model_dump() for one in self.plan.purchases] if self.plan else [])


def _not_a_plan(error: ValidationError) -> str:
    """What is wrong with data that is no document."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])[:100]
    return f"not a plan: {where}: {first['msg']}" if where else "not a plan"


def layout_in_words(phase: PhasePart) -> str:
    """Degrees above one, micro-batch and step of a phase."""
    degrees = ("data", "tensor", "pipeline", "virtual_pipeline", "context", "expert", "expert_tensor")
    values = {name: getattr(phase, name) for name in degrees}
    cut = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value > 1)
    shared = f", states over groups of {phase.shard}" if phase.sharding_groups > 1 else ""
    return f"{cut or 'one device'}{shared}; micro-batch {phase.micro_batch}, step {format_duration(phase.step_seconds)}"


def html_of(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values as a table, with nothing in them read as markup."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table>{rows}</table>"


def answer_schema() -> dict[str, Any]:
    """The JSON schema of answers."""
    schema = PlanDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
