"""A plan: what was decided, and every figure that follows from it by the equations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from planner.availability.completion import Moments, with_reservation
from planner.catalog.precisions import used_precision
from planner.layouts.evaluator import layout_of
from planner.layouts.wall_time import TimedLayouts, checkpoint_and_restart_seconds, interruption_rates, run_moments
from planner.layouts.workload import Workload
from planner.market.money import line_usd, rates_per_second, usd_per_second
from planner.market.placements import Machine, Placement
from planner.market.purchase_options import PurchaseOption
from planner.performance.evaluate import evaluate
from planner.performance.memory_account import MemoryAccount
from planner.performance.step import StepTime
from planner.performance.work import model_flop_per_token
from planner.plans.choices import Choices
from planner.plans.moves import STAY, Move, move_between
from planner.plans.solution import Decision, PhaseDecision, Stay
from planner.problem.problem import Purchase as Kind
from planner.problem.run import Recompute
from planner.units import SECONDS_PER_HOUR


@dataclass(frozen=True)
class Purchase:
    """One line of the bill."""

    phase: str | None
    """None for what is reserved from the first phase to the last."""
    offer: str
    accelerator: str
    kind: Kind
    nodes: int
    gpus_per_node: int
    usd_per_gpu_hour: Decimal
    hours: float
    """Hours for which each node is paid."""
    wall_hours: float
    """From the start to the end of what it is bought for."""
    cost_usd: Decimal
    """Whole cents."""
    note: str = ""

    @property
    def gpu_hours(self) -> float:
        """Device-hours that are paid for."""
        return self.nodes * self.gpus_per_node * self.hours


@dataclass(frozen=True)
class PlannedMove:
    """Checkpoint and data on their way before a phase."""

    phase: str
    """That begins in the new place."""
    origin: Placement
    target: Placement
    move: Move

    @property
    def wall_seconds(self) -> float:
        """From the end of one stay to the start-up in the next."""
        return self.move.seconds

    @property
    def cost_usd(self) -> Decimal:
        """For what leaves the old place; whole cents."""
        return Decimal(self.move.cents) / 100

    @property
    def moments(self) -> Moments:
        """Without any spread."""
        seconds, usd, none = np.asarray(self.move.seconds), np.asarray(self.move.cents / 100), np.asarray(0.0)
        return Moments(seconds, seconds, none, usd, usd, none, seconds, none)


@dataclass(frozen=True)
class PhasePlan:
    """One phase on its nodes."""

    name: str
    purchase_option: PurchaseOption
    """Where it runs and how it is bought."""
    begins: bool
    """Whether the job begins with it, or a stay on spot nodes, which have to be waited for."""
    nodes: int
    """Compute nodes, excluding spares."""
    spare_nodes: int
    gpus: int
    degrees: Mapping[str, int]
    microbatches: int
    recompute: Recompute
    precision: str
    """The precision that the device computes in."""
    steps: int
    tokens: int
    step_seconds: float
    wall_seconds: float
    checkpoint_seconds: float
    """To write one checkpoint."""
    restart_seconds: float
    """From an interruption until the phase computes again."""
    spot_seconds: float
    """For which a spot node is paid, as expected."""
    replaced_seconds: float
    """Time in which an on-demand node replaces a spot node."""
    moments: Moments
    """Mean and spread of its wall time, and of the cost of what is not reserved; each of shape ()."""
    mfu: float
    memory: MemoryAccount
    """Of the fullest device at its peak, with the margin that `limits.memory_confidence` asks for."""
    memory_headroom_gib: float
    """What `limits.memory_headroom` keeps free of the expected peak."""
    time: Mapping[str, float]
    """Seconds of a step by part."""

    @property
    def bought_gpus(self) -> int:
        """Devices of its nodes, spares included."""
        return (self.nodes + self.spare_nodes) * self.purchase_option.placement.machine.per_node

    @property
    def gpu_hours(self) -> float:
        """Device-hours of the nodes bought, from start to end."""
        return self.bought_gpus * self.wall_seconds / SECONDS_PER_HOUR


@dataclass(frozen=True)
class Plan:
    """Where, on what, how and for how much."""

    stays: tuple[Stay, ...]
    """One after another; together they have every phase once."""
    phases: tuple[PhasePlan, ...]
    purchases: tuple[Purchase, ...]
    moves: tuple[PlannedMove, ...] = ()
    """Between stays in different places."""

    @property
    def purchase_option(self) -> PurchaseOption:
        """What most device-hours are bought with."""
        return max(self.phases, key=lambda phase: phase.gpu_hours).purchase_option

    @property
    def placement(self) -> Placement:
        """Where most device-hours are spent."""
        return self.purchase_option.placement

    @property
    def machine(self) -> Machine:
        """What most device-hours are spent on."""
        return self.purchase_option.placement.machine

    @property
    def accelerator(self) -> str:
        """Name of the device."""
        return self.machine.accelerator.name

    @property
    def nodes(self) -> int:
        """Most nodes at a time, spares included."""
        return max(phase.nodes + phase.spare_nodes for phase in self.phases)

    @property
    def gpus(self) -> int:
        """Most devices at a time."""
        return max(phase.bought_gpus for phase in self.phases)

    @property
    def wall_seconds(self) -> float:
        """Expected wall time of all phases, one after another, with the moves between them."""
        return sum(phase.wall_seconds for phase in self.phases) + sum(move.wall_seconds for move in self.moves)

    @property
    def gpu_hours(self) -> float:
        """Device-hours of the nodes bought, from start to end of each phase."""
        return sum(phase.gpu_hours for phase in self.phases)

    @property
    def paid_gpu_hours(self) -> float:
        """Device-hours on the bill: without those in which spot nodes are away, with all of a term."""
        return sum(purchase.gpu_hours for purchase in self.purchases)

    @property
    def cost_usd(self) -> Decimal:
        """The bill's total."""
        moves = sum((move.cost_usd for move in self.moves), start=Decimal(0))
        return sum((purchase.cost_usd for purchase in self.purchases), start=moves)

    @property
    def moments(self) -> Moments:
        """Mean and spread of the whole job's wall time and cost, each of shape ()."""
        return _summed([*(self._stay_moments(stay) for stay in self.stays), *(move.moments for move in self.moves)])

    def _stay_moments(self, stay: Stay) -> Moments:
        """The same of one stay, its reservation paid."""
        total = _summed([self.phases[index].moments for index in stay.phases])
        reservation = stay.purchase_option.reservation
        if reservation is None or not stay.reserved:
            return total
        rate = usd_per_second(stay.reserved, reservation.usd_per_node_hour)
        return with_reservation(total, rate, np.asarray(reservation.committed_seconds))

    @property
    def tokens(self) -> int:
        """Tokens of the first phase."""
        return self.phases[0].tokens


