"""Whether a plan is what it claims to be: every figure again, by the equations alone, one number at a time.

Nothing of the search is used here: no columns, no grids, no dominance, no fixed-point numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import ceil, isclose

import numpy as np

from planner.availability.chance_constraint import deviations_of, promised
from planner.catalog.capacity import slices_of
from planner.layouts.rows import recomputed_shares
from planner.layouts.wall_time import RunTime, TimedLayouts, interruption_rates, run_time
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.money import node_hours_usd
from planner.market.placements import Placement, placement_keys
from planner.performance.evaluate import evaluate
from planner.performance.symbols import Array, Layout
from planner.plans.moves import BYTES_PER_GB, BYTES_PER_TOKEN, usd_per_gb
from planner.plans.plan import PhasePlan, Plan
from planner.plans.plan_error import KnownLayouts, counts_error, kept_with_error
from planner.plans.purchases import Purchase
from planner.problem.limits import Risk
from planner.problem.problem import Problem
from planner.tolerances import CENT, SUM_ORDER
from planner.units import GIB
from planner.verify.calendar import calendar_faults, on_demand_usd, reserved_seconds
from planner.verify.validity import layout_rules, machine_rules


class FaultyPlanError(Exception):
    """A plan that failed its own verification: a bug, so it is not shown as if it were a plan."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))

    def __reduce__(self) -> tuple[type[FaultyPlanError], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)  # another process may raise it


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
        *calendar_faults(problem, plan),
        *_cost(problem, plan),
        *_spares(problem, plan),
        *limits_broken(problem, plan),
    )


def _market(problem: Problem, plan: Plan) -> Iterator[str]:
    """The placement is one that the problem allows."""
    for placement in (phase.purchase_option.placement for phase in plan.phases):
        if placement.key not in placement_keys(problem):
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
            if phase.purchase_option != stay.purchase_option or phase.begins != stay.begins_with(index):
                yield f"{phase.name}: it is not bought with its stay"
    ways = {id(stay.purchase_option) for stay in plan.stays}
    if len(ways) > 1 and (problem.market.together or problem.objective == "tokens"):
        yield "the job moves, and must stay together"


def _moves(problem: Problem, workload: Workload, plan: Plan) -> Iterator[str]:
    """Between two places checkpoint and data are carried, at the bandwidth and the price that are stated."""
    moved = {one.phase: one for one in plan.moves}
    for index, (before, phase) in enumerate(pairwise(plan.phases), start=1):
        origin, target = (one.purchase_option.placement for one in (before, phase))
        found = moved.pop(phase.name, None)
        if (origin.key, origin.machine.key) == (target.key, target.machine.key):
            if found:
                yield f"{phase.name}: a move within one place"
            continue
        seconds, usd = _move(problem, workload, index, origin, target)
        claimed = (found.wall_seconds, float(found.cost_usd)) if found else (0.0, 0.0)
        if not isclose(claimed[0], seconds, rel_tol=SUM_ORDER) or abs(claimed[1] - usd) > float(CENT):
            yield f"{phase.name}: moving there takes {seconds} s and ${usd:.2f}, not {claimed[0]} s and ${claimed[1]}"
    yield from (f"{name}: a move that is none" for name in moved)


def _move(
    problem: Problem, workload: Workload, index: int, origin: Placement, target: Placement
) -> tuple[float, float]:
    """Seconds and US dollars of the move before a phase."""
    restart = interruption_rates(target.machine.accelerator.name).restart_seconds
    if origin.location == target.location:
        return restart, 0.0
    size = float(workload.checkpoint_bytes) + BYTES_PER_TOKEN * sum(one.tokens for one in workload.phases[index:])
    return restart + size / problem.market.moving.bandwidth, size / BYTES_PER_GB * float(usd_per_gb(problem, origin))


