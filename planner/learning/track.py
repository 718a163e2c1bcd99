"""A run under way against its plan: where it stands, when it will end and what it will cost, by what it measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from planner.availability.checkpointing import failures_per_second
from planner.availability.distributions import Distribution, Sampled
from planner.catalog.calibration import Calibration
from planner.errors import Place
from planner.launch.job import LaunchJob, jobs_of
from planner.launch.run_data import run_data
from planner.learning.learn import learn
from planner.learning.measurements import Measurement, checked, measurement_of
from planner.learning.step_file import DENSE, LEAST_DRIFT, Pace, Steps, pace_between
from planner.performance.evaluate import constants_of
from planner.performance.own_runs import posterior_of
from planner.performance.predictive import CONFIDENCE, NORMAL_80, STUDENT_80, Predictive
from planner.plans.document import PlanDocument
from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import PlanPart
from planner.problem.document import Document
from planner.problem.run import Run
from planner.simulate.distribution import JobDistribution, distribution_of
from planner.simulate.job import SimulatedJob, job_of
from planner.units import SECONDS_PER_HOUR

RATE_SHAPE: Final = 3.5
"""Shape of the gamma distribution of a cluster's failure rate over the usual one: those published differ so much.

2.34, 3.79 and 6.50 failures per 1,000 node-days (catalogs/reliability.toml): variance of the logarithm 0.26.
"""


@dataclass(frozen=True)
class PhaseTrack:
    """One phase: what is done of it, and how long its steps take."""

    part: PhasePart
    done: int
    """Steps."""
    elapsed_seconds: float
    """That were spent on it."""
    pace: Pace | None
    """What was measured; None before it has begun."""
    step_seconds: float
    """Of the steps that are left: measured, or as the posterior expects them."""
    error: Predictive
    """Of that."""

    @property
    def left(self) -> int:
        """Steps that are left."""
        return self.part.steps - self.done

    @property
    def planned_seconds(self) -> float:
        """Wall time that the plan has for what is done."""
        part = self.part
        startup = part.startup_seconds if self.done else 0.0
        return startup + (part.wall_seconds - part.startup_seconds) * self.done / part.steps


@dataclass(frozen=True)
class Forecast:
    """An amount at the end of the run: expected, and the range in which `CONFIDENCE` of such runs end."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class Track:
    """A run under way, held against its plan."""

    document: PlanDocument
    plan: PlanPart
    phases: tuple[PhaseTrack, ...]
    elapsed_seconds: float
    lost_seconds: float
    """Of that, what is not steps: start-up, checkpoints, failures, waiting."""
    failure_factor: float
    """Failures that are expected from now on, over the plan's."""
    rest: JobDistribution
    """Time and cost of what is left."""
    calibration: Calibration
    """With what the run taught."""

    @cached_property
    def error(self) -> Predictive:
        """Real over expected time of what is left: its phases share one factor, on the safe side."""
        weights = [max(one.left * one.step_seconds, 1e-9) for one in self.phases]
        scale, middle = (
            float(np.average([getattr(one.error, name) for one in self.phases], weights=weights))
            for name in ("scale", "middle")
        )
        return Predictive(scale, middle)

    @property
    def steps_done(self) -> int:
        """Steps of all phases that are done."""
        return sum(one.done for one in self.phases)

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(one.part.steps for one in self.phases)

    @property
    def planned_seconds(self) -> float:
        """Wall time that the plan has for what is done."""
        return sum(one.planned_seconds for one in self.phases)

    @property
    def spent_usd(self) -> float:
        """What the plan's prices come to for the time that has passed."""
        return self._usd([one.elapsed_seconds for one in self.phases])

    @property
    def planned_usd(self) -> float:
        """What the plan has spent by this step."""
        return self._usd([one.planned_seconds for one in self.phases])

    def _usd(self, seconds: Sequence[float]) -> float:
        spent = {one.part.name: took for one, took in zip(self.phases, seconds, strict=True)}
        walls = {one.part.name: one.part.wall_seconds for one in self.phases}
        return sum(
            float(line.cost_usd) * spent[line.phase] / walls[line.phase]
            if line.phase in spent and line.kind != "reserved"
            else float(line.cost_usd) * sum(seconds) / (line.hours * SECONDS_PER_HOUR)
            for line in self.plan.purchases
        )

    @property
    def end(self) -> Forecast:
        """Seconds from the beginning to the end."""
        return self._forecast(self.elapsed_seconds, self.rest.seconds)

    @property
    def cost(self) -> Forecast:
        """US dollars in all."""
        return self._forecast(self.spent_usd, self.rest.usd)

    def _forecast(self, before: float, rest: Distribution) -> Forecast:
        shares = np.asarray([0.5, (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Forecast(*(before + rest.quantile_uncertain(shares, self.error)).tolist())

    @property
    def probability_in_time(self) -> float | None:
        """Probability of keeping the plan's deadline, everything counted; None without one."""
        return self._probability(self.plan.deadline_seconds, self.elapsed_seconds, self.rest.seconds)

    @property
    def probability_within_budget(self) -> float | None:
        """Probability of keeping the problem's budget; None without one."""
        return self._probability(self.budget_usd, self.spent_usd, self.rest.usd)

    def kept_seconds(self, confidence: float) -> float:
        """Seconds from the beginning within which the run ends with a probability."""
        return self.elapsed_seconds + float(self.rest.seconds.quantile_uncertain(np.asarray(confidence), self.error))

    def _probability(self, bound: float | None, before: float, rest: Distribution) -> float | None:
        return None if bound is None else float(rest.within_uncertain(np.asarray(bound - before), self.error))

    @property
    def budget_usd(self) -> float | None:
        """The problem's."""
        budget = self.document.asked.limits.budget
        return None if budget is None else float(budget)

    @property
    def holds(self) -> bool:
        """Whether deadline and budget still hold as surely as the plan was made for, at least more likely than not."""
        sure = 0.5 if self.plan.confidence is None else self.plan.confidence
        in_time, within = self.probability_in_time, self.probability_within_budget
        return (in_time is None or in_time >= sure) and (within is None or within >= 0.5)


def track(document: PlanDocument, source: str, steps: Steps, calibration: Calibration) -> Track:
    """Where a run stands; `calibration` is what its plan was made with. Raises InputError."""
    launched, job = jobs_of(document, source), job_of(document, source)
    plan = document.plan
    if plan is None:
        raise ValueError("jobs_of lets no document without a plan pass")
    begun = _begun(plan.phases, steps)
    learned = _learned(begun, launched, calibration)
    phases = tuple(_expected(one, of, document, calibration, learned) for one, of in zip(begun, launched, strict=True))
    elapsed = float(steps.elapsed[-1])
    lost = elapsed - sum(one.done * one.step_seconds for one in phases)
    factor = _failure_factor(phases, job, lost)
    return Track(document, plan, phases, elapsed, lost, factor, _rest(phases, job, factor, elapsed), learned)


def _begun(parts: Sequence[PhasePart], steps: Steps) -> list[PhaseTrack]:
    """What is done of each phase, and its measured pace."""
    found, first, furthest = [], 0, np.maximum.accumulate(steps.done)
    begin, now = 0.0, int(steps.done[-1])
    for part in parts:
        last = first + part.steps
        end = float(np.interp(last, furthest, steps.elapsed)) if furthest[-1] >= last else float(steps.elapsed[-1])
        done = min(max(now - first, 0), part.steps)
        pace = pace_between(steps, first, last, DENSE * part.checkpoint_interval_seconds) if done else None
        pace = pace or _pace_from_begin(part, done, end - begin)
        known = Predictive(LEAST_DRIFT)
        found.append(PhaseTrack(part, done, end - begin if done else 0.0, pace, part.step_seconds, known))
        first, begin = last, end
    return found


def _pace_from_begin(part: PhasePart, done: int, seconds: float) -> Pace | None:
    """All that a single row says: the time since the phase began, without the start-up that the plan has for it."""
    each = max(seconds - part.startup_seconds, 0.0) / done if done else 0.0
    return Pace(each, is_bare=False, deviation=LEAST_DRIFT) if each else None


def _bare_seconds(part: PhasePart, pace: Pace) -> float:
    """Seconds of a step without losses; where they cannot be told apart, by the share that the plan has for them."""
    if pace.is_bare:
        return pace.step_seconds
    return pace.step_seconds * part.steps * part.step_seconds / (part.wall_seconds - part.startup_seconds)


def _learned(begun: Sequence[PhaseTrack], jobs: Sequence[LaunchJob], calibration: Calibration) -> Calibration:
    """The calibration with what the measured phases teach of those to come."""
    measured = [
        checked(_measurement(job, calibration, _bare_seconds(one.part, one.pace)))
        for one, job in zip(begun, jobs, strict=True)
        if one.pace
    ]
    return learn(measured, calibration).calibration if measured else calibration


def _measurement(job: LaunchJob, calibration: Calibration, seconds: float | None) -> Measurement:
    """A phase of the plan as a run, with what was measured of it."""
    source = f"the plan's phase {job.phase}"
    run = Run.of(Document(source, {"schema": "run/1", **run_data(job)}, ("",), {}, Path()))
    return measurement_of(run, calibration, source, Place(source), seconds=seconds)


def _expected(
    one: PhaseTrack, job: LaunchJob, document: PlanDocument, before: Calibration, after: Calibration
) -> PhaseTrack:
    """The phase with how long its steps take from now on, and how well that is known."""
    if one.pace:
        known = Predictive(one.pace.deviation * NORMAL_80 / STUDENT_80)
        return replace(one, step_seconds=_bare_seconds(one.part, one.pace), error=known)
    run, stated = _measurement(job, before, None), document.estimate
    scale, middle = (stated.log_scale or 0.0, stated.log_median or 0.0) if stated else (0.0, 0.0)
    factor = run.estimated_seconds(after, constants_of(after)) / run.estimated_seconds(before, constants_of(before))
    left = [posterior_of(own.own_runs).variance_left(run.traits) if own.own_runs else 1.0 for own in (before, after)]
    share = left[1] / left[0]
    known = Predictive(scale * math.sqrt(share), middle * share)
    return replace(one, step_seconds=one.part.step_seconds * factor, error=known)


def _failure_factor(phases: Sequence[PhaseTrack], job: SimulatedJob, lost: float) -> float:
    """Failures to expect over those planned: (a + seen)/(a + expected), a the shape of the rate's gamma prior.

    Seen are the losses beyond start-up and checkpoints, each as long as a failure's mean loss. 1 where rows are too far
    apart to tell losses from steps, and on spot nodes. Source: Gelman et al. 2013, Bayesian Data Analysis, section 2.6.
    """
    begun = [one for one in phases if one.done]
    if job.policy != "steady" or not all(one.pace and one.pace.is_bare for one in begun):
        return 1.0
    seen, expected, rate = lost, 0.0, np.asarray(job.failures_per_1000_node_days)
    for one in begun:
        part, failures = one.part, float(failures_per_second(np.asarray(float(one.part.nodes)), rate))
        written = one.done * one.step_seconds / part.checkpoint_interval_seconds
        seen -= part.startup_seconds + written * part.checkpoint_seconds
        expected += failures * one.elapsed_seconds
    each = max(one.part.restart_seconds + one.part.checkpoint_interval_seconds / 2 for one in begun)
    return (RATE_SHAPE + max(seen, 0.0) / each) / (RATE_SHAPE + expected)


def _rest(phases: Sequence[PhaseTrack], job: SimulatedJob, factor: float, elapsed: float) -> JobDistribution:
    """How time and cost of what is left are distributed, the run going on as it is planned."""
    left = tuple(
        replace(of, work_seconds=one.left * one.step_seconds, startup_seconds=0.0 if one.done else of.startup_seconds)
        for one, of in zip(phases, job.phases, strict=True)
        if one.left
    )
    if not left:
        nothing = Sampled(np.zeros(1))
        return JobDistribution(nothing, nothing, 0)
    return distribution_of(
        replace(
            job,
            phases=left,
            error=None,
            failures_per_1000_node_days=job.failures_per_1000_node_days * factor,
            committed_seconds=max(0.0, job.committed_seconds - elapsed),
        )
    )
