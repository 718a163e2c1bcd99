"""Device memory of one phase's layouts as integers: what fills it, and how much of it each rule leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.layouts.device_memory import models_held
from planner.layouts.evaluator import layout_of
from planner.layouts.workload import PhaseWork, Workload
from planner.performance.memory import Memory, memory
from planner.performance.symbols import Architecture, Array, Layout
from planner.plans.choices import Choices, PhaseModes
from planner.tolerances import SUM_ORDER

KIB: Final = 1024.0
"""Bytes in a unit."""
PARTS: Final = ("weights", "gradients", "optimizer", "activations", "other")
"""What fills a device at the peak, as expected; `other` are logits, gathered layers, buffers and the reserve."""
HEADROOM, CONFIDENCE, GROWTH = "limits.memory_headroom", "limits.memory_confidence", "limits.growth"
"""The user's keys of the rules."""


@dataclass(frozen=True)
class MemoryRule:
    """One rule on memory: what it bounds, and what it leaves of the device on each option's site; units."""

    name: str
    used: list[int]
    room: list[int]


@dataclass(frozen=True)
class MemoryColumns:
    """One phase: a value for each option."""

    parts: Mapping[str, list[int]]
    """By name; they add up to the expected peak."""
    rules: tuple[MemoryRule, ...]
    """Those that some option breaks; that on growth bounds the larger model's peak, the others the expected one."""

    def rule(self, name: str) -> MemoryRule | None:
        """The rule of a name, where some option breaks it."""
        return next((one for one in self.rules if one.name == name), None)


def memory_columns_of(choices: Choices, index: int, options: Sequence[tuple[Array, PhaseModes]]) -> MemoryColumns:
    """The integers of one phase, of layouts with the memory of their devices in bytes.

    What keeps every rule is rounded down, what breaks one up, so that both stay what they are.
    """
    workload, work, recompute = choices.workload, choices.phases[index], choices.spaces[index].degrees.recompute
    models = models_held(workload)
    found = [
        [_memory(workload, work, model, layout_of(workload, recompute, modes.rows)) for _, modes in options]
        for model in models
    ]
    device = np.concatenate([size for size, _ in options])
    rooms = {
        HEADROOM: (1 - workload.headroom) * device,
        CONFIDENCE: exp(-workload.memory_deviations * workload.constants.memory_deviation) * device,
    }
    peaks = [np.concatenate([one.expected for one in of_model]) for of_model in found]
    least = np.minimum(rooms[HEADROOM], rooms[CONFIDENCE])
    used = [_in_units(peak, least) for peak in peaks]
    bounded = {name: (used[0], room) for name, room in rooms.items()}
    if len(models) > 1:
        bounded[GROWTH] = (used[1], least)
    rules = [MemoryRule(name, one.tolist(), _room(room).tolist()) for name, (one, room) in bounded.items()]
    parts = {part: np.concatenate([_flat(one, part) for one in found[0]]) / KIB for part in PARTS}
    return MemoryColumns(
        parts=in_parts(parts, used[0]),
        rules=tuple(one for one in rules if any(u > r for u, r in zip(one.used, one.room, strict=True))),
    )


def _memory(workload: Workload, work: PhaseWork, model: Architecture, layout: Layout) -> Memory:
    """Peak memory of layouts, each part of shape (layouts,)."""
    return memory(model, workload.software, workload.job(work), layout, workload.constants)


def _flat(used: Memory, part: str) -> Array:
    """One part of all layouts, whatever it depends on."""
    size = used.other + used.reserve if part == "other" else getattr(used, part)
    return np.broadcast_to(size, used.expected.shape)


def _in_units(peak: Array, room: Array) -> npt.NDArray[np.int64]:
    """A peak rounded down where there is room for it, and else up, past that room."""
    fits = peak <= room * (1 + SUM_ORDER)
    return np.where(fits, np.floor(peak / KIB), np.maximum(np.ceil(peak / KIB), _room(room) + 1)).astype(np.int64)


def _room(room: Array) -> npt.NDArray[np.int64]:
    """What a rule leaves, rounded up."""
    return np.ceil(room * (1 + SUM_ORDER) / KIB).astype(np.int64)


def in_parts(parts: Mapping[str, Array], total: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Parts in units, of shape (options,), as whole numbers that add up to no more than a total; the last has the rest.

    The rest is what rounding leaves, where the parts are all that there is.
    """
    ends = np.minimum(np.floor(np.cumsum(list(parts.values()), axis=0)), total).astype(np.int64)
    ends[-1] = total
    return dict(zip(parts, np.diff(ends, axis=0, prepend=0).tolist(), strict=True))