def _layout(workload: Workload, work: PhaseWork, phase: PhasePlan) -> Iterator[str]:
    """The layout is a valid one, on the devices and micro-batches that it says."""
    machine = phase.purchase_option.placement.machine
    d, nodes, per_node = phase.degrees, phase.nodes, machine.per_node
    degrees = {name: np.asarray(value) for name, value in d.items()}
    devices = d["tensor"] * d["pipeline"] * d["context"] * d["data"]
    pinned = workload.pins.recompute
    rules: dict[str, bool | np.bool_] = {
        **{rule: holds.all() for rule, holds in layout_rules(workload, work, degrees).items()},
        **{rule: holds.all() for rule, holds in machine_rules(machine, degrees).items()},
        "gpus = data · tensor · pipeline · context": phase.gpus == devices,
        "global_batch = data · micro_batch · microbatches": (
            work.global_batch == d["data"] * d["micro_batch"] * phase.microbatches
        ),
        "nodes are whole": nodes * per_node == phase.gpus or (nodes == 1 and phase.gpus < per_node),
        "nodes are a slice that is sold": _is_slice(machine.accelerator.name, nodes * per_node),
        "recompute is as pinned": pinned is None or phase.recompute in pinned,
    }
    yield from (f"{phase.name}: {rule} does not hold" for rule, holds in rules.items() if not holds)


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
    bought, needed = sum(_nodes_of(of_phase, kind) for kind in ("on_demand", "spot")), phase.nodes + phase.spare_nodes
    if not bought <= needed <= bought + reserved:
        yield f"{phase.name}: {bought} nodes bought and {reserved} reserved for {needed}"
    if needed > placement.nodes or reserved > placement.nodes:
        yield f"{phase.name}: more nodes than the {placement.nodes} that there are"
    spot = _nodes_of(of_phase, "spot")
    if spot > placement.spot_nodes:
        yield f"{phase.name}: more spot nodes than the {placement.spot_nodes} that there are"


def _figures(workload: Workload, work: PhaseWork, phase: PhasePlan) -> Iterator[str]:
    """Step time, wall time and memory are what the equations give, and the memory holds them."""
    layout, machine = _symbols(workload, phase), phase.purchase_option.placement.machine
    job = workload.job(work)
    device = workload.device(machine)
    found = evaluate(workload.architecture, device, workload.software, job, layout, workload.constants)
    used = found.memory
    own = workload.layout_pace(machine)
    pace = own.of(vars(layout) | {"sequence": job.sequence}) if own else 1.0
    step, expected, reserved = (
        float(value) for value in (found.time.total * pace, used.expected, used.reserved(workload.memory_deviations))
    )
    if not isclose(step, phase.step_seconds, rel_tol=SUM_ORDER):
        yield f"{phase.name}: a step takes {step} s, not {phase.step_seconds} s"
    if not isclose(reserved / GIB, phase.memory.total, rel_tol=SUM_ORDER):
        yield f"{phase.name}: it fills {reserved / GIB} GiB, not {phase.memory.total} GiB"
    if reserved > machine.memory_bytes or expected > machine.memory_bytes * (1 - workload.headroom) * (1 + SUM_ORDER):
        yield f"{phase.name}: {expected / GIB} GiB do not leave the headroom of {machine.memory_bytes / GIB} GiB"
    if phase.steps * work.tokens_per_step < phase.tokens:
        yield f"{phase.name}: {phase.steps} steps are fewer than {phase.tokens} tokens need"


def _times(workload: Workload, phase: PhasePlan) -> Iterator[str]:
    """Wall time and what is paid of it are what the equations give."""
    run, pauses = _run(workload, phase), len(phase.spans) - 1
    overhead = pauses * (phase.checkpoint_seconds + phase.restart_seconds)
    claimed = (phase.wall_seconds - overhead, phase.spot_seconds - overhead, phase.replaced_seconds)
    for what, growth, value in zip(
        ("wall", "spot", "stand-in"), (run.wall, run.spot, run.replaced), claimed, strict=True
    ):
        expected = float(growth.after(phase.steps)[0])
        if not isclose(expected, value, rel_tol=SUM_ORDER, abs_tol=SUM_ORDER):
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
    return Layout(**degrees, recompute_full=full, recompute_selective=np.asarray(selective))


