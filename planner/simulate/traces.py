"""Recorded capacity: the JSON of the "Can't Be Late" study and Bamboo's CSV, read within bounds and checked.

JSON: `{"metadata": {"gap_seconds": 195}, "data": [0, 1, …], "prices": […]}`, nodes there at each tick.
CSV: `milliseconds,add|remove,node`, one line per event, in order of time.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from planner.errors import InputError, Place
from planner.files import read_whole, text_of
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

LARGEST_TRACE: Final = 64 * 2**20
"""Bytes of the largest trace that is read."""
SHORTEST_GAP: Final = 0.1
"""Seconds of the shortest tick."""
LONGEST_GAP: Final = float(SECONDS_PER_DAY)
"""Seconds of the longest tick, and of the longest silence in a list of events that passes as one recording."""
MOST_NODES: Final = 1_000_000
_FORMATS: Final = (
    'give JSON {"metadata": {"gap_seconds": 195}, "data": [0, 1, …]} or CSV lines milliseconds,add|remove,node'
)


@dataclass(frozen=True)
class Trace:
    """Nodes that were there, piecewise constant."""

    name: str
    begins: npt.NDArray[np.float64]
    """Seconds from the start at which each count begins, the first 0; shape (changes,)."""
    counts: npt.NDArray[np.int64]
    """Nodes there from then on; neighbours differ; shape (changes,)."""
    seconds: float
    """Length of the recording."""
    tick_seconds: float | None
    """Sampling interval; None for a recording that lists events."""
    usd_per_hour: tuple[float, float, float] | None = None
    """Lowest, mean and highest price, where prices were recorded."""

    @property
    def largest(self) -> int:
        """Most nodes at a time."""
        return int(self.counts.max())

    def lengths(self) -> npt.NDArray[np.float64]:
        """Seconds that each count lasts."""
        return np.diff(np.append(self.begins, self.seconds))

    def between(self, start: float, end: float) -> Trace:
        """The part from one time to another."""
        inside = (self.begins < end) & (np.append(self.begins[1:], self.seconds) > start)
        begins = np.maximum(self.begins[inside] - start, 0)
        return Trace(self.name, begins, self.counts[inside], end - start, self.tick_seconds)


def read_traces(paths: Iterable[str | Path]) -> tuple[Trace, ...]:
    """Reads every file. Raises InputError with the issues of the first that is wrong."""
    return tuple(read_trace(path) for path in paths)


def read_trace(path: str | Path) -> Trace:
    """Reads one file in either format, told apart by its first character. Raises InputError."""
    text = _text(Path(path))
    first = text.lstrip()[:1]
    if not first:
        raise InputError("the trace is empty", place=Place(str(path)), fix=_FORMATS)
    if first in "{[":
        return _from_json(str(path), text)
    if first.isdigit():
        return _from_csv(str(path), text)
    raise InputError("neither JSON nor a list of events", place=Place(str(path), 1), fix=_FORMATS)


def _text(path: Path) -> str:
    """The whole file, when it is not too large to be one."""
    fix = "give the path of a trace; cut a large one, or sample it with a longer gap_seconds"
    return text_of(read_whole(path, LARGEST_TRACE, fix=fix), str(path))


def _from_json(name: str, text: str) -> Trace:
    """The "Can't Be Late" format."""
    place = Place(name)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        message = f"not one JSON document: {str(error)[:80]}"
        raise InputError(message, place=Place(name, line), fix="one trace a file; " + _FORMATS) from None
    gap, data = _parts(document, place)
    counts = np.asarray([_count(value, index, place) for index, value in enumerate(data)], dtype=np.int64)
    changes = np.flatnonzero(np.diff(counts, prepend=counts[0] - 1))
    prices = _prices(document.get("prices"), place)
    begins = np.asarray(changes * gap, dtype=np.float64)
    return Trace(name, begins, counts[changes], len(counts) * gap, gap, prices)


def _parts(document: object, place: Place) -> tuple[float, Sequence[object]]:
    """Tick and counts of a document. Raises InputError when they are not there or not usable."""
    if not isinstance(document, dict):
        raise InputError("the JSON document is not an object", place=place, fix=_FORMATS)
    metadata, data = document.get("metadata"), document.get("data")
    gap = metadata.get("gap_seconds") if isinstance(metadata, dict) else None
    if isinstance(gap, bool) or not isinstance(gap, int | float) or not SHORTEST_GAP <= gap <= LONGEST_GAP:
        message = (
            f"metadata.gap_seconds must be from {SHORTEST_GAP:g} to {LONGEST_GAP:.0f} seconds, got {str(gap)[:40]}"
        )
        raise InputError(message, place=place, fix='write the tick, such as "metadata": {"gap_seconds": 195}')
    if not isinstance(data, list):
        raise InputError("data must be a list with the nodes at each tick", place=place, fix=_FORMATS)
    if len(data) < 2:
        raise InputError(f"data has {len(data)} ticks: nothing to learn from", place=place, fix="record for days")
    return float(gap), data


def _count(value: object, index: int, place: Place) -> int:
    """The nodes of one tick. Raises InputError when it is no count."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        what = "a gap (null)" if value is None else f"{str(value)[:40]!r}"
        fix = "fill gaps with the count before, or cut the trace there"
        raise InputError(f"data[{index}] is {what}, not a number of nodes", place=place, fix=fix)
    if not 0 <= value <= MOST_NODES:
        message = f"data[{index}] is {str(value)[:40]}: nodes are between 0 and {MOST_NODES:,}"
        raise InputError(message, place=place, fix="write how many nodes were there")
    return value


