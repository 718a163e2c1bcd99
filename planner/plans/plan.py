"""A plan: what was decided, and every figure that follows from it by the equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal

import numpy as np

from planner.availability.completion import Moments, with_reservation
from planner.catalog.precisions import used_precision
from planner.layouts.evaluator import layout_of
from planner.layouts.wall_time import TimedLayouts, checkpoint_and_restart_seconds, interruption_rates, run_moments
from planner.layouts.workload import Workload
from planner.market.calendar import reserved_span
from planner.market.money import Payment, Span, rates_per_second, usd_per_second
from planner.market.placements import Machine, Placement
from planner.market.purchase_options import PurchaseOption
from planner.performance.memory import memory
from planner.performance.memory_account import MemoryAccount
from planner.performance.work import model_flop_per_token
from planner.plans.choices import Choices
from planner.plans.moves import STAY, Move, move_between
from planner.plans.purchases import Purchase, bill_of, stay_span
from planner.plans.solution import Decision, PhaseDecision, Stay
from planner.plans.timetable import length, paid_on_demand, spans_of
from planner.problem.run import Recompute
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@dataclass(frozen=True)
class PlannedMove:
    """Checkpoint and data on their way before a phase."""

    phase: str
    """That begins in the new place."""
    origin: Placement
    target: Placement
    move: Move
    begins_seconds: float
    """From the first day to its begin."""

    @property
    def payment(self) -> Payment:
        """When it is due."""
        return Payment(self.cost_usd, ((self.begins_seconds, self.begins_seconds + self.wall_seconds),))

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
        return constant_moments(self.move.seconds, self.move.cents / 100)


@dataclass(frozen=True)
class PhasePlan:
    """One phase on its nodes."""

    name: str
    purchase_option: PurchaseOption
    """Where it runs and how it is bought."""
    begins: bool
    """Whether the job begins with it, or a stay on spot nodes, which have to be waited for."""
    spans: tuple[Span, ...]
    """From when to when it runs, in order, in seconds from the first day."""
    ready_seconds: float
    """From the first day until it could begin: the phase before has ended, and what is moved has arrived."""
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
    """In which it runs, the checkpoints and restarts of its pauses included."""
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
    def idle_seconds(self) -> float:
        """How long it waits for its begin and pauses."""
        ready = (self.ready_seconds, *(ends for _, ends in self.spans))
        return sum(begins - before for before, (begins, _) in zip(ready, self.spans, strict=False))

    @property
    def placement(self) -> Placement:
        """Where it runs."""
        return self.purchase_option.placement

    @property
    def accelerator(self) -> str:
        """Name of its device."""
        return self.placement.machine.accelerator.name

    @property
    def bought_gpus(self) -> int:
        """Devices of its nodes, spares included."""
        return (self.nodes + self.spare_nodes) * self.placement.machine.per_node

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
    start: date | None = None
    """The first day of the schedule, where the problem has one."""

    @property
    def payments(self) -> tuple[Payment, ...]:
        """Every line of the bill with when it is due."""
        return (*(one.payment for one in self.purchases), *(one.payment for one in self.moves))

    @property
    def idle_usd(self) -> Decimal:
        """What the bill holds for reserved hours in which no phase uses the nodes."""
        return sum((one.idle_usd for one in self.purchases), start=Decimal(0))

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
        """Expected time from the first day to the end: phases one after another, moves, waits and pauses."""
        running = sum(phase.wall_seconds for phase in self.phases) + sum(move.wall_seconds for move in self.moves)
        return running + self.idle_seconds

    @property
    def idle_seconds(self) -> float:
        """How long the job waits for begins and pauses."""
        return sum(phase.idle_seconds for phase in self.phases)

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
        """Mean and spread of the job's wall time, without what it waits and pauses, and of its cost; of shape ()."""
        return _summed([*(self._stay_moments(stay) for stay in self.stays), *(move.moments for move in self.moves)])

    def _stay_moments(self, stay: Stay) -> Moments:
        """The same of one stay, its reservation paid."""
        total = _summed([self.phases[index].moments for index in stay.phases])
        reservation = stay.purchase_option.reservation
        if reservation is None or not stay.reserved:
            return total
        rate = usd_per_second(stay.reserved, reservation.usd_per_node_hour)
        paid = with_reservation(total, rate, np.asarray(reservation.committed_seconds))
        wall = sum(self.phases[index].wall_seconds for index in stay.phases)
        begins, ends = reserved_span(reservation, stay_span(stay, self.phases, wall))
        unused = max(ends - begins - max(wall, reservation.committed_seconds), 0.0)
        return _summed([paid, constant_moments(0.0, float(rate) * unused)]) if unused else paid

    @property
    def tokens(self) -> int:
        """Tokens of the first phase."""
        return self.phases[0].tokens


def constant_moments(seconds: float, usd: float) -> Moments:
    """A time and a cost without any spread."""
    time, cost, none = np.asarray(seconds), np.asarray(usd), np.asarray(0.0)
    return Moments(time, time, none, cost, cost, none, time, none)


