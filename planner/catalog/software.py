"""Training stacks: which properties a framework of some release has."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Accelerator, Positive, Record, Share, SourcedRecord
from planner.errors import InputError, did_you_mean

UNFUSED = "unfused"
"""The attention kernel of stacks that stream scores through memory."""
DEFAULT_STACK = "typical"
"""What is assumed when neither a problem nor a published run names a stack."""

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class AttentionKernel(SourcedRecord):
    """A generation of fused attention kernels and the share of the matmul rate that it reaches per architecture."""

    name: str
    shares: dict[str, Share]
    narrow_shares: dict[str, Share] = Field(default={"default": 0.8})
    """Rate with heads of 64 over that with heads of 128, per architecture."""
    skips_window: bool
    """Whether blocks of keys beyond a sliding window are left out, instead of computed and masked."""

    def share_on(self, architecture: str) -> float:
        """Share on an accelerator architecture, or the kernel's default where none was published."""
        return self.shares.get(architecture, self.shares["default"])

    def narrow_share_on(self, architecture: str) -> float:
        """What heads of 64 leave of that share on an accelerator architecture."""
        return self.narrow_shares.get(architecture, self.narrow_shares["default"])


class StackProperties(Record):
    """What a stack does from some release on; documented in `planner.performance.symbols.Software`."""

    release: str = Field(pattern=r"^\d{4}-\d{2}$")
    generic: Fraction
    elementwise_traffic: Positive
    cast_traffic: NonNegative
    rate_share: dict[str, Share] = Field(default_factory=dict)
    """Share of a device's matmul rate that the stack's products reach, by architecture; 1 where it is not named.

    Libraries may not be tuned for it, and multiprocessors that communicate do not compute.
    """
    attention: str
    sequence_parallel: bool
    keeps_gathered: bool
    tensor_overlap: bool
    data_overlap: bool
    deduplicates: bool
    expert_overlap: Fraction
    bubble: Fraction
    sends_sharded: bool
    host_microseconds: NonNegative
    """Host time per kernel launch; 0 where whole steps are compiled."""
    moe_traffic: NonNegative
    moe_host_kernels: NonNegative
    expert_host_kernels: NonNegative
    fused_experts: dict[str, Fraction]
    """Share of runs, by accelerator architecture, whose kernels permute, quantise and activate inside the products."""
    selective_linear: Fraction
    selective_attention: Fraction
    stores_low_precision: bool
    selective_kept: Fraction
    counts_embedding: bool
    parameter_gather_exposed: bool
    pipeline_slack: NonNegative
    weight_bytes: dict[str, Positive] = Field(default={"default": 2.0})
    """Bytes per parameter of the weights that the passes read, by arithmetic."""
    zero3_weight_bytes: NonNegative = 2.0
    zero3_gradient_bytes: NonNegative = 4.0
    unfused_kept: Fraction = 0.0
    expert_outputs_kept: bool = True
    gradient_bytes: dict[str, Positive]
    """Bytes per parameter of the gradient buffers, by arithmetic."""
    gradient_copy_bytes: dict[str, NonNegative] = Field(default={"default": 0.0})
    """Bytes per parameter of the copy that the optimizer takes of its gradients at the step, by arithmetic."""
    gradient_wire_bytes: Positive
    communication_buffers: Fraction = 1.0
    logits_bytes: Positive
    attention_counted: Literal["causal", "full"]
    """Whether the stack's own TFLOP/s count causal attention half or whole."""
    zero_unstated: Annotated[int, Field(ge=0, le=3)]
    """ZeRO stage that a published run most likely used when it states none."""
    interleaves: bool
    """Whether pipeline stages are interleaved unless a run says otherwise."""
    recompute_unstated: Literal["none", "selective", "full"]
    """What a published run that does not state recompute most likely used."""