def _cost(problem: Problem, plan: Plan) -> Iterator[str]:
    """The bill is what the nodes cost for the time of each phase, at the placement's own prices."""
    expected = sum((expected_usd(problem, plan, phase) for phase in plan.phases), start=_reservation_usd(plan))
    expected += sum(float(move.cost_usd) for move in plan.moves)
    if abs(expected - float(plan.cost_usd)) > float(CENT / 2 * len(plan.purchases)) + SUM_ORDER * expected:
        yield f"the bill is ${expected:.2f}, not ${plan.cost_usd}"


def expected_usd(problem: Problem, plan: Plan, phase: PhasePlan) -> float:
    """What a phase's on-demand and spot nodes cost for the times that they are paid."""
    bought = [one for one in plan.purchases if one.phase == phase.name and not one.note]
    nodes = {kind: _nodes_of(bought, kind) for kind in ("on_demand", "spot")}
    on_demand_time = nodes["on_demand"] * phase.wall_seconds + nodes["spot"] * phase.replaced_seconds
    spot_time, spot = nodes["spot"] * phase.spot_seconds, phase.purchase_option.placement.spot
    return on_demand_usd(problem, phase, on_demand_time) + float(node_hours_usd(1, spot, spot_time))


def _nodes_of(bought: Iterable[Purchase], kind: str) -> int:
    """Nodes of one kind that a phase buys; a line for each price of its time has the same ones."""
    return max((one.nodes for one in bought if one.kind == kind), default=0)


def _reservation_usd(plan: Plan) -> float:
    """What reserved nodes cost from the first phase of a stay to its last, and at least for their term."""
    total = 0.0
    for stay in plan.stays:
        reservation = stay.purchase_option.reservation
        if reservation is not None and stay.reserved:
            paid = reserved_seconds(plan, stay)
            total += float(node_hours_usd(stay.reserved, reservation.usd_per_node_hour, paid))
    return total


def _spares(problem: Problem, plan: Plan) -> Iterator[str]:
    """As many nodes stand by as are asked for."""
    for phase in plan.phases:
        if phase.spare_nodes < ceil(problem.risk.spare_nodes * phase.nodes - SUM_ORDER):
            yield f"{phase.name}: {phase.spare_nodes} spare nodes are too few"


def limits_broken(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """The limits that a plan does not keep: time and its confidence, whole cents, devices."""
    return (*_limits(problem, plan), *_certainty(problem, workload_of(problem), plan))


def _limits(problem: Problem, plan: Plan) -> Iterator[str]:
    """Deadline, budget and number of devices."""
    limits = problem.limits
    if limits.deadline is not None and plan.wall_seconds > limits.deadline * (1 + SUM_ORDER):
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
    kept = kept_seconds(workload, plan, problem.risk)
    if kept > deadline * (1 + SUM_ORDER):
        yield f"with {confidence:.4g} it takes {kept} s, more than {deadline} s"


def kept_seconds(workload: Workload, plan: Plan, risk: Risk) -> float:
    """The wall time that a plan keeps as surely as is asked for, by the equations alone; else the expected one."""
    if risk.confidence is None:
        return plan.wall_seconds
    runs = [_run(workload, phase) for phase in plan.phases]
    moving = sum(move.wall_seconds for move in plan.moves) + plan.idle_seconds
    pairs = list(zip(runs, plan.phases, strict=True))
    if counts_error(risk):
        return moving + float(sum((_kept(workload, *pair, risk.confidence) for pair in pairs), np.zeros(1))[0])
    least, mean, variance = (
        sum((getattr(run, name).after(phase.steps) for run, phase in pairs), np.zeros(1))
        for name in ("least", "wall", "variance")
    )
    return float(promised(least + moving, mean + moving, variance, deviations_of(risk.confidence))[0])


def _kept(workload: Workload, run: RunTime, phase: PhasePlan, confidence: float) -> Array:
    """What a phase keeps with the estimate's own error counted, shape (1,)."""
    machine = phase.purchase_option.placement.machine
    gpus = np.asarray([float(phase.nodes * machine.per_node)])
    work = next(one for one in workload.phases if one.name == phase.name)
    left = workload.variances_left(machine.accelerator, _symbols(workload, phase), work.sequence_length, gpus)
    return kept_with_error(workload, KnownLayouts(machine.accelerator, gpus, left), run, phase.steps, confidence)