def _summed(parts: Sequence[Moments]) -> Moments:
    """One after another."""
    return Moments(*(np.asarray(sum(getattr(part, one.name) for part in parts)) for one in fields(Moments)))


def plan_of(choices: Choices, decision: Decision) -> Plan:
    """The plan that follows from a decision."""
    phases, moves, now = list[PhasePlan](), list[PlannedMove](), 0.0
    for before, stay in zip((None, *decision.stays), decision.stays, strict=False):
        if before and (move := _move(choices, before, stay, now)):
            moves.append(move)
            now += move.wall_seconds
        for index in stay.phases:
            decided, ready = decision.phases[index], now
            now = ready if decided.first_day is None else max(ready, float(decided.first_day * SECONDS_PER_DAY))
            phases.append(replace(_phase_plan(choices, stay, index, decided, now), ready_seconds=ready))
            now = phases[-1].spans[-1][1]
    schedule = choices.problem.schedule
    bill = tuple(bill_of(decision, phases))
    return Plan(decision.stays, tuple(phases), bill, tuple(moves), schedule.start if schedule else None)


def _move(choices: Choices, before: Stay, stay: Stay, now: float) -> PlannedMove | None:
    """What is carried between two stays as soon as the first has ended; None in one place."""
    origin, target = before.purchase_option.placement, stay.purchase_option.placement
    move = move_between(choices.problem, choices.workload, stay.first, origin, target)
    return None if move == STAY else PlannedMove(choices.phases[stay.first].name, origin, target, move, now)


def _phase_plan(choices: Choices, stay: Stay, index: int, decided: PhaseDecision, now: float) -> PhasePlan:
    """The figures of one phase; its time is that of the mode, which the verification computes again."""
    purchase_option, begins = stay.purchase_option, stay.begins_with(index)
    machine = purchase_option.placement.machine
    work, workload, space = choices.phases[index], choices.workload, choices.spaces[index]
    columns, rows = decided.columns, decided.columns.rows.take(np.asarray([decided.index]))
    architecture, device, job = workload.architecture, workload.device(machine), workload.job(work)
    layout = layout_of(workload, space.degrees.recompute, rows)
    held = memory(architecture, workload.software, job, layout, workload.constants)
    limit_gib = machine.accelerator.memory_usable_gib
    degrees = {name: int(values[0]) for name, values in rows.degrees.items() if name != "recompute"}
    gpus = int(rows.devices[0])
    step_seconds = float(columns.step_seconds[decided.index])
    done = float(model_flop_per_token(architecture, job)) * work.tokens_per_step / step_seconds
    nodes = columns.nodes[[decided.index]]
    write, restart = checkpoint_and_restart_seconds(workload, interruption_rates(machine.accelerator.name), nodes)
    run = columns.run.take(np.asarray([decided.index]))
    bought, pause = int(columns.bought[decided.index]), _only(write) + _only(restart)
    spans = spans_of(purchase_option.placement.timeline, bought, now, _only(run.wall.after(decided.steps)), pause)
    overhead = pause * (len(spans) - 1)
    return PhasePlan(
        name=work.name,
        spans=spans,
        ready_seconds=now,
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
        wall_seconds=_only(run.wall.after(decided.steps)) + overhead,
        checkpoint_seconds=_only(write),
        restart_seconds=_only(restart),
        spot_seconds=_only(run.spot.after(decided.steps)) + overhead,
        replaced_seconds=_only(run.replaced.after(decided.steps)),
        purchase_option=purchase_option,
        begins=begins,
        moments=_moments(workload, purchase_option, decided, spans, begins=begins),
        mfu=done / (gpus * float(device.peak_flops_s)),
        memory=MemoryAccount.of(held, limit_gib, workload.memory_deviations),
        memory_headroom_gib=workload.headroom * limit_gib,
        time={part: float(seconds[decided.index]) for part, seconds in columns.time.items()},
    )


def _moments(
    workload: Workload, purchase_option: PurchaseOption, decided: PhaseDecision, spans: Sequence[Span], *, begins: bool
) -> Moments:
    """Mean and spread of one phase with what it buys on demand and as spot, at the mean price of its time."""
    columns, placement = decided.columns.take(np.asarray([decided.index])), purchase_option.placement
    paid = [(float(price), length(some)) for price, some in paid_on_demand(placement, spans)]
    price = sum(usd * time for usd, time in paid) / sum(time for _, time in paid) if paid else None
    rates = rates_per_second(decided.spot, decided.on_demand, placement.spot, price)
    ran = TimedLayouts(columns.nodes, columns.rows.data, columns.step_seconds)
    device = placement.machine.accelerator.name
    found = run_moments(workload, device, ran, purchase_option.spot_policy, rates, steps=decided.steps, begins=begins)
    return Moments(*(np.asarray(_only(getattr(found, one.name))) for one in fields(Moments)))


def _only(values: object) -> float:
    """The only value of an array that may have kept a size of one, or none at all."""
    return float(np.ravel(np.asarray(values))[0])
