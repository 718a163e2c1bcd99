"""How near the closed forms are to simulation, how fast a replay is, and what recorded traces say.

    python benchmarks/replay.py --plans 200 --runs 10000      closed forms against simulated runs
    python benchmarks/replay.py --corners 200 --runs 10000    the same in corners, and what `plan solve` says there
    python benchmarks/replay.py --speed                       10,000 runs of a 60-day job with hourly events
    python benchmarks/replay.py --traces FILE …               `progress` and planned against realised on traces

A plan's probability in time is compared at the deadlines that 50, 75, 90, 95 and 99 % of its runs keep. Corners are
short jobs whose checkpoints and restarts are long beside the time for which spot nodes stay.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "replay"))

from random_jobs import corner, generated, job_of

from planner.availability.chance_constraint import deviations_of, promised
from planner.availability.completion import Moments
from planner.availability.distributions import Distribution
from planner.availability.spot_policies import growth
from planner.market.spot import SpotFigures
from planner.simulate.capacity import Floats
from planner.simulate.closed_form import spot_of, work_of
from planner.simulate.distribution import distribution_of
from planner.simulate.job import Policy, SimulatedJob
from planner.simulate.replay import PolicyOutcome, replay
from planner.simulate.statistics import statistics_of
from planner.simulate.traces import Trace, read_traces

POLICIES: tuple[Policy, ...] = ("steady", "wait", "fallback", "elastic")
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)
Gaps = tuple[float, float, float]
"""Relative differences of mean time and cost, and the difference in probability."""


def claimed(outcome: PolicyOutcome) -> Moments:
    """What the closed forms say of a policy that has them."""
    if outcome.expectation is None:
        raise ValueError(f"{outcome.policy} has no closed form")
    return outcome.expectation.moments


def gaps(outcome: PolicyOutcome) -> tuple[float, float]:
    """Relative differences of mean time and cost."""
    found = claimed(outcome)
    return float(found.seconds) / outcome.seconds.mean() - 1, float(found.usd) / outcome.usd.mean() - 1


def points(outcome: PolicyOutcome, found: Distribution) -> float:
    """The largest difference in probability."""
    bounds = np.quantile(outcome.seconds, SHARES)
    kept = np.asarray([(outcome.seconds <= bound).mean() for bound in bounds])
    return float(np.abs(found.within(bounds) - kept).max())


def gaps_of_plan(seed: int, runs: int) -> list[Gaps]:
    """The differences of one plan, policy by policy."""
    outcomes = replay(generated(seed), POLICIES, runs=runs, seed=seed)
    return [(*gaps(outcome), points(outcome, claimed(outcome).delays)) for outcome in outcomes]


def compare(plans: int, runs: int) -> None:
    """Closed forms against simulation, policy by policy, on every core."""
    with ProcessPoolExecutor(initializer=os.nice, initargs=(5,)) as pool:
        found = np.abs(np.asarray(list(pool.map(gaps_of_plan, range(plans), [runs] * plans))))
    print(f"{plans} plans, {runs:,} runs each; median and worst difference")
    rows: list[tuple[str, Floats]] = [(policy, found[:, index]) for index, policy in enumerate(POLICIES)]
    rows += [("all four", found.reshape(-1, 3))]
    for name, row in rows:
        time_gap, usd_gap, apart = row.T
        print(
            f"{name:19} time {np.median(time_gap):.2%} {time_gap.max():.2%}  "
            f"cost {np.median(usd_gap):.2%} {usd_gap.max():.2%} (over 8 %: {(usd_gap > 0.08).sum()})  "
            f"probability {100 * np.median(apart):.1f} {100 * apart.max():.1f} points, "
            f"within 3: {(apart <= 0.03).mean():.1%}",
            flush=True,
        )


def gaps_in_corner(seed: int, runs: int) -> list[tuple[float, ...]]:
    """Mean time, probability and cost quantiles by closed forms, as `plan solve` says them, and promises broken."""
    job, rows = corner(seed), []
    for policy in POLICIES:
        (outcome,) = replay(job, [policy], runs=runs, seed=seed + CORNER_SEEDS)
        told = distribution_of(replace(job, policy=policy))
        dollars = np.quantile(outcome.usd, COST_SHARES)
        costs = [
            np.abs(one.quantile(np.asarray(COST_SHARES)) / dollars - 1).max()
            for one in (claimed(outcome).bill, told.usd)
        ]
        broken = max(share - (outcome.seconds <= kept_seconds(job, policy, share)).mean() for share in PROMISES)
        forms, said = (points(outcome, one) for one in (claimed(outcome).delays, told.seconds))
        rows.append((abs(gaps(outcome)[0]), forms, said, *costs, broken, told.runs > 0))
    return rows


CORNER_SEEDS = 1_000
"""Between the dice of a corner's replay here and that of its answer."""
COST_SHARES = (0.05, 0.5, 0.95)
PROMISES = (0.5, 0.8, 0.9, 0.95, 0.99)


