"""`PlanDocument`: an answer as typed, versioned data with the whole problem inside, which is all that readers need.

The JSON of `plan solve --json`. Money is a decimal string, every other figure a number in the unit that its name ends
in. Keys of a newer release are kept as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.errors import InputError, Place
from planner.files import read_at_most
from planner.problem.document import parse_document
from planner.problem.problem import Problem
from planner.units import format_duration, format_money

FORMAT_VERSION: Final = 1
LARGEST: Final = 16 * 2**20
"""Bytes of the largest document that is read."""
FIX: Final = "give what plan solve --out wrote"


class Part(BaseModel):
    """Base of every part: immutable; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, defer_build=True)


Money = Annotated[Decimal, Field(examples=["4539751.06"])]
"""US dollars."""
Amount = Decimal | float | None
"""Money where the unit is USD, a number otherwise."""
Share = Annotated[float, Field(ge=0, le=1)]


class Objective(Part):
    """What was asked for, what was reached, and what no plan beats."""

    name: str
    value: Amount
    bound: Amount
    gap: float | None
    """Distance of value and bound as a share of the value."""


class PlacementPart(Part):
    """Where nodes are."""

    cloud: str
    region: str
    zone: str
    instance_type: str


class Quantiles(Part):
    """5th, 50th and 95th percentile of a time in seconds."""

    p5: float
    p50: float
    p95: float


class MoneyQuantiles(Part):
    """5th, 50th and 95th percentile of a cost."""

    p5: Money
    p50: Money
    p95: Money


class QuantilesMethod(Part):
    """How quantiles were found."""

    method: str
    """`closed forms` or `replay`."""
    runs: int


class SpotPart(Part):
    """What is known or assumed of the place's spot nodes."""

    availability: Share
    preemptions_per_node_day: float
    together: float
    correlation: float
    traced: bool
    """Whether the figures are recorded or stated, not those of a proxy device."""


class SpotGang(Part):
    """All spot nodes of the largest phase at once, in shares of the time."""

    nodes: int
    availability: Share
    availability_range: tuple[float, float]
    recorded_nodes: int
    extrapolated: bool
    wall_seconds_range: tuple[float, float]


class SpotStress(Part):
    """Expected time and cost at half the availability and twice the preemptions of spot nodes."""

    wall_seconds: float
    cost_usd: Money


class CapacityPart(Part):
    """Most nodes that the place has at a time; null without a limit."""

    nodes: int | None
    spot_nodes: int | None
    basis: str
    """`stated`, `granted`, `assumed` or `unlimited`."""


class GrantPart(Part):
    """Nodes that a cloud would have to grant before a plan can be had."""

    cloud: str
    place: str
    kind: str
    """`on-demand` or `spot`."""
    nodes: int
    sold: int
    """Nodes that can be had without a contract."""
    basis: str
    """`published`, `assumed` or `granted`."""
    sets: Annotated[tuple[str, ...], Field(alias="set")]


class BetterWithGrantPart(Part):
    """A better plan, on nodes that would have to be granted."""

    accelerator: str
    placement: PlacementPart
    policy: str
    gpus: int
    nodes: int
    gpu_hours: float
    wall_seconds: float
    cost_usd: Money
    grant: GrantPart


class NearOptimalPart(Part):
    """A plan hardly worse by the objective and much better in one other respect."""

    better_in: Literal["time", "cost", "gpus", "certainty"]
    accelerator: str
    gpus: int
    wall_seconds: float
    cost_usd: Money
    sets: Annotated[tuple[str, ...], Field(alias="set")]
    """The `--set` that makes it the answer."""


class AssumptionPart(Part):
    """One thing that the figures rest on."""

    name: str
    value: str
    stated: bool
    """Whether the problem says so; otherwise it is a default or a figure of the catalogs."""


class PinBlamePart(Part):
    """A pin that leaves a phase without any layout, why, and the nearest values that do not."""

    phase: str
    pin: str
    value: str
    why: str
    nearest: tuple[int, ...]


class Prices(Part):
    """US dollars per node-hour in each way to buy; null: not sold or not asked for."""

    on_demand: Money | None
    spot: Money | None
    reserved: Money | None


class PurchaseLine(Part):
    """One line of the bill: nodes × devices per node × price × hours."""

    phase: str
    """`all` for what is reserved from the first phase to the last."""
    offer: str
    kind: Literal["on_demand", "spot", "reserved"]
    nodes: int
    usd_per_gpu_hour: Money
    hours: float
    """Hours for which each node is paid."""
    cost_usd: Money
    note: str


