"""`plan/1`: one training job, where it may run, and within which limits, for `plan solve`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

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
from planner.problem.document import dotted, read_document
from planner.problem.json_schema import described
from planner.problem.objective import (
    DEADLINE_SCHEMA,
    EXPECTED_COST,
    OBJECTIVE_SCHEMA,
    Lateness,
    Objective,
    Preference,
    lateness_rules,
    preference_rules,
    split_deadline,
    split_objective,
)
from planner.problem.own_offer import OwnOffer
from planner.problem.pins import DegreePin, ZeroPin
from planner.problem.quantities import (
    AcceleratorReference,
    Bandwidth,
    Batch,
    CalibrationFile,
    Discounts,
    Duration,
    Factor,
    Grants,
    Money,
    Name,
    Percentile,
    Reference,
    Share,
    Tokens,
    TransferPrice,
    batch_in_sequences,
)
from planner.problem.run import Recompute, Run, parse_recompute, recompute_as_written
from planner.problem.schema_base import Rule, RulesBrokenError, SchemaFile, SchemaModel
from planner.problem.training import MEMORY_CONFIDENCE, Training

Purchase = Literal["on_demand", "spot", "reserved"]


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


class Moving(SchemaModel):
    """What it takes when a phase begins in another place than the one before: checkpoint and data are carried over."""

    bandwidth: Bandwidth = 1.25e9
    """Between places, such as `10 Gb/s`; default 10 Gb/s."""
    egress: TransferPrice | None = None
    """Price of what leaves a place, such as `$0.09/GB`; default: what its cloud asks for, nothing for own offers."""


class Quota(SchemaModel):
    """A limit that several offers share."""

    of: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]
    """The clouds, regions, zones, instance types, accelerators or own offers that share it."""
    within: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] | None = None
    """Of these only what is in one of these clouds, regions or zones; default: wherever they are."""
    purchase: Literal["on_demand", "spot"] | None = None
    """The way to buy that it counts; default: every one. Where fewer nodes may be bought on demand than otherwise, a
    job takes no more than those, or none on demand."""
    gpus: Annotated[int, Field(ge=0, le=10_000_000, strict=True, examples=[512])]
    """Most devices of all of them together at a time; 0: none."""


class Market(SchemaModel):
    """Where the job may run and how it may be paid."""

    accelerators: Annotated[tuple[AcceleratorReference, ...], Field(min_length=1, max_length=1000)] | None = None
    """Accelerators to consider; default: every one in the catalogs."""
    clouds: Annotated[tuple[Name, ...], Field(max_length=1000)] | None = None
    """Clouds to consider; default: every one in the catalogs; `[]`: none, only the problem's own offers."""
    regions: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] | None = None
    """Regions of the catalogs' clouds to consider; default: every one."""
    exclude: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """What not to consider: clouds, regions, zones, instance types, accelerators or own offers; default: nothing."""
    peer_to_peer: bool = False
    """Whether hosts of private persons and small firms are considered (Vast.ai); default: only where `clouds` names
    their marketplace."""
    purchase: Annotated[tuple[Purchase, ...], Field(min_length=1, max_length=3)] = ("on_demand",)
    """Ways to buy: on_demand, spot, reserved; default on_demand."""
    offers: Annotated[tuple[OwnOffer, ...], Field(max_length=1000)] = ()
    """Own prices and quotas, beside the catalogs' offers; default: none."""
    spot_price: Factor = 1.0
    """Factor on all spot prices, such as `×1.5`; default 1."""
    together: bool = False
    """Whether all phases stay in one place with one accelerator and one way to buy; default: each may have its own.
    Under `objective: tokens` they always stay."""
    moving: Moving = Moving()
    """What moving from one place to another takes."""
    prices: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    """Books of own prices that `plan prices import` wrote, laid over the catalogs' offers, the first before the next:
    paths beside the problem, or `user` for the one in the user's configuration folder; default: none."""
    discounts: Discounts | None = None
    """Shares off the catalogs' prices by place, such as `{aws: 22%, gcp/TPUv5p: 30%}`; default: none."""
    quotas: Annotated[tuple[Quota, ...], Field(max_length=1000)] = ()
    """Quotas that offers share, such as `[{of: [us-east-1, ours], gpus: 512}]`; default: none."""
    committed: Annotated[dict[Name, Money], Field(min_length=1, max_length=1000)] | None = None
    """What is paid already, whatever is decided, by what it was paid for, such as `{2026 reservation: $310k}`: told
    beside the bill, in which it is not; default: nothing."""
    capacity: Grants | None = None
    """Nodes that the catalogs' clouds grant at a time in one zone, such as `{aws: 256, gcp/B200-SXM: 512, any: 64}`, or
    `unlimited`; default: what clouds are known or assumed to sell without a contract."""

    @property
    def is_dated(self) -> bool:
        """Whether it matters on which days something runs: an own offer changes in time."""
        return any(offer.is_dated for offer in self.offers)

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if self.clouds == () and not self.offers:
            yield Rule(("market", "clouds"), "no clouds and no own offers: nothing can be bought", "add market.offers")
        yield from _repeated(("market", "offers"), [offer.name for offer in self.offers])
        for index, offer in enumerate(self.offers):
            for rule in offer.broken_rules():
                yield Rule(("market", "offers", index, *rule.path), rule.message, rule.fix)


