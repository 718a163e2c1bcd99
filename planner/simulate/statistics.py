"""What a trace says about spot nodes: availability, times up and away, how far nodes and zones go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.simulate.traces import Trace
from planner.units import SECONDS_PER_DAY

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lengths:
    """Complete periods of one state; seconds, None where there is none."""

    count: int
    mean: float | None
    median: float | None
    squared_variation: float | None
    """Variance over squared mean: 1 without a heavy tail."""


@dataclass(frozen=True)
class TraceStatistics:
    """Figures of one trace. "Up" means that as many nodes are there as there ever were."""

    trace: Trace
    availability: float
    """Share of the time in which all nodes are there."""
    some: float
    """Share of the time in which at least one is there."""
    mean_share: float
    """Mean share of the nodes that is there."""
    together: float | None
    """P(all)/P(at least one); None when no node is ever there."""
    up: Lengths
    away: Lengths
    preemptions: int
    """Losses of nodes while they were there, counted in nodes."""
    preemptions_per_node_day: float
    """Per day that a node is up."""


def statistics_of(trace: Trace) -> TraceStatistics:
    """The figures of a trace."""
    lengths, share = trace.lengths(), trace.counts / max(trace.largest, 1)
    whole = (trace.counts == trace.largest) & (trace.counts > 0)
    availability, some = (float(lengths[state].sum() / trace.seconds) for state in (whole, trace.counts > 0))
    up_seconds = float((lengths * trace.counts).sum())
    lost = int(np.maximum(-np.diff(trace.counts), 0).sum())
    return TraceStatistics(
        trace=trace,
        availability=availability,
        some=some,
        mean_share=float((lengths * share).sum() / trace.seconds),
        together=availability / some if some else None,
        up=_lengths(trace, whole, state=True),
        away=_lengths(trace, whole, state=False),
        preemptions=lost,
        preemptions_per_node_day=lost / up_seconds * SECONDS_PER_DAY if up_seconds else 0.0,
    )


def _lengths(trace: Trace, whole: npt.NDArray[np.bool_], *, state: bool) -> Lengths:
    """The periods of one state between two changes that the trace shows; the first and the last are cut off."""
    changes = np.flatnonzero(np.diff(whole)) + 1
    edges = trace.begins[changes]
    periods = np.diff(edges)[whole[changes[:-1]] == state] if len(edges) > 1 else np.empty(0)
    if not len(periods):
        return Lengths(0, None, None, None)
    mean = float(periods.mean())
    return Lengths(len(periods), mean, float(np.median(periods)), float(periods.var()) / mean**2)


def correlation(first: Trace, second: Trace) -> float | None:
    """Correlation of the nodes that two traces had at the same time since their start; None where one never changes."""
    end = min(first.seconds, second.seconds)
    edges = np.unique(np.concatenate((first.begins, second.begins)))
    edges = edges[edges < end]
    weights = np.diff(np.append(edges, end)) / end
    values = [one.counts[np.searchsorted(one.begins, edges, side="right") - 1].astype(float) for one in (first, second)]
    centred = [value - (weights * value).sum() for value in values]
    spread = [float((weights * value**2).sum()) for value in centred]
    if min(spread) <= 0:
        return None
    return float((weights * centred[0] * centred[1]).sum() / np.sqrt(spread[0] * spread[1]))


def autocorrelation(trace: Trace, lag_seconds: float) -> float | None:
    """Correlation of the nodes that are there with those a while later."""
    if lag_seconds >= trace.seconds:
        return None
    head, tail = trace.between(0, trace.seconds - lag_seconds), trace.between(lag_seconds, trace.seconds)
    return correlation(head, tail)
