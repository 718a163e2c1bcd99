"""A portfolio's answer as a table and as a calendar, from its document."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from hashlib import sha256
from io import StringIO
from typing import Any, Final

from planner.prices.table import as_text
from planner.units import counted

Document = Mapping[str, Any]

COLUMNS: Final = (
    *("job", "team", "dropped", "phase", "pool", "nodes", "gpus", "start", "end"),
    *("hours", "cost_usd", "late_days", "deadline"),
)
"""Of the table: a row per phase, and one for each dropped job."""
LONGEST_LINE: Final = 75
"""Octets of a line of a calendar, after which it is folded (RFC 5545, section 3.1)."""


def csv_text(document: Document) -> str:
    """Comma-separated values: a row per phase."""
    stream = StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for job in document["jobs"]:
        names = {"job": as_text(job["name"]), "team": as_text(job["team"])}
        shared = names | {key: job[key] for key in ("dropped", "deadline")}
        for phase in job["phases"]:
            figures = {key: phase[key] for key in ("pool", "nodes", "gpus", "start", "end", "hours", "cost_usd")}
            figures |= {"pool": as_text(phase["pool"]), "phase": as_text(phase["name"])}
            writer.writerow(shared | figures | {"late_days": job["late_days"]})
        if job["dropped"]:
            writer.writerow(shared)
    return stream.getvalue()


def calendar_text(document: Document) -> str:
    """An iCalendar (RFC 5545) with an event per phase and per commitment, whole days."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//plan-training//portfolio//EN", *_events(document)]
    return "".join(f"{folded}\r\n" for line in (*lines, "END:VCALENDAR") for folded in _folded(line))


def _events(document: Document) -> Iterator[str]:
    """The lines of all events."""
    stamp = document["calendar"]["start"]
    for job in document["jobs"]:
        for phase in job["phases"]:
            nodes = counted(phase["nodes"], "node")
            title = f"{job['name']}: {phase['name']} on {nodes} of {phase['pool']}"
            about = f"team {job['team']}, {phase['hours']:,.1f} h, ${phase['cost_usd']}"
            yield from _event(stamp, phase["start"], phase["end"], title, about)
    for one in document["commitments"]:
        title = f"commitment {one['name']}: {counted(one['nodes'], 'node')} of {one['pool']}"
        about = f"${one['cost_usd']}, {one['used_share']:.0%} used"
        yield from _event(stamp, one["start"], one["end"], title, about)


def _event(stamp: str, start: str, end: str, title: str, about: str) -> Iterator[str]:
    """One event; the day after the last ends it."""
    after = date.fromisoformat(end) + timedelta(days=1)
    yield "BEGIN:VEVENT"
    yield f"UID:{sha256(f'{title} {start}'.encode()).hexdigest()[:32]}@plan-training"
    yield f"DTSTAMP:{_day(stamp)}T000000Z"
    yield f"DTSTART;VALUE=DATE:{_day(start)}"
    yield f"DTEND;VALUE=DATE:{_day(after.isoformat())}"
    yield f"SUMMARY:{_escaped(title)}"
    yield f"DESCRIPTION:{_escaped(about)}"
    yield "END:VEVENT"


def _day(text: str) -> str:
    return text.replace("-", "")


def _escaped(text: str) -> str:
    """A text value: backslashes, commas, semicolons and line breaks are escaped."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """A line in pieces of at most 75 octets, each after the first beginning with a blank."""
    piece = ""
    for character in line:
        if len((piece + character).encode()) > LONGEST_LINE:
            yield piece
            piece = " "
        piece += character
    yield piece
