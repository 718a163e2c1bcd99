"""What a replay takes from a plan's document: phases, prices, deadline and spot figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from math import floor
from typing import Final, Literal

import numpy as np

from planner.availability.checkpointing import failures_per_second, gang_preemptions_per_second
from planner.errors import InputError, Place
from planner.market.spot import SpotFigures
from planner.performance.predictive import Predictive
from planner.plans.document import PlanDocument
from planner.plans.phase_part import PhasePart
from planner.plans.plan_part import PlanPart
from planner.tolerances import SUM_ORDER

Policy = Literal["steady", "wait", "fallback", "elastic", "progress"]
LARGEST_FIGURE: Final = 1e12
"""Largest figure in any unit: a price as well as 30,000 years in seconds."""
LEAST_SHARE: Final = 1e-9
LEAST_WORK: Final = 1e-3
"""Seconds of the shortest phase."""
MOST_INTERRUPTIONS: Final = 1e6
"""Expected interruptions of one run; each takes simulation time."""
MAX_PHASES: Final = 100


@dataclass(frozen=True)
class SimulatedPhase:
    """One phase: pure work on nodes of which some are spot nodes."""

    name: str
    work_seconds: float
    nodes: int
    """Compute nodes, excluding spares."""
    spot_nodes: int
    on_demand_nodes: int
    replicas: int
    checkpoint_seconds: float
    restart_seconds: float
    startup_seconds: float

    @property
    def spot_share(self) -> float:
        """Share of the nodes bought."""
        return self.spot_nodes / max(self.spot_nodes + self.on_demand_nodes, self.nodes)

    def replicas_of(self, share: float) -> float:
        """Whole replicas, of all, that run while a share of the spot nodes is there beside all other nodes."""
        nodes = share * self.spot_share + 1 - self.spot_share
        return floor(nodes * self.replicas + SUM_ORDER) / self.replicas if share > 0 else 0.0


@dataclass(frozen=True)
class SimulatedJob:
    """A plan as it is executed."""

    policy: Policy
    phases: tuple[SimulatedPhase, ...]
    deadline_seconds: float | None
    confidence: float | None
    planned_seconds: float
    planned_usd: float
    failures_per_1000_node_days: float
    spot: SpotFigures | None
    spot_usd: float | None
    """Per node-hour, as the other prices."""
    on_demand_usd: float | None
    reserved_usd: float
    reserved_nodes: int
    committed_seconds: float
    gpus_per_node: int = 1
    budget_usd: float | None = None
    error: Predictive | None = None
    """Of real over estimated time, which runs draw; None where the estimate counts as right."""

    def policies(self) -> tuple[Policy, ...]:
        """The plan's own policy, then every other one that its prices allow."""
        found: list[Policy] = [self.policy]
        buys_spot = any(phase.spot_nodes for phase in self.phases) and self.spot is not None
        if self.on_demand_usd is not None:
            found.append("steady")
        if buys_spot:
            found += ["wait", "elastic"]
            if self.on_demand_usd is not None:
                found += ["fallback", "progress"] if self.deadline_seconds else ["fallback"]
        return tuple(dict.fromkeys(found))


def job_of(document: PlanDocument, source: str = "the answer") -> SimulatedJob:
    """The job of an answer's plan; `source` is what errors call it. Raises InputError where no run can have it."""
    plan = document.plan
    if plan is None:
        fix = "solve the problem first; plan solve lists the smallest relaxations"
        raise InputError("it holds no plan", place=Place(source), fix=fix)
    if _depends_on_days(plan):
        fix = "replay a plan on offers without from, until, closed, blocks and price periods"
        raise InputError("it waits, pauses or pays by day; a replay knows no days", place=Place(source), fix=fix)
    if len(plan.stays) > 1:
        message = "its phases run in several places; only a plan that stays in one is replayed or tracked"
        raise InputError(message, place=Place(source), fix="set market.together: true")
    phases = tuple(_phase(plan, phase) for phase in plan.phases[:MAX_PHASES])
    job = SimulatedJob(
        policy=plan.policy,
        phases=phases,
        deadline_seconds=plan.deadline_seconds,
        confidence=plan.confidence,
        planned_seconds=plan.wall_seconds,
        planned_usd=float(plan.cost_usd),
        failures_per_1000_node_days=plan.failures_per_1000_node_days,
        spot=_spot(plan) if any(phase.spot_nodes for phase in phases) else None,
        spot_usd=_usd(plan.prices.spot),
        on_demand_usd=_usd(plan.prices.on_demand),
        reserved_usd=_usd(plan.prices.reserved) or 0.0,
        reserved_nodes=sum(one.nodes for one in plan.purchases if one.kind == "reserved"),
        committed_seconds=plan.committed_seconds,
        gpus_per_node=plan.gpus_per_node,
        budget_usd=None if plan.budget_usd is None else float(plan.budget_usd),
        error=_error(document, plan),
    )
    try:
        _check(job)
    except InputError as error:
        raise InputError(error.issues[0].message, place=Place(source), fix=error.issues[0].fix) from None
    return job


