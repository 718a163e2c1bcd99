"""How alike runs of a team are: which part of what the estimate misses two of them have in common.

The logarithm of real over estimated time is a sum of Gaussian parts: what a team's software has in common on
everything, on an accelerator and its relatives, on layouts that are alike, and what grows with the number of devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.catalog.own_runs import LayoutTraits, RunTraits
from planner.performance.symbols import Array, Layout


@dataclass(frozen=True)
class RunPrior:
    """Deviations of the logarithm of real over estimated time before any own run, and how far each part reaches."""

    source: float = 0.03
    """Common to all runs of a team."""
    device: float = 0.06
    """Of an accelerator."""
    same_architecture: float = 0.5
    """Share of it that accelerators of one generation have in common."""
    same_vendor: float = 0.25
    """Share of it that accelerators of one vendor have in common."""
    layout: float = 0.13
    """Of one layout of one job on one accelerator; see `REACH`."""
    other_device: float = 0.6
    """Share of it that the same layout of the same job has in common on any two accelerators."""
    other_kind: float = 0.2
    """Share of it that jobs in another precision, with or without experts or adapters, have in common."""
    scale: float = 0.015
    """Of each doubling of the devices."""
    communication: float = 0.5
    """Of the exposed communication."""
    host: float = 0.25
    """Of host time and fixed time."""
    activations: float = 0.15
    """Of the activations' bytes: their prior in the calibration."""
    memory_common: float = 0.1
    """Of all peaks of a team, from what is not activations: workspaces, buffers, the framework's own use."""
    memory_noise: float = 0.08
    """Of one peak of memory: the median error on published peaks."""
    noise: float = 0.045
    """Of one run: the same layout measured twice differs by 4.5 % in the median."""


PRIOR: Final = RunPrior()
"""Chosen on the published runs on which `benchmarks/learning.py` measures it, each against fits that had not seen its
source, its publisher or its software: neighbours do as well, but what the benchmark says of them is in-sample."""
REACH: Final = {
    "hidden": 5.0,
    "layers": 10.0,
    "tensor": 1.0,
    "pipeline": 5.0,
    "context": 5.0,
    "micro_batch": 10.0,
    "sequence": 5.0,
    "recompute_full": 1.0,
    "recompute_selective": 10.0,
}
"""Doublings, or shares of recomputed layers, over which what two layouts have in common falls to 1/e."""
LAYOUT: Final = tuple(name for name in REACH if name in LayoutTraits.model_fields)
"""Those of a layout."""
SHARES: Final = ("recompute_full", "recompute_selective")
WORDS: Final = ("accelerator", "architecture", "vendor")
KINDS: Final = ("experts", "low_precision", "adapters")


def columns(runs: Sequence[RunTraits], name: str) -> Array:
    """A number of each run, shape (runs,)."""
    return np.asarray([float(getattr(run, name)) for run in runs])


def measure_of(name: str, values: Array) -> Array:
    """A figure of `REACH` on the scale on which layouts are compared."""
    return np.asarray(values if name in SHARES else np.log2(values), dtype=np.float64)


@dataclass(frozen=True)
class RunTable:
    """Runs as columns that broadcast to shape (runs,)."""

    labels: Mapping[str, npt.NDArray[Any]]
    """What is the same or not: `WORDS` and `KINDS`."""
    doublings: Array
    """Of the devices, above one."""
    measures: Mapping[str, Array]
    """By the names of `REACH`; a layout's are NaN where it is not decided."""

    @classmethod
    def of(cls, runs: Sequence[RunTraits]) -> RunTable:
        """Some runs."""
        labels = {name: np.asarray([getattr(run, name) for run in runs]) for name in (*WORDS, *KINDS)}
        places = {name: runs if name in RunTraits.model_fields else [run.layout for run in runs] for name in REACH}
        measures = {
            name: measure_of(name, np.asarray([float(getattr(one, name, math.nan)) for one in places[name]]))
            for name in REACH
        }
        return cls(labels, np.maximum(np.log2(columns(runs, "gpus")), 0.0), measures)

    @classmethod
    def laid_out(cls, run: RunTraits, layout: Layout, sequence: Array, gpus: Array) -> RunTable:
        """One job in several layouts, on so many devices each."""
        of_job, figures = cls.of([run]), vars(layout) | {"sequence": sequence}
        measures = {
            name: measure_of(name, np.atleast_1d(figures[name])) if name in figures else of_job.measures[name]
            for name in REACH
        }
        return cls(of_job.labels, np.maximum(np.log2(gpus), 0.0), measures)


def _same(ours: RunTable, theirs: RunTable, name: str) -> Array:
    """1 where a label is the same; shape (ours, theirs)."""
    return np.asarray(np.equal.outer(ours.labels[name], theirs.labels[name]), dtype=np.float64)


def kinship(ours: RunTable, theirs: RunTable, prior: RunPrior) -> Array:
    """Share of an accelerator's own factor that two runs have in common; shape (ours, theirs)."""
    shares = (1.0, prior.same_architecture, prior.same_vendor)
    alike = [share * _same(ours, theirs, name) for name, share in zip(WORDS, shares, strict=True)]
    return np.asarray(np.max(alike, axis=0))


def _alike(ours: RunTable, theirs: RunTable, names: Iterable[str]) -> Array:
    """What layouts have in common by some of their figures, in shares; shape (ours, theirs)."""
    apart = [np.abs(np.subtract.outer(ours.measures[name], theirs.measures[name])) / REACH[name] for name in names]
    return np.nan_to_num(np.exp(-sum(apart)), nan=0.0)


def alike_by_job(ours: RunTable, theirs: RunTable, prior: RunPrior) -> Array:
    """What runs of one layout have in common by their jobs and accelerators; shape (ours, theirs)."""
    found = prior.other_device + (1 - prior.other_device) * kinship(ours, theirs, prior)
    for name in KINDS:
        found = found * np.where(_same(ours, theirs, name) > 0, 1.0, prior.other_kind)
    return found * _alike(ours, theirs, (name for name in REACH if name not in LAYOUT))


def layout_covariance(ours: RunTable, theirs: RunTable, prior: RunPrior = PRIOR) -> Array:
    """The part of `covariance` that is of layouts.

    It falls exponentially with each figure that they differ in (Rasmussen and Williams 2006, equation 4.18), and is 0
    where a layout is not decided.
    """
    return prior.layout**2 * alike_by_job(ours, theirs, prior) * _alike(ours, theirs, LAYOUT)


def covariance(ours: RunTable, theirs: RunTable, prior: RunPrior = PRIOR) -> Array:
    """Covariance of log(real/estimated time) between runs before any is measured, without noise; (ours, theirs)."""
    layouts = layout_covariance(ours, theirs, prior)
    grown = prior.scale**2 * np.minimum.outer(ours.doublings, theirs.doublings)
    return prior.source**2 + prior.device**2 * kinship(ours, theirs, prior) + grown + layouts


def prior_variance(runs: RunTable, prior: RunPrior = PRIOR) -> Array:
    """Variance of log(real/estimated time) of runs before any is measured, noise included; shape (runs,)."""
    parts = prior.source**2 + prior.device**2 + prior.layout**2 + prior.noise**2
    return np.asarray(parts + prior.scale**2 * runs.doublings)
