"""One phase of a plan with all that its launch files state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Final

from planner.catalog.models import find_model, model_from
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, StackProperties, find_stack
from planner.errors import InputError, Place
from planner.market.placements import Placement, placements
from planner.plans.document import PlanDocument
from planner.plans.document_parts import PlacementPart
from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import PlanPart
from planner.problem.problem import Problem
from planner.problem.run import Recompute, parse_recompute
from planner.problem.training import Training

ALL_PHASES: Final = "all"
"""What a reservation says for its phase."""


@dataclass(frozen=True)
class Bought:
    """Nodes of one kind that a phase computes on."""

    kind: str
    """`on_demand`, `spot` or `reserved`."""
    nodes: int
    usd_per_gpu_hour: Decimal


@dataclass(frozen=True)
class LaunchJob:
    """One phase of a plan, every name resolved."""

    title: str
    """What the problem is called."""
    phase: str
    number: int
    """Of the phase, from 1."""
    previous_phase: str | None
    model: ModelArchitecture
    model_reference: str | dict[str, Any]
    """The model as a run file names it."""
    training: Training
    stack: str
    software: StackProperties
    accelerator: Accelerator
    placement: Placement
    policy: str
    """How nodes that go away are replaced."""
    bought: tuple[Bought, ...]
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
    recompute: Recompute
    zero: int
    expert_tensor: int
    shard: int
    sequence_length: int
    global_batch: int
    """Sequences per step."""
    tokens: int
    steps: int
    step_seconds: float
    wall_seconds: float
    checkpoint_interval_seconds: float
    slowest_factor: float
    """Upper end of the interval that the wall time is predicted in, over the wall time."""

    @property
    def gpus_per_node(self) -> int:
        """Devices of a node that the phase uses: all, or fewer of a single one."""
        return min(self.placement.machine.per_node, self.gpus)

    @property
    def sharding_groups(self) -> int:
        """Groups that each shard a copy of the states."""
        return self.data * self.context // self.shard

    @property
    def recompute_kind(self) -> str:
        """`none`, `selective`, `full`, or `layers` when only some layers of a stage are recomputed in full."""
        return "layers" if self.recompute.full_layers else self.recompute.kind

    @property
    def steps_per_checkpoint(self) -> int:
        """Steps between two checkpoints, at least one."""
        if not isfinite(self.checkpoint_interval_seconds):
            return self.steps
        return max(1, min(self.steps, round(self.checkpoint_interval_seconds / self.step_seconds)))

    @property
    def usd_per_gpu_hour(self) -> Decimal:
        """Average price of the nodes bought."""
        nodes = sum(one.nodes for one in self.bought)
        total = sum((one.nodes * one.usd_per_gpu_hour for one in self.bought), start=Decimal(0))
        return round(total / nodes, 6) if nodes else Decimal(0)

    @property
    def precision(self) -> str:
        """As the problem asks for it."""
        return self.training.precision

    def value(self, field: str) -> object:
        """A field of the phase, of its training or of its model."""
        owner = next(one for one in (self, self.training, self.model) if hasattr(one, field))
        return getattr(owner, field)


def jobs_of(document: PlanDocument, source: str) -> tuple[LaunchJob, ...]:
    """The phases of an answer; `source` is what errors call its file. Raises InputError."""
    plan, estimate = document.plan, document.estimate
    if plan is None or estimate is None:
        fix = "give a file that plan solve --out wrote for a problem that has a plan"
        raise InputError("no plan to export", place=Place(source), fix=fix)
    asked = _Context.of(document, source)
    slowest = estimate.wall_seconds[1] / plan.wall_seconds
    before = (None, *(phase.name for phase in plan.phases))
    return tuple(
        _job(asked, plan, phase, number, previous, slowest)
        for number, (phase, previous) in enumerate(zip(plan.phases, before, strict=False), start=1)
    )


@dataclass(frozen=True)
class _Context:
    """What a plan answers, every name resolved once."""

    problem: Problem
    reference: str | dict[str, Any]
    model: ModelArchitecture
    placements: Mapping[tuple[str, str, str, str], Placement]
    source: str

    @classmethod
    def of(cls, document: PlanDocument, source: str) -> _Context:
        """What an answer asks for. Raises InputError."""
        problem = document.asked
        reference = _reference(document, problem)
        offered = {one.key: one for one in placements(problem)}
        return cls(problem, reference, model_from(reference, Path()), offered, source)

    def placement(self, place: PlacementPart) -> Placement:
        """The placement of that name, with its machine. Raises InputError when it is no longer offered."""
        key = (place.cloud, place.region, place.zone, place.instance_type)
        if key not in self.placements:
            title = " ".join(part for part in key if part)[:200]
            fix = "solve the problem again, so that the plan names offers of the catalog in hand"
            raise InputError(f"the plan's offer {title} is not in the catalog", place=Place(self.source), fix=fix)
        return self.placements[key]


def _job(
    asked: _Context, plan: PlanPart, phase: PhasePart, number: int, previous: str | None, slowest_factor: float
) -> LaunchJob:
    """One phase, every name resolved."""
    training, placement = asked.problem.training, asked.placement(phase.placement)
    software = training.software
    stack = find_stack(software.stack if software else DEFAULT_STACK)
    return LaunchJob(
        title=asked.problem.name or phase.name,
        phase=phase.name,
        number=number,
        previous_phase=previous,
        model=asked.model,
        model_reference=asked.reference,
        training=training,
        stack=stack.name,
        software=stack.at(software.release if software else None),
        accelerator=placement.machine.accelerator,
        placement=placement,
        policy=plan.policy,
        bought=tuple(_bought(plan, phase.name)),
        recompute=parse_recompute(phase.recompute),
        slowest_factor=slowest_factor,
        **{name: getattr(phase, name) for name in _TAKEN_OVER},
    )


_RESOLVED: Final = {"accelerator", "placement", "recompute"}
_TAKEN_OVER: Final = ({one.name for one in fields(LaunchJob)} & PhasePart.model_fields.keys()) - _RESOLVED
"""Fields of a plan's phase that a job has as they are."""


def _bought(plan: PlanPart, phase: str) -> Iterator[Bought]:
    """What a phase computes on: what it buys, and what is reserved for all; replacements are not bought on top."""
    for line in plan.purchases:
        everywhere = line.kind == "reserved" and line.phase == ALL_PHASES
        if (line.phase == phase or everywhere) and not line.note:
            yield Bought(line.kind, line.nodes, line.usd_per_gpu_hour)


def _reference(document: PlanDocument, problem: Problem) -> str | dict[str, Any]:
    """The model as a run file anywhere can name it: by the catalog's name, else spelt out."""
    if isinstance(problem.model, Mapping):
        return dict(problem.model)
    try:
        return find_model(problem.model).name
    except InputError:
        return dict(document.model.architecture)
