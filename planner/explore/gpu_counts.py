"""The numbers of GPUs that are asked about: `128..1024`, `128..1024:7` or `128,256,512`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from planner.errors import InputError, Place
from planner.problem.limits import LARGEST_CLUSTER

MOST_COUNTS: Final = 100
"""Most numbers that are asked about at once."""
_RANGE = re.compile(r"(?P<low>[0-9]{1,9})\s*\.\.\s*(?P<high>[0-9]{1,9})(?:\s*:\s*(?P<points>[0-9]{1,9}))?")
_LIST = re.compile(r"[0-9]{1,9}(?:\s*,\s*[0-9]{1,9})*")


@dataclass(frozen=True)
class GpuCounts:
    """Numbers that are meant exactly, and others between them that whole nodes are taken near to."""

    exact: tuple[int, ...]
    between: tuple[float, ...] = ()

    def on(self, per_node: int) -> tuple[int, ...]:
        """The numbers on nodes of so many devices, fewest first."""
        near = {max(1, round(one / per_node)) * per_node for one in self.between}
        inside = {one for one in near if min(self.exact) < one < max(self.exact)}
        return tuple(sorted({*self.exact, *inside}))


def doublings(low: int, high: int) -> GpuCounts:
    """From low to high in doublings, both among them."""
    doubled = takewhile(lambda one: one < high, (low * 2**power for power in range(64)))
    return GpuCounts((low, high), tuple(float(one) for one in doubled))


def parse_gpu_counts(text: str) -> GpuCounts:
    """The numbers that `--gpus` asks about: `LOW..HIGH` in doublings, `LOW..HIGH:POINTS` at equal ratios, or a list.

    Raises InputError.
    """
    written = text.strip() if len(text) <= 1000 else ""
    if match := _RANGE.fullmatch(written):
        points = None if match["points"] is None else int(match["points"])
        return _range(int(match["low"]), int(match["high"]), points, written)
    numbers = written.split(",") if _LIST.fullmatch(written) else []
    if not numbers or any(one.strip().startswith("0") and int(one) for one in numbers):
        raise _refused(f"{text[:60]!r} is no range and no list of numbers of GPUs")
    counts = tuple(int(one) for one in numbers)
    _check(counts, written)
    if len(counts) > MOST_COUNTS:
        raise _refused(f"{len(counts)} numbers of GPUs are more than {MOST_COUNTS}")
    return GpuCounts(counts)


def _range(low: int, high: int, points: int | None, written: str) -> GpuCounts:
    """The numbers of a range."""
    _check((low, high), written)
    if low > high:
        raise _refused(f"{written!r} ends before it begins", f"write {high}..{low}")
    if points is None:
        return doublings(low, high)
    if not 2 <= points <= MOST_COUNTS:
        raise _refused(f"{written!r} asks for {points} points", f"write 2 to {MOST_COUNTS} points")
    ratio = (high / low) ** (1 / (points - 1))
    return GpuCounts((low, high), tuple(low * ratio**point for point in range(1, points - 1)))


def _check(counts: tuple[int, ...], written: str) -> None:
    """Refuses none and more than any cluster that is considered."""
    if min(counts) < 1:
        raise _refused(f"{written[:60]!r} asks about no GPUs at all")
    if max(counts) > LARGEST_CLUSTER:
        raise _refused(f"{max(counts):,} GPUs are more than the {LARGEST_CLUSTER:,} that can be asked for")


def _refused(message: str, fix: str = "write 128..1024, 128..1024:7 or 128,256,512") -> InputError:
    return InputError(message, place=Place("--gpus"), fix=fix)
