"""A plan carried out run by run: how often it is in time, for how much, policy by policy, as the runs come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from planner.board.charts import Spec, deadline_rule, share_axes
from planner.board.parts import chart, notes_section, table
from planner.board.work import Pieces
from planner.clock import Clock
from planner.errors import InputError
from planner.plans.document import PlanDocument
from planner.report.page.axes import time_unit
from planner.simulate.job import Policy, SimulatedJob, job_of
from planner.simulate.replay import replay
from planner.units import format_duration, format_money, format_probability

BATCHES: Final = (100, 400, 500, 1000, 2000)
"""Runs of the plan's own policy, batch after batch."""
OTHERS: Final = 500
"""Runs of every other policy."""
POINTS: Final = 100
"""Points of the chart."""

Runs = dict[Policy, list[tuple[float, float]]]
"""Seconds and US dollars of every run, by policy."""


def replayed(document: PlanDocument, clock: Clock) -> Pieces:
    """The replay of a plan after each batch of runs. Raises OutOfTimeError as soon as the clock is over."""
    try:
        job = job_of(document)
    except InputError as error:
        yield "replay", [notes_section("Replay", [str(error.issues[0].message)])]
        return
    runs: Runs = {}
    for seed, (policy, count) in enumerate(_batches(job), start=1):
        (outcome,) = replay(job, [policy], runs=count, seed=seed, tell=lambda *_: clock.check())
        clock.check()
        runs.setdefault(policy, []).extend(zip(outcome.seconds.tolist(), outcome.usd.tolist(), strict=True))
        yield "replay", list(_sections(job, runs))


def _batches(job: SimulatedJob) -> Iterator[tuple[Policy, int]]:
    """Some of the plan's own policy, the others, and more of its own."""
    first, *others = job.policies()
    yield first, BATCHES[0]
    yield first, BATCHES[1]
    yield from ((one, OTHERS) for one in others)
    yield from ((first, count) for count in BATCHES[2:])


def _sections(job: SimulatedJob, runs: Mapping[Policy, Sequence[tuple[float, float]]]) -> Iterator[dict[str, Any]]:
    """A table of the policies and a chart of when their runs are done."""
    counts = "node failures and preemptions" + ("" if job.error is None else ", and the estimate's own error,")
    yield notes_section("Replay", [f"The plan carried out run by run: {counts} drawn anew for each."])
    rows = [_row(job, policy, np.asarray(some)) for policy, some in runs.items()]
    headings = ("policy", "runs", "in time", "5% done within", "half", "95%", "median cost")
    yield table("Replayed runs", headings, rows, range(1, len(headings)))
    yield chart("Share of the replayed runs that are done", _spec(job, runs))


def _row(job: SimulatedJob, policy: Policy, runs: np.typing.NDArray[np.float64]) -> tuple[str, ...]:
    """One policy."""
    seconds, usd = runs.T
    times = (format_duration(float(one)) for one in np.quantile(seconds, (0.05, 0.5, 0.95)))
    name = f"{policy} (the plan's)" if policy == job.policy else policy
    return (name, f"{len(runs):,}", _in_time(job, seconds), *times, format_money(float(np.median(usd))))


def _in_time(job: SimulatedJob, seconds: np.typing.NDArray[np.float64]) -> str:
    """The share of the runs before the deadline."""
    if job.deadline_seconds is None:
        return "–"
    return format_probability(float((seconds <= job.deadline_seconds).mean()))


def _spec(job: SimulatedJob, runs: Mapping[Policy, Sequence[tuple[float, float]]]) -> Spec:
    """The share of runs that are done by each day, a line for each policy."""
    times = {policy: np.sort(np.asarray(some)[:, 0]) for policy, some in runs.items()}
    last = max(float(np.quantile(one, 0.98)) for one in times.values())
    last = max(last, 1.05 * (job.deadline_seconds or 0.0))
    unit, name = time_unit(last)
    values = [
        {
            "time": at / unit,
            "probability": float(np.searchsorted(sorted_, at, side="right")) / len(sorted_),
            "line": policy,
        }
        for policy, sorted_ in times.items()
        for at in np.linspace(0.0, last, POINTS).tolist()
    ]
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.5},
            "encoding": share_axes(name),
        },
        *deadline_rule(job.deadline_seconds, unit, name),
    ]
    return {"height": 200, "layer": layers, "description": "Share of the replayed runs that are done by each day"}
