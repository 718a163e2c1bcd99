"""The wall time of a phase: its steps, and what start-up, checkpoints, failures and preemptions add."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.availability.checkpointing import failures_per_second, transfer_seconds
from planner.availability.completion import Moments
from planner.availability.spot_cycles import GangCycle, Rates, WorkLeft
from planner.availability.spot_policies import Growth, growth, moments
from planner.catalog.reliability import FailureRate, load_reliability
from planner.layouts.caching import Kept, numbers
from planner.layouts.rows import renumbered
from planner.layouts.workload import Workload
from planner.market.purchase_options import SpotPolicy
from planner.market.spot import gang_periods, kept_of_gang
from planner.performance.symbols import Array
from planner.tolerances import SUM_ORDER


@dataclass(frozen=True)
class InterruptionRates:
    """What interrupts a job besides preemptions, and how fast it gets going again."""

    failures_per_1000_node_days: float
    restart_seconds: float
    """From a failure to computing again, without reading the checkpoint."""
    startup_seconds: float
    """Once a phase."""
    write_bytes_s_per_node: float
    read_bytes_s_per_node: float
    storage_bytes_s: float


@cache
def interruption_rates(accelerator: str) -> InterruptionRates:
    """The catalog's figures: failures as on clusters of that accelerator, or the usual ones."""
    catalog = load_reliability()
    restart = {one.name: one.seconds for one in catalog.restart}
    storage = catalog.checkpoint[0]
    return InterruptionRates(
        failures_per_1000_node_days=_failure_rate(accelerator).failures_per_1000_node_days,
        restart_seconds=restart["synchronous-job"],
        startup_seconds=restart["start-up"],
        write_bytes_s_per_node=storage.write_gb_s_per_node * 1e9,
        read_bytes_s_per_node=storage.read_gb_s_per_node * 1e9,
        storage_bytes_s=storage.write_gb_s_total * 1e9,
    )


def _failure_rate(accelerator: str) -> FailureRate:
    """The highest rate seen on clusters of that accelerator, or the usual one."""
    catalog = load_reliability()
    seen = [one for one in catalog.failure_rate if accelerator in one.accelerators]
    return max(seen, key=lambda one: one.failures_per_1000_node_days) if seen else catalog.usual_failure_rate


Ints = npt.NDArray[np.int64]
Whole = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class RunTime:
    """How long a phase takes on each layout, as start + steps · each; seconds, shape (layouts,)."""

    wall: Growth
    """Expected, with checkpoints, lost work, restarts and waiting."""
    least: Growth
    """Where the distribution of the wall time begins."""
    variance: Growth
    """Variance of the wall time, s²."""
    spot: Growth
    """Time for which a spot node is paid."""
    replaced: Growth
    """Time in which an on-demand node replaces a spot node."""

    @property
    def beyond(self) -> Growth:
        """Expected wall time beyond where its distribution begins."""
        return Growth(self.wall.start - self.least.start, self.wall.each - self.least.each)

    def take(self, index: Ints | slice) -> RunTime:
        """The times of some of the layouts."""
        return RunTime(*(Growth(one.start[index], one.each[index]) for one in self.figures))

    def joined(self, other: RunTime) -> RunTime:
        """The times of these layouts and of others."""
        pairs = zip(self.figures, other.figures, strict=True)
        return RunTime(
            *(
                Growth(np.concatenate((one.start, more.start)), np.concatenate((one.each, more.each)))
                for one, more in pairs
            )
        )

    @property
    def figures(self) -> tuple[Growth, ...]:
        """All of them, in order."""
        return self.wall, self.least, self.variance, self.spot, self.replaced

    def after(self, steps: int) -> Array:
        """All of them after so many steps; shape (layouts, figures)."""
        return np.stack([one.after(steps) for one in self.figures], axis=-1)


@dataclass(frozen=True)
class TimedLayouts:
    """Layouts as the time of a run depends on them; shape (layouts,) each."""

    nodes: Whole
    """Compute nodes, excluding spares."""
    replicas: Whole
    """Data-parallel."""
    step_seconds: Array

    def take(self, index: Ints) -> TimedLayouts:
        """Some of them."""
        return TimedLayouts(self.nodes[index], self.replicas[index], self.step_seconds[index])


def run_time(
    workload: Workload, accelerator: str, layouts: TimedLayouts, spot_policy: SpotPolicy, *, begins: bool
) -> RunTime:
    """How long a phase takes on each layout under a spot policy; `begins`: it starts the job, at a random time."""
    return run_times(workload, [(accelerator, layouts, spot_policy)], begins=begins)[0]


