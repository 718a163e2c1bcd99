"""Whether a plan is what it claims to be: every figure again, by the equations alone, one number at a time.

Nothing of the search is used here: no columns, no grids, no dominance, no fixed-point numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isclose
from operator import is_
from typing import Final

import numpy as np

from planner.availability.chance_constraint import deviations_of, promised
from planner.catalog.capacity import slices_of
from planner.layouts.rows import recomputed_shares
from planner.layouts.wall_time import RunTime, TimedLayouts, interruption_rates, run_time
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.money import purchase_usd, reservation_usd
from planner.market.placements import placements
from planner.performance.evaluate import evaluate
from planner.performance.symbols import Layout
from planner.plans.moves import BYTES_PER_GB, BYTES_PER_TOKEN, usd_per_gb
from planner.plans.plan import PhasePlan, Plan
from planner.problem.problem import Problem
from planner.units import GIB


class FaultyPlanError(Exception):
    """A plan that failed its own verification: a bug, so it is not shown as if it were a plan."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))

    def __reduce__(self) -> tuple[type[FaultyPlanError], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)  # another process may raise it


TOLERANCE: Final = 1e-9
"""Relative difference between sums of floats that were added in another order."""
HALF_CENT: Final = 0.005
"""Dollars by which rounding a line of the bill changes it at most."""


def violations(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """Everything about a plan that is not so; nothing when the plan holds."""
    workload = workload_of(problem)
    return (
        *_market(problem, plan),
        *(
            fault
            for index, (phase, work) in enumerate(zip(plan.phases, workload.phases, strict=True))
            for fault in (
                *_layout(workload, work, phase),
                *_purchases(plan, index),
                *_figures(workload, work, phase),
                *_times(workload, phase),
            )
        ),
        *_stays(problem, plan),
        *_moves(problem, workload, plan),
        *_cost(plan),
        *_spares(problem, plan),
        *limits_broken(problem, plan),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """A problem, of which only what decides about its offers tells it apart: the same objects, as copies share them."""

    problem: Problem

    @property
    def parts(self) -> tuple[object, ...]:
        """What offers depend on."""
        return self.problem.market, self.problem.risk, self.problem.training

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and all(map(is_, self.parts, other.parts))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.parts)))


@lru_cache(maxsize=4)
def _offered(asked: _Asked) -> frozenset[tuple[str, str, str, str]]:
    """The places where a problem may buy; listing them takes longer than all the rest of a verification."""
    return frozenset(one.key for one in placements(asked.problem))


def _market(problem: Problem, plan: Plan) -> Iterator[str]:
    """The placement is one that the problem allows."""
    for placement in (phase.purchase_option.placement for phase in plan.phases):
        if placement.key not in _offered(_Asked(problem)):
            yield f"{placement.title} is not among the problem's offers"
    for purchase in plan.purchases:
        if purchase.kind not in problem.market.purchase:
            yield f"{purchase.kind} is not among the ways to buy"


def _stays(problem: Problem, plan: Plan) -> Iterator[str]:
    """The phases of a stay are bought in one way, a stay begins with its first, and a job stays if it must."""
    if [index for stay in plan.stays for index in stay.phases] != list(range(len(plan.phases))):
        yield "the stays do not have every phase once, in order"
    for stay in plan.stays:
        for index in stay.phases:
            phase = plan.phases[index]
            if phase.purchase_option != stay.purchase_option or phase.begins != (index == stay.first):
                yield f"{phase.name}: it is not bought with its stay"
    if len(plan.stays) > 1 and (problem.market.together or problem.objective == "tokens"):
        yield "the job moves, and must stay together"


