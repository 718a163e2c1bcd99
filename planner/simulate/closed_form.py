"""What the equations expect of a job: mean and variance, quantiles, and the probability to be in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from planner.availability import spot_policies as risk
from planner.availability.checkpointing import expansion_with_interval, failures_per_second
from planner.availability.completion import Moments, with_reservation
from planner.availability.distributions import Delays
from planner.availability.spot_cycles import GangCycle, Rates, WorkLeft, interval_of
from planner.market.money import rates_per_second, usd_per_second
from planner.market.spot import SpotFigures, gang_periods, kept_of_gang
from planner.performance.predictive import Predictive
from planner.simulate.job import Policy, SimulatedJob, SimulatedPhase

QUANTILES: Final = {"p5": 0.05, "p50": 0.50, "p95": 0.95}


@dataclass(frozen=True)
class Expectation:
    """Figures of one policy by closed forms."""

    policy: Policy
    moments: Moments
    """Moments of all phases together, each of shape ()."""
    deadline: float | None
    error: Predictive | None = None
    """Of the estimate, where it counts."""

    @property
    def probability_in_time(self) -> float | None:
        """None without a deadline."""
        if self.deadline is None:
            return None
        bound, delays = np.asarray(self.deadline), self.moments.delays
        return float(delays.within(bound) if self.error is None else delays.within_uncertain(bound, self.error))

    def seconds(self) -> Mapping[str, float]:
        """Mean and quantiles."""
        return _figures(self.moments.delays)

    def usd(self) -> Mapping[str, float]:
        """Mean and quantiles."""
        return _figures(self.moments.bill)


def _figures(found: Delays) -> dict[str, float]:
    quantiles = found.quantile(np.asarray(list(QUANTILES.values())))
    return {"mean": float(found.mean)} | {name: float(one) for name, one in zip(QUANTILES, quantiles, strict=True)}


def expected(job: SimulatedJob, policy: Policy) -> Expectation:
    """The closed forms of all phases, one after another. Raises KeyError for `progress`, which has none."""
    parts = [
        risk.moments(policy, work_of(job, phase), spot_of(job, phase), rates_of(job, phase), begins=index == 0)
        for index, phase in enumerate(job.phases)
    ]
    return Expectation(policy, _with_reservation(job, _total(parts)), job.deadline_seconds, job.error)


def _total(parts: Sequence[Moments]) -> Moments:
    """One after another."""
    return Moments(*(sum((getattr(part, one.name) for part in parts), np.zeros(())) for one in fields(Moments)))


def _with_reservation(job: SimulatedJob, total: Moments) -> Moments:
    """Reserved nodes are paid from start to end, and at least for their term."""
    rate = usd_per_second(job.reserved_nodes, job.reserved_usd)
    return with_reservation(total, rate, np.asarray(job.committed_seconds)) if rate else total


def work_of(job: SimulatedJob, phase: SimulatedPhase) -> WorkLeft:
    """A phase's work in the symbols of the equations, each of shape ()."""
    rate = failures_per_second(np.asarray(float(phase.nodes)), np.asarray(job.failures_per_1000_node_days))
    return WorkLeft(
        seconds=np.asarray(phase.work_seconds),
        start_up=np.asarray(phase.startup_seconds),
        checkpoint=np.asarray(phase.checkpoint_seconds),
        restart=np.asarray(phase.restart_seconds),
        failures=rate,
    )


def spot_of(job: SimulatedJob, phase: SimulatedPhase) -> GangCycle | None:
    """How the phase's spot nodes come and go; None when it has none. Of nodes that stay, whole replicas count."""
    if job.spot is None or not phase.spot_nodes:
        return None
    spot = gang_of(job.spot, phase.spot_nodes)
    return replace(spot, kept=np.asarray(phase.replicas_of(float(spot.kept))))


def gang_of(figures: SpotFigures, nodes: int) -> GangCycle:
    """A gang of so many spot nodes, of which some stay in some of the periods away."""
    return gang_periods(figures, np.asarray(float(nodes)), np.asarray(kept_of_gang()))


def rates_of(job: SimulatedJob, phase: SimulatedPhase) -> Rates:
    """What the phase's nodes cost per second, without those reserved."""
    return rates_per_second(phase.spot_nodes, phase.on_demand_nodes, job.spot_usd, job.on_demand_usd)


def length_of(job: SimulatedJob, phase: SimulatedPhase) -> float:
    """Expected wall time of a phase on nodes that stay, with checkpoints as often as under preemptions."""
    work, spot = work_of(job, phase), spot_of(job, phase)
    interval = interval_of("steady" if spot is None else "progress", work, spot)
    return float(
        work.start_up + work.seconds * expansion_with_interval(work.checkpoint, work.restart, work.failures, interval)
    )
