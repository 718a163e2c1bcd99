"""From the phases of a plan to the files that start them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from planner.catalog.launch_targets import Scalar, Target, find_target, framework_of_stack
from planner.errors import InputError, Issue
from planner.foreign.block import JSON_KEY
from planner.foreign.read import read_launch_file
from planner.launch import deepspeed, skypilot, slurm, trainjob
from planner.launch.frameworks import FRAMEWORKS, Framework
from planner.launch.header import header_lines, summary
from planner.launch.job import LaunchJob
from planner.launch.options import Options
from planner.launch.run_data import carried, run_data
from planner.launch.text import one_line
from planner.launch.worker import BY_HAND, Rendezvous, job_name, worker_lines

DEFAULT_FRAMEWORK: Final = "megatron"
"""What a scheduler starts for a stack that no framework stands for."""


@dataclass(frozen=True)
class LaunchFile:
    """One file that starts a phase."""

    name: str
    text: str
    not_expressed: tuple[str, ...]
    """What it does not say, in sentences."""


def launch_file(job: LaunchJob, target: Target, framework: Target | None, options: Options) -> LaunchFile:
    """The file of one phase for a target; a scheduler starts `framework`. Raises InputError when it is refused."""
    runs = target if target.kind == "framework" else framework or default_framework(job)
    _refuse(job, _each_once(runs, target), options)
    writer = _Writer(job, target, runs, options)
    said = read_launch_file(writer.text({}), job_name(job) + target.suffix).data
    return LaunchFile(
        name=job_name(job) + target.suffix,
        text=writer.text(carried(run_data(job), said)),
        not_expressed=tuple(writer.left_out),
    )


def _each_once(runs: Target, target: Target) -> list[Target]:
    """The framework, and the scheduler if there is one."""
    return [runs] if runs.name == target.name else [runs, target]


def default_framework(job: LaunchJob) -> Target:
    """The framework that the plan's training stack is, or the usual one."""
    return framework_of_stack(job.stack) or find_target(DEFAULT_FRAMEWORK)


@dataclass(frozen=True)
class _Scheduler:
    """How a phase is written for one scheduler."""

    refusals: Callable[[LaunchJob, Target, Options], Iterator[str]]
    not_expressed: Callable[[LaunchJob], Iterator[str]]
    rendezvous: Rendezvous


_SCHEDULERS: Final = {
    "slurm": _Scheduler(slurm.refusals, slurm.not_expressed, slurm.RENDEZVOUS),
    "skypilot": _Scheduler(skypilot.refusals, skypilot.not_expressed, skypilot.RENDEZVOUS),
    "trainjob": _Scheduler(trainjob.refusals, trainjob.not_expressed, trainjob.RENDEZVOUS),
}


def _refuse(job: LaunchJob, targets: Iterable[Target], options: Options) -> None:
    """Raises InputError with everything that a target would refuse of a phase."""
    reasons = [(target, reason) for target in targets for reason in _reasons(job, target, options)]
    if reasons:
        raise InputError(
            Issue(f"{target.title} cannot run phase {job.phase}: {reason}", fix="pin the layout or take another target")
            for target, reason in reasons
        )


def _reasons(job: LaunchJob, target: Target, options: Options) -> Iterator[str]:
    """Why a target would refuse a phase."""
    for field, accepted in target.accepts.items():
        value = job.value(field)
        if value not in accepted:
            yield f"{field} is {value}; it takes {_listed(accepted)}"
    if target.kind == "framework":
        yield from FRAMEWORKS[target.name].refusals(job, target)
    else:
        yield from _SCHEDULERS[target.name].refusals(job, target, options)


def _listed(values: Iterable[Scalar]) -> str:
    return " or ".join(str(value) for value in values)


@dataclass(frozen=True)
class _Writer:
    """Writes the file of a phase around what it must carry in comments."""

    job: LaunchJob
    target: Target
    runs: Target
    """The framework that the file starts."""
    options: Options

    @property
    def framework(self) -> Framework:
        """How the framework is written."""
        return FRAMEWORKS[self.runs.name]

    @property
    def left_out(self) -> list[str]:
        """What the file does not say, in sentences."""
        job, targets = self.job, _each_once(self.runs, self.target)
        fixed = [item for target in targets for item in target.not_expressed]
        if self.target.kind == "framework":
            return [*fixed, *_of_training(job), *self.framework.not_expressed(job), *_of_nodes(job)]
        by_scheduler = _SCHEDULERS[self.target.name].not_expressed(job)
        return [*fixed, *_of_training(job), *self.framework.not_expressed(job), *by_scheduler]

    def text(self, block: Mapping[str, Any]) -> str:
        """The whole file."""
        job, body = self.job, self.framework.body(self.job, self.runs)
        header = list(header_lines(job, _each_once(self.runs, self.target), self.left_out, block))
        if self.target.kind == "framework":
            return self._standalone(header, body, block)
        rendezvous = _SCHEDULERS[self.target.name].rendezvous
        worker = list(worker_lines(job, self.framework, self.runs.suffix, body, rendezvous))
        required = self.framework.required
        if self.target.name == "slurm":
            return slurm.text(job, header, worker, self.options)
        if self.target.name == "skypilot":
            return skypilot.text(job, self.target, header, worker, required)
        return trainjob.text(job, self.target, header, worker, required, self.options)

    def _standalone(self, header: list[str], body: str, block: Mapping[str, Any]) -> str:
        """A framework's own file."""
        if self.framework.is_script:
            worker = worker_lines(self.job, self.framework, self.runs.suffix, body, BY_HAND)
            return "\n".join(["#!/usr/bin/env bash", *header, *worker]) + "\n"
        if self.target.suffix.endswith(".json"):
            about = {
                "written for": self.target.label,
                "plan": summary(self.job),
                "not in this file": self.left_out,
                "sources": deepspeed.SOURCES,
                "run": dict(block),
            }
            return json.dumps({**json.loads(body), JSON_KEY: about}, indent=2, ensure_ascii=False) + "\n"
        return "\n".join(header) + "\n" + body


_WRITTEN: Final = frozenset({"precision", "optimizer", "method", "rank", "software", "gradient_compression", "phases"})
"""Keys of `training` that files state, or that a target would refuse."""


def _of_training(job: LaunchJob) -> Iterator[str]:
    """What the problem states of the training and no file says."""
    for key in sorted(job.training.stated() - _WRITTEN):
        yield f"training.{key}: {one_line(str(getattr(job.training, key)))}; set it in the framework yourself"


def _of_nodes(job: LaunchJob) -> Iterator[str]:
    """What no framework's own file says: how nodes are had."""
    yield "how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that"
    if job.spare_nodes:
        yield f"{job.spare_nodes} spare nodes"
