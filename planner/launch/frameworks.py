"""The frameworks that launch files are written for, and what each gives to the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from planner.catalog.launch_targets import Target
from planner.launch import accelerate, axolotl, deepspeed, maxtext, megatron, torchtitan
from planner.launch.job import LaunchJob


@dataclass(frozen=True)
class Framework:
    """How a phase is written for one framework."""

    refusals: Callable[[LaunchJob, Target], Iterator[str]]
    """Why the framework would not run the phase, beyond the values that its target accepts."""
    body: Callable[[LaunchJob, Target], str]
    """Its file below the header."""
    command: Callable[[LaunchJob], list[str]]
    """Shell lines that start it on one node, where `$NNODES`, `$NODE_RANK`, `$MASTER_ADDR` and `$MASTER_PORT` are set;
    `$CONFIG` is its file, when that is no script."""
    not_expressed: Callable[[LaunchJob], Iterator[str]]
    """What of this phase its file does not say."""
    required: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the user must set, and to what."""
    is_script: bool = False
    """Whether its file is a shell script rather than a configuration."""


FRAMEWORKS: Final[Mapping[str, Framework]] = MappingProxyType(
    {
        "megatron": Framework(
            megatron.refusals,
            megatron.body,
            megatron.command,
            megatron.not_expressed,
            megatron.REQUIRED,
            is_script=True,
        ),
        "torchtitan": Framework(
            torchtitan.refusals, torchtitan.body, torchtitan.command, torchtitan.not_expressed, torchtitan.REQUIRED
        ),
        "deepspeed": Framework(
            deepspeed.refusals, deepspeed.body, deepspeed.command, deepspeed.not_expressed, deepspeed.REQUIRED
        ),
        "accelerate": Framework(
            accelerate.refusals, accelerate.body, accelerate.command, accelerate.not_expressed, accelerate.REQUIRED
        ),
        "axolotl": Framework(axolotl.refusals, axolotl.body, axolotl.command, axolotl.not_expressed),
        "maxtext": Framework(maxtext.refusals, maxtext.body, maxtext.command, maxtext.not_expressed, maxtext.REQUIRED),
    }
)
"""By name of the target."""
