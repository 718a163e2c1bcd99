"""The fastest layout on exactly so many devices of each machine, before any of them is made a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import inf
from typing import Literal

import numpy as np

from planner.explore.job_modes import JobMode
from planner.layouts.degrees import degrees_of
from planner.layouts.fastest import best_layouts, is_placeable
from planner.layouts.layout_space import LayoutSpace, layout_space, valid_rows
from planner.layouts.wall_time import TimedLayouts, run_time
from planner.layouts.workload import Workload, workload_of
from planner.market.money import node_hours_usd
from planner.market.placements import Machine, Placement
from planner.market.purchase_options import STEADY, PurchaseOption
from planner.plans.choices import Choices, PhaseModes, Site, variances_left, with_spares
from planner.plans.solution import Stay
from planner.problem.problem import Phase, Problem
from planner.units import GIB

Kind = Literal["strong", "weak"]
"""`strong`: the batch stays; `weak`: it grows with the devices, and is the problem's on the fewest."""


@dataclass(frozen=True)
class FixedCount:
    """What one number of devices has."""

    gpus: int
    reason: str
    """Why there is no layout."""
    choices: Choices | None = None
    """What the mode is one of."""
    mode: JobMode | None = None
    """The fastest layout, on the cheapest on-demand offer with room; its cost is infinite where there is none."""


@dataclass(frozen=True)
class Trial:
    """One kind of machine on every number of devices, fewest first."""

    machine: Machine
    found: tuple[FixedCount, ...]


@dataclass(frozen=True)
class _Field:
    """The phase alone with one batch: its layouts on some numbers of devices."""

    problem: Problem
    workload: Workload
    space: LayoutSpace

    def leanest_bytes(self, machine: Machine, number: int) -> float:
        """Least device memory that a valid layout on so many devices of a machine needs; infinite without one."""
        least, work = inf, self.workload.phases[0]
        for rows in valid_rows(self.workload, work, self.space.degrees, inf, number):
            chosen = (rows.devices == number) & is_placeable(machine, rows)
            least = min(least, float(rows.needed_bytes[chosen].min(initial=inf)))
        return least


@dataclass(frozen=True)
class Trials:
    """One phase of a problem on any machine that is offered."""

    problem: Problem
    phase: Phase
    kind: Kind
    offered: tuple[Placement, ...]

    def of(self, asked: Sequence[tuple[Sequence[Placement], Sequence[int]]]) -> list[Trial]:
        """A trial for the offers of each machine on some numbers of devices; layouts are made once for all."""
        by_batch: dict[Fraction, set[int]] = {}
        for _, numbers in asked:
            for number in numbers:
                by_batch.setdefault(self._batch(number, numbers[0]), set()).add(number)
        machines = [one.machine for one in self.offered]
        fields_of = {
            batch: _field(alone(self.problem, self.phase, int(batch)), frozenset(numbers), machines)
            for batch, numbers in by_batch.items()
            if batch.denominator == 1
        }
        return [Trial(offers[0].machine, tuple(self._found(offers, numbers, fields_of))) for offers, numbers in asked]

    def _batch(self, number: int, first: int) -> Fraction:
        """Sequences of a step on a number of devices; no whole number when devices do not share them out evenly."""
        grown = Fraction(number, first) if self.kind == "weak" else Fraction(1)
        return self.phase.global_batch * grown

    def _found(
        self, offers: Sequence[Placement], numbers: Sequence[int], of_batch: dict[Fraction, _Field]
    ) -> Iterator[FixedCount]:
        """What each number of devices has, fewest first."""
        batches = [self._batch(number, numbers[0]) for number in numbers]
        for batch in dict.fromkeys(batches):
            some = [number for number, its in zip(numbers, batches, strict=True) if its == batch]
            if batch in of_batch:
                yield from _tried(of_batch[batch], offers, some)
            else:
                yield from (FixedCount(one, f"a batch of {float(batch):,.1f} is no whole number") for one in some)


def alone(problem: Problem, phase: Phase, batch: int) -> Problem:
    """The phase alone with a batch, bought on demand, whatever time, money and devices it takes."""
    unlimited = {"deadline": None, "budget": None, "gpus": None}
    purchase = tuple(dict.fromkeys(("on_demand", *problem.market.purchase)))
    parts = {
        "training": {"phases": (phase.model_copy(update={"global_batch": batch}),)},
        "market": {"purchase": purchase},
        "limits": unlimited,
        "risk": {"confidence": None},
    }
    update = {name: getattr(problem, name).model_copy(update=changes) for name, changes in parts.items()}
    return problem.model_copy(update=update | {"objective": "time"})


