"""What a user may say about the place where a phase is started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of a scheduler; None or empty is not stated."""

    job_time: float | None = None
    """Seconds that one job may last: longer phases become a chain."""
    queue: str = ""
    """Partition or queue."""