class Stack(SourcedRecord):
    """A training stack and how it changed from release to release."""

    name: str
    title: str
    frameworks: tuple[str, ...]
    """Beginnings of the framework names under which published runs appear."""
    default_release: str = Field(pattern=r"^\d{4}-\d{2}$")
    since: tuple[dict[str, Any], ...]

    @property
    def latest(self) -> str:
        """The last release of which anything is known."""
        return max(self.default_release, *(str(entry["release"]) for entry in self.since))

    def at(self, release: str | None = None) -> StackProperties:
        """The properties in force at a release (`2025-03`); the default release when none is given."""
        moment = release or self.default_release
        in_force = [entry for entry in self.since if str(entry["release"]) <= moment] or [self.since[0]]
        merged: dict[str, Any] = {}
        for entry in in_force:
            merged |= entry
        return StackProperties.model_validate(merged)


class Support(SourcedRecord):
    """What a stack runs on and offers; plans that state it keep to it."""

    stack: str
    vendors: tuple[str, ...]
    """Of accelerators."""
    excluded: tuple[str, ...] = ()
    """Architectures of these vendors on which it does not run."""
    zero: Annotated[tuple[int, ...], Field(min_length=1)]
    """ZeRO stages that it has."""
    tensor: bool = True
    pipeline: bool = True
    context: bool = True
    expert: bool = True
    interleaved: bool = True
    """Whether pipeline stages may have several chunks."""
    hybrid_zero: tuple[int, ...] = ()
    """ZeRO stages that it can also apply to groups of replicas, each with a copy of the states (HSDP)."""
    expert_tensor_since: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}$")
    """First release with a tensor degree of its own for experts; without it they are whole on their device."""

    def runs_on(self, device: Accelerator) -> bool:
        """Whether it runs on a device."""
        return device.vendor in self.vendors and device.architecture not in self.excluded

    def lacking(self, release: str) -> tuple[str, ...]:
        """Degrees that a release of it does not have, by their keys in a problem file."""
        has = {
            "tensor": self.tensor,
            "pipeline": self.pipeline,
            "context": self.context,
            "expert": self.expert,
            "virtual_pipeline": self.interleaved,
            "expert_tensor": self.expert_tensor_since is not None and self.expert_tensor_since <= release,
        }
        return tuple(name for name, there in has.items() if not there)


@cache
def load_support() -> dict[str, Support]:
    """What stacks run on and offer, by name; those that are not there are not restricted."""
    data = tomllib.loads((catalog_directory() / "software.toml").read_text(encoding="utf-8"))
    return {row["stack"]: Support.model_validate(row) for row in data["support"]}


@cache
def _load() -> tuple[dict[str, Stack], dict[str, AttentionKernel]]:
    data = tomllib.loads((catalog_directory() / "software.toml").read_text(encoding="utf-8"))
    stacks = {row["name"]: Stack.model_validate(row) for row in data["stack"]}
    kernels = {row["name"]: AttentionKernel.model_validate(row) for row in data["attention_kernel"]}
    return stacks, kernels


def load_stacks() -> dict[str, Stack]:
    """All stacks by name."""
    return _load()[0]


def attention_kernel(name: str) -> AttentionKernel | None:
    """The kernel generation of that name; None for unfused attention."""
    return None if name == UNFUSED else _load()[1][name]


def find_stack(name: str) -> Stack:
    """The stack of that name. Raises InputError with the nearest known name."""
    stacks = load_stacks()
    if name.lower() not in stacks:
        raise InputError(f"unknown software stack {name[:80]!r}", fix=did_you_mean(name, stacks))
    return stacks[name.lower()]


def stack_of_framework(framework: str) -> Stack:
    """The stack under which a published run's framework is filed: the longest matching beginning, else the default."""
    stacks = load_stacks()
    known = [(len(start), stack) for stack in stacks.values() for start in stack.frameworks]
    matching = [
        (length, stack.name)
        for stack in stacks.values()
        for start in stack.frameworks
        for length in [len(start)]
        if framework.lower().startswith(start.lower())
    ]
    return stacks[max(matching)[1]] if matching and known else stacks[DEFAULT_STACK]
