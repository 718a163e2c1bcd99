"""Predicting every row of a file of published runs, and summing up the errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from planner.catalog.calibration import Calibration
from planner.catalog.known_devices import device_deviation
from planner.catalog.own_runs import RunTraits
from planner.performance.evaluate import constants_of
from planner.performance.own_runs import layout_traits, paced, traits_of, with_own_runs
from planner.performance.predictive import NORMAL_80, Predictive, predictive, software_deviation
from planner.performance.symbols import Constants
from planner.tasks import Spread, in_turn
from planner.validation.cases import Case, case_of, group
from planner.validation.imputation import Skipped
from planner.validation.memory_fit import memory_kind
from planner.validation.metrics import MEMORIES, TIMES, measured_seconds, value_from, why_not_given
from planner.validation.predict import memories, settle, table_of, times
from planner.validation.published import PublishedRow, read_published
from planner.validation.score import ScoreSummary, by_group, summarise
from planner.validation.spread import month_of, unseen_of

FORMAT_VERSION = 1


@dataclass(frozen=True)
class RowPrediction:
    """One published row with what the estimator says in the row's own metric and unit."""

    row: PublishedRow
    predicted: float | None
    interval: tuple[float, float] | None
    """The middle 80 % of what unseen runs turned out to be."""
    skipped: str
    """Why there is no prediction; empty when there is one."""

    @property
    def error(self) -> float | None:
        """predicted/measured − 1."""
        return None if self.predicted is None else self.predicted / self.row.value - 1


@dataclass(frozen=True)
class Validation:
    """All rows, and one error per configuration that has a step time."""

    rows: tuple[RowPrediction, ...]
    step_time: ScoreSummary | None
    step_time_by_kind: dict[str, ScoreSummary]
    """`dense`, `moe` and `adapters`, and the sets that are scored apart under their own label."""
    memory: ScoreSummary | None
    above_reserved: float | None
    """Share of measured peaks that exceed the predicted reserved memory."""
    by_source: dict[str, ScoreSummary]
    skipped: dict[str, int]
    """Configurations that cannot be predicted, by reason."""
    skipped_rows: dict[str, int]
    """Rows that have no prediction although their configuration can be predicted, by reason."""
    excluded: int
    """Configurations that the file itself keeps out of the score."""


@dataclass(frozen=True)
class Prediction:
    """A configuration's case with its predicted step and peaks of memory."""

    case: Case
    seconds: float
    bytes_by_kind: dict[str, float]
    """Peak as allocated by the framework, reserved by its allocator, shown by the driver, and set aside in a plan."""
    error: Predictive


def predict_cases(cases: Sequence[Case], constants: Constants, calibration: Calibration) -> list[Prediction]:
    """Step times and memory of cases, many at once; figures that contradict each other give no finite time."""
    if not cases:
        return []
    with np.errstate(all="ignore"):
        settled = [_paced(settle(_efficient(case, calibration), constants), calibration) for case in cases]
        table = table_of(settled)
        seconds, peak = times(table, constants).total, memories(table, constants)
    kinds = {
        "allocated": peak.allocated,
        "reserved": peak.allocated * (1 + constants.fragmentation),
        "device": peak.expected,
        "plan": peak.reserved(NORMAL_80),
    }
    return [
        Prediction(
            case,
            float(seconds[i]),
            {kind: float(values[i]) for kind, values in kinds.items()},
            _error(case, calibration),
        )
        for i, case in enumerate(settled)
    ]


def _error(case: Case, calibration: Calibration) -> Predictive:
    """Distribution of the case's real over its predicted time."""
    run = replace(
        unseen_of(case),
        release=month_of(case),
        device_deviation=device_deviation(calibration, case.accelerator),
        software_deviation=software_deviation(
            case.stack.generic, calibration.constants["generic_stack"], moe=float(case.architecture.experts) > 0
        ),
    )
    return predictive(calibration.spread, with_own_runs(run, calibration.own_runs, traits_of_case(case)))