def _prices(values: Any, place: Place) -> tuple[float, float, float] | None:  # noqa: ANN401  (whatever JSON holds)
    """Lowest, mean and highest of the recorded prices."""
    if values is None or values == []:
        return None
    if not isinstance(values, list) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) and one >= 0 for one in values
    ):
        raise InputError("prices must be a list of non-negative numbers", place=place, fix="mend or remove prices")
    return (float(min(values)), float(sum(values) / len(values)), float(max(values)))


def _from_csv(name: str, text: str) -> Trace:
    """Bamboo's format; the recording ends with its last event."""
    times, counts = [0.0], [0]
    for seconds, count in _events(name, text):
        if seconds == times[-1]:
            counts[-1] = count
        else:
            times.append(seconds)
            counts.append(count)
    if times[-1] == 0:
        message = "every event is at time 0: nothing ever changes"
        raise InputError(message, place=Place(name), fix="record for hours at least")
    begins, found = np.asarray(times), np.asarray(counts, dtype=np.int64)
    kept = np.flatnonzero(np.diff(found[:-1], prepend=found[0] - 1))
    return Trace(name, begins[kept], found[kept], times[-1], None)


def _events(name: str, text: str) -> Iterator[tuple[float, int]]:
    """Time and number of nodes after each event. Raises InputError with the line."""
    there: set[str] = set()
    last = 0.0
    for line, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row:
            continue
        place = Place(name, line)
        seconds, action, node = _event(row, place)
        if seconds < last:
            raise InputError("goes back in time", place=place, fix="sort the lines by their first column")
        if seconds - last > LONGEST_GAP:
            message = f"a gap of {(seconds - last) / SECONDS_PER_HOUR:.0f} hours without any event"
            raise InputError(message, place=place, fix="cut the trace into one file for each recording")
        if (node in there) == (action == "add"):
            state = "already there" if action == "add" else "not there, so the count would be negative"
            raise InputError(f"{action}s {node[:40]!r}, which is {state}", place=place, fix="mend the list of events")
        (there.add if action == "add" else there.remove)(node)
        last = seconds
        yield seconds, len(there)


def _event(row: Sequence[str], place: Place) -> tuple[float, str, str]:
    """One line. Raises InputError when it is no event."""
    if len(row) != 3 or row[1].strip() not in {"add", "remove"}:
        raise InputError(f"{','.join(row)[:60]!r} is no event", place=place, fix="write milliseconds,add|remove,node")
    try:
        milliseconds = float(row[0])
    except ValueError:
        milliseconds = math.nan
    if not 0 <= milliseconds < 1e14:
        raise InputError(f"{row[0][:40]!r} is no time", place=place, fix="write milliseconds since the start")
    return milliseconds / 1000, row[1].strip(), row[2].strip()


def as_json(trace: Trace, tick_seconds: float) -> str:
    """A trace sampled at a tick, in the "Can't Be Late" format."""
    ticks = np.arange(0, trace.seconds, tick_seconds)
    counts = trace.counts[np.searchsorted(trace.begins, ticks, side="right") - 1]
    return json.dumps({"metadata": {"gap_seconds": tick_seconds}, "data": counts.tolist()})


def as_csv(trace: Trace) -> str:
    """A trace as Bamboo's events; nodes leave in the order in which they came."""
    lines, first, last = [], 0, 0
    for begin, count in zip(trace.begins, trace.counts, strict=True):
        while last - first != count:
            grows = last - first < count
            lines.append(f"{round(1000 * begin)},{'add' if grows else 'remove'},node{last if grows else first}")
            first, last = (first, last + 1) if grows else (first + 1, last)
    return "\n".join(lines) + "\n"