def kept_seconds(job: SimulatedJob, policy: Policy, share: float) -> float:
    """The time that `risk.confidence` promises, as the search counts it."""
    phase = job.phases[0]
    work, spot = work_of(job, phase), spot_of(job, phase)
    one = {name: np.asarray(getattr(work, name))[None] for name in ("start_up", "checkpoint", "restart", "failures")}
    grown = growth(policy, replace(work, **one), spot, begins=True)
    least, mean, variance = (each.after(phase.work_seconds) for each in (grown.least, grown.wall, grown.variance))
    return float(promised(least, mean, variance, deviations_of(share))[0])


def compare_corners(corners: int, runs: int) -> None:
    """Corners policy by policy: the worst of each difference."""
    with ProcessPoolExecutor(initializer=os.nice, initargs=(5,)) as pool:
        found = np.asarray(list(pool.map(gaps_in_corner, range(corners), [runs] * corners)), dtype=np.float64)
    print(f"{corners} corners, {runs:,} runs each; worst difference, and share of plans replayed by plan solve")
    for index, policy in enumerate(POLICIES):
        mean, forms, told, cost, told_cost, broken, replayed = found[:, index].T
        print(
            f"{policy:9} mean time {mean.max():.1%}  probability {100 * forms.max():.1f} points by closed forms, "
            f"{100 * told.max():.1f} as told  cost quantiles {cost.max():.1%} by closed forms, "
            f"{told_cost.max():.1%} as told  promises broken by {100 * broken.max():.1f} points  "
            f"replayed {replayed.mean():.0%}",
            flush=True,
        )


def speed() -> None:
    """10,000 runs of a 60-day job with an event an hour; processor time of this process."""
    job = job_of(days=54, nodes=64, availability=0.9, preemptions=9.0, deadline_days=90)
    for outcome_policy in (*POLICIES, "progress"):
        begin = time.process_time()
        outcome = replay(job, [outcome_policy], runs=10_000, seed=1)[0]
        days = outcome.seconds.mean() / 86400
        events = 2 * outcome.preemptions + outcome.state.failures.mean()
        print(f"{outcome_policy:10} {time.process_time() - begin:.2f} s; {days:.1f} days, {events:,.0f} events a run")


def on_traces(traces: Sequence[Trace]) -> None:
    """`progress` and greedy waiting at deadline = 1.25 × work, change-over 0.1 h, on demand = 3.3 × spot."""
    job = job_of(days=2, nodes=1, replicas=1, deadline_days=2.5)
    phase = replace(job.phases[0], checkpoint_seconds=0.0, restart_seconds=360.0, startup_seconds=0.0)
    job = replace(job, phases=(phase,), on_demand_usd=3.3 * 8.0, failures_per_1000_node_days=0.0)
    savings = []
    for trace in traces:
        steady, progress = replay(job, ["steady", "progress"], runs=2000, seed=1, traces=(trace,))
        misses = 1 - (progress.probability_in_time or 0.0)
        savings.append(1 - progress.usd.mean() / steady.usd.mean())
        print(f"{trace.name}: saves {savings[-1]:.1%}, misses {misses:.2%}")
    print(f"mean saving {np.mean(savings):.1%}")


def planned_and_realised(traces: Sequence[Trace]) -> Iterator[str]:
    """Plans from the first half of each trace, replayed on the second."""
    for trace in traces:
        first, second = trace.between(0, trace.seconds / 2), trace.between(trace.seconds / 2, trace.seconds)
        known = statistics_of(first)
        figures = SpotFigures(known.availability, known.preemptions_per_node_day, 1.0, 1.0, traced=True)
        job = half_job(figures)
        for outcome in replay(job, ["wait", "fallback"], runs=500, seed=1, traces=(second,)):
            expected = outcome.expectation
            if expected is None:
                continue
            inside = expected.seconds()["p5"] <= np.median(outcome.seconds) <= expected.seconds()["p95"]
            yield (
                f"{Path(trace.name).name:28} {outcome.policy:9} availability {known.availability:.2f} then "
                f"{statistics_of(second).availability:.2f}; days {expected.seconds()['mean'] / 86400:.2f} planned, "
                f"{outcome.seconds.mean() / 86400:.2f} realised; cost {float(expected.moments.usd):,.0f} planned, "
                f"{outcome.usd.mean():,.0f} realised; median inside p5–p95: {'yes' if inside else 'no'}"
            )


def half_job(figures: SpotFigures) -> SimulatedJob:
    """Five days of work on one node, deadline eight."""
    job = job_of(days=5, nodes=1, replicas=1, deadline_days=8)
    return replace(job, spot=figures)


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plans", type=int, default=0)
    parser.add_argument("--corners", type=int, default=0)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--traces", nargs="*", default=[])
    asked = parser.parse_args()
    if asked.plans:
        compare(asked.plans, asked.runs)
    if asked.corners:
        compare_corners(asked.corners, asked.runs)
    if asked.speed:
        speed()
    if asked.traces:
        traces = read_traces(asked.traces)
        on_traces(traces)
        print(*planned_and_realised(traces), sep="\n")


if __name__ == "__main__":
    main()
