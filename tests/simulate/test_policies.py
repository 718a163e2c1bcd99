"""A replay is the same for the same seed, and does what its policies say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from random_jobs import job_of

from planner.simulate.closed_form import gang_of
from planner.simulate.generate import Generated
from planner.simulate.replay import replay
from planner.simulate.statistics import correlation, statistics_of
from planner.simulate.timelines import progress_over_time, sampled, strips
from planner.simulate.traces import Trace


def recorded(seed: int, days: float = 45.0, hours: float = 3.24, availability: float = 0.7158) -> Trace:
    """A trace with the published statistics of nine V100 zones: one node, half of its up periods under 44 minutes."""
    job = job_of(nodes=1, availability=availability, preemptions=24 / hours)
    assert job.spot is not None
    zone = Generated([gang_of(job.spot, 1)], 1, np.random.default_rng(seed))
    begins, counts = [0.0], [int(zone.share[0] == 1)]
    while zone.until[0] < days * 86400:
        begins.append(float(zone.until[0]))
        zone.advance(np.asarray([0]))
        counts.append(int(zone.share[0] == 1))
    return Trace(f"zone {seed}", np.asarray(begins), np.asarray(counts), days * 86400, None)


def test_the_same_seed_gives_the_same_runs() -> None:
    """And another one others."""
    job = job_of(days=5, deadline_days=9)
    first, again, other = (replay(job, ["progress"], runs=20, seed=seed)[0] for seed in (1, 1, 2))
    assert list(first.seconds) == list(again.seconds)
    assert list(first.usd) == list(again.usd)
    assert list(first.seconds) != list(other.seconds)


def test_traces_are_replayed_the_same_too() -> None:
    """From the same offsets in the same files."""
    traces = (recorded(1), recorded(2))
    job = job_of(days=5, nodes=1, replicas=1)
    first, again = (replay(job, ["wait"], runs=20, seed=4, traces=traces)[0] for _ in range(2))
    assert list(first.seconds) == list(again.seconds)


def test_generated_capacity_has_the_published_statistics() -> None:
    """Availability, mean time up, and a median far below the mean."""
    found = statistics_of(recorded(3, days=2000))
    assert found.availability == pytest.approx(0.7158, abs=0.03)
    assert found.up.mean == pytest.approx(3.24 * 3600, rel=0.1)
    assert found.up.median is not None
    assert found.up.median < 0.4 * 3.24 * 3600
    assert found.preemptions_per_node_day == pytest.approx(24 / 3.24, rel=0.1)


def test_zones_of_their_own_do_not_go_together() -> None:
    """A zone goes with itself."""
    first, second = recorded(5, days=500), recorded(6, days=500)
    assert correlation(first, first) == pytest.approx(1)
    assert correlation(first, second) == pytest.approx(0, abs=0.15)


def test_progress_saves_and_keeps_the_deadline() -> None:
    """Deadline 1.25 × work, change-over 0.1 h, on demand 3.3 × spot, nine generated zones: no miss, 35 % saved."""
    job = job_of(days=2, nodes=1, replicas=1, deadline_days=2.5)
    phase = replace(job.phases[0], checkpoint_seconds=0.0, restart_seconds=360.0, startup_seconds=0.0)
    job = replace(job, phases=(phase,), on_demand_usd=3.3 * 8, failures_per_1000_node_days=0.0)
    traces = tuple(recorded(seed) for seed in range(9))
    steady, progress = replay(job, ["steady", "progress"], runs=300, seed=1, traces=traces)
    assert progress.probability_in_time == 1
    assert progress.usd.mean() < 0.65 * steady.usd.mean()


def test_elastic_goes_on_with_what_is_left() -> None:
    """A trace that always leaves half of 16 nodes makes the job run, at half the speed at least."""
    begins = np.linspace(0, 39 * 6 * 3600, 40, dtype=np.float64)
    trace = Trace("half", begins, np.where(np.arange(40) % 2, 8, 16), 240 * 3600.0, None)
    job = replace(job_of(days=4), failures_per_1000_node_days=0.0)
    elastic, wait = replay(job, ["elastic", "wait"], runs=30, seed=1, traces=(trace,))
    assert elastic.waste()["waiting"] == 0
    assert elastic.waste()["reduced"] > 0
    assert elastic.seconds.mean() < wait.seconds.mean() < 2.3 * 4 * 86400


def test_spot_nodes_that_never_leave_cost_their_price() -> None:
    """An always available trace: nothing waits, nothing is preempted."""
    trace = Trace("always", np.asarray([0.0]), np.asarray([16]), 86400.0, 300.0)
    job = replace(job_of(days=3), failures_per_1000_node_days=0.0)
    found = replay(job, ["wait"], runs=5, seed=1, traces=(trace,))[0]
    assert found.preemptions == 0
    assert found.usd == pytest.approx(found.seconds / 3600 * 16 * 8)


def test_pictures_show_the_runs() -> None:
    """Strips cover a run from start to end, progress grows from nothing to all."""
    found = replay(job_of(days=5), ["fallback"], runs=30, seed=1)[0]
    strip = strips(found)[0]
    assert strip[0].begin == 0
    assert strip[-1].end == pytest.approx(found.seconds[0])
    assert all(one.end == pytest.approx(two.begin, abs=61) for one, two in pairwise(strip))
    columns = sampled(strip, 40, found.seconds.max() * 1.5)
    assert columns[0] is not None
    assert columns[-1] is None
    curves = progress_over_time(found, np.linspace(0, found.seconds.max(), 30))
    assert curves[:, 0] == pytest.approx(0)
    assert curves[:, -1] == pytest.approx(1)
    assert (np.diff(curves, axis=1) >= -1e-9).all()