def traits_of_case(case: Case) -> RunTraits:
    """What decides how much own runs say of a case, of its layout too where it has but one."""
    return traits_of(
        case.accelerator,
        case.architecture,
        low_precision=bool(case.job.low_precision),
        adapters=case.adapter,
        gpus=case.gpus,
        layout=layout_traits(case.layouts[0], case.job.sequence) if len(case.layouts) == 1 else None,
    )


def _is_moe(case: Case) -> bool:
    return float(case.architecture.experts) > 0


def _memory_value(prediction: Prediction, row: PublishedRow) -> float:
    kind = memory_kind(row.metric, row.text["notes"])
    return prediction.bytes_by_kind[kind] / MEMORIES[row.metric]


def predict_row(prediction: Prediction, row: PublishedRow) -> RowPrediction:
    """One row of a predicted configuration, in its own metric."""
    if row.metric in MEMORIES:
        return RowPrediction(row, _memory_value(prediction, row), None, "")
    value = value_from(prediction.case, row.metric, prediction.seconds) if row.metric in TIMES else None
    if value is None:
        return RowPrediction(row, None, None, why_not_given(row.metric))
    seconds = [prediction.seconds * factor for factor in prediction.error.interval()]
    low, high = sorted(value_from(prediction.case, row.metric, one) or value for one in seconds)
    return RowPrediction(row, value, (low, high), "")


def _efficient(case: Case, calibration: Calibration) -> Case:
    factor = calibration.efficiency(case.accelerator)
    device = replace(
        case.device,
        matmul_flops_s=case.device.matmul_flops_s * factor,
        low_matmul_flops_s=case.device.low_matmul_flops_s * factor,
    )
    return replace(case, device=device)


def _paced(case: Case, calibration: Calibration) -> Case:
    """A case whose gaps are filled, on a device as fast as own runs say of it."""
    return replace(case, device=paced(case.device, calibration.own_runs, traits_of_case(case)))


CASES_AT_ONCE: Final = 500
"""Cases that are predicted in one table: the same number in one process as in many, so that the last digits agree."""


def validate(path: Path, calibration: Calibration, spread: Spread = in_turn) -> Validation:
    """Predicts every row of a file of published runs. Raises InputError when the file cannot be read."""
    groups = group(read_published(path))
    cases, reasons = _cases_of(groups)
    dense = [case for case in cases.values() if not _is_moe(case)]
    moe = [case for case in cases.values() if _is_moe(case)]
    constants = constants_of(calibration)
    parts = [part for kind in (dense, moe) for part in _parts(kind)]
    found = list(chain(*spread([partial(predict_cases, part, constants, calibration) for part in parts])))
    reasons |= {p.case.configuration: CONTRADICTION for p in found if not _is_possible(p)}
    predictions = {p.case.configuration: p for p in found if _is_possible(p)}
    rows = [row for members in groups for row in _predicted_rows(members, predictions, reasons)]
    scored = [kept for prediction in predictions.values() if (kept := _scored(prediction))]
    return _summed_up(tuple(rows), scored, Counter(reasons.values()), len(predictions) - len(scored))


CONTRADICTION = "the row's figures contradict each other"


def _parts(cases: Sequence[Case]) -> list[Sequence[Case]]:
    """The cases in parts of a fixed size."""
    return [cases[first : first + CASES_AT_ONCE] for first in range(0, len(cases), CASES_AT_ONCE)]


def _cases_of(groups: Sequence[tuple[PublishedRow, ...]]) -> tuple[dict[str, Case], dict[str, str]]:
    """The cases by configuration, and why the other configurations have none."""
    cases: dict[str, Case] = {}
    reasons: dict[str, str] = {}
    for members in groups:
        try:
            cases[members[0].configuration] = case_of(members)
        except Skipped as reason:
            reasons[members[0].configuration] = str(reason)
    return cases, reasons


