"""What a replay takes from a plan's JSON document: phases, prices, deadline and spot figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from planner.availability.checkpointing import failures_per_second, gang_preemptions_per_second
from planner.availability.spot_policies import restart_with_spares
from planner.catalog.reliability import load_reliability
from planner.errors import InputError, Place
from planner.files import read_at_most
from planner.market.spot import SpotFigures, spot_figures
from planner.performance.predictive import Predictive
from planner.tolerances import SUM_ORDER

Policy = Literal["steady", "wait", "fallback", "elastic", "progress"]
POLICIES: Final = ("steady", "wait", "fallback", "elastic", "progress")
LARGEST_PLAN: Final = 16 * 2**20
"""Bytes of the largest plan that is read."""
USUAL_CHECKPOINT: Final = 60.0
"""Seconds to write a checkpoint where a plan does not say."""
LARGEST_FIGURE: Final = 1e12
"""Largest figure in any unit: a price as well as 30,000 years in seconds."""
LEAST_SHARE: Final = 1e-9
LEAST_WORK: Final = 1e-3
"""Seconds of the shortest phase."""
MOST_INTERRUPTIONS: Final = 1e6
"""Expected interruptions of one run; each takes simulation time."""
MAX_PHASES: Final = 100


@dataclass(frozen=True)
class JobPhase:
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
class Job:
    """A plan as it is executed."""

    policy: Policy
    phases: tuple[JobPhase, ...]
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
    assumed: tuple[str, ...]
    """What the plan does not say and was taken from the catalogs or guessed, in words."""
    gpus_per_node: int = 1
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


def load_job(path: str | Path) -> Job:
    """Reads the document that `plan solve --out` writes. Raises InputError."""
    place = Place(str(path))
    try:
        text = read_at_most(path, LARGEST_PLAN + 1)
    except OSError as error:
        raise InputError(
            f"cannot read it: {error.strerror}", place=place, fix="write one with plan solve --out"
        ) from None
    if len(text) > LARGEST_PLAN:
        raise InputError("larger than 16 MiB, so not a plan", place=place, fix="give what plan solve --out wrote")
    try:
        document = json.loads(text)
        return job_of(document)
    except InputError as error:
        raise InputError(error.issues[0].message, place=place, fix=error.issues[0].fix) from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        message = f"not a plan: {type(error).__name__} {error}"[:200]
        raise InputError(message, place=place, fix="give what plan solve --out wrote") from None


def job_of(document: Mapping[str, Any]) -> Job:
    """The job of a plan's document. Raises InputError when there is no plan, KeyError and the like when it is none."""
    plan = document["plan"]
    if plan is None:
        raise InputError("it holds no plan", fix="solve the problem first; plan solve lists the smallest relaxations")
    if len({(one.get("accelerator"), *(one.get("placement") or {}).values()) for one in plan["phases"]}) > 1:
        message = "its phases run in several places; only a plan that stays in one is replayed or tracked"
        raise InputError(message, fix="set market.together: true")
    assumed: list[str] = []
    prices = _prices(plan, assumed)
    phases = tuple(_phase(plan, phase, assumed) for phase in plan["phases"][:MAX_PHASES])
    buys_spot = any(phase.spot_nodes for phase in phases)
    reserved = [one for one in plan["purchases"] if one["kind"] == "reserved"]
    rate = plan.get("failures_per_1000_node_days")
    job = Job(
        policy=plan.get("policy") or ("wait" if buys_spot else "steady"),
        phases=phases,
        deadline_seconds=figure(plan.get("deadline_seconds") or 0) or _deadline(document),
        confidence=None if plan.get("confidence") is None else figure(plan["confidence"], most=1),
        planned_seconds=figure(plan["wall_seconds"]),
        planned_usd=figure(plan["cost_usd"]),
        failures_per_1000_node_days=(
            load_reliability().usual_failure_rate.failures_per_1000_node_days if rate is None else figure(rate)
        ),
        spot=_spot(plan, assumed) if buys_spot else None,
        spot_usd=prices["spot"],
        on_demand_usd=prices["on_demand"],
        reserved_usd=prices["reserved"] or 0.0,
        reserved_nodes=sum(int(figure(one["nodes"])) for one in reserved),
        committed_seconds=figure(plan.get("committed_seconds") or 0),
        assumed=tuple(dict.fromkeys(assumed)),
        gpus_per_node=_per_node(plan),
        error=_error(document),
    )
    _check(job)
    return job


def figure(stated: float | str, *, least: float = 0.0, most: float = LARGEST_FIGURE) -> float:
    """A number of a plan, which may be written as text. Raises ValueError when it is none or out of bounds."""
    if not least <= (value := float(stated)) <= most:
        raise ValueError(f"{value:g} is not from {least:g} to {most:g}")
    return value


def _check(job: Job) -> None:
    """Refuses figures that no run can have."""
    if job.policy not in POLICIES:
        raise InputError(f"unknown policy {str(job.policy)[:40]!r}", fix=f"known: {', '.join(POLICIES)}")
    if job.policy == "progress" and job.deadline_seconds is None:
        raise InputError("the policy progress needs a deadline", fix="add limits.deadline to the problem")
    for phase in job.phases:
        if min(phase.work_seconds / LEAST_WORK, phase.nodes, phase.replicas) < 1:
            raise InputError(
                f"phase {phase.name!r} has no work, no nodes or no replicas", fix="solve the problem again"
            )
    if not job.phases:
        raise InputError("the plan has no phases", fix="solve the problem again")
    if (interruptions := sum(_interruptions(job, phase) for phase in job.phases)) > MOST_INTERRUPTIONS:
        raise InputError(f"{interruptions:.1e} interruptions are too many to replay", fix="solve the problem again")


