"""The fastest layout per number of nodes on one machine: the only ones that the rest of the model can tell apart.

Evaluating all rows in full costs seconds, so those whose lower bound shows that they cannot win are never evaluated.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.catalog.capacity import slices_of
from planner.layouts.branch_and_bound import FittingFamilies, Race, Runner
from planner.layouts.caching import Kept, numbers
from planner.layouts.disk_cache import digest_of, store, stored
from planner.layouts.evaluator import evaluators, least_device_seconds
from planner.layouts.layout_space import LayoutSpace, valid_rows
from planner.layouts.rows import Index, Ints, LayoutRows, places
from planner.layouts.tables import EVERYTHING, TIME, BestLayouts, Reach, nothing, read_tables, write_tables
from planner.layouts.wall_time import replicas_left
from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.market.slices import is_sold
from planner.market.spot import kept_of_gang
from planner.performance.symbols import Array
from planner.problem.layout_rules import lies_in_fabric
from planner.tolerances import SUM_ORDER


def rows_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> LayoutRows:
    """The rows that at most so many nodes of a machine can hold."""
    return rows.take(held_on(machine, rows, max_nodes))


def held_on(machine: Machine, rows: LayoutRows, max_nodes: int) -> Index:
    """Which rows at most so many nodes can hold: memory, whole nodes (or part of one), tensor groups in the fabric."""
    few = rows.devices <= max_nodes * machine.per_node
    held = np.flatnonzero(few & (rows.needed_bytes <= machine.memory_bytes))
    return held[_is_placeable(machine, rows.devices[held], rows.tensor[held])]


def is_placeable(machine: Machine, rows: LayoutRows) -> npt.NDArray[np.bool_]:
    """Whether rows can be laid on nodes that a machine is sold with, whatever memory they need; shape (rows,)."""
    return _is_placeable(machine, rows.devices, rows.tensor)


def _is_placeable(machine: Machine, of_rows: Ints, tensor_of_rows: Ints) -> npt.NDArray[np.bool_]:
    """The same of devices and tensor degrees, of which there are far fewer values than rows: so by looking them up."""
    per_node = machine.per_node
    devices = np.arange(of_rows.max(initial=0) + 1)
    whole = is_sold(machine.accelerator.name, per_node, devices)
    tensor = np.maximum(np.arange(tensor_of_rows.max(initial=0) + 1), 1)
    inside = lies_in_fabric(tensor, per_node, machine.domain)
    placeable: npt.NDArray[np.bool_] = whole[of_rows] & np.asarray(inside)[tensor_of_rows]
    return placeable


def leanest_bytes(machine: Machine, space: LayoutSpace, max_devices: int) -> float:
    """Least device memory that a layout on a machine's nodes needs, fitting or not; infinite when there is none.

    It is kept on disk: another question about the same job need not enumerate layouts that do not fit.
    """
    nodes = (machine.accelerator.name, machine.per_node, machine.domain, max_devices)
    key = digest_of(space.digest, "leanest", nodes)
    known = stored(key)
    if known is None:
        rows = valid_rows(*space.made_for, space.degrees, inf, max_devices)
        needed = [some.needed_bytes[is_placeable(machine, some)].min(initial=inf) for some in rows]
        known = {"bytes": np.asarray(min(needed, default=inf))}
        store(key, known)
    return float(known["bytes"])


def best_layouts(
    workload: Workload,
    phase: PhaseWork,
    machine: Machine,
    space: LayoutSpace,
    *,
    max_nodes: int,
    max_step_seconds: float = np.inf,
    loses_replicas: bool = False,
    more_memory: float = 0.0,
) -> BestLayouts:
    """The fastest layout for each number of nodes, among those that take at most so many nodes and seconds a step.

    `loses_replicas`: for each share of the replicas that goes on when nodes are lost, too. `more_memory`: share of a
    device's memory that is taken to be there on top.
    """
    reach = Reach(max_step_seconds)
    asked = Asked(machine, max_nodes, loses_replicas, more_memory, reach, reach)
    return best_layouts_on(workload, phase, space, [asked])[0]


@dataclass(frozen=True)
class Asked:
    """Which fastest layouts are wanted: see `best_layouts`."""

    machine: Machine
    max_nodes: int
    loses_replicas: bool
    more_memory: float = 0.0
    reach: Reach = EVERYTHING
    further: Reach = EVERYTHING
    """How far to look where nothing is known yet, so that the next question finds it."""
    beside: BestLayouts | None = None
    """Layouts that fit: with more memory, only those that are faster are of interest."""

    @property
    def max_devices(self) -> int:
        """Most devices that are looked at."""
        return self.max_nodes * self.machine.per_node

    def takes_in(self, device_seconds: float, reach: Reach) -> bool:
        """Whether layouts that take so many device-seconds a step, at least, may be within a reach."""
        most = min(reach.step_seconds * self.max_nodes, reach.node_seconds) * self.machine.per_node
        return device_seconds <= most * (1 + SUM_ORDER)


KEPT: Final = 1024
"""Tables of fastest layouts that are kept: of one phase on one machine, up to some 100 kB each."""

kept_tables: Kept[BestLayouts] = Kept(KEPT)


def best_layouts_on(
    workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]
) -> list[BestLayouts]:
    """The fastest layouts on several machines; finding them together is quicker than one after the other."""
    fitting = _best_layouts_on(workload, phase, space, [replace(one, more_memory=0.0) for one in asked])
    if not any(one.more_memory for one in asked):
        return fitting
    beyond = _best_layouts_on(
        workload, phase, space, [replace(one, beside=fits) for one, fits in zip(asked, fitting, strict=True)]
    )
    three = zip(asked, fitting, beyond, strict=True)
    return [fastest_of(fits, more, by_share=one.loses_replicas) for one, fits, more in three]


def fastest_of(one: BestLayouts, other: BestLayouts, *, by_share: bool) -> BestLayouts:
    """The faster layouts of two tables, those of the first among equals; `by_share`: see `loses_replicas`."""
    if not len(other):
        return one
    both = one.joined(other)
    share = replicas_left(both.rows.data) if by_share else np.zeros(len(both))
    order = np.lexsort((both.step_seconds, share, both.nodes))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(both.nodes[order]) != 0) | (np.diff(share[order]) != 0)
    return both.take(order[first])


def _best_layouts_on(
    workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]
) -> list[BestLayouts]:
    """The same of layouts that fit, or of those that only fit with more memory."""
    keys = [_key(workload, space, one) for one in asked]
    reach = {key: one.reach for key, one in zip(keys, asked, strict=True)}
    found = {key: table for key in keys if (table := kept_tables.get(key)) and table.reach.holds(reach[key])}
    known: dict[bytes, BestLayouts] = {}
    if any(key not in found for key in keys):
        known = {} if space.part else read_tables(space.digest)
        found |= {key: table for key, table in known.items() if key not in reach or table.reach.holds(reach[key])}
    if new := {key: one for key, one in zip(keys, asked, strict=True) if key not in found}:
        computed = dict(zip(new, _tables(workload, phase, space, list(new.values())), strict=True))
        found |= computed
        if not space.part:
            write_tables(space.digest, computed | {key: one for key, one in known.items() if key not in computed})
    for key, table in found.items():
        kept_tables.put(key, table)
    return [found[key].within(reach[key]) for key in keys]


def _key(workload: Workload, space: LayoutSpace, asked: Asked) -> bytes:
    """All that the fastest layouts on a machine depend on."""
    machine = asked.machine
    kept = kept_of_gang() if asked.loses_replicas else 1.0
    of_times = (numbers(workload.device(machine)), workload.pace_key(machine))
    return digest_of(space.digest, (of_times, machine.accelerator.name, asked.max_nodes, kept), asked.more_memory)


TOGETHER: Final = 1_000_000
"""Families on machines that are compared at a time: what limits the memory that they take."""
AT_A_TIME: Final = 64
"""Machines that are compared at a time; the times of a layer on one take some 1 MB."""


def _tables(workload: Workload, phase: PhaseWork, space: LayoutSpace, asked: Sequence[Asked]) -> Iterator[BestLayouts]:
    """The fastest layouts on several machines; none where any takes too many device-seconds, which is quickly told.

    Layouts are found as far as the next question may need on no more devices than this one does.
    """
    known: dict[Hashable, FittingFamilies] = {}
    for begin in range(0, len(asked), AT_A_TIME):
        some = asked[begin : begin + AT_A_TIME]
        least = least_device_seconds(
            workload, phase, [one.machine for one in some], space.degrees.recompute, space.grid
        )
        pairs = list(zip(some, least, strict=True))
        most = max((one.max_devices for one, seconds in pairs if one.takes_in(seconds, one.reach)), default=0)
        further = [one.takes_in(seconds, one.further) for one, seconds in pairs]
        fast = [one.max_devices <= most and may_be for one, may_be in zip(some, further, strict=True)]
        found = _raced(workload, phase, space, list(compress(some, fast)), known)
        for one, may_be, is_fast in zip(some, further, fast, strict=True):
            yield next(found) if is_fast else nothing(one.reach if may_be else one.further)


def _raced(
    workload: Workload,
    phase: PhaseWork,
    space: LayoutSpace,
    asked: Sequence[Asked],
    known: dict[Hashable, FittingFamilies],
) -> Iterator[BestLayouts]:
    """The fastest layouts on some machines; as many are evaluated together as memory is meant for.

    `known`: the families that some machines can hold.
    """
    subjects = evaluators(workload, phase, [one.machine for one in asked], space.degrees.recompute, space.grid)
    space = space.up_to(max((one.max_devices for one in asked), default=1))
    some, families = list[Runner](), 0
    for one, subject in zip(asked, subjects, strict=True):
        machine = one.machine
        nodes = (slices_of(machine.accelerator.name), machine.per_node, machine.domain, one.max_nodes)
        key = (nodes, machine.memory_bytes, one.loses_replicas, one.more_memory)
        held = known.get(key) or known.setdefault(key, _held(space, one))
        if families + len(held.keys) > TOGETHER:
            yield from _raced_together(space, some)
            some, families = [], 0
        some.append(Runner(subject, held, one.further, _to_beat(space, one, held)))
        families += len(held.keys)
    if some:
        yield from _raced_together(space, some)


def _held(space: LayoutSpace, asked: Asked) -> FittingFamilies:
    """Families that the nodes of a machine can hold; with more memory, those that need it.

    They compete by their nodes, and if asked by the share of replicas that goes on.
    """
    machine, families = asked.machine, space.families
    memory = machine.memory_bytes
    least, most = (memory, (1 + asked.more_memory) * memory) if asked.more_memory else (0.0, memory)
    few = families.devices <= asked.max_nodes * machine.per_node
    fit = few & (families.least_bytes <= most) & (families.most_bytes > least)
    held = np.flatnonzero(fit)
    held = held[_is_placeable(machine, families.devices[held], families.tensor[held])]
    nodes = -(-families.devices[held] // machine.per_node)
    keys = _groups(space, nodes, families.data[held], by_share=asked.loses_replicas)
    return FittingFamilies(held, keys, families.least_plain_bytes[held] <= most, least, most)


def _groups(space: LayoutSpace, nodes: npt.NDArray[np.integer[Any]], data: Ints, *, by_share: bool) -> Index:
    """Numbers of what the rest of the model tells layouts apart by; shape (layouts,)."""
    if not by_share:
        return nodes.astype(np.int64)
    degrees = space.degrees.data
    shares, share = np.unique(replicas_left(np.asarray(degrees)), return_inverse=True)
    return nodes.astype(np.int64) * len(shares) + share[places(degrees, data)]


def _to_beat(space: LayoutSpace, asked: Asked, held: FittingFamilies) -> Array:
    """Seconds of a step that a layout which fits takes in the group of each held family; infinite where none fits."""
    seconds = np.full(int(held.keys.max(initial=0)) + 1, inf)
    if fits := asked.beside:
        keys = _groups(space, fits.nodes, fits.rows.data, by_share=asked.loses_replicas)
        inside = keys < len(seconds)
        seconds[keys[inside]] = fits.step_seconds[inside]
    return seconds[held.keys]


def _raced_together(space: LayoutSpace, runners: Sequence[Runner]) -> Iterator[BestLayouts]:
    """The fastest layouts on some machines, one after the other."""
    machine, place, time = Race(space, runners).winners()
    rows = space.rows.take(place)
    parts = {name: np.broadcast_to(getattr(time, name), len(place)) for name in TIME}
    per_node = np.asarray([int(one.evaluator.subject[1].node) for one in runners])
    whole = BestLayouts(rows, -(-rows.devices // per_node[machine]), time.total, parts)
    ends = np.searchsorted(machine, np.arange(len(runners) + 1))
    for number, one in enumerate(runners):
        yield replace(whole.take(slice(*ends[number : number + 2])), reach=one.reach)
