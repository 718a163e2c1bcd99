"""What a team measured, from CSV files and run files, ready to be held against an estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.catalog.calibration import Calibration
from planner.catalog.own_runs import RunTraits
from planner.errors import InputError, Issue, Place
from planner.estimator.resolve import resolve, symbols_of, traits_of_subject
from planner.learning.logs import LogScale, StepTimes, read_log
from planner.performance import flops
from planner.performance.evaluate import constants_of
from planner.performance.memory import memory
from planner.performance.own_runs import paced
from planner.performance.step import step_time
from planner.performance.symbols import Architecture, Constants, Device, Job, Layout, Software
from planner.problem.run import Run, load_run
from planner.validation.cases import Case, case_of, group
from planner.validation.imputation import Skipped
from planner.validation.memory_fit import memory_kind
from planner.validation.metrics import MEMORIES, measured_seconds
from planner.validation.predict import settle
from planner.validation.published import PublishedRow, published_text, rows_and_issues
from planner.validation.validate import traits_of_case

HELP: Final = "see the columns and metrics in plan validate --help"


@dataclass(frozen=True)
class Measurement:
    """One configuration with what was measured of it; the device is that of the data sheet, without efficiency."""

    name: str
    """Where it stands, such as `my-runs.csv:3`."""
    place: Place
    traits: RunTraits
    architecture: Architecture
    device: Device
    software: Software
    job: Job
    layout: Layout
    efficiency: float
    """Of the device's matrix products under the base calibration."""
    gpus: float
    seconds: float | None
    """Of a step."""
    allocated_bytes: float | None
    """That the framework had allocated at the peak."""

    def estimated_seconds(self, calibration: Calibration, constants: Constants) -> float:
        """Seconds of a step under a calibration and constants."""
        device = paced(_efficient(self.device, self.efficiency), calibration.own_runs, self.traits)
        found = step_time(self.architecture, device, self.software, self.job, self.layout, constants)
        return float(found.total)

    def estimated_bytes(self, calibration: Calibration, constants: Constants) -> float:
        """Bytes that the framework allocates at the peak."""
        del calibration
        return float(memory(self.architecture, self.software, self.job, self.layout, constants).allocated)

    @property
    def utilisation(self) -> float:
        """Model FLOPs over the dense peak; infinite for no time at all."""
        counted = flops.causal_attention if self.job.trains_base else flops.lora_causal_attention
        tokens = float(self.job.global_batch * self.job.sequence)
        work = float(counted(self.architecture, self.job.sequence)) * tokens
        return work / (self.gpus * float(self.device.peak_flops_s) * self.seconds) if self.seconds else math.inf


def _efficient(device: Device, factor: float) -> Device:
    products = {name: getattr(device, name) * factor for name in ("matmul_flops_s", "low_matmul_flops_s")}
    return replace(device, **products)


@dataclass(frozen=True)
class MeasuredRuns:
    """What could be read, and what could not, each with its place and fix."""

    measurements: tuple[Measurement, ...]
    issues: tuple[Issue, ...]
    logs: tuple[StepTimes, ...] = ()


def read_measurements(paths: Sequence[Path], logs: Sequence[Path], calibration: Calibration) -> MeasuredRuns:
    """The measurements in CSV files and run files; the logs belong to the run files, in their order.

    What cannot be used is told among the issues. Raises InputError where nothing is left, or a file cannot be read.
    """
    runs = [path for path in paths if path.suffix.lower() != ".csv"]
    if logs and len(logs) != len(runs):
        message = f"{len(logs)} logs were given for {len(runs)} run files"
        raise InputError(message, fix="give one --log for each run file, in their order")
    of_runs = dict(zip(runs, logs, strict=True)) if logs else {}
    parts = [
        _from_run(path, of_runs.get(path), calibration) if path in runs else _from_csv(path, calibration)
        for path in paths
    ]
    whole = MeasuredRuns(
        tuple(one for part in parts for one in part.measurements),
        tuple(issue for part in parts for issue in part.issues),
        tuple(log for part in parts for log in part.logs),
    )
    if not whole.measurements:
        raise InputError(whole.issues[:50] or Issue("nothing was measured", fix=HELP))
    return whole


