"""How time and cost of a job are distributed: by closed forms, or replayed where those are not near enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from planner.availability.completion import Moments
from planner.availability.distributions import Distribution, Sampled
from planner.availability.renewal import mean_length
from planner.availability.spot_cycles import whole_interval
from planner.simulate.closed_form import expected, spot_of, work_of
from planner.simulate.job import SimulatedJob, SimulatedPhase
from planner.simulate.replay import replay

FEW: Final = 20.0
"""Expected preemptions, or failures without spot nodes, from which on closed forms are near: within 3 points of
probability and 5 % of every cost quantile, on 200 jobs (docs/replay.md)."""
LONG_MOVE: Final = 0.15
"""Part of the mean time up that a checkpoint and a restart take from which on `fallback` is replayed anyway: it moves
twice a cycle."""
MOST: Final = 1000.0
"""Preemptions of a run beyond which nothing is replayed to answer a question."""
LARGE_LOSS: Final = 0.05
"""Part of a job that one failure of few may cost before its quantiles are replayed."""
SOME: Final = 0.1
"""Expected failures below which none of the quantiles that are told knows of one."""
RUNS: Final = 10_000
SEED: Final = 1
KEPT: Final = 64


@dataclass(frozen=True)
class JobDistribution:
    """What failures and preemptions leave of a job's time and cost."""

    seconds: Distribution
    usd: Distribution
    runs: int
    """Number of replayed runs; 0 with closed forms."""


def distribution_of(job: SimulatedJob, moments: Moments | None = None) -> JobDistribution:
    """The distribution of a job under its own policy; `moments`: those of its plan, where they are known."""
    if is_replayed(job):
        return _replayed(job)
    found = moments or expected(job, job.policy).moments
    return JobDistribution(found.delays, found.bill, 0)


def is_replayed(job: SimulatedJob) -> bool:
    """Whether the closed forms of a job are not near enough."""
    if job.policy == "progress":
        return True
    if job.policy == "steady" or job.spot is None:
        return _loses_much(job)
    expected_preemptions = sum(_preemptions(job, phase) for phase in job.phases)
    if job.policy == "fallback" and any(_moves_long(job, phase) for phase in job.phases):
        return expected_preemptions < MOST
    return expected_preemptions < FEW


def _loses_much(job: SimulatedJob) -> bool:
    """Whether few failures are expected, but some, and each may cost a large part of the job."""
    works = [work_of(job, phase) for phase in job.phases]
    whole = sum(float(work.seconds) for work in works)
    failures = sum(float(work.seconds * work.failures) for work in works)
    loss = max(float(whole_interval(work, work.failures) + work.checkpoint + work.restart) for work in works)
    return SOME < failures < FEW and loss > LARGE_LOSS * whole


def _moves_long(job: SimulatedJob, phase: SimulatedPhase) -> bool:
    """Whether a move to other nodes takes a large part of the time for which spot nodes stay."""
    spot = spot_of(job, phase)
    standstill = phase.checkpoint_seconds + phase.restart_seconds
    return spot is not None and standstill > LONG_MOVE * float(mean_length(spot.up_share, spot.up_mean))


def _preemptions(job: SimulatedJob, phase: SimulatedPhase) -> float:
    """How often the spot nodes of a phase are expected to go, at least."""
    spot = spot_of(job, phase)
    if spot is None:
        return 0.0
    between = mean_length(spot.up_share, spot.up_mean)
    if job.policy == "fallback":
        between = between + mean_length(spot.away_share, spot.away_mean)
    return phase.work_seconds / float(between)


@lru_cache(KEPT)
def _replayed(job: SimulatedJob) -> JobDistribution:
    """The simulated distribution, the same for the same job."""
    (outcome,) = replay(job, [job.policy], runs=RUNS, seed=SEED)
    return JobDistribution(Sampled(np.sort(outcome.seconds)), Sampled(np.sort(outcome.usd)), RUNS)
