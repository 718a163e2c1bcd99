"""The short run that a probe makes: a plan's own layout on few nodes, of less depth where that is too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, gcd
from pathlib import Path
from typing import Any, Final

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import OwnRun
from planner.catalog.records import ModelArchitecture
from planner.errors import Place
from planner.estimator.resolve import resolve, symbols_of
from planner.foreign.yaml_text import yaml_text
from planner.launch.job import LaunchJob, jobs_of
from planner.launch.run_data import run_data
from planner.learning.learn import own_run_of
from planner.learning.measurements import measurement_of
from planner.performance.evaluate import constants_of
from planner.plans.document import PlanDocument
from planner.problem.document import Document
from planner.problem.run import Run
from planner.problem.training import MEMORY_CONFIDENCE
from planner.units import GIB, SECONDS_PER_HOUR

FEWEST_STEPS: Final = 50
"""Steps that a short run is written for at least."""
FEWEST_LAYERS: Final = 2
"""Layers of a stage: with one, what stands before and after the layers is most of the step."""
PER_LAYER: Final = ("attention_blocks", "dense_mlp_blocks", "moe_blocks", "mixer_blocks", "index_blocks")
"""Counts of a model that shrink with its depth."""


@dataclass(frozen=True)
class ShortRun:
    """A run to measure: some dozens of steps of a plan's layout on few nodes."""

    job: LaunchJob
    all_layers: int
    """Of the whole model."""
    like: OwnRun
    """What it would be among own runs, measured as estimated."""

    @property
    def layers(self) -> int:
        """Those of them that it has."""
        return self.job.model.num_hidden_layers

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"probe-{self.job.accelerator.name}-{self.job.gpus}gpus"

    @property
    def document(self) -> dict[str, Any]:
        """It as JSON: its run file's keys, and how much of the model's depth it has."""
        return {"layers": self.layers, "of_layers": self.all_layers, "run": {"schema": "run/1", **run_data(self.job)}}

    @property
    def text(self) -> str:
        """Its run file, to which what it measured is added."""
        return HEAD.format(name=self.name) + yaml_text(self.document["run"])


HEAD: Final = """\
# Measure some dozens of steps after the warm-up, add  measured: {{step: 18.9s, peak_memory: 71.2 GiB}}
# and say  plan learn {name}.yaml --out ours.toml, or give its log with --log.
"""


def plan_jobs(document: PlanDocument, source: str) -> Mapping[str, LaunchJob]:
    """The longest phase of the plan and of each alternative, by accelerator. Raises InputError."""
    return dict(_plan_jobs(document, source))


def _plan_jobs(document: PlanDocument, source: str) -> Iterator[tuple[str, LaunchJob]]:
    others = [{"plan": one.plan, "estimate": one.estimate} for one in document.alternatives if one.plan]
    for update in ({}, *others):
        asked = document.model_copy(update=update)
        longest = max(jobs_of(asked, source), key=lambda job: job.wall_seconds)
        yield longest.accelerator.name, longest


def short_run(job: LaunchJob, nodes: int, hours: float, calibration: Calibration) -> ShortRun | None:
    """A plan's phase on so many nodes at most, for so many hours; None where nothing of the model fits them."""
    cut = _cut(job, min(nodes * job.gpus_per_node, job.gpus))
    fitting = (one for one in _smaller(job, cut) if _fits(_run(one), calibration))
    found = next(fitting, None)
    return None if found is None else _timed(found, job.model.num_hidden_layers, hours, calibration)


def _smaller(job: LaunchJob, cut: LaunchJob) -> Iterator[LaunchJob]:
    """A cut-down run with as many layers on a stage as the plan has, then with fewer; then of smaller micro-batches."""
    micro_batch = cut.micro_batch
    while micro_batch:
        smaller = replace(cut, micro_batch=micro_batch, global_batch=cut.data * micro_batch * cut.microbatches)
        layers = max(1, round(job.model.num_hidden_layers * cut.pipeline / job.pipeline))
        while layers >= min(FEWEST_LAYERS * cut.pipeline * cut.virtual_pipeline, job.model.num_hidden_layers):
            yield _of_depth(job, smaller, layers)
            layers = layers * 3 // 4
        micro_batch //= 2


