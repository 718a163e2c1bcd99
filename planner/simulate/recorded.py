"""Recorded capacity as a replay meets it: each run in one of the traces, from a random time on, over and over."""

from __future__ import annotations

import numpy as np

from planner.errors import InputError, Place
from planner.simulate.capacity import Floats, Runs
from planner.simulate.traces import Trace
from planner.tolerances import SUM_ORDER


class Recorded:
    """Capacity of many runs. A trace's largest count stands for the whole gang; after its end it begins again."""

    def __init__(self, traces: tuple[Trace, ...], runs: int, replicas: int, generator: np.random.Generator) -> None:
        levels = [_levels(trace, replicas) for trace in traces]
        self._begins = np.concatenate([begins for begins, _ in levels])
        self._shares = np.concatenate([shares for _, shares in levels])
        counts = np.asarray([len(begins) for begins, _ in levels])
        self._first = np.concatenate(([0], np.cumsum(counts)))
        self._seconds = np.asarray([trace.seconds for trace in traces])
        self._ends = np.concatenate([np.append(b[1:], t.seconds) for (b, _), t in zip(levels, traces, strict=True)])
        self._trace = generator.integers(len(traces), size=runs)
        offset = generator.random(runs) * self._seconds[self._trace]
        self._at = np.empty(runs, dtype=np.int64)
        for index, (begins, _) in enumerate(levels):
            inside = self._trace == index
            self._at[inside] = self._first[index] + np.searchsorted(begins, offset[inside], side="right") - 1
        self.share: Floats = self._shares[self._at]
        self.until: Floats = self._ends[self._at] - offset

    def advance(self, runs: Runs) -> None:
        """The next count, or the first again."""
        trace = self._trace[runs]
        at = self._at[runs] + 1
        at = np.where(at == self._first[trace + 1], self._first[trace], at)
        self._at[runs] = at
        self.share[runs] = self._shares[at]
        self.until[runs] += self._ends[at] - self._begins[at]

    def begin_phase(self, phase: int, runs: Runs, seconds: Floats) -> None:
        """Recorded capacity does not depend on the job."""


def _levels(trace: Trace, replicas: int) -> tuple[Floats, Floats]:
    """Begins and shares, in steps of one replica; a gang of one replica is whole or not there."""
    if trace.largest == 0:
        raise InputError("no node is ever there", place=Place(trace.name), fix="give a trace with capacity")
    shares = np.floor(trace.counts / trace.largest * replicas + SUM_ORDER) / replicas
    kept = np.flatnonzero(np.diff(shares, prepend=shares[0] - 1))
    if len(kept) == 1:
        return np.asarray([0.0]), shares[:1]
    return trace.begins[kept], shares[kept]