def run_times(
    workload: Workload, asked: Sequence[tuple[str, TimedLayouts, SpotPolicy]], *, begins: bool
) -> list[RunTime]:
    """The same of layouts on several accelerators; those that are interrupted alike are evaluated together."""
    size = workload.checkpoint_bytes.tobytes()
    keys = [
        (interruption_rates(accelerator), spot_policy, begins, size, numbers(layouts))
        for accelerator, layouts, spot_policy in asked
    ]
    found: dict[Hashable, RunTime] = {key: known for key in keys if (known := kept_runs.get(key)) is not None}
    alike: dict[tuple[InterruptionRates, SpotPolicy], dict[Hashable, TimedLayouts]] = {}
    for key, (_, layouts, _) in zip(keys, asked, strict=True):
        if key not in found:
            alike.setdefault(key[:2], {})[key] = layouts
    for (figures, spot_policy), some in alike.items():
        whole = _run_time(workload, figures, joined(list(some.values())), spot_policy, begins=begins)
        ends = np.cumsum([0, *(len(one.nodes) for one in some.values())])
        for place, new in enumerate(some):
            found[new] = kept_runs.put(new, whole.take(slice(*ends[place : place + 2])))
    return [found[key] for key in keys]


KEPT: Final = 1024
"""Runs that are kept, since a problem with other prices asks for the same; some 10 kB each."""

kept_runs: Kept[RunTime] = Kept(KEPT)


def joined(parts: Sequence[TimedLayouts]) -> TimedLayouts:
    """The layouts of all of them."""
    return TimedLayouts(*(np.concatenate([getattr(one, name.name) for one in parts]) for name in fields(TimedLayouts)))


def _run_time(
    workload: Workload, figures: InterruptionRates, layouts: TimedLayouts, spot_policy: SpotPolicy, *, begins: bool
) -> RunTime:
    """Runs grow alike on as many nodes of which, under some policies, the same share of the replicas goes on."""
    shares, share = np.unique(replicas_left(layouts.replicas), return_inverse=True)
    pair = layouts.nodes.astype(np.int64) * len(shares) + (share if spot_policy.loses_replicas else 0)
    place, first = renumbered(pair)
    some = layouts.take(first)
    work = _work(workload, figures, some.nodes)
    grown = growth(spot_policy.policy, work, _capacity(spot_policy, some), begins=begins)
    found = (grown.wall, grown.least, grown.variance, grown.spot, grown.replaced)
    return RunTime(*(Growth(one.start[place], one.each[place] * layouts.step_seconds) for one in found))


def run_moments(
    workload: Workload,
    accelerator: str,
    layouts: TimedLayouts,
    spot_policy: SpotPolicy,
    rates: Rates,
    *,
    steps: int,
    begins: bool,
) -> Moments:
    """Mean and spread of time and cost of a phase on each layout at its rates."""
    work = _work(workload, interruption_rates(accelerator), layouts.nodes)
    work = replace(work, seconds=steps * layouts.step_seconds)
    return moments(spot_policy.policy, work, _capacity(spot_policy, layouts), rates, begins=begins)


def _work(workload: Workload, figures: InterruptionRates, nodes: Whole) -> WorkLeft:
    """What interrupts a phase on so many nodes, whatever its length."""
    write, restart = checkpoint_and_restart_seconds(workload, figures, nodes)
    count = np.asarray(nodes, dtype=np.float64)
    failures = failures_per_second(count, np.asarray(figures.failures_per_1000_node_days))
    return WorkLeft(np.zeros(()), np.asarray(figures.startup_seconds), write, restart, failures)


def _capacity(spot_policy: SpotPolicy, layouts: TimedLayouts) -> GangCycle | None:
    """How the gang of a phase comes and goes; of the nodes that stay, whole replicas go on. None without spot."""
    if spot_policy.policy == "steady":
        return None
    return gang_periods(
        spot_policy.figures, np.asarray(layouts.nodes, dtype=np.float64), replicas_left(layouts.replicas)
    )


def replicas_left(replicas: Whole) -> Array:
    """Share of the replicas that goes on while only some nodes are away."""
    left: Array = np.floor(kept_of_gang() * replicas + SUM_ORDER) / replicas
    return left


def checkpoint_and_restart_seconds(workload: Workload, figures: InterruptionRates, nodes: Whole) -> tuple[Array, Array]:
    """Seconds to write a checkpoint, and from an interruption until the job computes again, on so many nodes."""
    size = workload.checkpoint_bytes
    count, total = np.asarray(nodes, dtype=np.float64), np.asarray(figures.storage_bytes_s)
    write = transfer_seconds(size, count, np.asarray(figures.write_bytes_s_per_node), total)
    read = transfer_seconds(size, count, np.asarray(figures.read_bytes_s_per_node), total)
    return write, figures.restart_seconds + read
