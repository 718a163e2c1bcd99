"""Traces: both formats are read, bad ones are refused with their place and fix, statistics are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from planner.errors import InputError
from planner.simulate import traces
from planner.simulate.recorded import Recorded
from planner.simulate.statistics import autocorrelation, statistics_of
from planner.simulate.traces import Trace, as_csv, as_json, read_trace

EVENTS = "0,add,a\n0,add,b\n3600000,remove,a\n7200000,add,c\n10800000,remove,b\n10800000,remove,c\n"


def document(data: list[Any], gap: object = 600, **more: object) -> str:
    """A trace in the format of the study."""
    return json.dumps({"metadata": {"gap_seconds": gap}, "data": data, **more})


def hours(count: int) -> npt.NDArray[np.float64]:
    """Seconds at which so many hours begin."""
    return np.linspace(0, 3600 * (count - 1), count, dtype=np.float64)


def written(folder: Path, text: str | bytes) -> Path:
    """A file with that content."""
    path = folder / "trace"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "blank": (" \n", "empty"),
    "not a trace": ("hello\n", "neither JSON nor"),
    "bytes": (b"\xff\xfe0,add,a", "neither JSON nor|UTF-8"),
    "broken JSON": ('{"data": [1, 2', "not one JSON document"),
    "two documents": (document([0, 1]) + document([0, 1]), "not one JSON document"),
    "JSON, then events": (document([0, 1]) + "\n" + EVENTS, "not one JSON document"),
    "events, then JSON": (EVENTS + document([0, 1]), ":7: .*is no event"),
    "a list": ("[0, 1]", "not an object"),
    "no data": ('{"metadata": {"gap_seconds": 60}}', "data must be a list"),
    "no tick": ('{"data": [0, 1]}', "gap_seconds"),
    "tick of nothing": (document([0, 1], 0), "gap_seconds"),
    "tick of next to nothing": (document([0, 1], 1e-300), "gap_seconds"),
    "negative tick": (document([0, 1], -60), "gap_seconds"),
    "tick as text": (document([0, 1], "60"), "gap_seconds"),
    "tick not a number": (document([0, 1], float("nan")), "gap_seconds"),
    "tick of a year": (document([0, 1], 31_536_000), "gap_seconds"),
    "one tick": (document([1]), "1 ticks"),
    "gap": (document([0, None, 1]), r"data\[1\] is a gap"),
    "negative count": (document([0, 1, -2]), r"data\[2\] is -2"),
    "not a number": (document([0, float("nan")]), r"data\[1\] is 'nan'"),
    "half a node": (document([0, 0.5]), r"data\[1\] is '0.5'"),
    "yes and no": (document([True, False]), r"data\[0\] is 'True'"),
    "a list of lists": (document([[0], [1]]), r"data\[0\]"),
    "too many nodes": (document([0, 10**9]), r"data\[1\]"),
    "negative price": (document([0, 1], prices=[1.0, -1.0]), "prices"),
    "removed before it came": ("0,add,a\n5000,remove,b\n", ":2: .*not there"),
    "added twice": ("0,add,a\n5000,add,a\n", ":2: .*already there"),
    "back in time": ("5000,add,a\n0,add,b\n", ":2: goes back in time"),
    "two days of silence": ("0,add,a\n172800001,remove,a\n", ":2: a gap of 48 hours"),
    "no such action": ("0,add,a\n5000,delete,a\n", ":2: .*is no event"),
    "two columns": ("0,add\n", ":1: .*is no event"),
    "time not a number": ("0,add,a\n5s,remove,a\n", ":2: .*is no time"),
    "nothing changes": ("0,add,a\n0,add,b\n", "nothing ever changes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_traces(name: str, tmp_path: Path) -> None:
    """Each is refused with its place and what to do."""
    content, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read_trace(written(tmp_path, content))
    assert all(issue.place and issue.fix for issue in caught.value.issues)


def test_gigabytes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused after the limit, not after its end."""
    monkeypatch.setattr(traces, "LARGEST_TRACE", 1000)
    with pytest.raises(InputError, match="too large"):
        read_trace(written(tmp_path, document([0, 1] * 1000)))