def _summed(parts: Sequence[Moments]) -> Moments:
    """One after another."""
    return Moments(*(np.asarray(sum(getattr(part, one.name) for part in parts)) for one in fields(Moments)))


def plan_of(choices: Choices, decision: Decision) -> Plan:
    """The plan that follows from a decision."""
    phases = tuple(
        _phase_plan(choices, stay, index, decision.phases[index]) for stay in decision.stays for index in stay.phases
    )
    return Plan(decision.stays, phases, tuple(_bill(decision, phases)), tuple(_moves(choices, decision.stays)))


def _moves(choices: Choices, stays: Sequence[Stay]) -> Iterator[PlannedMove]:
    """What is carried between stays in different places."""
    for before, stay in pairwise(stays):
        origin, target = before.purchase_option.placement, stay.purchase_option.placement
        move = move_between(choices.problem, choices.workload, stay.first, origin, target)
        if move != STAY:
            yield PlannedMove(choices.phases[stay.first].name, origin, target, move)


def _phase_plan(choices: Choices, stay: Stay, index: int, decided: PhaseDecision) -> PhasePlan:
    """The figures of one phase."""
    purchase_option, begins = stay.purchase_option, stay.begins_with(index)
    machine = purchase_option.placement.machine
    work, workload, space = choices.phases[index], choices.workload, choices.spaces[index]
    columns, rows = decided.columns, decided.columns.rows.take(np.asarray([decided.index]))
    architecture, device, job = workload.architecture, workload.device(machine), workload.job(work)
    layout = layout_of(workload, space.degrees.recompute, rows)
    found = evaluate(architecture, device, workload.software, job, layout, workload.constants)
    time, limit_gib = found.time, machine.accelerator.memory_usable_gib
    degrees = {name: int(values[0]) for name, values in rows.degrees.items() if name != "recompute"}
    gpus = int(rows.devices[0])
    step_seconds = _only(time.total)
    done = float(model_flop_per_token(architecture, job)) * work.tokens_per_step / step_seconds
    nodes = columns.nodes[[decided.index]]
    write, restart = checkpoint_and_restart_seconds(workload, interruption_rates(machine.accelerator.name), nodes)
    run = columns.run.take(np.asarray([decided.index]))
    return PhasePlan(
        name=work.name,
        nodes=int(columns.nodes[decided.index]),
        spare_nodes=int(columns.bought[decided.index] - columns.nodes[decided.index]),
        gpus=gpus,
        degrees=degrees,
        microbatches=work.global_batch // (degrees["data"] * degrees["micro_batch"]),
        recompute=space.degrees.recompute[int(rows.recompute[0])],
        precision=used_precision(workload.precision, machine.accelerator).name,
        steps=decided.steps,
        tokens=work.tokens if decided.steps == work.steps else decided.steps * work.tokens_per_step,
        step_seconds=step_seconds,
        wall_seconds=_only(run.wall.after(decided.steps)),
        checkpoint_seconds=_only(write),
        restart_seconds=_only(restart),
        spot_seconds=_only(run.spot.after(decided.steps)),
        replaced_seconds=_only(run.replaced.after(decided.steps)),
        purchase_option=purchase_option,
        begins=begins,
        moments=_moments(workload, purchase_option, decided, begins=begins),
        mfu=done / (gpus * float(device.peak_flops_s)),
        memory=MemoryAccount.of(found.memory, limit_gib, workload.memory_deviations),
        memory_headroom_gib=workload.headroom * limit_gib,
        time={part.name: _only(getattr(time, part.name)) for part in fields(StepTime)},
    )