def _cut(job: LaunchJob, gpus: int) -> LaunchJob:
    """The layout on fewer devices: as much of each degree as divides them, the innermost first; batch by replica."""
    tensor = gcd(job.tensor, gpus)
    context = gcd(job.context, gpus // tensor)
    pipeline = gcd(job.pipeline, gpus // (tensor * context))
    data = gpus // (tensor * context * pipeline)
    shard, inside = context * gcd(job.shard // job.context, data), gcd(job.expert_tensor, tensor)
    return replace(
        job,
        gpus=gpus,
        nodes=ceil(gpus / job.gpus_per_node),
        spare_nodes=0,
        tensor=tensor,
        context=context,
        pipeline=pipeline,
        data=data,
        expert=gcd(job.expert, tensor * shard // inside),
        expert_tensor=inside,
        shard=shard,
        virtual_pipeline=job.virtual_pipeline if pipeline > 1 else 1,
        global_batch=data * job.micro_batch * job.microbatches,
        previous_phase=None,
        bought=tuple(replace(one, nodes=1) for one in job.bought),
    )


def _of_depth(job: LaunchJob, cut: LaunchJob, layers: int) -> LaunchJob:
    """The cut-down run of a model with so many layers; the whole one keeps its name."""
    if layers == job.model.num_hidden_layers:
        return cut
    shorter = shallower(job.model, layers)
    reference = shorter.model_dump(mode="json", exclude_defaults=True, exclude=SAID_OF_THE_WHOLE)
    recompute = cut.recompute
    if recompute.full_layers:
        recompute = recompute.model_copy(
            update={"full_layers": min(recompute.full_layers, ceil(layers / cut.pipeline))}
        )
    return replace(cut, model=shorter, model_reference=reference, recompute=recompute)


SAID_OF_THE_WHOLE: Final = {
    "note",
    "aliases",
    "published_parameters",
    "published_active_parameters",
    "published_precision",
}
"""What a record says of the whole model and a shallower one must not."""


def shallower(model: ModelArchitecture, layers: int) -> ModelArchitecture:
    """A model with fewer layers of the same kinds, at least one of each; dense layers before experts go first."""
    share = layers / model.num_hidden_layers
    stated = {name: count for name in PER_LAYER if (count := getattr(model, name))}
    counts = {name: max(1, round(count * share)) for name, count in stated.items()}
    name = f"{model.name} with {layers} of {model.num_hidden_layers} layers"
    update = {"num_hidden_layers": layers, "dense_layers": int(model.dense_layers * share), "name": name, **counts}
    return model.model_copy(update=update)


def _run(job: LaunchJob) -> Run:
    source = f"a short run on {job.accelerator.name}"
    return Run.of(Document(source, {"schema": "run/1", **run_data(job)}, ("",), {}, Path()))


def _fits(run: Run, calibration: Calibration) -> bool:
    """Whether its peak is within the device's memory, as surely as plans are made for by default."""
    subject = resolve(run)
    peak = symbols_of(subject, calibration).evaluate().memory
    return float(peak.fit_probability(subject.accelerator.memory_usable_gib * GIB)) >= MEMORY_CONFIDENCE


def _timed(job: LaunchJob, all_layers: int, hours: float, calibration: Calibration) -> ShortRun:
    """The run with as many steps as the hours have."""
    run = _run(job)
    measured = measurement_of(run, calibration, "test", Place("test"), seconds=1.0)
    plain = calibration.model_copy(update={"own_runs": (), "own_peaks": ()})
    seconds = measured.estimated_seconds(plain, constants_of(plain))
    steps = max(FEWEST_STEPS, int(hours * SECONDS_PER_HOUR / seconds))
    tokens = steps * job.sequence_length * job.global_batch
    timed = replace(job, steps=steps, tokens=tokens, step_seconds=seconds, wall_seconds=steps * seconds)
    return ShortRun(timed, all_layers, own_run_of(replace(measured, seconds=seconds), plain))
