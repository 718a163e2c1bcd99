"""Every layout by the definition of validity: all tuples of integers, kept where the rules hold, nothing from lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.layouts.degrees import RECOMPUTE
from planner.layouts.wall_time import TimedLayouts
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.performance.evaluate import evaluate
from planner.performance.symbols import Layout
from planner.problem.problem import Problem
from planner.verify.validity import is_valid, layout_rules, machine_rules

Ints = npt.NDArray[np.int64]
BASE = ("tensor", "pipeline", "context", "data", "virtual_pipeline", "micro_batch", "expert", "zero")
DEGREES = (*BASE, "expert_tensor", "shard")


def every_layout(workload: Workload, phase: PhaseWork, machine: Machine, most_devices: int) -> dict[str, Ints]:
    """All valid degrees on at most so many devices, as columns."""
    most = range(1, most_devices + 1)
    groups = np.asarray(
        [
            (t, p, c, d)
            for t in most
            for p in range(1, most_devices // t + 1)
            for c in range(1, most_devices // (t * p) + 1)
            for d in range(1, most_devices // (t * p * c) + 1)
        ]
    ).T
    layers, experts = workload.model.num_hidden_layers, max(workload.model.n_routed_experts, 1)
    free = (range(1, layers + 1), range(1, phase.global_batch + 1), range(1, experts + 1), range(4))
    axes = [one[:, None, None, None, None] for one in groups]
    axes += np.meshgrid(np.asarray([0]), *map(np.asarray, free), indexing="ij", sparse=True)[1:]
    degrees = dict(zip(BASE, axes, strict=True))
    base = _where(_allowed_by_rules_of_few(workload, phase, machine, degrees), degrees)
    columns = {name: one[:, None, None] for name, one in base.items()}
    columns |= {"expert_tensor": np.asarray(most)[:, None], "shard": np.asarray(most)}
    return _where(is_valid(workload, phase, machine, columns), columns)


def _allowed_by_rules_of_few(
    workload: Workload, phase: PhaseWork, machine: Machine, degrees: dict[str, Ints]
) -> npt.NDArray[np.bool_]:
    """Where the rules hold that do not ask for the two degrees that have no axis here: so many tuples need no look."""
    probe = np.asarray([1, 2])[:, None, None, None, None, None]
    probed = degrees | {"expert_tensor": probe, "shard": probe}
    rules = {**layout_rules(workload, phase, probed), **machine_rules(machine, probed)}.values()
    of_few = [holds for holds in rules if holds.ndim < probe.ndim]
    return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*of_few)))


def _where(valid: npt.NDArray[np.bool_], degrees: dict[str, Ints]) -> dict[str, Ints]:
    """The columns of the tuples that are valid."""
    places = np.nonzero(valid)
    return {name: np.broadcast_to(one, valid.shape)[places] for name, one in degrees.items()}


@dataclass(frozen=True)
class Evaluated:
    """Layouts with every recompute choice, one after another."""

    degrees: dict[str, Ints]
    step_seconds: npt.NDArray[np.float64]
    fits: npt.NDArray[np.bool_]


def evaluated(workload: Workload, phase: PhaseWork, machine: Machine, degrees: dict[str, Ints]) -> Evaluated:
    """Time and memory of some layouts by the equations alone."""
    steps, fits = [], []
    choices = workload.pins.recompute or RECOMPUTE
    usable = machine.accelerator.memory_usable_gib * 2**30
    for choice in choices:
        layout = _layout(degrees, full=choice.kind == "full", selective=choice.kind == "selective")
        job, device = workload.job(phase), workload.device(machine)
        found = evaluate(workload.architecture, device, workload.software, job, layout, workload.constants)
        shape = np.shape(degrees["data"])
        steps.append(np.broadcast_to(found.time.total, shape))
        sure = found.memory.reserved(workload.memory_deviations) <= usable
        held = sure & (found.memory.expected <= usable * (1 - workload.headroom))
        fits.append(np.broadcast_to(held, shape))
    repeated = {name: np.tile(one, len(choices)) for name, one in degrees.items()}
    return Evaluated(repeated, np.concatenate(steps), np.concatenate(fits))


def _layout(degrees: dict[str, Ints], *, full: bool, selective: bool) -> Layout:
    """Degrees as the equations take them."""
    values: dict[str, Any] = {name: one.astype(np.float64) for name, one in degrees.items()}
    ones = np.ones(len(degrees["data"]))
    return Layout(**values, recompute_full=full * ones, recompute_selective=selective * ones)


def fastest_defined(problem: Problem, workload: Workload, phase: PhaseWork, machine: Machine) -> TimedLayouts:
    """The least step time of all layouts that fit, by nodes and replicas."""
    found = evaluated(workload, phase, machine, every_layout(workload, phase, machine, problem.limits.gpus or 0))
    d = found.degrees
    nodes = -(-(d["tensor"] * d["pipeline"] * d["context"] * d["data"]) // machine.per_node)
    groups, group = np.unique(np.stack((nodes, d["data"]))[:, found.fits], axis=1, return_inverse=True)
    least = np.full(groups.shape[1], np.inf)
    np.minimum.at(least, group.ravel(), found.step_seconds[found.fits])
    return TimedLayouts(groups[0], groups[1], least)