def _moments(workload: Workload, purchase_option: PurchaseOption, decided: PhaseDecision, *, begins: bool) -> Moments:
    """Mean and spread of one phase with what it buys on demand and as spot."""
    columns, placement = decided.columns.take(np.asarray([decided.index])), purchase_option.placement
    rates = rates_per_second(decided.spot, decided.on_demand, placement.spot, placement.on_demand)
    ran = TimedLayouts(columns.nodes, columns.rows.data, columns.step_seconds)
    device = placement.machine.accelerator.name
    found = run_moments(workload, device, ran, purchase_option.spot_policy, rates, steps=decided.steps, begins=begins)
    return Moments(*(np.asarray(_only(getattr(found, one.name))) for one in fields(Moments)))


def _only(values: object) -> float:
    """The only value of an array that may have kept a size of one, or none at all."""
    return float(np.ravel(np.asarray(values))[0])


def _bill(decision: Decision, phases: tuple[PhasePlan, ...]) -> Iterator[Purchase]:
    """Every purchase, stay by stay: the reservation, then phase by phase."""
    for stay in decision.stays:
        purchase_option = stay.purchase_option
        if stay.reserved and purchase_option.reservation:
            wall = sum(phases[index].wall_seconds for index in stay.phases)
            paid = max(wall, purchase_option.committed_seconds)
            price = purchase_option.reservation.usd_per_node_hour
            yield _purchase(purchase_option.placement, None, "reserved", stay.reserved, price, (paid, wall))
        for index in stay.phases:
            yield from _phase_bill(purchase_option.placement, phases[index], decision.phases[index])


def _phase_bill(placement: Placement, phase: PhasePlan, decided: PhaseDecision) -> Iterator[Purchase]:
    """What one phase buys on top of the reservation."""
    wall, name = phase.wall_seconds, phase.name
    if decided.on_demand and placement.on_demand is not None:
        yield _purchase(placement, name, "on_demand", decided.on_demand, placement.on_demand, (wall, wall))
    if decided.spot and placement.spot is not None:
        yield _purchase(placement, name, "spot", decided.spot, placement.spot, (phase.spot_seconds, wall))
        if phase.replaced_seconds and placement.on_demand is not None:
            away = (phase.replaced_seconds, wall)
            yield _purchase(placement, name, "on_demand", decided.spot, placement.on_demand, away, WHILE_AWAY)


WHILE_AWAY: Final = "while spot is away"
"""Note on nodes that replace spot nodes and are not bought on top of them."""


def _purchase(
    placement: Placement,
    phase: str | None,
    kind: Kind,
    nodes: int,
    usd_per_node_hour: Decimal,
    paid_and_wall_seconds: tuple[float, float],
    note: str = "",
) -> Purchase:
    """One line of the bill."""
    seconds, wall = paid_and_wall_seconds
    return Purchase(
        phase=phase,
        offer=placement.title,
        accelerator=placement.machine.accelerator.name,
        kind=kind,
        nodes=nodes,
        gpus_per_node=placement.machine.per_node,
        usd_per_gpu_hour=usd_per_node_hour / placement.machine.per_node,
        hours=seconds / SECONDS_PER_HOUR,
        wall_hours=wall / SECONDS_PER_HOUR,
        cost_usd=line_usd(nodes, usd_per_node_hour, seconds),
        note=note,
    )
