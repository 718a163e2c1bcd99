"""The closed forms against simulated runs, on a few seeded plans; `benchmarks/replay.py` does it on many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from batches import few
from random_jobs import corner, generated, job_of

from planner.availability.chance_constraint import deviations_of, promised
from planner.availability.completion import Moments
from planner.availability.spot_policies import growth
from planner.simulate.closed_form import spot_of, work_of
from planner.simulate.distribution import distribution_of
from planner.simulate.job import Policy, SimulatedJob
from planner.simulate.replay import PolicyOutcome, replay

RUNS = 400
SEEDS = range(4)
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)


def claimed(outcome: PolicyOutcome) -> Moments:
    """What the closed forms say."""
    assert outcome.expectation is not None
    return outcome.expectation.moments


def outcomes(seed: int, policy: Policy) -> PolicyOutcome:
    """One plan under one policy."""
    return replay(generated(seed), [policy], runs=RUNS, seed=seed)[0]


@pytest.mark.parametrize("policy", few(["steady", "fallback", "wait", "elastic"], 2))
def test_means(policy: Policy) -> None:
    """Expected time and cost are within 8 % of the runs' mean."""
    for seed in SEEDS:
        found = outcomes(seed, policy)
        forms = claimed(found)
        assert float(forms.seconds) == pytest.approx(found.seconds.mean(), rel=0.08)
        assert float(forms.usd) == pytest.approx(found.usd.mean(), rel=0.08)


@pytest.mark.parametrize("policy", few(["steady", "fallback", "wait", "elastic"], 2))
def test_probability_in_time(policy: Policy) -> None:
    """At the deadlines that 50 to 99 % of the runs keep, the claimed probability is within 8 points (400 runs)."""
    for seed in SEEDS:
        found = outcomes(seed, policy)
        bounds = np.quantile(found.seconds, SHARES)
        kept = np.asarray([(found.seconds <= bound).mean() for bound in bounds])
        assert claimed(found).delays.within(bounds) == pytest.approx(kept, abs=0.08)


@pytest.mark.parametrize("preemptions", [0.05, 0.2, 0.8])
@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_few_preemptions(policy: Policy, preemptions: float) -> None:
    """A short job on few nodes that are hardly ever taken away: no probability is claimed 7 points too high."""
    job = job_of(days=4, nodes=4, replicas=4, availability=0.8, preemptions=preemptions)
    found = replay(job, [policy], runs=2 * RUNS, seed=2)[0]
    bounds = np.quantile(found.seconds, SHARES)
    kept = np.asarray([(found.seconds <= bound).mean() for bound in bounds])
    assert (claimed(found).delays.within(bounds) <= kept + 0.07).all()


@pytest.mark.slow
def test_spread() -> None:
    """The variance of time and cost is that of the runs, within what 400 runs and heavy tails tell."""
    for seed in SEEDS:
        found = outcomes(seed, "wait")
        assert float(claimed(found).seconds_variance) ** 0.5 == pytest.approx(found.seconds.std(), rel=0.25)


@pytest.mark.slow
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


CORNERS = range(6)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_means_in_corners(policy: Policy) -> None:
    """Short jobs with long checkpoints and restarts: how they begin and end counts, and means stay within 8 %."""
    for seed in CORNERS:
        found = replay(corner(seed), [policy], runs=5 * RUNS, seed=seed)[0]
        assert float(claimed(found).seconds) == pytest.approx(found.seconds.mean(), rel=0.08)
        assert float(claimed(found).usd) == pytest.approx(found.usd.mean(), rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_what_is_told_in_corners(policy: Policy) -> None:
    """Where closed forms are not near, a plan's probabilities and cost quantiles are those of its replay."""
    for seed in CORNERS:
        job = replace(corner(seed), policy=policy)
        told, found = distribution_of(job), replay(job, [policy], runs=5 * RUNS, seed=seed + 1)[0]
        bounds = np.quantile(found.seconds, SHARES)
        kept = np.asarray([(found.seconds <= bound).mean() for bound in bounds])
        assert told.seconds.within(bounds) == pytest.approx(kept, abs=0.05)
        assert told.usd.quantile(np.asarray(0.95)) == pytest.approx(np.quantile(found.usd, 0.95), rel=0.05)


def test_long_jobs_are_not_replayed() -> None:
    """Many preemptions, and short checkpoints: closed forms. Few: the replay, the same each time."""
    long, short = job_of(days=60), job_of(days=2)
    assert distribution_of(long).runs == 0
    assert distribution_of(short).runs > 0
    assert distribution_of(short).seconds.within(np.asarray(3 * 86400.0)) == distribution_of(
        replace(short)
    ).seconds.within(np.asarray(3 * 86400.0))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_promises_in_corners(policy: Policy) -> None:
    """What `risk.confidence` promises is kept within 3 points (and what 2,000 runs can tell)."""
    for seed in CORNERS:
        job = corner(seed)
        found = replay(job, [policy], runs=5 * RUNS, seed=seed)[0]
        for share in (0.8, 0.9, 0.95):
            assert (found.seconds <= promised_seconds(job, policy, share)).mean() >= share - 0.045


def promised_seconds(job: SimulatedJob, policy: Policy, share: float) -> float:
    """The time that a plan of the job keeps with a probability, as the search counts it."""
    (phase,) = job.phases
    work = work_of(job, phase)
    one = {name: np.asarray(getattr(work, name))[None] for name in ("start_up", "checkpoint", "restart", "failures")}
    grown = growth(policy, replace(work, **one), spot_of(job, phase), begins=True)
    least, mean, variance = (each.after(phase.work_seconds) for each in (grown.least, grown.wall, grown.variance))
    return float(promised(least, mean, variance, deviations_of(share))[0])
