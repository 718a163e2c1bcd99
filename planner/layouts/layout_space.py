"""All valid layouts of a phase, and those of them that some machine may be fastest with.

Validity and memory hardly depend on the machine, so rows are made once per phase and shared by all machines.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.layouts.blocks import blocks, pairs_held
from planner.layouts.caching import Kept, numbers
from planner.layouts.cuts import CutRules, count_layouts
from planner.layouts.degrees import UNSTATED_DEVICES, Degrees
from planner.layouts.disk_cache import digest_of, store, stored
from planner.layouts.evaluator import LayerGrid
from planner.layouts.families import Families
from planner.layouts.rows import Index, LayoutRows, joined, places
from planner.layouts.workload import PhaseWork, Workload
from planner.performance.symbols import Array

INSIDE_A_DOMAIN: Final = ("tensor", "expert_tensor")
"""Degrees that the widest scale-up domain bounds."""


@dataclass(frozen=True)
class Outline:
    """What is asked of all layouts of a phase when their fastest ones are known; little enough to be kept on disk."""

    leanest: LayoutRows
    """The row that needs least memory, for each number of devices and tensor degree."""
    tightest_bytes: float
    """What the valid layout needs that fills least memory, fitting or not; infinite when no layout is valid at all."""


@dataclass(frozen=True)
class Enumerated:
    """The layouts of a phase on few devices up to some number."""

    max_devices: int
    rows: LayoutRows
    """Those that fit the largest memory and that no other one provably beats, in the order of their devices."""
    least_bytes: Array
    """Least memory that one on each number of devices needs, fitting or not; infinite where none may fit."""

    def within(self, max_devices: int) -> Enumerated:
        """Those on fewer devices."""
        end = np.searchsorted(self.rows.devices, max_devices, side="right")
        return Enumerated(max_devices, self.rows.take(slice(end)), self.least_bytes[: max_devices + 1])


@dataclass(frozen=True)
class LayoutSpace:
    """All valid layouts of one phase, enumerated when they are first asked for."""

    made_for: tuple[Workload, PhaseWork]
    """What they were made for; jobs with the same numbers share them."""
    degrees: Degrees
    memories: tuple[float, ...]
    """The machines' memory sizes in bytes, ascending."""
    max_devices: int
    counted_devices: int
    """Devices up to which layouts are counted, whether they can be had or not."""
    numbers: Hashable
    """All that the rows depend on besides."""
    part: tuple[LayoutSpace, tuple[int, ...]] | None = None
    """The space of which it has the rows on some numbers of devices alone."""

    def on(self, devices: Iterable[int]) -> LayoutSpace:
        """Its part on some numbers of devices."""
        some = tuple(sorted(set(devices)))
        return replace(self, part=(self, some))

    def serves(self, degrees: Degrees, memories: Iterable[float], max_devices: int) -> bool:
        """Whether its rows are enough for machines with some memory sizes, tensor degrees and numbers of devices."""
        is_wide = all(set(getattr(degrees, name)) <= set(getattr(self.degrees, name)) for name in INSIDE_A_DOMAIN)
        alike = replace(degrees, **{name: getattr(self.degrees, name) for name in INSIDE_A_DOMAIN}) == self.degrees
        return is_wide and alike and set(memories) <= set(self.memories) and max_devices <= self.max_devices

    def up_to(self, devices: int) -> LayoutSpace:
        """The same with the rows on fewer devices alone."""
        if self.part or devices >= self.max_devices:
            return self
        if devices not in self._narrower:
            self._narrower[devices] = replace(self, max_devices=devices)
        return self._narrower[devices]

    @cached_property
    def _narrower(self) -> dict[int, LayoutSpace]:
        """The same on fewer devices, by their number."""
        return {}

    @cached_property
    def digest(self) -> bytes:
        """All that the rows depend on, as 32 bytes."""
        return digest_of(self.numbers, self.max_devices, self.part and self.part[1])

    @property
    def rows(self) -> LayoutRows:
        """Those that fit the largest memory and that no other one provably beats, in the order of their devices."""
        return self._enumerated.rows

    @cached_property
    def _enumerated(self) -> Enumerated:
        """Those of a kept space on more devices, or of one on fewer devices and the others."""
        if self.part:
            whole, devices = self.part
            rows = whole.rows.take(np.flatnonzero(np.isin(whole.rows.devices, devices)))
            return replace(whole._enumerated, rows=rows)  # noqa: SLF001  (of another one of this class)
        known = kept_rows.get(self.numbers)
        if known is None or known.max_devices < self.max_devices:
            known = kept_rows.put(self.numbers, self._enumerate(known))
        return known.within(self.max_devices)

    def _enumerate(self, known: Enumerated | None) -> Enumerated:
        """All rows, of which those on few devices may be known."""
        rules, rows, least = self._rules, list[LayoutRows](), np.full(self.max_devices + 1, inf)
        if known:
            rules = replace(rules, beyond_devices=known.max_devices)
            rows.append(known.rows)
            least[: len(known.least_bytes)] = known.least_bytes
        for block in blocks(*self.made_for, rules, self.memories):
            rows.append(block.undominated_rows())
            block.least_bytes(least)
        return Enumerated(self.max_devices, joined(rows), least)

    @cached_property
    def _tightest_bytes(self) -> float:
        """What the layout needs that fills least memory."""
        if self.part:
            return self.part[0].outline.tightest_bytes
        least = float(self._enumerated.least_bytes.min())
        if len(self.rows):
            return least
        return min([least, *(float(block.needed.min()) for block in blocks(*self.made_for, self._rules, (inf,)))])

    @cached_property
    def outline(self) -> Outline:
        """What is kept on disk of it."""
        key = digest_of(self.digest, "outline")
        arrays = None if self.part else stored(key)
        if arrays is None:
            arrays = _leanest(self.degrees, self.rows) | {"tightest_bytes": np.asarray(self._tightest_bytes)}
            if not self.part:
                store(key, arrays)
        leanest = LayoutRows(**{one.name: arrays[one.name] for one in fields(LayoutRows)})
        return Outline(leanest, float(arrays["tightest_bytes"]))

    def let_go(self) -> None:
        """Forgets the rows, of which there are many: they are enumerated again if anybody asks."""
        _ = self.outline
        kept_rows.drop(self.numbers)
        for name in ("_enumerated", "families", "_narrower"):
            self.__dict__.pop(name, None)

    @cached_property
    def counts(self) -> Mapping[int, npt.NDArray[np.int64]]:
        """Valid layouts, fitting and beaten or not, by tensor degree and number of devices."""
        rules = CutRules.of(*self.made_for, self.degrees, self.counted_devices)
        return {tensor: count_layouts(rules, tensor) for tensor in self.degrees.tensor}

    @cached_property
    def _rules(self) -> CutRules:
        return CutRules.of(*self.made_for, self.degrees, self.max_devices)

    @cached_property
    def grid(self) -> LayerGrid:
        """The degrees that the time of a layer depends on, of all layouts that may fit the largest memory."""
        here = np.zeros((len(self.degrees.context), len(self.degrees.micro_batch)), dtype=np.bool_)
        rules = CutRules.of(*self.made_for, self.degrees, self.counted_devices)
        for _, (context, micro_batch) in pairs_held(*self.made_for, rules, self.memories[-1]):
            here[places(self.degrees.context, context), places(self.degrees.micro_batch, micro_batch)] = True
        return LayerGrid.among(self.degrees, here)

    @cached_property
    def families(self) -> Families:
        """The rows in families that differ in groups of experts and sharding alone."""
        return Families.of(*self.made_for, self.degrees.recompute, self.grid, self.rows)

    def cells(self, place: Index) -> Index:
        """Where some of the rows stand in the grid."""
        expert = self.grid.expert_places(self.rows.expert[place], self.rows.expert_tensor[place])
        cells: Index = self.families.cells[self.families.of_row[place]] + expert * len(self.grid.context)
        return cells


