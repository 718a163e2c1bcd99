"""The closed forms against simulated runs, on a few seeded plans; `benchmarks/replay.py` does it on many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_jobs import generated, job_of

from planner.equations.chase import seconds_in_time
from planner.replay.expected import expected
from planner.replay.job import Policy
from planner.replay.replay import Outcome, replay

RUNS = 400
SEEDS = range(4)
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)


def outcomes(seed: int, policy: Policy) -> Outcome:
    """One plan under one policy."""
    return replay(generated(seed), [policy], runs=RUNS, seed=seed)[0]


@pytest.mark.parametrize("policy", ["steady", "wait", "fallback", "elastic", "progress"])
def test_means(policy: Policy) -> None:
    """Expected time and cost are within 8 % of the runs' mean."""
    for seed in SEEDS:
        found = outcomes(seed, policy)
        claimed = found.expectation.moments
        assert float(claimed.seconds) == pytest.approx(found.seconds.mean(), rel=0.08)
        assert float(claimed.usd) == pytest.approx(found.usd.mean(), rel=0.08)


@pytest.mark.parametrize("policy", ["steady", "wait", "fallback", "elastic"])
def test_probability_in_time(policy: Policy) -> None:
    """At the deadlines that 50 to 99 % of the runs keep, the claimed probability is within 8 points (400 runs)."""
    for seed in SEEDS:
        found = outcomes(seed, policy)
        bounds = np.quantile(found.seconds, SHARES)
        kept = np.asarray([(found.seconds <= bound).mean() for bound in bounds])
        assert found.expectation.moments.delays.within(bounds) == pytest.approx(kept, abs=0.08)


@pytest.mark.parametrize("seed", [0, 4, 12])
def test_progress_in_a_hurry(seed: int) -> None:
    """With so little time that a run may miss its deadline, its probability is not claimed 8 points too high."""
    job = generated(seed)
    certain = expected(job, "progress").certain
    assert certain is not None
    for share in (0.5, 0.9, 0.99):
        deadline = float(seconds_in_time(*certain, np.asarray(share))) + 1
        found = replay(replace(job, deadline_seconds=deadline), ["progress"], runs=RUNS, seed=seed)[0]
        claimed = found.expectation.probability_in_time
        assert claimed is not None
        assert found.probability_in_time is not None
        assert claimed >= share - 1e-6
        assert claimed <= found.probability_in_time + 0.08


@pytest.mark.parametrize("preemptions", [0.05, 0.2, 0.8])
@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_few_preemptions(policy: Policy, preemptions: float) -> None:
    """A short job on few nodes that are hardly ever taken away: no probability is claimed 7 points too high."""
    job = job_of(days=4, nodes=4, replicas=4, availability=0.8, preemptions=preemptions)
    found = replay(job, [policy], runs=2 * RUNS, seed=2)[0]
    bounds = np.quantile(found.seconds, SHARES)
    kept = np.asarray([(found.seconds <= bound).mean() for bound in bounds])
    assert (found.expectation.moments.delays.within(bounds) <= kept + 0.07).all()


def test_spread() -> None:
    """The variance of time and cost is that of the runs, within what 400 runs and heavy tails tell."""
    for seed in SEEDS:
        found = outcomes(seed, "wait")
        assert float(found.expectation.moments.seconds_variance) ** 0.5 == pytest.approx(found.seconds.std(), rel=0.25)


def test_progress_is_in_time() -> None:
    """On-demand nodes bought in time keep the deadline."""
    for seed in SEEDS:
        assert (outcomes(seed, "progress").probability_in_time or 0) >= 0.98


def test_a_phase_goes_on_where_the_last_one_ended() -> None:
    """Two halves take as long as the whole, but for a second start-up."""
    whole = replay(job_of(phases=1), ["wait"], runs=300, seed=3)[0]
    halves = replay(job_of(phases=2), ["wait"], runs=300, seed=3)[0]
    assert halves.seconds.mean() == pytest.approx(whole.seconds.mean(), rel=0.05)


def test_waste_adds_up() -> None:
    """Work and everything that was lost make up the time of every run."""
    job = job_of(days=10)
    found = replay(job, ["wait"], runs=50, seed=5)[0]
    total = job.phases[0].work_seconds + sum(found.state.waste.values())
    assert total == pytest.approx(found.seconds, rel=1e-9)
