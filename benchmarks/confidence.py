"""Whether plans keep what they promise: probabilities that the solver counted on, beside replayed runs.

    python benchmarks/confidence.py

The deadline of each problem is the time that its cheapest plan keeps with a confidence, failures, preemptions and the
estimate's own error counted; then the budget is what it costs at most with one. With both it is solved again, and the
plan is replayed, each run with an error drawn from the predictive distribution. About two minutes of one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil
from pathlib import Path

import numpy as np

from planner.performance.predictive import Predictive
from planner.plans.document import PlanDocument
from planner.session import Session, load_problem
from planner.simulate.distribution import distribution_of
from planner.simulate.job import SimulatedJob, job_of
from planner.simulate.replay import replay

PROBLEMS: dict[str, dict[str, str]] = {
    "spot_heavy": {},
    "startup_7b": {"market.accelerators": "[H100-80GB-SXM5]"},
    "deepseek_v3": {"limits.gpus": "2048"},
}
"""Problems and what is changed in them."""
CONFIDENCES = (80, 90, 95)
RUNS = 20_000
LATE = {"limits.deadline": "1000d"}
"""A deadline that leaves the cheapest plan."""


def job_on(path: Path, changes: Mapping[str, str]) -> SimulatedJob:
    """The cheapest plan without a deadline, as it is executed. Raises InputError."""
    return job_of(Session(load_problem(path, {**changes, **LATE})).solve())


def in_time(path: Path, changes: Mapping[str, str], confidence: int) -> PlanDocument:
    """The plan for the deadline that the cheapest plan just keeps with a confidence. Raises InputError."""
    sure = {**changes, "risk.confidence": f"{confidence}%"}
    job = job_on(path, sure)
    seconds = float(distribution_of(job).seconds.quantile_uncertain(np.asarray(confidence / 100), _error(job)))
    return Session(load_problem(path, {**sure, "limits.deadline": f"{ceil(seconds)}s"})).solve()


def within_budget(path: Path, changes: Mapping[str, str], confidence: int) -> PlanDocument:
    """The plan for the budget that the cheapest plan just keeps with a confidence. Raises InputError."""
    job = job_on(path, changes)
    usd = float(distribution_of(job).usd.quantile_uncertain(np.asarray(confidence / 100), _error(job)))
    sure = {"risk.budget_confidence": f"{confidence}%", "limits.budget": f"${ceil(usd)}"}
    return Session(load_problem(path, {**changes, **LATE, **sure})).solve()


def _error(job: SimulatedJob) -> Predictive:
    if job.error is None:
        raise ValueError("the estimate's error does not count")
    return job.error


def rows() -> Iterator[str]:
    """A line for each problem, promise and confidence."""
    for (name, changes), promise in product(PROBLEMS.items(), (in_time, within_budget)):
        path = Path(__file__).parents[1] / "problems" / f"{name}.yaml"
        for confidence in CONFIDENCES:
            found, is_time = promise(path, changes, confidence), promise is in_time
            if found.plan is None:
                yield f"{name:14} {promise.__name__:14} {confidence:4d}%  no plan"
                continue
            job = job_of(found)
            (outcome,) = replay(job, [job.policy], runs=RUNS, seed=1)
            said, kept = (
                (one.probability_in_time if is_time else one.probability_within_budget) or 0.0
                for one in (found.plan, outcome)
            )
            asked = f"{name:14} {promise.__name__:14} {confidence:4d}%  {job.policy:8}"
            yield f"{asked} {said:8.2%} {kept:8.2%} {100 * (kept - said):+7.2f}"


def main() -> None:
    """Prints the table."""
    print(f"{'problem':14} {'promise':14} asked  policy       said     kept  points")
    for line in rows():
        print(line, flush=True)


if __name__ == "__main__":
    main()
