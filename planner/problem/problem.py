"""`plan/1`: one training job, where it may run, and within which limits, for `plan solve`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from planner.errors import InputError
from planner.problem.calendar import ScheduleDates
from planner.problem.document import read_document
from planner.problem.json_schema import described
from planner.problem.limits import Limits, Risk
from planner.problem.market import Market, repeated
from planner.problem.objective import (
    EXPECTED_COST,
    OBJECTIVE_SCHEMA,
    Objective,
    Preference,
    lateness_rules,
    preference_rules,
    split_objective,
)
from planner.problem.pins import DegreePin, ZeroPin
from planner.problem.quantities import (
    Batch,
    CalibrationFile,
    Name,
    Reference,
    Tokens,
    batch_in_sequences,
)
from planner.problem.run import Recompute, Run, parse_recompute, recompute_as_written
from planner.problem.schema_base import Rule, RulesBrokenError, SchemaFile, SchemaModel
from planner.problem.training import Training


class Phase(SchemaModel):
    """A stretch of the training with its own batch and sequence length, and its own layout and node count."""

    name: Name = "train"
    """What the phase is called; default train."""
    tokens: Tokens
    """Tokens of the phase, such as `14.8T`; under `objective: tokens` those of the first phase are maximised."""
    sequence_length: Annotated[int, Field(ge=1, le=100_000_000, strict=True, examples=[4096])]
    """Tokens per sequence."""
    global_batch: Batch
    """Sequences per optimizer step; tokens where it says so, such as `4M tokens`."""

    @model_validator(mode="before")
    @classmethod
    def _batch_is_in_sequences(cls, data: object) -> object:
        return batch_in_sequences(data)


_PHASES = "[{name: pretrain, tokens: 1T, sequence_length: 4096, global_batch: 1024}]"


class ProblemTraining(Training):
    """How the model is trained, in one or more phases."""

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=50, examples=[_PHASES])]
    """The phases, one after another; each may get its own layout and node count."""


def _recompute_choices(value: object) -> tuple[Recompute, ...]:
    """One recompute choice or a list of them."""
    values = value if isinstance(value, list) and value else [value]
    return tuple(dict.fromkeys(parse_recompute(item) for item in values[:100]))


def _written_recompute(choices: tuple[Recompute, ...]) -> list[str | dict[str, int]]:
    """The choices as a file lists them."""
    return [recompute_as_written(one) for one in choices]


_KIND = {"enum": ["none", "selective", "full"]}
RecomputePin = Annotated[
    tuple[Recompute, ...],
    PlainValidator(_recompute_choices),
    PlainSerializer(_written_recompute, when_used="json"),
    WithJsonSchema({"anyOf": [_KIND, {"type": "object"}, {"type": "array"}], "examples": ["selective"]}),
]


class LayoutPins(SchemaModel):
    """Optional pins and bounds on any degree: `16`, `"<=8"`, `">=2"` or `[4, 8]`; default: any value."""

    tensor: DegreePin | None = None
    """Tensor-parallel degree."""
    pipeline: DegreePin | None = None
    """Pipeline stages."""
    context: DegreePin | None = None
    """Context-parallel degree."""
    expert: DegreePin | None = None
    """Expert-parallel degree."""
    data: DegreePin | None = None
    """Data-parallel replicas."""
    micro_batch: DegreePin | None = None
    """Sequences per micro-batch."""
    virtual_pipeline: DegreePin | None = None
    """Virtual stages per device."""
    recompute: RecomputePin | None = None
    """Recompute choice, or a list of those allowed: none, selective, full, `{full_layers: n}`."""
    zero: ZeroPin | None = None
    """ZeRO stage, 0 to 3."""
    shard: DegreePin | None = None
    """Devices that states are sharded over, repeated between such groups (HSDP); data · context where it is all."""
    expert_tensor: DegreePin | None = None
    """Tensor-parallel degree inside an expert."""


class Problem(SchemaFile):
    """One training job, where it may run, and within which limits."""

    format: Annotated[Literal["plan/1"], Field(alias="schema")]
    """Always `plan/1`."""
    name: Annotated[str, Field(max_length=200, examples=["DeepSeek-V3"])] = ""
    """What the job is called; default: the model's name."""
    model: Reference
    """A name in the model catalog, the path of a Hugging Face `config.json`, or the architecture inline."""
    training: ProblemTraining
    calibration: CalibrationFile | None = None
    """A file that `plan learn` or `plan calibrate` wrote, such as `ours.toml`; default: the catalog's calibration."""
    schedule: ScheduleDates | None = None
    """When the job can begin and must have ended, in days of the calendar; default: times without dates."""
    market: Market = Market()
    limits: Limits = Limits()
    layout: LayoutPins = LayoutPins()
    risk: Risk = Risk()
    objective: Annotated[Objective, WithJsonSchema(OBJECTIVE_SCHEMA)] = "cost"
    """What is best: the lowest cost, the shortest time, or the most tokens of the first phase; default cost.
    `expected cost` adds what being late costs by expectation, with a deadline `{at: 60d, late: $50k/day}`.
    A mapping adds what decides among plans that are about as good: `{cost, within: 1%, then: time}`, or
    `{cost, value_of_day: $20k}`."""
    preference: Preference | None = None
    """The same written apart: `{within: 1%, then: time}`; default: the objective alone decides."""

    _stated_deadline: float | None = PrivateAttr(default=None)
    """`limits.deadline` as it was written, where `schedule.deadline` is tighter and takes its place."""

    @model_validator(mode="before")
    @classmethod
    def _objective_is_split(cls, data: object) -> object:
        return split_objective(data)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if broken := list(_broken_rules(self)):
            raise RulesBrokenError(broken)
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _day_binds(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """The problem with `schedule.deadline` as its limit on time, where that is the tighter one."""
        stated = handler(data)
        until, deadline = stated.schedule.seconds if stated.schedule else None, stated.limits.deadline
        if until is None or (deadline is not None and deadline <= until):
            return stated
        found = stated.model_copy(update={"limits": stated.limits.model_copy(update={"deadline": until})})
        found._stated_deadline = deadline  # noqa: SLF001  (its own)
        return found

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The problem as it was written: with `limits.deadline` only where that was stated."""
        limits = self.limits.model_copy(update={"deadline": self.stated_deadline})
        written: dict[str, Any] = handler(self.model_copy(update={"limits": limits}))
        return written

    def with_hard_limits(self) -> Self:
        """The problem itself, for questions that know neither a cost of being late nor a sure budget.

        Raises InputError where it states one.
        """
        if self.risk.budget_confidence is not None:
            message = "only plan solve weighs how surely the budget holds"
            fix = "leave out risk.budget_confidence for this question"
            raise InputError(message, place=self.place("risk", "budget_confidence"), fix=fix)
        if self.limits.lateness is None:
            return self
        message = f"only plan solve weighs the cost of being late ({EXPECTED_COST})"
        fix = "state limits.deadline: 60d and objective: cost for this question"
        raise InputError(message, place=self.place("objective"), fix=fix)

    @property
    def weighs_chance(self) -> bool:
        """Whether a plan is chosen by how likely it is late, or beyond its budget."""
        return self.limits.lateness is not None or self.risk.budget_confidence is not None

    @property
    def stated_deadline(self) -> float | None:
        """`limits.deadline` as it was written."""
        return self._stated_deadline if self.is_bound_by_day else self.limits.deadline

    @property
    def is_bound_by_day(self) -> bool:
        """Whether `schedule.deadline` is what limits the time."""
        return self.schedule is not None and self.schedule.seconds == self.limits.deadline is not None


def load_problem(path: str | Path, sets: Iterable[str] = ()) -> Problem:
    """Reads a problem file (`-`: standard input) with `--set` overrides. Raises InputError with every issue."""
    return Problem.of(read_document(path, sets))


def json_schema(kind: Literal["problem", "run"] = "problem") -> dict[str, Any]:
    """The JSON schema of problem or run files, with every key's description and examples, for editors."""
    root: type[Problem | Run] = Problem if kind == "problem" else Run
    schema = described(root, SchemaModel)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _broken_rules(problem: Problem) -> Iterator[Rule]:
    """Every rule between several keys that does not hold."""
    for part in (problem.training, problem.market, problem.limits, problem.risk):
        yield from part.broken_rules()
    if problem.schedule is not None:
        yield from problem.schedule.broken_rules()
    yield from repeated(("training", "phases"), [phase.name for phase in problem.training.phases])
    limits = problem.limits
    is_limited = limits.deadline is not None or (problem.schedule is not None and problem.schedule.deadline is not None)
    if problem.risk.confidence is not None and not is_limited:
        yield Rule(("risk", "confidence"), "risk.confidence requires limits.deadline", "add limits.deadline")
    yield from _promised_cost_rules(problem)
    if problem.preference is not None:
        yield from preference_rules(problem.objective, problem.preference)
    yield from _calendar_rules(problem)
    yield from lateness_rules(limits.lateness, problem.preference)
    if problem.objective == "tokens" and limits.budget is None and not is_limited:
        yield Rule(("objective",), "the most tokens without budget or deadline are endless", "add limits.budget")


def _promised_cost_rules(problem: Problem) -> Iterator[Rule]:
    """What a budget that must hold with a probability needs, and what it is not searched together with."""
    key = ("risk", "budget_confidence")
    if problem.risk.budget_confidence is None:
        return
    if problem.limits.budget is None:
        yield Rule(key, "risk.budget_confidence requires limits.budget", "add limits.budget")
    if problem.objective == "tokens" or problem.preference is not None:
        message = "risk.budget_confidence is searched with objective cost or time alone"
        yield Rule(("objective",), message, "write objective: cost or time, or leave out budget_confidence")
    if any(one.is_dated for one in problem.market.offers):
        message = "risk.budget_confidence does not know how delays meet the windows and prices of offers with days"
        yield Rule(key, message, "leave out budget_confidence, or the days of the offers")


def _calendar_rules(problem: Problem) -> Iterator[Rule]:
    """What offers that change in time need, and what is not known of plans with them."""
    dated = [(index, one) for index, one in enumerate(problem.market.offers) if one.is_dated]
    for index, offer in dated:
        if problem.schedule is None:
            message = f"offer {offer.name} has days, and the problem has no first day"
            yield Rule(("market", "offers", index), message, "add schedule: {start: 2027-01-04}")
    if dated and problem.risk.confidence is not None:
        message = "risk.confidence does not know how delays meet the windows and prices of offers with days"
        yield Rule(("risk", "confidence"), message, "leave out confidence, or the days of the offers")
    if dated and problem.objective == "tokens":
        message = "the most tokens are not searched among offers with days"
        yield Rule(("objective",), message, "state the tokens and write objective: cost or time")