def _moves(problem: Problem, workload: Workload, plan: Plan) -> Iterator[str]:
    """Between two places checkpoint and data are carried, at the bandwidth and the price that are stated."""
    moved = {one.phase: one for one in plan.moves}
    for before, phase, index in zip(plan.phases, plan.phases[1:], range(1, len(plan.phases)), strict=False):
        origin, target = (one.purchase_option.placement for one in (before, phase))
        found = moved.pop(phase.name, None)
        if (origin.key, origin.machine.key) == (target.key, target.machine.key):
            if found:
                yield f"{phase.name}: a move within one place"
            continue
        size = float(workload.checkpoint_bytes) + BYTES_PER_TOKEN * sum(one.tokens for one in workload.phases[index:])
        size *= origin.location != target.location
        seconds = interruption_rates(target.machine.accelerator.name).restart_seconds
        seconds += size / problem.market.moving.bandwidth
        usd = size / BYTES_PER_GB * float(usd_per_gb(problem, origin))
        if (
            found is None
            or not isclose(found.wall_seconds, seconds)
            or abs(float(found.cost_usd) - usd) > HALF_CENT * 2
        ):
            yield f"{phase.name}: moving there takes {seconds} s and ${usd:.2f}, not {found}"
    yield from (f"{name}: a move that is none" for name in moved)


def _layout(workload: Workload, work: PhaseWork, phase: PhasePlan) -> Iterator[str]:
    """Degrees multiply to the devices, divide what they must divide, and keep to the pins."""
    machine = phase.purchase_option.placement.machine
    d, model, per_node = phase.degrees, workload.model, machine.per_node
    replicas = d["tensor"] * d["context"] * d["data"]
    slots = model.num_hidden_layers + 2 * workload.stack.counts_embedding
    rules = {
        "gpus = data · tensor · pipeline · context": phase.gpus == replicas * d["pipeline"],
        "global_batch = data · micro_batch · microbatches": (
            work.global_batch == d["data"] * d["micro_batch"] * phase.microbatches
        ),
        "nodes are whole": phase.nodes * per_node == phase.gpus or (phase.nodes == 1 and phase.gpus < per_node),
        "nodes are a slice that is sold": _is_slice(machine.accelerator.name, phase.nodes * per_node),
        "tensor divides the heads": model.num_attention_heads % d["tensor"] == 0,
        "tensor stays in the fabric": d["tensor"] <= machine.domain,
        "context cuts the sequence": work.sequence_length % d["context"] == 0,
        "expert divides the experts": max(model.n_routed_experts, 1) % d["expert"] == 0,
        "expert groups divide the devices of a stage": replicas % d["expert"] == 0,
        "stages have layers": d["pipeline"] <= model.num_hidden_layers,
        "chunks have layers, the embedding or the loss": (
            d["pipeline"] * d["virtual"] in {slots, *range(model.num_hidden_layers + 1)}
        ),
        "interleaving runs whole rounds": d["virtual"] == 1 or phase.microbatches % d["pipeline"] == 0,
        "recompute is pinned otherwise": workload.pins.recompute is None or phase.recompute in workload.pins.recompute,
    }
    names = {"virtual": "virtual_pipeline"}
    pins = {name: getattr(workload.pins, names.get(name, name)) for name in d}
    yield from (f"{phase.name}: {rule} does not hold" for rule, holds in rules.items() if not holds)
    yield from (
        f"{phase.name}: {name} {d[name]} is not within {pin}"
        for name, pin in pins.items()
        if pin and not pin.allows(d[name])
    )


def _is_slice(accelerator: str, chips: int) -> bool:
    """Whether TPUs are as many as one slice has, or several of the largest; other devices come in any number."""
    slices = slices_of(accelerator)
    return slices is None or chips in slices.chips or chips % slices.chips[-1] == 0


def _reserved_nodes(plan: Plan, index: int) -> int:
    """Nodes that are reserved while a phase runs."""
    return sum(stay.reserved for stay in plan.stays if index in stay.phases)