MOST_CONFIDENT = 0.9999
"""Beyond, nothing that is known of spot nodes or memory says anything."""
LARGEST_CLUSTER: Final = 1_048_576
"""Most devices that `limits.gpus` may state."""


class Limits(SchemaModel):
    """What the plan must keep to; each is one constraint that can be relaxed, priced and explained."""

    deadline: Annotated[Duration | None, WithJsonSchema(DEADLINE_SCHEMA)] = None
    """Longest wall time of all phases together, such as `60d`; default: none.
    `{at: 60d, late: $50k/day}` may be missed at that cost, for `objective: expected cost`."""
    lateness: Lateness | None = None
    """The same cost of missing it written apart: `{at: 60d, late: $50k/day}`; default: none."""
    budget: Money | None = None
    """Highest cost, such as `6 MUSD`; default: none."""
    gpus: Annotated[int, Field(ge=1, le=LARGEST_CLUSTER, strict=True, examples=[1024])] | None = None
    """Most devices at a time; default: what the offers have, searched up to 65,536."""
    memory_headroom: Share = 0.1
    """Share of the device memory that stays free of the expected peak; default 10%."""
    memory_confidence: Share = MEMORY_CONFIDENCE
    """Probability with which the real peak must fit the device, from 50%; default 90%."""
    growth: Factor = 1.0
    """The plan must still hold for a model so many times larger, such as `2x`; default 1."""

    @model_validator(mode="before")
    @classmethod
    def _deadline_is_split(cls, data: object) -> object:
        return split_deadline(data)

    def broken_rules(self) -> Iterator[Rule]:
        """The rules on single limits that their types do not state."""
        if self.growth < 1:
            yield Rule(("limits", "growth"), "growth must be at least 1x", "write growth: 2x")
        if self.memory_headroom >= 1:
            yield Rule(("limits", "memory_headroom"), "a headroom of 100% leaves no memory", "write 10%")
        if not 0.5 <= self.memory_confidence <= MOST_CONFIDENT:
            message = f"memory_confidence must be from 50% to {MOST_CONFIDENT:.2%}"
            yield Rule(("limits", "memory_confidence"), message, "write memory_confidence: 90%")
        if self.budget == 0:
            yield Rule(("limits", "budget"), "a budget of nothing buys nothing", "leave budget out or write $500k")


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


class Risk(SchemaModel):
    """How sure the plan must be."""

    confidence: Share | None = None
    """Probability with which the deadline must be met, such as `95%`, from 50%; default: met by expected values."""
    counts: Literal["everything", "luck"] = "everything"
    """What `confidence` counts: `everything`, which is failures, spot nodes that go, and the estimate's own error, or
    `luck` without that error; default everything."""
    spare_nodes: Share = 0.0
    """Nodes bought on top to replace failed ones, as a share of those in use; default 0%."""
    spot_price: Percentile | None = None
    """Which percentile of a spot price's history to plan with, such as `p90`; default: the catalog's price."""

    def broken_rules(self) -> Iterator[Rule]:
        """The rules on single keys that their types do not state."""
        if self.confidence is not None and not 0.5 <= self.confidence <= MOST_CONFIDENT:
            message = f"confidence must be from 50% to {MOST_CONFIDENT:.2%}"
            yield Rule(("risk", "confidence"), message, "write confidence: 95%")


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

    def with_hard_deadline(self) -> Self:
        """The problem itself, for questions that know no cost of being late. Raises InputError where it states one."""
        if self.limits.lateness is None:
            return self
        message = f"only plan solve weighs the cost of being late ({EXPECTED_COST})"
        fix = "state limits.deadline: 60d and objective: cost for this question"
        raise InputError(message, place=self.place("objective"), fix=fix)

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
    yield from _repeated(("training", "phases"), [phase.name for phase in problem.training.phases])
    limits = problem.limits
    is_limited = limits.deadline is not None or (problem.schedule is not None and problem.schedule.deadline is not None)
    if problem.risk.confidence is not None and not is_limited:
        yield Rule(("risk", "confidence"), "risk.confidence requires limits.deadline", "add limits.deadline")
    if problem.preference is not None:
        yield from preference_rules(problem.objective, problem.preference)
    yield from _calendar_rules(problem)
    yield from lateness_rules(limits.lateness, problem.preference)
    if problem.objective == "tokens" and limits.budget is None and not is_limited:
        yield Rule(("objective",), "the most tokens without budget or deadline are endless", "add limits.budget")


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


def _repeated(path: tuple[str, ...], names: list[str]) -> Iterator[Rule]:
    """A rule for every name that a list has twice."""
    counts = Counter(names)
    for index, name in enumerate(names):
        if counts[name] > 1 and names.index(name) < index:
            yield Rule((*path, index), f"{dotted(path)} has {name!r} twice", "give each a name of its own")