def _from_csv(path: Path, calibration: Calibration) -> MeasuredRuns:
    """The configurations of a CSV in the format of published runs."""
    rows, issues = rows_and_issues(published_text(path), str(path))
    found: list[Measurement] = []
    for members in group(rows):
        place = Place(str(path), members[0].line)
        try:
            found.append(checked(_of_case(case_of(members), place, calibration)))
        except Skipped as reason:
            issues.append(Issue(str(reason), place, HELP))
        except InputError as error:
            issues.extend(error.issues)
    return MeasuredRuns(tuple(found), tuple(issues))


def _of_case(case: Case, place: Place, calibration: Calibration) -> Measurement:
    """A configuration of a CSV, with its gaps filled."""
    settled = settle(case, constants_of(calibration))
    allocated = [_allocated(row) for row in case.rows if row.metric in MEMORIES]
    seconds, peak = measured_seconds(settled), next((size for size in allocated if size), None)
    if seconds is None and peak is None:
        raise Skipped("no metric gives a step time or allocated memory")
    return Measurement(
        name=str(place),
        place=place,
        traits=traits_of_case(settled),
        architecture=case.architecture,
        device=case.device,
        software=case.software,
        job=case.job,
        layout=settled.layouts[0],
        efficiency=calibration.efficiency(case.accelerator),
        gpus=case.gpus,
        seconds=seconds,
        allocated_bytes=peak,
    )


def _allocated(row: PublishedRow) -> float | None:
    is_allocated = memory_kind(row.metric, row.text["notes"]) == "allocated"
    return row.value * MEMORIES[row.metric] if is_allocated else None


def _from_run(path: Path, log: Path | None, calibration: Calibration) -> MeasuredRuns:
    """The configuration of a run file, measured by its own words or by a log."""
    run = load_run(path)
    steps = read_log(log, _rates(run)) if log else None
    if steps is None and run.measured is None:
        issue = Issue("the run file has no measured block", run.place(), "add measured: {step: 18.9s}, or give --log")
        return MeasuredRuns((), (issue,))
    stated = run.measured
    measurement = measurement_of(
        run,
        calibration,
        str(log or path),
        run.place("measured") if stated else Place(str(log)),
        seconds=steps.median_seconds if steps else stated.step if stated else None,
        allocated_bytes=stated.peak_memory if stated else None,
    )
    try:
        return MeasuredRuns((checked(measurement),), (), (steps,) if steps else ())
    except InputError as error:
        return MeasuredRuns((), error.issues)


def measurement_of(
    run: Run,
    calibration: Calibration,
    name: str,
    place: Place,
    *,
    seconds: float | None,
    allocated_bytes: float | None = None,
) -> Measurement:
    """What was measured of a run. Raises InputError for a run whose parts do not fit together."""
    plain = calibration.model_copy(update={"own_runs": (), "own_peaks": ()})
    subject = resolve(run)
    symbols = symbols_of(subject, plain)
    return Measurement(
        name=name,
        place=place,
        traits=traits_of_subject(subject),
        architecture=symbols.architecture,
        device=symbols.device,
        software=symbols.software,
        job=symbols.job,
        layout=symbols.layout,
        efficiency=1.0,
        gpus=run.cluster.gpus,
        seconds=seconds,
        allocated_bytes=allocated_bytes,
    )


def _rates(run: Run) -> LogScale:
    training = run.training
    sequences = float(training.global_batch)
    return LogScale(sequences * training.sequence_length, sequences, run.cluster.gpus)


def checked(measurement: Measurement) -> Measurement:
    """The measurement, if it is possible. Raises InputError where it is not."""
    if measurement.seconds is not None and not measurement.utilisation <= 1:
        message = f"a step of {measurement.seconds:.4g} s would be {measurement.utilisation:.0%} MFU"
        raise InputError(message, place=measurement.place, fix="check unit, batch and number of devices")
    return measurement
