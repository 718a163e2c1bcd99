"""What pictures of a replay show: progress over time as quantiles, and single runs as strips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.simulate.capacity import Floats
from planner.simulate.closed_form import QUANTILES
from planner.simulate.replay import PolicyOutcome

STATES: Final = ("waiting", "fewer replicas", "spot", "on demand", "restart or checkpoint")
"""What a run does, by mode; the last is what it does instead of computing."""
OVERHEAD: Final = 4


@dataclass(frozen=True)
class Interval:
    """One piece of a run's strip."""

    begin: float
    end: float
    state: int
    """Index into `STATES`."""


def strips(outcome: PolicyOutcome) -> list[list[Interval]]:
    """The runs that were drawn, each as stretches in order of time; overhead comes first in each."""
    found: dict[int, list[Interval]] = {}
    for runs, begins, ends, modes, overheads in outcome.state.strips:
        for run, begin, end, mode, overhead in zip(runs, begins, ends, modes, overheads, strict=True):
            pieces = found.setdefault(int(run), [])
            work = min(begin + overhead, end)
            if work > begin:
                pieces.append(Interval(float(begin), float(work), OVERHEAD))
            if end > work:
                pieces.append(Interval(float(work), float(end), int(mode)))
    return [found[run] for run in sorted(found)]


def sampled(strip: list[Interval], columns: int, until: float) -> list[int | None]:
    """What the strip mostly shows in each of so many columns of time; None after its end."""
    edges = np.linspace(0, until, columns + 1)
    shares = np.zeros((columns, len(STATES)))
    for piece in strip:
        overlap = np.minimum(edges[1:], piece.end) - np.maximum(edges[:-1], piece.begin)
        shares[:, piece.state] += np.maximum(overlap, 0)
    return [int(one.argmax()) if one.any() else None for one in shares]


def progress_over_time(outcome: PolicyOutcome, times: Floats) -> Floats:
    """Quantiles over runs of the share of work done at some times; shape (quantiles, times)."""
    runs, seconds, shares = (np.concatenate(column) for column in zip(*outcome.state.curves, strict=True))
    curves = []
    for run in np.unique(runs):
        own = runs == run
        curves.append(np.interp(times, np.append(0.0, seconds[own]), np.append(0.0, shares[own])))
    found: Floats = np.quantile(np.asarray(curves), list(QUANTILES.values()), axis=0)
    return found
