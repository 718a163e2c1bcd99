"""Whether plans keep what they promise: probabilities that the solver counted on, beside replayed runs.

    python benchmarks/confidence.py

The deadline of each problem is the time that its cheapest plan keeps with a confidence, failures, preemptions and the
estimate's own error counted. With both it is solved again, and the plan is replayed, each run with an error drawn from
the predictive distribution. About a minute of one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path

import numpy as np

from planner.plans.document import PlanDocument
from planner.session import Session, load_problem
from planner.simulate.distribution import distribution_of
from planner.simulate.job import job_of
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


def binding(path: Path, changes: Mapping[str, str], confidence: int) -> PlanDocument:
    """The plan for the deadline that the cheapest plan just keeps with a confidence. Raises InputError."""
    sure = {**changes, "risk.confidence": f"{confidence}%"}
    job = job_of(Session(load_problem(path, {**sure, **LATE})).solve())
    if job.error is None:
        raise ValueError("the estimate's error does not count")
    seconds = float(distribution_of(job).seconds.quantile_uncertain(np.asarray(confidence / 100), job.error))
    return Session(load_problem(path, {**sure, "limits.deadline": f"{ceil(seconds)}s"})).solve()


def rows() -> Iterator[str]:
    """A line for each problem and confidence."""
    for name, changes in PROBLEMS.items():
        path = Path(__file__).parents[1] / "problems" / f"{name}.yaml"
        for confidence in CONFIDENCES:
            found = binding(path, changes, confidence)
            if found.plan is None:
                yield f"{name:14} {confidence:4d}%  no plan"
                continue
            job = job_of(found)
            (outcome,) = replay(job, [job.policy], runs=RUNS, seed=1)
            said, kept = found.plan.probability_in_time or 0.0, outcome.probability_in_time or 0.0
            yield f"{name:14} {confidence:4d}%  {job.policy:8} {said:8.2%} {kept:8.2%} {100 * (kept - said):+7.2f}"


def main() -> None:
    """Prints the table."""
    print(f"{'problem':14} asked  policy       said     kept  points")
    for line in rows():
        print(line, flush=True)


if __name__ == "__main__":
    main()
