"""Time and memory of layouts in one call: one layout or ten million, by broadcasting."""

from __future__ import annotations

from dataclasses import dataclass, fields

from planner.catalog.calibration import Calibration
from planner.errors import InputError
from planner.performance.memory import Memory, memory
from planner.performance.own_runs import with_own_constants
from planner.performance.step import StepTime, step_time
from planner.performance.symbols import Architecture, Constants, Device, Job, Layout, Software


@dataclass(frozen=True)
class Evaluation:
    """What a layout costs per step, in seconds and bytes."""

    time: StepTime
    memory: Memory


def constants_of(calibration: Calibration) -> Constants:
    """The calibrated constants as the equations take them, as far as own runs move them.

    Raises InputError when one is missing.
    """
    missing = {f.name for f in fields(Constants)} - set(calibration.constants)
    if missing:
        raise InputError(f"the calibration lacks {', '.join(sorted(missing))}", fix="run plan calibrate again")
    base = Constants(**{f.name: calibration.constants[f.name] for f in fields(Constants)})
    return with_own_constants(base, calibration.own_runs, calibration.own_peaks)


def evaluate(
    architecture: Architecture, device: Device, software: Software, job: Job, layout: Layout, constants: Constants
) -> Evaluation:
    """Step time and memory by part; every field broadcasts, and nothing is computed on more axes than it depends on."""
    return Evaluation(
        step_time(architecture, device, software, job, layout, constants),
        memory(architecture, software, job, layout, constants),
    )