def _depends_on_days(plan: PlanPart) -> bool:
    """Whether a plan waits or pauses, or is paid by day."""
    lines = [(one.phase, one.kind) for one in plan.purchases if not one.note]
    in_blocks = any(one.kind == "reserved" and one.note for one in plan.purchases)
    on_demand = [line for line in lines if line[1] == "on_demand"]
    return bool(plan.schedule and plan.schedule.idle) or in_blocks or len(set(on_demand)) < len(on_demand)


def _usd(price: Decimal | None) -> float | None:
    """US dollars per node-hour."""
    return None if price is None else float(price)


def _check(job: SimulatedJob) -> None:
    """Refuses figures that no run can have."""
    again = "solve the problem again"
    for phase in job.phases:
        if min(phase.work_seconds / LEAST_WORK, phase.nodes, phase.replicas) < 1:
            raise InputError(f"phase {phase.name!r} has no work, no nodes or no replicas", fix=again)
    if not job.phases:
        raise InputError("the plan has no phases", fix=again)
    if odd := next((name for name, value in _figures(job) if not 0 <= value <= LARGEST_FIGURE), None):
        raise InputError(f"not a plan: {odd} is not from 0 to {LARGEST_FIGURE:g}", fix=again)
    if job.spot and min(job.spot.availability, job.spot.together, job.spot.correlation) < LEAST_SHARE:
        raise InputError("not a plan: spot nodes that are never there", fix=again)
    if job.error and max(job.error.scale, abs(job.error.middle)) > LARGEST_LOGARITHM:
        raise InputError("not a plan: an estimate that is off by more than a factor of 20", fix=again)
    if (interruptions := sum(_interruptions(job, phase) for phase in job.phases)) > MOST_INTERRUPTIONS:
        raise InputError(f"{interruptions:.1e} interruptions are too many to replay", fix=again)


LARGEST_LOGARITHM: Final = 3.0
"""Of an estimate's error: a factor of 20."""


def _figures(job: SimulatedJob) -> Iterator[tuple[str, float]]:
    """Every figure of a job and its phases by name."""
    for part in (job, *job.phases, *([job.spot] if job.spot else [])):
        yield from ((name, value) for name, value in vars(part).items() if isinstance(value, int | float))


def _interruptions(job: SimulatedJob, phase: SimulatedPhase) -> float:
    """How many failures and preemptions to expect while a phase works."""
    nodes = np.asarray(float(phase.nodes))
    rate = failures_per_second(nodes, np.asarray(job.failures_per_1000_node_days))
    if job.spot and phase.spot_nodes:
        stated, together = (np.asarray(one) for one in (job.spot.preemptions_per_node_day, job.spot.together))
        rate = rate + gang_preemptions_per_second(nodes, stated, together)
    return phase.work_seconds * float(rate)


def _error(document: PlanDocument, plan: PlanPart) -> Predictive | None:
    """The estimate's own error, where the plan's probabilities count it."""
    estimate = document.estimate
    if plan.counts != "everything" or estimate is None or estimate.log_scale is None:
        return None
    return Predictive(estimate.log_scale, estimate.log_median or 0.0)


def _phase(plan: PlanPart, phase: PhasePart) -> SimulatedPhase:
    """One phase with what it buys."""
    bought = [one for one in plan.purchases if one.of_phase == phase.name and not one.note]
    nodes = {kind: sum(one.nodes for one in bought if one.kind == kind) for kind in ("spot", "on_demand")}
    return SimulatedPhase(
        name=phase.name,
        work_seconds=phase.steps * phase.step_seconds,
        nodes=phase.nodes,
        spot_nodes=nodes["spot"],
        on_demand_nodes=nodes["on_demand"],
        replicas=phase.data,
        checkpoint_seconds=phase.checkpoint_seconds,
        restart_seconds=phase.restart_seconds,
        startup_seconds=phase.startup_seconds,
    )


def _spot(plan: PlanPart) -> SpotFigures | None:
    """How the plan's spot nodes come and go."""
    return None if plan.spot is None else SpotFigures(**plan.spot.model_dump(include=SPOT_KEYS))


SPOT_KEYS: Final = {one.name for one in fields(SpotFigures)}