def test_missing_files(tmp_path: Path) -> None:
    """A path that leads nowhere is the user's to mend."""
    with pytest.raises(InputError, match="cannot read"):
        read_trace(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot read"):
        read_trace(tmp_path)


def test_ticks(tmp_path: Path) -> None:
    """Counts at each tick become stretches."""
    trace = read_trace(written(tmp_path, document([0, 0, 2, 2, 2, 1], prices=[1, 2, 3])))
    assert list(trace.begins) == [0, 1200, 3000]
    assert list(trace.counts) == [0, 2, 1]
    assert trace.seconds == 3600
    assert trace.usd_per_hour == (1, 2, 3)


def test_events(tmp_path: Path) -> None:
    """Events become counts; the last one ends the recording."""
    trace = read_trace(written(tmp_path, EVENTS))
    assert list(trace.begins) == [0, 3600, 7200]
    assert list(trace.counts) == [2, 1, 2]
    assert trace.seconds == 10800


def test_round_trips(tmp_path: Path) -> None:
    """A trace written in either format is read back as it was."""
    draw = np.random.default_rng(1)
    counts = draw.integers(0, 5, 50)
    trace = read_trace(written(tmp_path, document(counts.tolist(), 300)))
    again = read_trace(written(tmp_path, as_json(trace, 300)))
    assert list(again.begins) == list(trace.begins)
    assert list(again.counts) == list(trace.counts)
    as_events = read_trace(written(tmp_path, as_csv(trace)))
    shown = min(len(as_events.counts), len(trace.counts))
    assert list(as_events.counts[:shown]) == list(trace.counts[:shown])
    assert as_events.seconds <= trace.seconds


def test_statistics() -> None:
    """Two nodes: all there for 2 of 6 hours, some for 4."""
    found = statistics_of(Trace("six hours", hours(6), np.asarray([0, 1, 2, 1, 2, 0]), 6 * 3600.0, 3600.0))
    assert found.availability == pytest.approx(2 / 6)
    assert found.some == pytest.approx(4 / 6)
    assert found.together == pytest.approx(0.5)
    assert (found.up.count, found.up.mean, found.up.median) == (2, 3600, 3600)
    assert found.away.count == 1
    assert found.preemptions == 3
    assert found.preemptions_per_node_day == pytest.approx(3 / 6 * 24)


def test_a_trace_goes_with_itself_a_while_later() -> None:
    """Alternating hours are the opposite one hour later and the same two hours later."""
    trace = Trace("clock", hours(48), np.arange(48) % 2, 48 * 3600.0, 3600.0)
    assert autocorrelation(trace, 3600) == pytest.approx(-1)
    assert autocorrelation(trace, 7200) == pytest.approx(1)
    assert autocorrelation(trace, 1e9) is None


def test_a_replay_meets_a_trace_as_it_was() -> None:
    """Each run stands in the count of its offset, and after the end the trace begins again."""
    trace = Trace("clock", hours(24), np.arange(24) % 2, 86400.0, 3600.0)
    zone = Recorded((trace,), 50, 1, np.random.default_rng(1))
    assert (zone.until > 0).all()
    assert (zone.until <= 3600).all()
    before, share = zone.until.copy(), zone.share.copy()
    for _ in range(24):
        zone.advance(np.arange(50))
    assert zone.until == pytest.approx(before + 86400)
    assert list(zone.share) == list(share)


def test_a_trace_without_nodes_is_of_no_use() -> None:
    """Nobody ever finishes on it."""
    with pytest.raises(InputError, match="no node is ever there"):
        Recorded((Trace("none", np.asarray([0.0]), np.asarray([0]), 60.0, 60.0),), 1, 1, np.random.default_rng(1))
