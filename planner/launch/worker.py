"""The shell script that runs on every node: what a framework's file and command need, whoever starts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from planner.foreign.read import END_OF_CONFIG
from planner.launch.frameworks import Framework
from planner.launch.job import LaunchJob
from planner.launch.text import slug

PORT: Final = 29500
"""Where the processes of a job meet."""


@dataclass(frozen=True)
class Rendezvous:
    """Shell text for what a launcher must know of the other nodes."""

    nodes: str
    rank: str
    master: str


BY_HAND: Final = Rendezvous("", "${NODE_RANK:-0}", "${MASTER_ADDR:-localhost}")
"""Without a scheduler: the environment says it."""


def job_name(job: LaunchJob) -> str:
    """What files and jobs of a phase are called."""
    return f"{job.number:02d}-{slug(job.phase)}"


def worker_lines(job: LaunchJob, framework: Framework, suffix: str, body: str, rendezvous: Rendezvous) -> Iterator[str]:
    """The script: environment, the framework's file, whose name ends in `suffix`, and its command."""
    yield "set -euo pipefail"
    for name, meaning in framework.required.items():
        yield f': "${{{name}:?set {name} to {meaning}}}"'
    yield f'NNODES="{rendezvous.nodes or job.nodes}"  # plan.nodes'
    yield f'NODE_RANK="{rendezvous.rank}"'
    yield f'MASTER_ADDR="{rendezvous.master}"'
    yield f'MASTER_PORT="${{MASTER_PORT:-{PORT}}}"'
    yield "export NNODES NODE_RANK MASTER_ADDR MASTER_PORT"
    yield from _checkpoint_lines(job)
    if framework.is_script:
        yield from body.splitlines()
    else:
        yield f'CONFIG="$CHECKPOINT_DIR/{job_name(job)}.$NODE_RANK{suffix}"'
        yield f"cat > \"$CONFIG\" <<'{END_OF_CONFIG}'"
        yield from body.splitlines()
        yield END_OF_CONFIG
    yield from framework.command(job)


def _checkpoint_lines(job: LaunchJob) -> Iterator[str]:
    """Where the phase keeps its checkpoints, and where it begins."""
    yield f'CHECKPOINT_DIR="${{CHECKPOINTS:-checkpoints}}/{job_name(job)}"'
    yield 'mkdir -p "$CHECKPOINT_DIR"'
    yield 'CHECKPOINT_DIR="$(cd "$CHECKPOINT_DIR" && pwd)"'
    if job.previous_phase is not None:
        before = f"{job.number - 1:02d}-{slug(job.previous_phase)}"
        yield f'PREVIOUS_CHECKPOINT="${{PREVIOUS_CHECKPOINT:-$CHECKPOINT_DIR/../{before}}}"'
    yield "export CHECKPOINT_DIR"
