"""The phases of the plan in an answer's document: what each buys, how it is laid out, and how it moves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from planner.market.money import Span
from planner.plans.document_parts import Money, Part, PlacementPart, Share
from planner.problem.parallelism import DEGREES


class NodePrices(Part):
    """US dollars per node-hour in each way to buy; null: not sold or not asked for."""

    on_demand: Money | None
    spot: Money | None
    reserved: Money | None


class PurchaseLine(Part):
    """One line of the bill: nodes × devices per node × price × hours."""

    phase: str
    """`all` for what is reserved from the first phase to the last."""
    offer: str
    accelerator: str
    kind: Literal["on_demand", "spot", "reserved"]
    nodes: int
    gpus_per_node: int
    usd_per_gpu_hour: Money
    hours: float
    """Hours for which each node is paid."""
    wall_hours: float
    """From the start to the end of what it is bought for."""
    cost_usd: Money
    note: str
    spans: tuple[Span, ...]
    """From when to when it is due, in seconds from the start."""
    start: date | None = None
    """The first day for which it is paid; null without a `schedule`."""
    end: date | None = None
    """The last one."""

    @property
    def of_phase(self) -> str | None:
        """The phase that it is bought for; None for what is reserved from the first to the last."""
        return None if self.kind == "reserved" else self.phase


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

    @property
    def parts(self) -> dict[str, float]:
        """What is set aside by part; together `total`."""
        named = {name: getattr(self, name) for name in ("weights", "gradients", "optimizer", "activations")}
        rest = {"buffers": self.other - self.reserve - self.margin, "reserve": self.reserve, "margin": self.margin}
        return named | rest

    @property
    def free(self) -> float:
        """What is left of the device; below 0 where it is too small."""
        return self.limit - self.total


class PhasePart(Part):
    """One phase: its nodes, layout, speed and memory, and what a launch needs."""

    name: str
    start: date | None = None
    """The day on which it begins; null without a `schedule`."""
    end: date | None = None
    """The day on which it is expected to end."""
    accelerator: str
    placement: PlacementPart
    stay: int
    """Phases of the same stay, from 0, run in one place and are bought together."""
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
    expert_tensor: int
    """Tensor-parallel degree inside an expert."""
    shard: int
    """Devices that states are sharded over: data · context, or fewer where groups of them hold a copy each (HSDP)."""
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

    @property
    def degrees(self) -> dict[str, int]:
        """Every degree by name."""
        return {name: getattr(self, name) for name in DEGREES}

    @property
    def sharding_groups(self) -> int:
        """Groups that each shard a copy of the states."""
        return self.data * self.context // self.shard

    @property
    def expert_in_words(self) -> str:
        """The expert degree, and how many devices share an expert where these are several."""
        return f"{self.expert}" + (f"×{self.expert_tensor}" if self.expert_tensor > 1 else "")

    @property
    def zero_in_words(self) -> str:
        """The ZeRO stage, and the size of the groups that it is applied to where these are several."""
        return f"{self.zero}" + (f" in groups of {self.shard}" if self.sharding_groups > 1 else "")


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
    spans: tuple[Span, ...]
    """From when to when it is under way and due, in seconds from the start."""
