"""What the model chooses from: tenders, and per phase and ground the layouts that can be best, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.equations.symbols import Array
from planner.formulation.limits import Limit, limits_of
from planner.layouts.best import Asked, best_layouts, best_layouts_on
from planner.layouts.degrees import MAX_DEVICES, degrees_of
from planner.layouts.dominance import undominated as undominated_rows
from planner.layouts.rows import LayoutRows
from planner.layouts.space import LayoutSpace, layout_space
from planner.layouts.tables import BestLayouts
from planner.layouts.wall import Ran, RunTime, run_times
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.placements import Machine, placements
from planner.market.tenders import Regime, Tender, tenders_of, undominated
from planner.problem.problem import Objective, Problem

MachineKey = tuple[str, int, int, float]


@dataclass(frozen=True)
class Ground:
    """Where a layout runs: a machine under a regime. Wall times depend on nothing else of a tender."""

    machine: MachineKey
    regime: Regime

    @property
    def has_spot(self) -> bool:
        """Whether spot nodes are bought there."""
        return self.regime.policy != "steady"


@dataclass(frozen=True)
class Columns:
    """Layouts of one phase on one ground, fewest nodes first, none worse than another in all that the model sees."""

    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    """That compute."""
    bought: npt.NDArray[np.int64]
    """With spares."""
    step_seconds: Array
    time: Mapping[str, Array]
    """What a step is spent on, by part; seconds."""
    run: RunTime
    """How long it takes, by steps."""

    def __len__(self) -> int:
        return len(self.nodes)

    def wall_seconds(self, steps: int) -> Array:
        """Expected wall time of so many steps."""
        return self.run.wall.after(steps)

    def take(self, index: npt.NDArray[np.int64]) -> Columns:
        """Some of the layouts."""
        return Columns(
            rows=self.rows.take(index),
            nodes=self.nodes[index],
            bought=self.bought[index],
            step_seconds=self.step_seconds[index],
            time={part: values[index] for part, values in self.time.items()},
            run=self.run.take(index),
        )


@dataclass(frozen=True)
class Choices:
    """Everything that the model is built from."""

    problem: Problem
    workload: Workload
    limits: Mapping[str, Limit]
    objective: Objective
    machines: Mapping[MachineKey, Machine]
    offered: tuple[Tender, ...]
    """Every tender, before dominance."""
    tenders: tuple[Tender, ...]
    """Those that can be best, and on whose ground every phase has a layout."""
    spaces: tuple[LayoutSpace, ...]
    """All valid layouts, by phase."""
    columns: tuple[Mapping[Ground, Columns], ...]
    """The layouts that can be best, by phase."""

    @property
    def phases(self) -> tuple[PhaseWork, ...]:
        """The phases of the job."""
        return self.workload.phases

    @property
    def accelerators(self) -> tuple[str, ...]:
        """Names of the accelerators that some plan may use."""
        return tuple(dict.fromkeys(tender.placement.machine.accelerator.name for tender in self.tenders))

    def only(self, accelerator: str) -> Choices:
        """The choices that one accelerator leaves."""
        kept = tuple(t for t in self.tenders if t.placement.machine.accelerator.name == accelerator)
        return replace(self, tenders=kept)

    def without(self, accelerator: str) -> Choices:
        """The choices that are left without one accelerator."""
        kept = tuple(t for t in self.tenders if t.placement.machine.accelerator.name != accelerator)
        return replace(self, tenders=kept)

    @cached_property
    def grounds(self) -> tuple[Ground, ...]:
        """The grounds of the tenders, each once, in their order."""
        return tuple(dict.fromkeys(ground_of(tender) for tender in self.tenders))


def ground_of(tender: Tender) -> Ground:
    """Where a tender's layouts run."""
    return Ground(tender.placement.machine.key, tender.regime)


def choices_of(problem: Problem, among: Sequence[Tender] | None = None) -> Choices:
    """All tenders and layouts that a problem allows, reduced by exact dominance. Raises InputError.

    A layout that alone misses the deadline is left out; one that fits no memory too. Nothing else is lost. `among`:
    what is on offer instead of the problem's market, each of them kept.
    """
    workload = workload_of(problem)
    offered = tenders_of(placements(problem)) if among is None else tuple(among)
    tenders = undominated(offered) if among is None else offered
    machines = {tender.placement.machine.key: tender.placement.machine for tender in tenders}
    spaces = tuple(_space(problem, workload, phase, machines.values()) for phase in workload.phases)
    columns: list[dict[Ground, Columns]] = []
    carried = tenders
    for index, space in enumerate(spaces):
        columns.append(_columns(problem, workload, index, space, carried))
        carried = tuple(one for one in carried if len(columns[-1][ground_of(one)]))
    return Choices(
        problem=problem,
        workload=workload,
        limits=limits_of(problem),
        objective=problem.objective,
        machines=machines,
        offered=offered,
        tenders=carried,
        spaces=spaces,
        columns=tuple(columns),
    )