class MemoryPart(Part):
    """GiB of one device at the peak, by part."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    other: float
    total: float
    limit: float
    """Usable memory of the device."""
    allocated: float
    """What the framework is expected to allocate."""
    reserve: float
    """Of `other`: what the allocator, the driver context and the communication library take on top."""
    expected: float
    """Expected peak: allocated and reserve."""
    margin: float
    """Of `other`: beyond the expectation, for `limits.memory_confidence`."""
    headroom: float
    """What `limits.memory_headroom` keeps free of the expected peak."""
    fits: bool
    """Whether fitting is more likely than not."""
    fit_probability: Share
    """Probability that the real peak is within the limit."""


class PhasePart(Part):
    """One phase: its nodes, layout, speed and memory, and what a launch needs."""

    name: str
    start: date | None = None
    """The day on which it begins; null without a `schedule`."""
    end: date | None = None
    """The day on which it is expected to end."""
    accelerator: str
    placement: PlacementPart
    nodes: int
    """Compute nodes, excluding spares."""
    spare_nodes: int
    gpus: int
    tensor: int
    pipeline: int
    context: int
    expert: int
    data: int
    virtual_pipeline: int
    micro_batch: int
    microbatches: int
    recompute: str | dict[str, int]
    recomputed_layers: int
    """Layers of each pipeline stage whose activations are recomputed in full."""
    layers_per_stage: int
    """Layers of the longest pipeline stage."""
    zero: int
    precision: str
    sequence_length: int
    global_batch: int
    """Sequences per optimizer step."""
    tokens: int
    step_seconds: float
    steps: int
    wall_seconds: float
    checkpoint_seconds: float
    """To write one checkpoint."""
    checkpoint_interval_seconds: float
    """Work between two checkpoints that wastes least."""
    restart_seconds: float
    startup_seconds: float
    mfu: float
    memory: MemoryPart
    time: dict[str, float]
    """Seconds of a step by part."""


class MovePart(Part):
    """Checkpoint and data on their way before a phase."""

    phase: str
    """That begins in the new place."""
    origin: Annotated[PlacementPart, Field(alias="from")]
    target: Annotated[PlacementPart, Field(alias="to")]
    bytes: float
    wall_seconds: float
    usd_per_gb: Money
    cost_usd: Money


class SchedulePart(Part):
    """The days of a plan, as expected; a day counts from its midnight, the last one until the midnight after it."""

    start: date
    """From which times are counted."""
    begin: date
    """The day on which the first phase begins."""
    end: date
    """The day on which the last one ends."""
    deadline: date | None
    """The last day that the tighter of `schedule.deadline` and `limits.deadline` allows."""
    deadline_by: str | None
    """Which of them that is."""
    other_deadline: date | None
    """What the other one allows, where both are stated."""


class MonthPart(Part):
    """What is due in a calendar month."""

    month: str
    """Such as `2027-01`."""
    usd: Money


class QuarterPart(Part):
    """What is due in a calendar quarter."""

    quarter: str
    """Such as `2027-Q1`."""
    usd: Money


class CommittedPart(Part):
    """What is paid already and no part of the bill."""

    name: str
    usd: Money


class SpendPart(Part):
    """The bill by when it is due, and what stands beside it."""

    months: tuple[MonthPart, ...]
    """They add up to the bill; none without a `schedule`."""
    quarters: tuple[QuarterPart, ...]
    idle_usd: Money
    """What of the bill is for reserved hours in which no phase uses the nodes."""
    committed: tuple[CommittedPart, ...]
    """What is paid already, whatever is decided."""


class PlanPart(Part):
    """A plan: where, on what, how, and for how much."""

    accelerator: str
    placement: PlacementPart
    policy: str
    """What is done when spot nodes go: `steady` without any, `wait`, `fallback`, `elastic`."""
    gpus: int
    nodes: int
    gpu_hours: float
    wall_seconds: float
    cost_usd: Money
    probability_in_time: Share | None
    """With all that `counts` says."""
    probability_in_time_luck_only: Share | None = None
    """With failures and preemptions alone, the estimate being right."""
    probability_in_time_with_estimate_error: Share | None
    probability_in_time_with_spot_uncertainty: Share | None = None
    """With the estimate's error and how far the figures of spot nodes are known."""
    wall_seconds_quantiles: Quantiles
    cost_usd_quantiles: MoneyQuantiles
    quantiles_by: QuantilesMethod
    deadline_seconds: float | None
    confidence: float | None
    counts: str = "luck"
    """What probabilities count: `everything`, the estimate's own error too, or `luck`."""
    failures_per_1000_node_days: float
    spot: SpotPart | None
    spot_gang: SpotGang | None
    spot_stress: SpotStress | None = None
    capacity: CapacityPart
    prices: Prices
    committed_seconds: float
    purchases: tuple[PurchaseLine, ...]
    phases: tuple[PhasePart, ...]
    moves: tuple[MovePart, ...] = ()
    """What is carried between places, where phases run in several."""
    schedule: SchedulePart | None = None
    """Null where the problem states no `schedule`."""
    spend: SpendPart | None = None