def _is_possible(prediction: Prediction) -> bool:
    return math.isfinite(prediction.seconds) and prediction.seconds > 0


def _predicted_rows(
    members: Sequence[PublishedRow], predictions: Mapping[str, Prediction], reasons: Mapping[str, str]
) -> list[RowPrediction]:
    name = members[0].configuration
    if name in predictions:
        return [predict_row(predictions[name], row) for row in members]
    return [RowPrediction(row, None, None, reasons[name]) for row in members]


def _scored(prediction: Prediction) -> Prediction | None:
    """The prediction with the rows that count in the score; None without any."""
    counted = tuple(row for row in prediction.case.rows if not row.excluded)
    return replace(prediction, case=replace(prediction.case, rows=counted)) if counted else None


def _summed_up(
    rows: tuple[RowPrediction, ...], predictions: Sequence[Prediction], skipped: dict[str, int], excluded: int
) -> Validation:
    timed = [(p, p.seconds / seconds - 1) for p in predictions if (seconds := measured_seconds(p.case)) is not None]
    errors = np.asarray([error for _, error in timed])
    kinds = [_kind(p.case) for p, _ in timed]
    overall = errors[[not p.case.rows[0].scored_apart for p, _ in timed]] if timed else errors
    peaks = [row for row in rows if row.predicted is not None and row.row.metric in MEMORIES and not row.row.excluded]
    peak_errors = np.asarray([row.error for row in peaks], dtype=np.float64)
    return Validation(
        rows=rows,
        step_time=summarise(overall) if overall.size else None,
        step_time_by_kind=by_group(errors, kinds) if timed else {},
        memory=summarise(peak_errors) if peaks else None,
        above_reserved=_share_above(predictions),
        by_source=by_group(errors, [p.case.rows[0].source for p, _ in timed]) if timed else {},
        skipped=skipped,
        skipped_rows=Counter(row.skipped for row in rows if row.skipped and row.skipped not in skipped),
        excluded=excluded,
    )


def _kind(case: Case) -> str:
    return case.rows[0].scored_apart or unseen_of(case).kind


def _share_above(predictions: Sequence[Prediction]) -> float | None:
    above = [
        row.value * MEMORIES[row.metric] > p.bytes_by_kind["plan"]
        for p in predictions
        for row in p.case.rows
        if row.metric in MEMORIES
    ]
    return sum(above) / len(above) if above else None


def as_document(validation: Validation, calibration: Calibration, *, builtin: bool) -> dict[str, Any]:
    """The JSON document of `plan validate --json`; errors are fractions."""
    summary: dict[str, Any] = {
        "step_time": asdict(validation.step_time) if validation.step_time else None,
        "step_time_by_kind": {kind: asdict(value) for kind, value in validation.step_time_by_kind.items()},
        "memory": asdict(validation.memory) if validation.memory else None,
        "share_above_reserved": validation.above_reserved,
        "by_source": {source: asdict(value) for source, value in validation.by_source.items()},
        "skipped": validation.skipped,
        "skipped_rows": validation.skipped_rows,
        "excluded": validation.excluded,
    }
    if builtin:
        summary["leave_one_source_out"] = {a.kind: a.model_dump() for a in calibration.accuracies}
    return {
        "format_version": FORMAT_VERSION,
        "rows": [_row_document(row) for row in validation.rows],
        "summary": summary,
    }


def _row_document(prediction: RowPrediction) -> dict[str, Any]:
    row = prediction.row
    document: dict[str, Any] = {
        "id": row.text["id"],
        "metric": row.metric,
        "measured": row.value,
        "predicted": prediction.predicted,
        "error": prediction.error,
        "skipped": prediction.skipped or None,
    }
    if prediction.interval:
        document["interval"] = list(prediction.interval)
    if row.excluded:
        document["excluded"] = row.excluded
    return document
