"""What an answer says of own runs: how many, what they changed, and how far they are from what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import RunTraits
from planner.performance.own_runs import posterior_of
from planner.units import counted


def learned_line(calibration: Calibration) -> str:
    """How much was learned from, in a sentence."""
    runs, peaks = calibration.own_runs, calibration.own_peaks
    devices = ", ".join(dict.fromkeys(run.accelerator for run in runs))
    of_runs = f"{counted(len(runs), 'own run')}" + (f" on {devices}" if devices else "")
    memory = f" and {counted(len(peaks), 'peak')} of memory" if peaks else ""
    return f"Learned from {of_runs}{memory}."


def learned_of(calibration: Calibration, run: RunTraits) -> Iterator[str]:
    """For an answer: what own runs say of a run, and how far they are from it; nothing without own runs."""
    if not calibration.own_runs:
        return
    posterior, most = posterior_of(calibration.own_runs), max(own.gpus for own in calibration.own_runs)
    narrower = math.sqrt(posterior.variance_left(run))
    pace = f"steps take {math.exp(posterior.log_pace(run)):.2f} times the catalog's estimate"
    yield f"{learned_line(calibration)} By them {pace}, and the range is {narrower:.2f} times as wide."
    far = [f"on at most {most:,.0f} of {run.gpus:,.0f} devices"] if run.gpus > FAR * most else []
    if run.accelerator not in {own.accelerator for own in calibration.own_runs}:
        far.append(f"on another accelerator than {run.accelerator}")
    if not any(own.hidden == run.hidden and own.layers == run.layers for own in calibration.own_runs):
        far.append("of another model")
    if far:
        yield f"The own runs were {' and '.join(far)}: the range allows for it."


def learned_document(calibration: Calibration, run: RunTraits) -> dict[str, Any] | None:
    """The same as JSON; None without own runs."""
    if not calibration.own_runs:
        return None
    posterior = posterior_of(calibration.own_runs)
    return {
        "own_runs": len(calibration.own_runs),
        "step_factor": math.exp(posterior.log_pace(run)),
        "deviation_factor": math.sqrt(posterior.variance_left(run)),
    }


FAR: Final = 4
"""Times as many devices from which on it is said that own runs were smaller."""
