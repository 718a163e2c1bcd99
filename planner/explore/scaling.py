"""Scaling: the fastest layout on exactly so many devices, number by number, and what more of them bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Final

from planner.catalog.accelerators import accelerator_from
from planner.errors import InputError, Place, did_you_mean
from planner.explore.fixed_gpu_counts import Kind, Trial, Trials
from planner.explore.gpu_counts import GpuCounts
from planner.explore.job_modes import bounds_of, plan_of_mode
from planner.layouts.degrees import searched_devices
from planner.market.calendar import refuse_days
from planner.market.placements import Machine, Placement, placements
from planner.plans.plan import PhasePlan, Plan
from planner.problem.problem import Phase, Problem

COMMUNICATION: Final = ("tensor", "context", "expert", "pipeline_send", "data")
"""Parts of a step in which devices wait for what others send; overlapped transfers are in none of them."""
MOST_CURVES: Final = 4
"""Accelerators that are shown unless one is named."""


@dataclass(frozen=True)
class ScalingPoint:
    """The fastest layout on one number of devices, or why there is none."""

    gpus: int
    """Compute devices, excluding spares."""
    plan: Plan | None
    """Verified; of the phase alone."""
    cost_usd: Decimal | None
    """On the cheapest on-demand offer with room; None where there is none."""
    reason: str
    """Why there is no layout."""
    tokens_per_second: float | None
    """Throughput of a step when nothing fails; None without a layout, like all that follows."""
    efficiency: float | None
    """Tokens per second and device, over those of the fewest devices that have a layout."""

    @property
    def phase(self) -> PhasePlan | None:
        """The phase on its nodes."""
        return self.plan.phases[0] if self.plan else None

    @property
    def global_batch(self) -> int | None:
        """Sequences of a step."""
        phase = self.phase
        return phase.degrees["data"] * phase.degrees["micro_batch"] * phase.microbatches if phase else None

    @property
    def communication(self) -> float | None:
        """Share of a step in which devices wait for what others send."""
        return sum(self.phase.time[part] for part in COMMUNICATION) / self.phase.step_seconds if self.phase else None

    @property
    def bubble(self) -> float | None:
        """Share of a step in which pipeline stages have nothing to do."""
        return self.phase.time["pipeline_bubble"] / self.phase.step_seconds if self.phase else None


@dataclass(frozen=True)
class Curve:
    """All numbers of devices on one kind of machine, fewest first."""

    machine: Machine
    points: tuple[ScalingPoint, ...]


@dataclass(frozen=True)
class Scaling:
    """What `plan scale` says."""

    problem: Problem
    phase: Phase
    kind: Kind
    curves: tuple[Curve, ...]
    """Best by the problem's objective first."""
    others: tuple[str, ...]
    """Accelerators that are not shown."""


def scaling(
    problem: Problem,
    counts: GpuCounts | None,
    *,
    accelerator: str | None = None,
    phase: str | None = None,
    kind: Kind = "strong",
) -> Scaling:
    """The scaling of one phase; deadline and budget decide nothing but the order of the curves.

    `counts` None: powers of two of nodes within what the offers and `limits.gpus` have; numbers that are asked for go
    beyond `limits.gpus`, not beyond the offers. `accelerator`: a curve for each fabric on which it is offered; by
    default the best fabric of each accelerator, of at most `MOST_CURVES`. `phase`: its name; by default the first.
    Raises InputError, and FaultyPlanError when a point fails its verification.
    """
    refuse_days(problem, "plan scale")
    chosen = _phase(problem, phase)
    offers = _by_machine(_offered(problem, accelerator))
    asked = [(some, counts.on(_per_node(some)) if counts else _usual(problem, some)) for some in offers]
    trials = Trials(problem, chosen, kind, tuple(one for some in offers for one in some))
    tried = trials.of([(some, numbers) for some, numbers in asked if numbers])
    if not tried:
        place = problem.place("limits", "gpus")
        raise InputError("not even one whole node is within what is allowed", place=place, fix="widen limits.gpus")
    ranked = sorted(tried, key=lambda one: _rank(problem, one))
    best = ranked if accelerator else list({_name(one): one for one in reversed(ranked)}.values())[::-1]
    shown = best if accelerator else best[:MOST_CURVES]
    others = tuple(_name(one) for one in best[len(shown) :])
    return Scaling(problem, chosen, kind, tuple(_curve(one) for one in shown), others)


def _name(trial: Trial) -> str:
    return trial.machine.accelerator.name


def _phase(problem: Problem, name: str | None) -> Phase:
    """The phase of that name, or the first. Raises InputError."""
    phases = {one.name: one for one in problem.training.phases}
    if name is not None and name not in phases:
        raise InputError(f"no phase {name[:80]!r}", place=Place("--phase"), fix=did_you_mean(name, phases))
    return problem.training.phases[0] if name is None else phases[name]


def _offered(problem: Problem, accelerator: str | None) -> tuple[Placement, ...]:
    """The problem's offers, of one accelerator if one is named. Raises InputError when it is not offered."""
    offered = placements(problem)
    if accelerator is None:
        return offered
    try:
        name = accelerator_from(accelerator, problem.base_directory).name
    except InputError as error:
        issue = error.issues[0]
        raise InputError(issue.message, place=Place("--on"), fix=issue.fix) from None
    kept = tuple(one for one in offered if one.machine.accelerator.name == name)
    if not kept:
        known = sorted({one.machine.accelerator.name for one in offered})
        message, fix = f"the problem's offers have no {name}", f"they have {', '.join(known)}"
        raise InputError(message, place=Place("--on"), fix=fix)
    return kept


def _by_machine(offered: Iterable[Placement]) -> list[list[Placement]]:
    """Offers by the machine that they have."""
    found: dict[tuple[str, int, int, float], list[Placement]] = {}
    for one in offered:
        found.setdefault(one.machine.key, []).append(one)
    return list(found.values())


def _per_node(offers: list[Placement]) -> int:
    return offers[0].machine.per_node


def _usual(problem: Problem, offers: list[Placement]) -> tuple[int, ...]:
    """Powers of two of nodes within what the offers and the limit on devices have."""
    per_node = _per_node(offers)
    most = min(max(one.nodes for one in offers), searched_devices(problem.limits.gpus) // per_node)
    return tuple(per_node * 2**power for power in range(most.bit_length()))


def _rank(problem: Problem, trial: Trial) -> tuple[float, float]:
    """The objective's least value within the stated limits, then the least time: the less the better."""
    bounds, modes = bounds_of(problem), [one.mode for one in trial.found if one.mode]
    of_objective = "cost_usd" if problem.objective == "cost" else "wall_seconds"
    values = [getattr(mode, of_objective) for mode in modes if bounds.keeps(mode)]
    return min(values, default=inf), min((mode.wall_seconds for mode in modes), default=inf)


def _curve(trial: Trial) -> Curve:
    """The points of a trial, each verified and compared with the first that has a layout."""
    return Curve(trial.machine, tuple(_points(trial)))


def _points(trial: Trial) -> Iterator[ScalingPoint]:
    base: float | None = None
    for one in trial.found:
        if one.mode is None or one.choices is None:
            yield ScalingPoint(one.gpus, None, None, one.reason, None, None)
            continue
        plan = plan_of_mode(one.choices, one.choices.problem, one.mode)
        work = one.choices.phases[0]
        reached = work.tokens_per_step / plan.phases[0].step_seconds
        base = base or reached / one.gpus
        cost = plan.cost_usd if one.mode.cost_usd < inf else None
        yield ScalingPoint(one.gpus, plan, cost, "", reached, reached / one.gpus / base)