class LearnedPart(Part):
    """What own runs say of the plan."""

    own_runs: int
    step_factor: float
    """Seconds of a step over what they would be without own runs."""
    deviation_factor: float
    """Width of the prediction interval over what it would be without them."""


class EstimatePart(Part):
    """The prediction interval of a plan's wall time."""

    confidence: float
    log_deviation: float
    log_scale: float | None = None
    """Scale of Student's t with four degrees of freedom that log(real/estimated time) follows."""
    log_median: float | None = None
    """Its median."""
    wall_seconds: tuple[float, float]
    published_runs_on_device: bool
    learned: LearnedPart | None = None
    """What own runs changed; null without a calibration that `plan learn` wrote."""


class AlternativePart(Part):
    """The best plan of another accelerator, or why it has none."""

    accelerator: str
    reason: str
    difference: Amount
    within_error: bool
    estimate: EstimatePart | None
    plan: PlanPart | None


class LimitPart(Part):
    """A limit, what the plan reaches, what it leaves, and what a little more would bring."""

    name: str
    unit: str
    bound: Amount
    value: Amount
    slack: Amount
    worth: dict[str, Any] | None


class RelaxationPart(Part):
    """The smallest change of one limit that allows a plan; `to` is null where no amount helps."""

    limit: str
    unit: str
    before: Annotated[str | float | None, Field(alias="from")]
    after: Annotated[str | float | None, Field(alias="to")]
    delta: str | float | None
    then: str | None
    sets: Annotated[tuple[str, ...], Field(alias="set")]


class SolverPart(Part):
    """What the search covered and how exact it is."""

    search_space: int
    largest_gpus: int
    layouts: int
    options: int
    purchase_options: Annotated[int, Field(alias="purchase options")]
    search_seconds: float
    """Wall time of the search for the proof."""
    bound: Amount
    rounding_error: float
    unsearched: tuple[str, ...]


class CatalogPart(Part):
    """How old the prices are and where they come from."""

    date: str
    sources: tuple[str, ...]


class ModelPart(Part):
    """What is trained."""

    name: str
    parameters: int
    active_parameters: int
    """Used for a token; embedding and head included."""
    architecture: dict[str, Any]
    """The keys of an inline `model: {…}`."""


class SoftwarePart(Part):
    """The training stack that the figures hold for."""

    stack: str
    release: str
    """Year and month."""
    stated: bool
    """Whether the problem names the stack."""


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
    pins_to_blame: tuple[PinBlamePart, ...] = ()
    assumed: tuple[AssumptionPart, ...] = ()
    relaxations: tuple[RelaxationPart, ...]
    solver: SolverPart
    catalog: CatalogPart
    spot_turning_point: dict[str, Any] | None
    left_out: tuple[str, ...]
    """What there was no time to ask."""
    problem: dict[str, Any]
    """The problem as its file would state it, overrides applied and defaults filled in."""
    model: ModelPart
    software: SoftwarePart

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The document in a file. Raises InputError."""
        place = Place(str(path))
        try:
            content = read_at_most(path, LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not a path"
            raise InputError(f"cannot read it: {reason}", place=place, fix="write one with plan solve --out") from None
        return cls.parsed(content, place)

    @classmethod
    def parsed(cls, content: bytes | str, place: Place | None = None) -> Self:
        """The document in JSON text. Raises InputError."""
        if len(content) > LARGEST:
            raise InputError("larger than 16 MiB, so not a plan", place=place, fix=FIX)
        try:
            return cls.of(json.loads(content), place)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not a plan in JSON: {error}"[:200], place=place, fix=FIX) from None

    @classmethod
    def of(cls, data: object, place: Place | None = None) -> Self:
        """The document that plain data holds. Raises InputError."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            message = f"not a plan: {where[:100]}: {first['msg']}" if where else "not a plan"
            raise InputError(message, place=place, fix=FIX) from None

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


def layout_in_words(phase: PhasePart) -> str:
    """Degrees above one, micro-batch and step of a phase."""
    degrees = ("data", "tensor", "pipeline", "virtual_pipeline", "context", "expert")
    values = {name: getattr(phase, name) for name in degrees}
    cut = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value > 1)
    return f"{cut or 'one device'}; micro-batch {phase.micro_batch}, step {format_duration(phase.step_seconds)}"


def html_of(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values as a table, with nothing in them read as markup."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table>{rows}</table>"


def answer_schema() -> dict[str, Any]:
    """The JSON schema of answers."""
    schema = PlanDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
