"""The top of a launch file: for what it was written, what it cannot say, and what `plan import` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from planner import __version__
from planner.catalog.launch_targets import Target
from planner.foreign.block import block_lines
from planner.launch.job import LaunchJob
from planner.launch.text import comment_lines, one_line
from planner.units import counted, format_duration


def header_lines(
    job: LaunchJob, targets: Iterable[Target], not_expressed: Iterable[str], carried: Mapping[str, Any]
) -> Iterator[str]:
    """The header as comment lines."""
    named = list(targets)
    yield from comment_lines(
        f"{one_line(job.title)}, phase {one_line(job.phase)}: for {' in '.join(target.label for target in named)}. "
        f"Written by plan {__version__}."
    )
    yield from comment_lines(f"The plan: {summary(job)}.")
    for target in named:
        yield from comment_lines(f"Names and rules of {target.title}: {target.source} ({target.date}).")
    if left := list(not_expressed):
        yield "# What this file does not say:"
        for item in left:
            yield from comment_lines(f"- {item}", "#   ", "  ")
    if carried:
        yield "# For `plan import`:"
        yield from block_lines(carried)


def summary(job: LaunchJob) -> str:
    """The phase in one line."""
    spares = f" and {counted(job.spare_nodes, 'spare node')}" if job.spare_nodes else ""
    kinds = ", ".join(f"{one.nodes:,} {one.kind.replace('_', ' ')}" for one in job.bought)
    return (
        f"{counted(job.nodes, 'node')}{spares} of {job.placement.machine.per_node} {job.accelerator.name} at "
        f"{one_line(job.placement.title)} ({kinds}), {job.steps:,} steps of {job.step_seconds:.3g} s, "
        f"{format_duration(job.wall_seconds)} in all"
    )
