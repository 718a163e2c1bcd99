"""The steps of a run under way, from a CSV: how far it is, for how long it has run, and how long a step takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from planner.errors import InputError, Issue, Place
from planner.performance.symbols import Array
from planner.prices.table import content_of, rows_of_csv
from planner.units import QuantityError, parse_duration

EXAMPLE: Final = "a CSV with the columns step and elapsed, such as 1200,5h 12min"
BLOCKS: Final = 10
"""Parts of a phase whose paces are held against each other."""
LEAST_DRIFT: Final = 0.01
"""Deviation of the logarithm by which a run's pace changes later, at least: assumed."""
DENSE: Final = 0.5
"""Rows further apart than this share of the time between checkpoints do not tell steps from losses."""


@dataclass(frozen=True)
class Steps:
    """Rows of a step file, each at a time of the job; arrays of shape (rows,)."""

    done: Array
    """Steps of the whole job that are done."""
    elapsed: Array
    """Seconds since the job began; never falling."""
    seconds: Array
    """Of a step, where a row states it; else NaN."""
    issues: tuple[Issue, ...] = ()
    """Rows that could not be used."""


@dataclass(frozen=True)
class Pace:
    """How long a step of one phase took."""

    step_seconds: float
    """Median; without failures and checkpoints where `is_bare`, else all wall time over all steps."""
    is_bare: bool
    deviation: float
    """Of the logarithm of the rest's mean pace, from how much parts of the phase differ."""


@dataclass(frozen=True)
class _Row:
    done: int
    elapsed: float
    seconds: float


def read_steps(path: Path, phases: Mapping[str, int]) -> Steps:
    """The steps in a CSV, for a job of phases with so many steps each, in their order.

    Columns: `step` (of the job, or of the phase that the column `phase` names), `elapsed` since the job began, in
    seconds or with a unit, and if measured `seconds` of a step. Raises InputError where no row can be used.
    """
    starts = dict(zip(phases, np.cumsum([0, *phases.values()]).tolist(), strict=False))
    rows: list[_Row] = []
    issues: list[Issue] = []
    for place, cells in rows_of_csv(path, content_of(path, EXAMPLE, "the rows")):
        if not issues and not rows:
            _check_columns(place, cells)
        try:
            rows.append(_row(cells, starts, phases, rows[-1].elapsed if rows else 0.0))
        except QuantityError as error:
            issues.append(Issue(error.message, place, error.fix))
    if not any(row.done for row in rows):
        raise InputError(issues[:20] or Issue("no step is done", Place(str(path)), f"give {EXAMPLE}"))
    columns = np.asarray([(row.done, row.elapsed, row.seconds) for row in rows], dtype=np.float64).T
    return Steps(columns[0], columns[1], columns[2], tuple(issues))


def _check_columns(place: Place, cells: Mapping[str, str]) -> None:
    """Refuses a file without the columns that are needed."""
    missing = [name for name in ("step", "elapsed") if name not in cells]
    if missing:
        raise InputError(f"no column {' and '.join(missing)}", place=Place(place.file, 1), fix=f"give {EXAMPLE}")


def _row(cells: Mapping[str, str], starts: Mapping[str, int], phases: Mapping[str, int], before: float) -> _Row:
    """One row, of a time not before that of the last one. Raises QuantityError."""
    step, elapsed, total = _whole(cells["step"]), _seconds(cells["elapsed"], "elapsed"), sum(phases.values())
    if name := cells.get("phase", ""):
        if name not in starts:
            raise QuantityError(f"the plan has no phase {name[:40]!r}", f"its phases are {', '.join(phases)}"[:200])
        step, total = step + starts[name], starts[name] + phases[name]
    if step > total:
        raise QuantityError(f"step {step:,} is beyond the plan's {total:,}", "give the plan that runs")
    if elapsed < before:
        raise QuantityError("elapsed is less than in the row before", "sort the rows by time")
    stated = cells.get("seconds", "")
    seconds = _seconds(stated, "seconds") if stated else math.nan
    if seconds == 0:
        raise QuantityError("a step takes more than no time", "write the seconds of a step, or leave the cell empty")
    return _Row(step, elapsed, seconds)


def _whole(cell: str) -> int:
    """A number of steps. Raises QuantityError."""
    text = cell.replace(",", "").replace("_", "")
    if not (text.isdecimal() and len(text) <= 15):
        raise QuantityError(f"not a number of steps: {cell[:40]!r}", "write the step's number, such as 1200")
    return int(text)


def _seconds(cell: str, name: str) -> float:
    """Seconds, written as a number or with a unit; 0 to a century. Raises QuantityError."""
    try:
        value = float(cell)
    except ValueError:
        return parse_duration(cell)
    if not 0 <= value <= LONGEST:
        raise QuantityError(f"{name} {cell[:40]!r} is no time", "write seconds, or a time with its unit such as 5.2h")
    return value


LONGEST: Final = 3.2e9
"""Seconds of a century, which no run takes."""


def pace_between(steps: Steps, first: int, last: int, apart: float) -> Pace | None:
    """How long the steps from `first` to `last` of the job took; None where fewer than two rows are among them.

    `apart`: seconds between rows up to which the median tells steps from what interrupts them.
    """
    inside = np.flatnonzero((steps.done >= first) & (steps.done <= last))
    if (stated := inside[np.isfinite(steps.seconds[inside])]).size:
        return _pace(steps.seconds[stated], np.ones(stated.size), is_bare=True)
    more, took = np.diff(steps.done[inside]), np.diff(steps.elapsed[inside])
    ahead = (more > 0) & (took > 0)
    if not ahead.any():
        return None
    more, took = more[ahead], took[ahead]
    return _pace(took / more, more, is_bare=float(np.median(took)) <= apart)


def _pace(each: Array, weights: Array, *, is_bare: bool) -> Pace:
    """The middle of what steps took, each counted as often as its weight says."""
    parts = np.array_split(np.arange(each.size), min(BLOCKS, each.size))
    middles = [_middle(each[part], weights[part], is_bare=is_bare) for part in parts]
    spread = float(np.std(np.log(middles), ddof=1)) / math.sqrt(len(parts)) if len(parts) > 1 else 0.0
    return Pace(_middle(each, weights, is_bare=is_bare), is_bare, math.sqrt(2 * spread**2 + LEAST_DRIFT**2))


def _middle(each: Array, weights: Array, *, is_bare: bool) -> float:
    """The weighted median of bare steps, the weighted mean of those with all that interrupts them."""
    if not is_bare:
        return float(np.average(each, weights=weights))
    order = np.argsort(each)
    below = np.cumsum(weights[order])
    return float(each[order][np.searchsorted(below, below[-1] / 2)])
