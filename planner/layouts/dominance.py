"""Exact dominance: what is worse than something else in every way can be dropped."""

from __future__ import annotations

from bisect import bisect_right
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.performance.symbols import Array

Index = npt.NDArray[np.int64]


def undominated(values: Array) -> Index:
    """Rows that no other row beats: smaller or equal in every column, and earlier among equals; in sorted order.

    Of shape (rows, columns); rows with an infinite value are dropped. Sorted by the first column, then the next.
    """
    order = np.flatnonzero(np.isfinite(values).all(axis=1))
    order = order[np.lexsort(values[order].T[::-1])]
    ordered = values[order]
    last = ordered[:, -1]
    before = np.minimum.accumulate(np.concatenate(([np.inf], last)))[:-1]
    if values.shape[1] <= TWO:
        return order[last < before]
    rest = np.flatnonzero(~_beaten_by_best(ordered))
    if values.shape[1] == THREE:
        return order[rest[_below_stairs(ordered[rest, 1].tolist(), ordered[rest, 2].tolist())]]
    if len(rest) > BLOCK:
        rest = rest[~_beaten_by_champions(ordered[rest])]
    return order[rest][_alone(ordered[rest])]


TWO: Final = 2
"""Columns up to which a running minimum of the last decides."""
THREE: Final = 3
"""Columns up to which the stairs of those before decide."""


def _below_stairs(second: list[float], third: list[float]) -> Index:
    """Places of pairs that no earlier one beats: those below the stairs that the earlier ones make.

    Source: Kung, Luccio and Preparata 1975, Journal of the ACM 22(4), for three dimensions.
    """
    seconds, thirds = [-inf], [inf]  # the stairs: the one ascends, the other descends
    found = list[int]()
    for place, (one, other) in enumerate(zip(second, third, strict=True)):
        at = bisect_right(seconds, one)
        if thirds[at - 1] <= other:
            continue
        begin = at - 1 if seconds[at - 1] == one else at
        end = begin
        while end < len(seconds) and thirds[end] >= other:
            end += 1
        seconds[begin:end], thirds[begin:end] = [one], [other]
        found.append(place)
    return np.asarray(found, dtype=np.int64)


def _beaten_by_best(ordered: Array) -> npt.NDArray[np.bool_]:
    """Whether the earlier row with the least last column beats a row; that drops nearly all."""
    last = ordered[:, -1]
    is_best = last < np.minimum.accumulate(np.concatenate(([np.inf], last)))[:-1]
    best = np.maximum.accumulate(np.where(is_best, np.arange(len(last)), 0))
    earlier = np.concatenate(([0], best[:-1])) if len(last) else best
    beaten: npt.NDArray[np.bool_] = np.all(ordered[earlier] <= ordered, axis=1)
    beaten[:1] = False
    return beaten


def not_beaten(values: Array, known: Array) -> npt.NDArray[np.bool_]:
    """Whether no known row is smaller or equal in every column; shapes (rows, columns) and (known rows, columns)."""
    at_a_time = max(BLOCK * BLOCK // max(len(known), 1), 1)
    parts = (values[start : start + at_a_time, None] for start in range(0, len(values), at_a_time))
    found = [~np.all(known <= part, axis=2).any(axis=1) for part in parts]
    return np.concatenate(found) if found else np.empty(0, dtype=np.bool_)


CHAMPIONS: Final = 32
"""Rows, each the best by some weighting of the columns, that all others are compared with first."""


def _beaten_by_champions(ordered: Array) -> npt.NDArray[np.bool_]:
    """Whether an earlier row that is best by some weighting beats a row; of many columns that drops most."""
    low = ordered.min(axis=0)
    scaled = (ordered - low) / np.maximum(ordered.max(axis=0) - low, np.finfo(np.float64).tiny)
    # Multiples of irrational numbers lie as evenly as draws do. They, and a set in place of np.unique, spare loading
    # NumPy's generators and masked arrays, which takes longer than this function.
    evenly = np.arange(1, CHAMPIONS + 1)[:, None] * np.sqrt(np.arange(ordered.shape[1]) + 0.5) % 1
    weights = -np.log(evenly)
    beaten = np.zeros(len(ordered), dtype=np.bool_)
    for champion in sorted(set((scaled @ weights.T).argmin(axis=0).tolist())):
        later = slice(champion + 1, None)
        beaten[later] |= np.all(ordered[champion] <= ordered[later], axis=1)
    return beaten


BLOCK: Final = 256
"""Rows that are compared with all earlier ones at a time."""


def _alone(ordered: Array) -> Index:
    """The sorted rows that no earlier one beats; a later row never beats an earlier one."""
    kept = np.empty((0, ordered.shape[1]))
    found: list[Index] = []
    for start in range(0, len(ordered), BLOCK):
        block = ordered[start : start + BLOCK]
        free = np.flatnonzero(~np.any(np.all(kept[None, :, :] <= block[:, None, :], axis=2), axis=1))
        block = block[free]
        beats = np.all(block[None, :, :] <= block[:, None, :], axis=2)
        alone = ~np.any(np.tril(beats, -1), axis=1)
        kept = np.vstack((kept, block[alone]))
        found.append(start + free[alone])
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)
