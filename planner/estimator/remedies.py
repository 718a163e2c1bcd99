"""What to change, one key at a time, when a layout does not surely fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from planner.catalog.precisions import find_precision
from planner.estimator.resolve import Symbols, layout_of
from planner.performance.job import job_of
from planner.performance.memory import memory
from planner.problem.run import Recompute, Run, RunLayout
from planner.units import GIB


@dataclass(frozen=True)
class Remedy:
    """A change that makes a layout fit."""

    override: str
    """As `--set` takes it: `layout.recompute=full`."""
    memory_gib: float
    """To set aside with it."""
    step_factor: float
    """Step time with the change over step time without it."""


Change = tuple[str, Run]
"""How a run is changed, and the changed run."""


def remedies_of(run: Run, symbols: Symbols, limit_gib: float, deviations: float) -> tuple[Remedy, ...]:
    """Every single change that fits with so many standard deviations to spare, the fastest first.

    Of recompute, ZeRO stage, micro-batch, loss, optimizer, number formats, offloading and devices; of partial recompute
    only the fewest layers that do, of devices only twice as many.
    """
    limit = limit_gib * GIB
    tries = [_Try(change, symbols) for change in (*_layout_changes(run), *_training_changes(run), *_more_devices(run))]
    partly = (_Try(change, symbols) for change in _full_layers(run, symbols))
    fewest = next((one for one in partly if one.reserved(deviations) <= limit), None)
    fitting = [one for one in tries if one.reserved(deviations) <= limit] + ([fewest] if fewest else [])
    if not fitting:
        return ()
    before = float(symbols.evaluate().time.total)
    found = [Remedy(one.override, one.reserved(deviations) / GIB, one.step_seconds() / before) for one in fitting]
    return tuple(sorted(found, key=lambda remedy: remedy.step_factor))


class _Try:
    """A changed run in the symbols of the equations; only what is asked for is evaluated."""

    def __init__(self, change: Change, symbols: Symbols) -> None:
        self.override, run = change
        training = run.training
        job = job_of(
            training,
            find_precision(training.precision),
            sequence=training.sequence_length,
            global_batch=training.global_batch,
        )
        layout = layout_of(run, symbols.architecture.layers.item())
        self._symbols = replace(symbols, job=job, layout=layout)

    def reserved(self, deviations: float) -> float:
        """Bytes to set aside."""
        one = self._symbols
        used = memory(one.architecture, one.software, one.job, one.layout, one.constants)
        return float(used.reserved(deviations))

    def step_seconds(self) -> float:
        """Seconds of a step."""
        return float(self._symbols.evaluate().time.total)


def _layout_changes(run: Run) -> Iterator[Change]:
    """Layouts that differ in one key and keep less in memory."""
    layout = run.layout
    if layout.recompute.kind == "none":
        yield "layout.recompute=selective", _recomputing(run, Recompute(kind="selective"))
    if layout.recompute != Recompute(kind="full"):
        yield "layout.recompute=full", _recomputing(run, Recompute(kind="full"))
    for stage in range(layout.zero + 1, 4 if layout.pipeline == 1 else 2):
        yield f"layout.zero={stage}", _with_layout(run, layout.model_copy(update={"zero": stage}))
    if layout.micro_batch > 1:
        yield "layout.micro_batch=1", _with_layout(run, layout.model_copy(update={"micro_batch": 1}))


def _training_changes(run: Run) -> Iterator[Change]:
    """Number formats and places of states that take less of the device."""
    training = run.training
    changes: list[tuple[bool, str, dict[str, object]]] = [
        (not training.fused_loss, "fused_loss=true", {"fused_loss": True}),
        (training.optimizer == "adamw", "optimizer=adamw-8bit", {"optimizer": "adamw-8bit"}),
        (training.gradients is None, "gradients=bf16", {"gradients": "bf16"}),
        (training.method == "lora" and training.base is None, "method=qlora", {"method": "qlora"}),
    ]
    for kept in ("optimizer", "activations", *(("parameters",) if run.layout.zero == 3 else ())):
        offload = (*training.offload, kept)
        written = f"offload=[{', '.join(offload)}]"
        changes.append((kept not in training.offload, written, {"offload": offload}))
    for is_new, written, update in changes:
        if is_new:
            changed = training.model_copy(update=update)
            yield f"training.{written}", run.model_copy(update={"training": changed})


def _more_devices(run: Run) -> Iterator[Change]:
    """Twice as many replicas on as many more devices, where they share out the batch."""
    if run.layout.data is None and run.microbatches % 2 == 0:
        gpus = 2 * run.cluster.gpus
        cluster = run.cluster.model_copy(update={"gpus": gpus})
        yield f"cluster.gpus={gpus}", run.model_copy(update={"cluster": cluster})


def _full_layers(run: Run, symbols: Symbols) -> Iterator[Change]:
    """Layouts that recompute some layers of every stage in full, the fewest first."""
    layout = run.layout
    already = layout.recompute.full_layers or 0
    longest = math.ceil(symbols.architecture.layers.item() / layout.pipeline)
    for layers in range(already + 1, longest if layout.recompute != Recompute(kind="full") else 0):
        some = Recompute(kind="full", full_layers=layers)
        yield f"layout.recompute={{full_layers: {layers}}}", _recomputing(run, some)


def _recomputing(run: Run, recompute: Recompute) -> Run:
    return _with_layout(run, run.layout.model_copy(update={"recompute": recompute}))


def _with_layout(run: Run, layout: RunLayout) -> Run:
    return run.model_copy(update={"layout": layout})