def _purchases(plan: Plan, index: int) -> Iterator[str]:
    """As many nodes are bought as the phase has, within what the placement has."""
    phase = plan.phases[index]
    placement, reserved = phase.purchase_option.placement, _reserved_nodes(plan, index)
    of_phase = [one for one in plan.purchases if one.phase == phase.name and not one.note]
    bought, needed = sum(one.nodes for one in of_phase), phase.nodes + phase.spare_nodes
    if not bought <= needed <= bought + reserved:
        yield f"{phase.name}: {bought} nodes bought and {reserved} reserved for {needed}"
    if needed > placement.nodes or reserved > placement.nodes:
        yield f"{phase.name}: more nodes than the {placement.nodes} that there are"
    spot = sum(one.nodes for one in of_phase if one.kind == "spot")
    if spot > placement.spot_nodes:
        yield f"{phase.name}: more spot nodes than the {placement.spot_nodes} that there are"


def _figures(workload: Workload, work: PhaseWork, phase: PhasePlan) -> Iterator[str]:
    """Step time, wall time and memory are what the equations give, and the memory holds them."""
    layout, machine = _symbols(workload, phase), phase.purchase_option.placement.machine
    job = workload.job(work)
    device = workload.device(machine)
    found = evaluate(workload.architecture, device, workload.software, job, layout, workload.constants)
    used = found.memory
    step, expected, reserved = (
        float(value) for value in (found.time.total, used.expected, used.reserved(workload.memory_deviations))
    )
    if not isclose(step, phase.step_seconds, rel_tol=TOLERANCE):
        yield f"{phase.name}: a step takes {step} s, not {phase.step_seconds} s"
    if not isclose(reserved / GIB, phase.memory_total_gib, rel_tol=TOLERANCE):
        yield f"{phase.name}: it fills {reserved / GIB} GiB, not {phase.memory_total_gib} GiB"
    if reserved > machine.memory_bytes or expected > machine.memory_bytes * (1 - workload.headroom) * (1 + TOLERANCE):
        yield f"{phase.name}: {expected / GIB} GiB do not leave the headroom of {machine.memory_bytes / GIB} GiB"
    if phase.steps * work.tokens_per_step < phase.tokens:
        yield f"{phase.name}: {phase.steps} steps are fewer than {phase.tokens} tokens need"


