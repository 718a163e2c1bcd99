"""How much longer than its job's other layouts each layout takes, as own runs say, in tables to look it up in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.layouts.rows import Index, recomputed_shares
from planner.performance.own_runs import LayoutPace
from planner.performance.symbols import Array
from planner.problem.run import Recompute


@dataclass(frozen=True)
class PaceTable:
    """The factor on a step of every layout of a grid: it depends on neither expert degree, replicas nor ZeRO."""

    factors: Array
    """Shape (tensor degrees, pairs of context degree and micro-batch, recompute choices, stages from 1 on)."""
    experts: int
    """Expert degrees between two tensor degrees in the numbers of cells."""

    @classmethod
    def of(
        cls,
        own: LayoutPace,
        degrees: Sequence[Sequence[int]],
        recompute: Sequence[Recompute],
        layers: int,
        sequence: Array,
    ) -> PaceTable:
        """The table of a grid; `degrees`: tensor, expert, and context and micro-batch of each pair."""
        tensor, expert, context, micro_batch = (np.asarray(one, dtype=np.float64) for one in degrees)
        stages = np.arange(1.0, layers + 1)
        shares = [recomputed_shares(one, layers / stages) for one in recompute]
        full = np.stack([np.broadcast_to(one, stages.shape) for one, _ in shares])
        selective = np.asarray([[one] for _, one in shares])
        pairs = own.alike("context", context) * own.alike("micro_batch", micro_batch) * own.alike("sequence", sequence)
        behind = own.alike("recompute_full", full) * own.alike("recompute_selective", selective)
        behind = behind * own.alike("pipeline", stages)
        ahead = own.alike("tensor", tensor)[:, None] * pairs * own.strength
        return cls(own.factor(np.tensordot(ahead, behind, axes=(-1, -1))), len(expert))

    def at(self, cells: Index, recompute: npt.NDArray[np.int32], pipeline: npt.NDArray[np.number]) -> Array:
        """The factors of rows, shape (rows,)."""
        pairs = self.factors.shape[1]
        place = cells // (self.experts * pairs) * pairs + cells % pairs
        choices, stages = self.factors.shape[2:]
        place = (place * choices + recompute) * stages + pipeline.astype(np.int64) - 1
        return np.asarray(self.factors.ravel().take(place))

    @property
    def least(self) -> Array:
        """The least factor of any number of stages, shape (tensor degrees, 1, pairs, recompute choices)."""
        return np.asarray(self.factors.min(axis=-1)[:, None])