def _field(problem: Problem, numbers: frozenset[int], machines: Sequence[Machine]) -> _Field:
    """Every valid layout on some numbers of devices; each degree divides one of them."""
    workload = workload_of(problem)
    work = workload.phases[0]
    degrees = degrees_of(workload, work, max(one.domain for one in machines))
    dividing = {
        name: tuple(value for value in getattr(degrees, name) if any(number % value == 0 for number in numbers))
        for name in ("tensor", "pipeline", "context", "expert", "data")
    }
    memories = [one.memory_bytes for one in machines]
    space = layout_space(workload, work, replace(degrees, **dividing), memories, max(numbers))
    return _Field(problem, workload, space)


def _tried(field: _Field, offers: Sequence[Placement], numbers: Sequence[int]) -> Iterator[FixedCount]:
    """The fastest layout on each number of devices of a machine, or why there is none."""
    machine = offers[0].machine
    most = max(one.nodes for one in offers)
    reasons = {number: _refused(field.problem, machine, most, number) for number in numbers}
    choices = _choices(field, machine, [number for number in numbers if not reasons[number]])
    columns = choices.columns[0][Site(machine.key, STEADY)]
    places = {int(devices): place for place, devices in enumerate(columns.rows.devices)}
    for number in numbers:
        if number in places:
            yield FixedCount(number, "", choices, _mode(choices, columns, offers, places[number]))
        else:
            yield FixedCount(number, reasons[number] or _does_not_fit(field, machine, number))


def _refused(problem: Problem, machine: Machine, most_nodes: int, number: int) -> str:
    """Why a number of devices cannot be had; empty when it can."""
    nodes, left = divmod(number, machine.per_node)
    if left:
        return f"not whole nodes of {machine.per_node}"
    bought = int(with_spares(problem, np.asarray([nodes]))[0])
    spares = f", {bought - nodes:,} of them spare" if bought > nodes else ""
    return f"takes {bought:,} nodes{spares}, the offers have {most_nodes:,}" if bought > most_nodes else ""


def _does_not_fit(field: _Field, machine: Machine, number: int) -> str:
    """Why no layout exists on a number of devices that can be had."""
    least = field.leanest_bytes(machine, number)
    if least < inf:
        needs, held = least / GIB, machine.memory_bytes / GIB
        return f"no layout fits in memory: the leanest needs {needs:,.1f} GiB a GPU, it has {held:,.1f}"
    pins = " under the pins" if field.problem.layout.model_fields_set else ""
    return f"no layout shares a batch of {field.workload.phases[0].global_batch:,} out over {number:,} GPUs{pins}"


def _choices(field: _Field, machine: Machine, numbers: Sequence[int]) -> Choices:
    """The fastest layout on each of some numbers of devices of a machine, as columns without any dominance."""
    problem, workload, space = field.problem, field.workload, field.space.on(numbers)
    most = max(numbers, default=0) // machine.per_node
    best = best_layouts(workload, workload.phases[0], machine, space, max_nodes=most)
    ran = TimedLayouts(best.nodes, best.rows.data, best.step_seconds)
    columns = PhaseModes(
        rows=best.rows,
        nodes=best.nodes,
        bought=with_spares(problem, best.nodes),
        step_seconds=best.step_seconds,
        time=best.time,
        run=run_time(workload, machine.accelerator.name, ran, STEADY, begins=True),
        variance_left=variances_left(workload, machine, space, best),
    )
    return Choices(
        problem=problem,
        workload=workload,
        limits={},
        objective=problem.objective,
        machines={machine.key: machine},
        offered=(),
        purchase_options=(),
        spaces=(space,),
        columns=({Site(machine.key, STEADY): columns},),
    )


def _mode(choices: Choices, columns: PhaseModes, offers: Sequence[Placement], place: int) -> JobMode:
    """One layout on the cheapest on-demand offer with room; otherwise on any offer, with infinite cost."""
    bought = columns.bought[[place]]
    roomy = [one for one in offers if one.nodes >= bought[0]]
    placement = min(roomy, key=lambda one: (one.on_demand is None, one.on_demand or 0, one.key))
    wall = float(columns.wall_seconds(choices.phases[0].steps)[place])
    usd = inf
    if placement.on_demand is None:
        placement = replace(placement, on_demand=Decimal(0))
    else:
        usd = float(node_hours_usd(bought[0], placement.on_demand, wall))
    return JobMode((Stay(PurchaseOption(placement, STEADY, None), 0, 0, 0),), (place,), wall, wall, usd)