def _interruptions(job: Job, phase: JobPhase) -> float:
    """How many failures and preemptions to expect while a phase works."""
    nodes = np.asarray(float(phase.nodes))
    rate = failures_per_second(nodes, np.asarray(job.failures_per_1000_node_days))
    if job.spot and phase.spot_nodes:
        stated, together = (np.asarray(one) for one in (job.spot.preemptions_per_node_day, job.spot.together))
        rate = rate + gang_preemptions_per_second(nodes, stated, together)
    return phase.work_seconds * float(rate)


def _error(document: Mapping[str, Any]) -> Predictive | None:
    """The estimate's own error, where the plan's probabilities count it."""
    stated = document.get("estimate") or {}
    if document["plan"].get("counts") != "everything" or stated.get("log_scale") is None:
        return None
    return Predictive(
        figure(stated["log_scale"], most=LARGEST_LOGARITHM),
        figure(stated.get("log_median") or 0, least=-LARGEST_LOGARITHM, most=LARGEST_LOGARITHM),
    )


LARGEST_LOGARITHM: Final = 3.0
"""Of an estimate's error: a factor of 20."""


def _deadline(document: Mapping[str, Any]) -> float | None:
    """The bound of the deadline, where the document lists it."""
    found = [one["bound"] for one in document.get("limits", ()) if one["name"].endswith(".deadline")]
    return figure(found[0]) if found else None


def _phase(plan: Mapping[str, Any], phase: Mapping[str, Any], assumed: list[str]) -> JobPhase:
    """One phase with what it buys."""
    bought = [one for one in plan["purchases"] if one["phase"] == phase["name"] and not one.get("note")]
    nodes = {
        kind: sum(int(figure(one["nodes"])) for one in bought if one["kind"] == kind) for kind in ("spot", "on_demand")
    }
    seconds = {one.name: one.seconds for one in load_reliability().restart}
    if "checkpoint_seconds" not in phase:
        assumed.append("a checkpoint takes 60 s and a restart what is usual: the plan does not say")
    return JobPhase(
        name=str(phase["name"]),
        work_seconds=figure(phase["steps"]) * figure(phase["step_seconds"]),
        nodes=int(figure(phase["nodes"])),
        spot_nodes=nodes["spot"],
        on_demand_nodes=nodes["on_demand"],
        replicas=int(figure(phase["data"])),
        checkpoint_seconds=figure(phase.get("checkpoint_seconds", USUAL_CHECKPOINT)),
        restart_seconds=_restart(plan, phase, seconds["synchronous-job"]),
        startup_seconds=figure(phase.get("startup_seconds", seconds["start-up"])),
    )


def _restart(plan: Mapping[str, Any], phase: Mapping[str, Any], usual: float) -> float:
    """From an interruption to computing again; with `repair_seconds` the spare nodes may be out when one fails."""
    rate = figure(plan.get("failures_per_1000_node_days") or 0)
    restart = figure(phase.get("restart_seconds", usual))
    failures = failures_per_second(np.asarray(figure(phase["nodes"])), np.asarray(rate))
    repair, spares = figure(plan.get("repair_seconds") or 0), int(figure(phase.get("spare_nodes") or 0))
    return float(restart_with_spares(np.asarray(restart), np.asarray(repair), failures, np.asarray(spares)))


def _per_node(plan: Mapping[str, Any]) -> int:
    """Devices of a node."""
    return max(1, round(figure(plan["gpus"]) / figure(plan["nodes"])))


def _prices(plan: Mapping[str, Any], assumed: list[str]) -> dict[str, float | None]:
    """US dollars per node-hour by kind: stated, or from the bill, or on demand three times the spot price."""
    per_node = _per_node(plan)
    billed = {one["kind"]: figure(one["usd_per_gpu_hour"]) * per_node for one in plan["purchases"]}
    stated = plan.get("prices")
    if stated is not None:
        return {kind: None if stated.get(kind) is None else figure(stated[kind]) for kind in KINDS}
    prices = {kind: billed.get(kind) for kind in KINDS}
    spot = prices["spot"]
    if spot is not None and prices["on_demand"] is None:
        prices["on_demand"] = ON_DEMAND_OVER_SPOT * spot
        assumed.append("on demand costs three times the spot price: the plan does not say")
    return prices


KINDS: Final = ("on_demand", "spot", "reserved")
ON_DEMAND_OVER_SPOT: Final = 3.0


def _spot(plan: Mapping[str, Any], assumed: list[str]) -> SpotFigures:
    """The plan's own spot figures, or the catalog's of its accelerator."""
    stated = plan.get("spot")
    if stated is None:
        assumed.append("spot nodes come and go as in the catalog: the plan does not say")
        return spot_figures(plan["accelerator"], None)
    return SpotFigures(
        availability=figure(stated["availability"], least=LEAST_SHARE, most=1),
        preemptions_per_node_day=figure(stated["preemptions_per_node_day"]),
        together=figure(stated["together"], least=LEAST_SHARE, most=1),
        correlation=figure(stated["correlation"], least=LEAST_SHARE, most=1),
        traced=bool(stated.get("traced", False)),
    )
