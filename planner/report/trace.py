"""Traces for people and as JSON: availability, periods, correlation, and the keys that a problem file takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from planner.report.console import print_report
from planner.report.tables import text_table
from planner.simulate.statistics import Lengths, TraceStatistics, autocorrelation, correlation
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, format_duration, format_number, format_share

FORMAT_VERSION: Final = 1


def trace_document(found: Sequence[TraceStatistics]) -> dict[str, Any]:
    """All figures; hours and shares."""
    return {
        "format_version": FORMAT_VERSION,
        "traces": [_trace(one) for one in found],
        "correlations": [
            {
                "first": first.trace.name,
                "second": second.trace.name,
                "correlation": correlation(first.trace, second.trace),
            }
            for index, first in enumerate(found)
            for second in found[index + 1 :]
        ],
    }


def _trace(one: TraceStatistics) -> dict[str, Any]:
    """One trace."""
    trace = one.trace
    return {
        "file": trace.name,
        "days": trace.seconds / SECONDS_PER_DAY,
        "tick_seconds": trace.tick_seconds,
        "nodes": trace.largest,
        "availability": one.availability,
        "some_available": one.some,
        "mean_share": one.mean_share,
        "together": one.together,
        "preemptions": one.preemptions,
        "preemptions_per_node_day": one.preemptions_per_node_day,
        "up": _periods(one.up),
        "away": _periods(one.away),
        "autocorrelation_1h": autocorrelation(trace, SECONDS_PER_HOUR),
        "usd_per_hour": None if trace.usd_per_hour is None else dict(zip(PRICES, trace.usd_per_hour, strict=True)),
        "spot": spot_keys(one),
    }


PRICES: Final = ("lowest", "mean", "highest")


def _periods(lengths: Lengths) -> dict[str, Any]:
    return {
        "periods": lengths.count,
        "mean_hours": None if lengths.mean is None else lengths.mean / SECONDS_PER_HOUR,
        "median_hours": None if lengths.median is None else lengths.median / SECONDS_PER_HOUR,
        "squared_variation": lengths.squared_variation,
    }


def _shown(lengths: Lengths) -> tuple[str, str, str]:
    """Mean, median and squared variation for people."""
    if lengths.mean is None or lengths.median is None or lengths.squared_variation is None:
        return ("–", "–", "–")
    return (
        format_duration(lengths.mean),
        format_duration(lengths.median),
        format_number(lengths.squared_variation),
    )


def spot_keys(one: TraceStatistics) -> dict[str, Any]:
    """What an offer of a problem file says of its spot nodes: how often one of them is there, and how often it goes."""
    return {
        "availability": round(one.mean_share, 4),
        "preemptions_per_node_day": round(one.preemptions_per_node_day, 3),
    }


def print_traces(found: Sequence[TraceStatistics]) -> None:
    """Prints the figures on stdout, with nothing in them read as markup."""
    print_report(*trace_parts(found))


def trace_parts(found: Sequence[TraceStatistics]) -> Iterator[RenderableType]:
    """The figures of every trace, then how traces go together."""
    for one in found:
        yield from _one(one)
    for index, first in enumerate(found):
        for second in found[index + 1 :]:
            value = correlation(first.trace, second.trace)
            shown = "none: one of them never changes" if value is None else f"{value:.2f}"
            yield Text(f"Correlation of {first.trace.name} and {second.trace.name}: {shown}")


def _one(one: TraceStatistics) -> Iterator[RenderableType]:
    """One trace."""
    trace = one.trace
    tick = f"a tick of {format_duration(trace.tick_seconds)}" if trace.tick_seconds else "a list of events"
    yield Text(f"{trace.name}: {format_duration(trace.seconds)}, {trace.largest:,} nodes at most, {tick}")
    table = text_table("state", "share of time", "periods", "mean", "median", "variance/mean²")
    for name, share, lengths in (("all there", one.availability, one.up), ("not all", 1 - one.availability, one.away)):
        table.add_row(name, format_share(share), f"{lengths.count:,}", *_shown(lengths))
    yield table
    together = "" if one.together is None else f"; P(all)/P(any) {one.together:.2f}"
    later = autocorrelation(trace, SECONDS_PER_HOUR)
    memory = "" if later is None else f"; correlation with one hour later {later:.2f}"
    yield Text(f"some nodes there {format_share(one.some)} of the time{together}{memory}")
    if trace.usd_per_hour:
        low, mean, high = trace.usd_per_hour
        yield Text(f"price ${mean:.2f}/h on average, ${low:.2f} to ${high:.2f}")
    yield Text("for an offer with a spot price in a problem file:")
    for key, value in spot_keys(one).items():
        yield Text(f"  {key}: {format_number(value) if key != 'availability' else value}")
    yield ""
