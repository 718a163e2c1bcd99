"""`plan learn` for people: what each run measured, what was learned of which constant, and what is still not known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import OwnRun
from planner.learning.learn import AT_ODDS, Lesson, Moved, moved_constants
from planner.learning.logs import StepTimes
from planner.report.learned import learned_line
from planner.report.tables import text_table
from planner.units import counted, format_duration, format_share

MOST_ROWS: Final = 30
"""Runs that are listed; of more, those that are furthest from their estimate."""


def lesson_report(lesson: Lesson, logs: tuple[StepTimes, ...]) -> Iterator[RenderableType]:
    """What was measured and what it taught."""
    yield from (_log_line(log) for log in logs)
    if lesson.measurements:
        yield _runs_table(lesson)
        yield ""
    yield _moved_table(moved_constants(lesson.calibration))
    yield ""
    yield from _diagnosis(lesson)


def _log_line(log: StepTimes) -> str:
    told = f"{counted(log.steps, 'step')} of a {log.program} log after {log.cut} of warm-up"
    return f"{told}: median {format_duration(log.median_seconds)}, ±{log.deviation:.1%} from step to step"


def _runs_table(lesson: Lesson) -> Table:
    """Each run against the estimate before and after, and how far it counts."""
    table = text_table("run", "measured", "estimated", "with own runs", "counts", wrap=("run",))
    own = lesson.calibration.own_runs[-len(lesson.measurements) :]
    pairs = sorted(zip(own, lesson.measurements, strict=True), key=lambda pair: -abs(pair[0].log_ratio))
    for run, measurement in pairs[:MOST_ROWS]:
        seconds = measurement.seconds or 0.0
        table.add_row(
            run.name,
            format_duration(seconds),
            _off(-run.log_ratio),
            _off(math.log(lesson.learned_ratio(measurement))),
            "at odds" if run.weight < AT_ODDS else format_share(run.weight),
        )
    return table


def _off(logarithm: float) -> str:
    """Estimated over measured as a percentage."""
    return f"{math.expm1(logarithm):+.1%}"


def _moved_table(moved: list[Moved]) -> Table:
    """How far each constant moved, and what is left of what was not known."""
    table = text_table("learned of", "takes", "known to, before", "now")
    for one in moved:
        table.add_row(one.name, f"×{one.factor:.3f}", f"±{one.deviation_before:.1%}", f"±{one.deviation_left:.1%}")
    return table


def _diagnosis(lesson: Lesson) -> Iterator[str]:
    """What is at odds, and what no run says anything about."""
    far = "At odds with the other runs" if len(lesson.calibration.own_runs) > 1 else "Far from what is expected"
    for run in lesson.at_odds:
        told = f"its step is {math.exp(run.log_ratio):.2f} times its estimate"
        yield f"{far}, and hardly counted: {run.name}; {told}. Check its layout and its unit."
    yield from (f"Still not known: {what}." for what in _unknown(lesson.calibration))
    yield learned_line(lesson.calibration)


def _unknown(calibration: Calibration) -> Iterator[str]:
    runs = calibration.own_runs
    if runs and len({run.accelerator for run in runs}) == 1:
        yield f"other accelerators than {runs[0].accelerator}: relatives move with it in part, others hardly"
    if runs and (most := max(run.gpus for run in runs)) < ENOUGH_DEVICES:
        yield f"more than {most:,.0f} devices: the range widens with each doubling"
    if not calibration.own_peaks:
        yield "memory: no run states its peak_memory"


ENOUGH_DEVICES: Final = 512
"""Devices up to which scale is said to be unknown."""


def lesson_document(lesson: Lesson) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "runs": [_run_document(run) for run in lesson.calibration.own_runs],
        "constants": [
            {
                "name": one.name,
                "factor": one.factor,
                "log_deviation_before": one.deviation_before,
                "log_deviation": one.deviation_left,
            }
            for one in moved_constants(lesson.calibration)
        ],
        "at_odds": [run.name for run in lesson.at_odds],
        "not_known": list(_unknown(lesson.calibration)),
    }


FORMAT_VERSION: Final = 1


def _run_document(run: OwnRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "accelerator": run.accelerator,
        "gpus": run.gpus,
        "measured_over_estimated": math.exp(run.log_ratio),
        "weight": run.weight,
        "at_odds": run.weight < AT_ODDS,
    }