def _space(problem: Problem, workload: Workload, phase: PhaseWork, machines: Iterable[Machine]) -> LayoutSpace:
    """All valid layouts of a phase on any of the machines."""
    memories, widest = [one.memory_bytes for one in machines], max(one.domain for one in machines)
    degrees = degrees_of(workload, phase, widest)
    return layout_space(workload, phase, degrees, memories, problem.limits.gpus or MAX_DEVICES)


def _columns(
    problem: Problem, workload: Workload, index: int, space: LayoutSpace, tenders: Sequence[Tender]
) -> dict[Ground, Columns]:
    """The layouts of one phase that can be best, on the ground of every tender."""
    phase = workload.phases[index]
    machines = {one.placement.machine.key: one.placement.machine for one in tenders}
    elastic = {one.placement.machine.key for one in tenders if one.regime.policy == "elastic"}
    limit = (problem.limits.deadline or inf) / (1 if is_open(problem, phase.name) else phase.steps)
    asked = [
        Asked(machine, most_nodes(problem, tenders, machine), loses_replicas=key in elastic)
        for key, machine in machines.items()
    ]
    best_layouts_on(workload, phase, space, asked)
    best = {
        one.machine.key: best_layouts(
            workload,
            phase,
            one.machine,
            space,
            max_nodes=one.max_nodes,
            max_step_seconds=limit,
            loses_replicas=one.loses_replicas,
        )
        for one in asked
    }
    grounds = list(dict.fromkeys(map(ground_of, tenders)))
    ran = [_ran(best[ground.machine]) for ground in grounds]
    on_grounds = [(ground.machine[0], layouts, ground.regime) for ground, layouts in zip(grounds, ran, strict=True)]
    runs = run_times(workload, on_grounds, begins=index == 0)
    return {
        ground: _that_can_be_best(problem, phase, best[ground.machine], run)
        for ground, run in zip(grounds, runs, strict=True)
    }


def _ran(best: BestLayouts) -> Ran:
    """Layouts as the time of a run depends on them."""
    return Ran(best.nodes, best.rows.data, best.step_seconds)


def is_open(problem: Problem, phase: str) -> bool:
    """Whether the tokens of a phase are what is maximised."""
    return problem.objective == "tokens" and phase == problem.training.phases[0].name


def most_nodes(problem: Problem, tenders: Iterable[Tender], machine: Machine) -> int:
    """Most nodes of a machine that any tender has, within the limit on devices."""
    offered = max(one.placement.nodes for one in tenders if one.placement.machine.key == machine.key)
    return min(offered, (problem.limits.gpus or MAX_DEVICES) // machine.per_node)


def with_spares(problem: Problem, nodes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Nodes to buy so that spares stand by."""
    spares: npt.NDArray[np.int64] = np.ceil(problem.risk.spare_nodes * nodes - SPARE_ROUNDING).astype(np.int64)
    return nodes.astype(np.int64) + spares


def _that_can_be_best(problem: Problem, phase: PhaseWork, best: BestLayouts, run: RunTime) -> Columns:
    """Of the fastest layouts, those that no smaller one beats in all that the model sees of them."""
    columns = Columns(best.rows, best.nodes, with_spares(problem, best.nodes), best.step_seconds, best.time, run)
    return columns.take(undominated_rows(_seen(problem, phase, columns)))


def _seen(problem: Problem, phase: PhaseWork, columns: Columns) -> Array:
    """What the model sees of layouts, each the less the better; shape (layouts, figures).

    After a part of the steps and per step, so that none is lost for as many steps or more.
    """
    run = columns.run
    figures = [run.spot, run.replaced, run.wall]
    if problem.risk.confidence is not None:
        figures = [run.least, run.variance, *figures]
    fewest = 1 if is_open(problem, phase.name) else ceil(phase.steps / FEWER)
    return np.column_stack([columns.nodes, *(seen for one in figures for seen in (one.after(fewest), one.each))])


FEWER: Final = 4
"""Layouts that can be best with so many times fewer tokens are kept too."""
SPARE_ROUNDING: Final = 1e-9
"""Part of a spare node that rounding of the share may add."""