def _times(workload: Workload, phase: PhasePlan) -> Iterator[str]:
    """Wall time and what is paid of it are what the equations give."""
    run = _run(workload, phase)
    claimed = (phase.wall_seconds, phase.spot_seconds, phase.replaced_seconds)
    for what, growth, value in zip(
        ("wall", "spot", "stand-in"), (run.wall, run.spot, run.replaced), claimed, strict=True
    ):
        expected = float(growth.after(phase.steps)[0])
        if not isclose(expected, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{phase.name}: its {what} time is {expected} s, not {value} s"


def _run(workload: Workload, phase: PhasePlan) -> RunTime:
    """How long the phase takes, by the number of steps."""
    nodes, replicas = np.asarray([phase.nodes]), np.asarray([phase.degrees["data"]])
    ran = TimedLayouts(nodes, replicas, np.asarray([phase.step_seconds]))
    accelerator = phase.purchase_option.placement.machine.accelerator.name
    return run_time(workload, accelerator, ran, phase.purchase_option.spot_policy, begins=phase.begins)


def _symbols(workload: Workload, phase: PhasePlan) -> Layout:
    """The layout of a phase as the equations take it, every field of shape ()."""
    degrees = {name: np.asarray(float(value)) for name, value in phase.degrees.items()}
    full, selective = recomputed_shares(phase.recompute, workload.architecture.layers / degrees["pipeline"])
    return Layout(
        **degrees,
        expert_tensor=np.asarray(1.0),
        recompute_full=full,
        recompute_selective=np.asarray(selective),
        shard=degrees["data"] * degrees["context"],
    )


def _cost(plan: Plan) -> Iterator[str]:
    """The bill is what the nodes cost for the time of each phase, at the placement's own prices."""
    expected = sum((expected_usd(plan, phase) for phase in plan.phases), start=_reservation_usd(plan))
    expected += sum(float(move.cost_usd) for move in plan.moves)
    if abs(expected - float(plan.cost_usd)) > HALF_CENT * len(plan.purchases) + TOLERANCE * expected:
        yield f"the bill is ${expected:.2f}, not ${plan.cost_usd}"


def expected_usd(plan: Plan, phase: PhasePlan) -> float:
    """What a phase's on-demand and spot nodes cost for the times that they are paid."""
    placement = phase.purchase_option.placement
    on_demand, spot = (np.asarray(float(price or 0)) for price in (placement.on_demand, placement.spot))
    bought = [one for one in plan.purchases if one.phase == phase.name and not one.note]
    nodes = {kind: sum(one.nodes for one in bought if one.kind == kind) for kind in ("on_demand", "spot")}
    on_demand_time = nodes["on_demand"] * phase.wall_seconds + nodes["spot"] * phase.replaced_seconds
    spot_time = np.asarray(nodes["spot"] * phase.spot_seconds)
    return float(purchase_usd(np.asarray(on_demand_time), on_demand, spot_time, spot))


def _reservation_usd(plan: Plan) -> float:
    """What reserved nodes cost from the first phase of a stay to its last, and at least for their term."""
    total = 0.0
    for stay in plan.stays:
        reservation = stay.purchase_option.reservation
        if reservation is not None and stay.reserved:
            wall = sum(plan.phases[index].wall_seconds for index in stay.phases)
            price, term = np.asarray(float(reservation.usd_per_node_hour)), np.asarray(reservation.committed_seconds)
            total += float(reservation_usd(np.asarray(float(stay.reserved)), price, np.asarray(wall), term))
    return total


def _spares(problem: Problem, plan: Plan) -> Iterator[str]:
    """As many nodes stand by as are asked for."""
    for phase in plan.phases:
        if phase.spare_nodes < ceil(problem.risk.spare_nodes * phase.nodes - TOLERANCE):
            yield f"{phase.name}: {phase.spare_nodes} spare nodes are too few"


def limits_broken(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """The limits that a plan does not keep: time and its confidence, whole cents, devices."""
    return (*_limits(problem, plan), *_certainty(problem, workload_of(problem), plan))


def _limits(problem: Problem, plan: Plan) -> Iterator[str]:
    """Deadline, budget and number of devices."""
    limits = problem.limits
    if limits.deadline is not None and plan.wall_seconds > limits.deadline * (1 + TOLERANCE):
        yield f"it takes {plan.wall_seconds} s, more than {limits.deadline} s"
    if limits.budget is not None and plan.cost_usd > limits.budget:
        yield f"it costs ${plan.cost_usd}, more than ${limits.budget}"
    if limits.gpus is not None and plan.gpus > limits.gpus:
        yield f"it takes {plan.gpus} devices, more than {limits.gpus}"


def _certainty(problem: Problem, workload: Workload, plan: Plan) -> Iterator[str]:
    """The deadline is kept with the confidence that is asked for."""
    confidence, deadline = problem.risk.confidence, problem.limits.deadline
    if confidence is None or deadline is None:
        return
    kept = kept_seconds(workload, plan, confidence)
    if kept > deadline * (1 + TOLERANCE):
        yield f"with {confidence:.4g} it takes {kept} s, more than {deadline} s"


def kept_seconds(workload: Workload, plan: Plan, confidence: float) -> float:
    """The wall time that a plan keeps with a probability, by the equations alone."""
    runs = [_run(workload, phase) for phase in plan.phases]
    least, mean, variance = (
        sum((getattr(run, name).after(phase.steps) for run, phase in zip(runs, plan.phases, strict=True)), np.zeros(1))
        for name in ("least", "wall", "variance")
    )
    moving = sum(move.wall_seconds for move in plan.moves)
    return float(promised(least + moving, mean + moving, variance, deviations_of(confidence))[0])
