"""Every feasible layout with its evaluation, so that anyone can check the optimum with a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.layouts.evaluator import LayerGrid, evaluator, layout_of
from planner.layouts.fastest import rows_on
from planner.layouts.layout_space import valid_rows
from planner.layouts.rows import LayoutRows
from planner.layouts.wall_time import TimedLayouts, run_time
from planner.market.capacity import Capacities
from planner.market.money import node_hours_usd
from planner.market.placements import Machine, Placement
from planner.market.places import OWN
from planner.market.purchase_options import STEADY
from planner.performance.memory import memory
from planner.performance.symbols import Array
from planner.plans.choices import Choices, Site, with_spares
from planner.problem.run import Recompute
from planner.units import GIB, SECONDS_PER_DAY

CHUNK: Final = 50_000
"""Layouts that are evaluated at a time."""


@dataclass(frozen=True)
class LayoutTable:
    """Layouts of one phase on one machine, each on its cheapest on-demand offer that has room."""

    phase: str
    machine: Machine
    recompute: tuple[Recompute, ...]
    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    """Whole nodes that are bought, spares included."""
    step_seconds: Array
    memory_gib: Array
    """At the peak, with everything that must be set aside."""
    wall_days: Array
    cost_usd: Array
    """Infinite where no on-demand offer has room."""
    offers: tuple[Placement, ...]
    offer: npt.NDArray[np.int64]
    """Index of each layout's offer."""
    sold: npt.NDArray[np.int64]
    """Nodes that the offer's cloud sells without a contract, where the layout needs more; else 0."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: npt.NDArray[np.int64]) -> LayoutTable:
        """Some of the layouts."""
        return LayoutTable(
            self.phase,
            self.machine,
            self.recompute,
            self.rows.take(index),
            self.nodes[index],
            self.step_seconds[index],
            self.memory_gib[index],
            self.wall_days[index],
            self.cost_usd[index],
            self.offers,
            self.offer[index],
            self.sold[index],
        )


def layout_tables(
    choices: Choices, *, undominated: bool = False, capacities: Capacities | None = None
) -> Iterator[LayoutTable]:
    """Every layout that some machine holds, phase by phase and machine by machine, in pieces of bounded size.

    `undominated`: only those that the solver chooses from when everything is bought on demand. `capacities`: what can
    be had, where the choices are of a market with more: layouts that need more are marked.
    """
    for index in range(len(choices.phases)):
        for machine in choices.machines.values():
            for rows in _rows(choices, index, machine, undominated=undominated):
                yield _table(choices, index, machine, rows, capacities)


def _rows(choices: Choices, index: int, machine: Machine, *, undominated: bool) -> Iterator[LayoutRows]:
    """The layouts of a phase on a machine in pieces."""
    if undominated:
        columns = choices.columns[index].get(Site(machine.key, STEADY))
        if columns is not None and len(columns):
            yield columns.rows
        return
    most = choices.most_nodes(machine)
    degrees, memory_bytes = choices.spaces[index].degrees, machine.memory_bytes
    work, devices = choices.phases[index], most * machine.per_node
    for valid in valid_rows(choices.workload, work, degrees, memory_bytes, devices):
        rows = rows_on(machine, valid, most)
        for start in range(0, len(rows), CHUNK):
            yield rows.take(np.arange(start, min(start + CHUNK, len(rows))))


def _table(
    choices: Choices, index: int, machine: Machine, rows: LayoutRows, capacities: Capacities | None
) -> LayoutTable:
    """The evaluation of some layouts of a phase on a machine."""
    workload, work, space = choices.workload, choices.phases[index], choices.spaces[index]
    subject = evaluator(workload, work, machine, space.degrees.recompute, LayerGrid.of(space.degrees, rows))
    step = subject.steps(rows).total
    architecture, _, software, job = subject.subject
    layout = layout_of(workload, space.degrees.recompute, rows)
    used = memory(architecture, software, job, layout, workload.constants)
    nodes = -(-rows.devices.astype(np.int64) // machine.per_node)
    bought = with_spares(choices.problem, nodes)
    ran = TimedLayouts(nodes, rows.data.astype(np.int64), step)
    seconds = run_time(workload, machine.accelerator.name, ran, STEADY, begins=index == 0).wall.after(work.steps)
    offers = _offers(choices, machine)
    nodes_sold = np.asarray([_sold(one, capacities) for one in offers] or [0])
    offer = _cheapest_with_room(nodes_sold, bought)
    beyond = offer == len(offers)
    offer[beyond] = _cheapest_with_room(np.asarray([one.nodes for one in offers] or [0]), bought[beyond])
    price = _prices(offers, offer, seconds)
    return LayoutTable(
        phase=work.name,
        machine=machine,
        recompute=space.degrees.recompute,
        rows=rows,
        nodes=bought,
        step_seconds=step,
        memory_gib=used.reserved(workload.memory_deviations) / GIB,
        wall_days=seconds / SECONDS_PER_DAY,
        cost_usd=node_hours_usd(bought, price, seconds),
        offers=offers,
        offer=offer,
        sold=np.where(beyond & (offer < len(offers)), nodes_sold[np.minimum(offer, len(nodes_sold) - 1)], 0),
    )


def _prices(offers: Sequence[Placement], offer: npt.NDArray[np.int64], seconds: Array) -> Array:
    """US dollars of a node-hour of each layout; of an offer that changes in time, on average from the first day on."""
    price = np.full(len(seconds), np.inf)
    for number, one in enumerate(offers):
        here = offer == number
        price[here] = float(one.on_demand or np.inf) if one.timeline is None else _mean_price(one, seconds[here])
    return price


def _mean_price(placement: Placement, seconds: Array) -> Array:
    """What an on-demand node asks on average in so many seconds from the first day on, in which it is sold."""
    paid, sold = np.zeros(len(seconds)), np.zeros(len(seconds))
    for one in placement.timeline.stretches if placement.timeline else ():
        inside = np.clip(seconds, one.begins, one.ends) - one.begins
        if one.on_demand is not None and one.nodes:
            paid += float(one.on_demand) * inside
            sold += inside
    return np.where(sold > 0, paid / np.maximum(sold, 1.0), float(placement.on_demand or np.inf))


def _offers(choices: Choices, machine: Machine) -> tuple[Placement, ...]:
    """The on-demand offers of a machine, cheapest first."""
    here = (one.placement for one in choices.offered if one.placement.machine.key == machine.key)
    sold = {one.key: one for one in here if one.on_demand is not None}
    return tuple(sorted(sold.values(), key=lambda one: (one.on_demand or 0, one.key)))


def _sold(offer: Placement, capacities: Capacities | None) -> int:
    """Nodes of an offer that can be had without asking."""
    if capacities is None or offer.cloud == OWN:
        return offer.nodes
    return min(offer.nodes, capacities.nodes(offer.cloud, offer.machine.accelerator.name)[0])


def _cheapest_with_room(nodes: npt.NDArray[np.int64], bought: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Index of the first offer, of so many nodes each, that has enough; one past the last where none has."""
    return np.searchsorted(np.maximum.accumulate(nodes), bought, side="left").astype(np.int64)