def _leanest(degrees: Degrees, rows: LayoutRows) -> dict[str, npt.NDArray[Any]]:
    """The leanest rows by devices and tensor degree as arrays."""
    pair = rows.devices.astype(np.int64) * len(degrees.tensor) + places(degrees.tensor, rows.tensor)
    least = np.full(int(pair.max(initial=-1)) + 1, inf)
    np.minimum.at(least, pair, rows.needed_bytes)
    as_lean = np.flatnonzero(rows.needed_bytes == least[pair])
    leanest = rows.take(as_lean[np.unique(pair[as_lean], return_index=True)[1]])
    return {one.name: getattr(leanest, one.name) for one in fields(LayoutRows)}


KEPT: Final = 8
"""Spaces that are kept, since a problem with other offers, prices or budgets asks for the same; up to 30 MB each."""

kept_spaces: Kept[LayoutSpace] = Kept(KEPT)
kept_rows: Kept[Enumerated] = Kept(KEPT)


def layout_space(
    workload: Workload,
    phase: PhaseWork,
    degrees: Degrees,
    memories: Sequence[float],
    max_devices: int = UNSTATED_DEVICES,
    counted_devices: int | None = None,
) -> LayoutSpace:
    """Every valid layout of a phase with at most `max_devices` devices, and the rows that may be best.

    `memories`: the machines' memory sizes in bytes; a layout that fits none of them is no row. `counted_devices`: up to
    which layouts are counted, where that is further.
    """
    sizes = tuple(sorted(set(memories)))
    known = (workload.architecture, workload.software, workload.job(phase), workload.constants)
    room = (workload.headroom, workload.memory_deviations, workload.growth)
    key = (numbers(*known), workload.stack.counts_embedding, repr(workload.pins), room, degrees, sizes)
    devices = (max_devices, counted_devices or max_devices)
    space = kept_spaces.get((key, devices))
    return space or kept_spaces.put((key, devices), LayoutSpace((workload, phase), degrees, sizes, *devices, key))


def valid_rows(
    workload: Workload, phase: PhaseWork, degrees: Degrees, memory_bytes: float, max_devices: int
) -> Iterator[LayoutRows]:
    """Every valid layout that fits a memory, in pieces of bounded size: none is left out because it is beaten."""
    rules = CutRules.of(workload, phase, degrees, max_devices)
    for block in blocks(workload, phase, rules, (memory_bytes,), keeps_beaten=True):
        yield block.rows(block.fits)
