"""One phase of a plan with all that its launch files state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from planner.catalog.models import find_model, model_from
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.catalog.software import DEFAULT_STACK, StackProperties, find_stack
from planner.errors import InputError, Place
from planner.market.placements import Placement, placements
from planner.problem.document import Document
from planner.problem.problem import Problem
from planner.problem.run import Recompute, parse_recompute

ALL_PHASES: Final = "all"
"""What a reservation says for its phase."""


@dataclass(frozen=True)
class Bought:
    """Nodes of one kind that a phase computes on."""

    kind: str
    """`on_demand`, `spot` or `reserved`."""
    nodes: int
    usd_per_gpu_hour: Decimal
    note: str = ""


@dataclass(frozen=True)
class Job:
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
    precision: str
    optimizer: str
    method: str
    rank: int | None
    gradient_compression: str
    stack: str
    release: str | None
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
    sequence_length: int
    global_batch: int
    """Sequences per step."""
    tokens: int
    steps: int
    step_seconds: float
    wall_seconds: float
    checkpoint_interval_seconds: float | None
    slowest_factor: float
    """Upper end of the interval that the wall time is predicted in, over the wall time."""

    @property
    def gpus_per_node(self) -> int:
        """Devices of a node that the phase uses: all, or fewer of a single one."""
        return min(self.placement.machine.per_node, self.gpus)

    @property
    def recompute_kind(self) -> str:
        """`none`, `selective`, `full`, or `layers` when only some layers of a stage are recomputed in full."""
        return "layers" if self.recompute.full_layers else self.recompute.kind

    @property
    def steps_per_checkpoint(self) -> int | None:
        """Steps between two checkpoints, at least one; None when the plan does not say."""
        if self.checkpoint_interval_seconds is None:
            return None
        return max(1, min(self.steps, round(self.checkpoint_interval_seconds / self.step_seconds)))

    @property
    def usd_per_gpu_hour(self) -> Decimal:
        """Average price of the nodes bought."""
        nodes = sum(one.nodes for one in self.bought)
        total = sum((one.nodes * one.usd_per_gpu_hour for one in self.bought), start=Decimal(0))
        return round(total / nodes, 6) if nodes else Decimal(0)

    def value(self, field: str) -> object:
        """A field of the phase, or of its model."""
        return getattr(self, field) if hasattr(self, field) else getattr(self.model, field)


def jobs_of(document: Mapping[str, Any], source: str) -> tuple[Job, ...]:
    """The phases of an answer's document; `source` is what errors call it. Raises InputError."""
    plan = document.get("plan")
    if not isinstance(plan, dict):
        fix = "give a file that plan solve --out wrote for a problem that has a plan"
        raise InputError("no plan to export", place=Place(source), fix=fix)
    try:
        problem = _problem_of(document, source)
        phases = plan["phases"]
        return tuple(_job(document, problem, source, index) for index in range(len(phases)))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError):
        fix = "give a file that this version's plan solve --out wrote, as it was written"
        raise InputError("a plan with missing or changed figures", place=Place(source), fix=fix) from None


def _problem_of(document: Mapping[str, Any], source: str) -> Problem:
    """The problem inside an answer's document."""
    data = dict(document["problem"])
    return Problem.of(Document(source, data, ("",), {}, Path(source).parent))


def _job(document: Mapping[str, Any], problem: Problem, source: str, index: int) -> Job:
    """One phase, every name resolved."""
    plan, training = document["plan"], problem.training
    phase, asked = plan["phases"][index], training.phases[index]
    software = training.software
    stack = find_stack(software.stack if software else DEFAULT_STACK)
    placement = _placement(problem, phase.get("placement") or plan["placement"], source)
    return Job(
        title=problem.name or str(phase["name"]),
        phase=phase["name"],
        number=index + 1,
        previous_phase=plan["phases"][index - 1]["name"] if index else None,
        model=_model(document, problem),
        model_reference=_reference(document, problem),
        precision=training.precision,
        optimizer=training.optimizer,
        method=training.method,
        rank=training.rank if training.method == "lora" else None,
        gradient_compression=training.gradient_compression,
        stack=stack.name,
        release=software.release if software else None,
        software=stack.at(software.release if software else None),
        accelerator=placement.machine.accelerator,
        placement=placement,
        policy=str(phase.get("policy") or plan["policy"]),
        bought=tuple(_bought(plan, phase["name"])),
        recompute=parse_recompute(phase["recompute"]),
        sequence_length=asked.sequence_length,
        global_batch=asked.global_batch,
        checkpoint_interval_seconds=phase.get("checkpoint_interval_seconds"),
        slowest_factor=float(document["estimate"]["wall_seconds"][1]) / float(plan["wall_seconds"]),
        step_seconds=float(phase["step_seconds"]),
        wall_seconds=float(phase["wall_seconds"]),
        **{name: int(phase[name]) for name in _COUNTS},
    )


_COUNTS: Final = (
    "nodes",
    "spare_nodes",
    "gpus",
    "tensor",
    "pipeline",
    "context",
    "expert",
    "data",
    "virtual_pipeline",
    "micro_batch",
    "microbatches",
    "zero",
    "tokens",
    "steps",
)


def _bought(plan: Mapping[str, Any], phase: str) -> list[Bought]:
    """What a phase buys, and what is reserved for all."""
    lines = [
        line
        for line in plan["purchases"]
        if line["phase"] == phase or (line["kind"] == "reserved" and line["phase"] == ALL_PHASES)
    ]
    return [
        Bought(line["kind"], int(line["nodes"]), Decimal(line["usd_per_gpu_hour"]), str(line["note"]))
        for line in lines
        if not line["note"]
    ]


def _is_named(problem: Problem) -> bool:
    """Whether the problem names a model of the catalog, rather than a file or an architecture."""
    if not isinstance(problem.model, str) or problem.model.endswith(".json"):
        return False
    try:
        find_model(problem.model)
    except InputError:
        return False
    return True


def _reference(document: Mapping[str, Any], problem: Problem) -> str | dict[str, Any]:
    """The model as a run file anywhere can name it: by the catalog's name, else spelt out."""
    if _is_named(problem):
        return find_model(str(problem.model)).name
    return dict(problem.model) if isinstance(problem.model, Mapping) else dict(document["model"]["architecture"])


def _model(document: Mapping[str, Any], problem: Problem) -> ModelArchitecture:
    """The architecture."""
    return model_from(_reference(document, problem), Path())


def _placement(problem: Problem, place: Mapping[str, str], source: str) -> Placement:
    """The placement that a plan names, with its machine. Raises InputError when it is no longer offered."""
    key = (place["cloud"], place["region"], place["zone"], place["instance_type"])
    found = next((one for one in placements(problem) if one.key == key), None)
    if found is None:
        title = " ".join(part for part in key if part)
        fix = "solve the problem again, so that the plan names offers of the catalog in hand"
        raise InputError(f"the plan's offer {title[:200]} is not in the catalog", place=Place(source), fix=fix)
    return found
