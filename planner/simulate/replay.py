"""Replays a job many times under one or several policies, and sums up what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from planner.availability.spot_cycles import interval_of
from planner.market.money import node_hours_usd
from planner.performance.predictive import student_quantile
from planner.simulate.capacity import Capacity, Floats
from planner.simulate.closed_form import (
    QUANTILES,
    Expectation,
    expected,
    gang_of,
    length_of,
    rates_of,
    spot_of,
    work_of,
)
from planner.simulate.generate import Generated
from planner.simulate.job import Policy, SimulatedJob
from planner.simulate.policies import Setting
from planner.simulate.recorded import Recorded
from planner.simulate.simulate import CAUSES, RunStates, Watch, run_phase
from planner.simulate.traces import Trace
from planner.tasks import Spread, in_turn

DRAWN_RUNS: Final = 8
"""Runs that are drawn as strips."""
COUNTED_RUNS: Final = 200
"""Runs whose progress over time is kept."""
MAX_RUNS: Final = 1_000_000


@dataclass(frozen=True)
class PolicyOutcome:
    """What the runs of one policy came to."""

    policy: Policy
    seconds: Floats
    """Shape (runs,)."""
    usd: Floats
    state: RunStates
    deadline: float | None
    expectation: Expectation | None
    """The closed forms' figures; None under `progress`, which has none."""
    budget: float | None = None

    @property
    def probability_in_time(self) -> float | None:
        """Share of the runs that end before the deadline; None without one."""
        return None if self.deadline is None else float((self.seconds <= self.deadline).mean())

    @property
    def probability_within_budget(self) -> float | None:
        """Share of the runs that cost no more than the budget; None without one."""
        return None if self.budget is None else float((self.usd <= self.budget).mean())

    @property
    def preemptions(self) -> float:
        """Mean number."""
        return float(self.state.preemptions.mean())

    def waste(self) -> Mapping[str, float]:
        """Mean seconds lost, by cause."""
        return {cause: float(self.state.waste[cause].mean()) for cause in CAUSES}


def figures(values: Floats) -> dict[str, float]:
    """Mean and quantiles of some values."""
    found = {"mean": float(values.mean())}
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return found | {name: float(value) for name, value in zip(QUANTILES, quantiles, strict=True)}


def replay(
    job: SimulatedJob,
    policies: Iterable[Policy],
    *,
    runs: int,
    seed: int,
    traces: tuple[Trace, ...] = (),
    tell: Callable[[str, float], None] | None = None,
    spread: Spread = in_turn,
) -> tuple[PolicyOutcome, ...]:
    """Every policy on the same capacity: generated, or recorded traces from random offsets; the seed decides all.

    `spread` may carry the policies out at once; `tell` is for a replay in this process.
    """

    def told(policy: Policy) -> Callable[[float], None] | None:
        """Progress of a policy."""
        return None if tell is None else lambda share: tell(policy, share)

    return tuple(spread([partial(_replay, job, one, runs, seed, traces, told(one)) for one in policies]))


def _replay(
    job: SimulatedJob,
    policy: Policy,
    runs: int,
    seed: int,
    traces: tuple[Trace, ...],
    tell: Callable[[float], None] | None,
) -> PolicyOutcome:
    """One policy."""
    zones, events, errors = (np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(3))
    state, capacity = RunStates.of(_paces(job, runs, errors)), _capacity(job, policy, runs, traces, zones)
    everyone = np.arange(runs)
    for index in range(len(job.phases)):
        if index:
            capacity.begin_phase(index, everyone, state.seconds)
        setting = setting_of(job, policy, index)
        run_phase(setting, state, capacity, events, Watch(DRAWN_RUNS, COUNTED_RUNS, _part(tell, setting)))
    paid = np.maximum(state.seconds, job.committed_seconds)
    usd = state.usd + node_hours_usd(job.reserved_nodes, job.reserved_usd, paid)
    expectation = None if policy == "progress" else expected(job, policy)
    return PolicyOutcome(policy, state.seconds, usd, state, job.deadline_seconds, expectation, job.budget_usd)


def _paces(job: SimulatedJob, runs: int, generator: np.random.Generator) -> Floats:
    """Real over estimated time of each run's work: drawn, or 1 where the estimate counts as right."""
    if job.error is None:
        return np.ones(runs)
    shares = (generator.permutation(runs) + generator.random(runs)) / runs
    return np.exp(job.error.middle + job.error.scale * student_quantile(shares))


def _part(tell: Callable[[float], None] | None, setting: Setting) -> Callable[[float], None] | None:
    """Progress of a phase as progress of the job."""
    return None if tell is None else lambda share: tell(setting.done_before + share * setting.part)


def _capacity(
    job: SimulatedJob, policy: Policy, runs: int, traces: tuple[Trace, ...], generator: np.random.Generator
) -> Capacity:
    """The zones of all runs: recorded where there are traces, generated where not; always there without spot nodes."""
    if policy == "steady" or job.spot is None:
        return Always(runs)
    if traces:
        replicas = job.phases[0].replicas if policy == "elastic" else 1
        return Recorded(traces, runs, replicas, generator)
    return Generated([gang_of(job.spot, max(phase.spot_nodes, 1)) for phase in job.phases], runs, generator)


class Always:
    """Nodes that are never taken away."""

    def __init__(self, runs: int) -> None:
        self.share = np.ones(runs)
        self.until = np.full(runs, np.inf)

    def advance(self, runs: object) -> None:
        """Nothing ever changes."""

    def begin_phase(self, phase: int, runs: object, seconds: object) -> None:
        """Nothing changes with a phase."""


def setting_of(job: SimulatedJob, policy: Policy, index: int) -> Setting:
    """One phase under a policy, in the figures that the simulation needs."""
    phase = job.phases[index]
    work, rates = work_of(job, phase), rates_of(job, phase)
    interval = interval_of(policy, work, spot_of(job, phase))
    lengths = [length_of(job, one) for one in job.phases]
    return Setting(
        policy=policy if phase.spot_nodes else "steady",
        work_seconds=phase.work_seconds,
        startup_seconds=phase.startup_seconds,
        checkpoint_seconds=phase.checkpoint_seconds,
        restart_seconds=phase.restart_seconds,
        interval_seconds=float(interval),
        failures_per_second=max(float(work.failures), 1e-30),
        replicas=phase.replicas,
        spot_share=phase.spot_share,
        usd_spot=float(rates.spot),
        usd_on_demand=float(rates.on_demand),
        usd_fixed=float(rates.fixed),
        done_before=sum(lengths[:index]) / sum(lengths),
        part=lengths[index] / sum(lengths),
        deadline=job.deadline_seconds or np.inf,
        length=sum(lengths),
    )
