"""`plan validate` and `plan calibrate` as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.table import Table

from planner.catalog.calibration import Calibration
from planner.report.tables import text_table
from planner.units import format_number
from planner.validation.score import ScoreSummary
from planner.validation.validate import RowPrediction, Validation

WORST = 8
"""Rows of the table of the largest errors."""


def _percent(share: float, *, sign: bool = False) -> str:
    return f"{100 * share:+.1f}" if sign else f"{100 * share:.1f}"


def _table(title: str, *columns: str) -> Table:
    return text_table(*columns, title=title, wrap=columns[:1])


def _add(table: Table, name: str, summary: ScoreSummary) -> None:
    table.add_row(
        name,
        str(summary.configs),
        _percent(summary.median_ape),
        _percent(summary.mean_ape),
        _percent(summary.bias, sign=True),
        f"{100 * summary.within_10:.0f}",
        f"{100 * summary.within_20:.0f}",
    )


def summary_table(validation: Validation) -> Table:
    """Errors by kind, overall and of memory, in per cent."""
    table = _table("Error, per cent", "", "configs", "median", "mean", "bias", "≤10 %", "≤20 %")
    if validation.step_time:
        _add(table, "step time", validation.step_time)
    for kind, summary in validation.step_time_by_kind.items():
        _add(table, f"  {kind}", summary)
    if validation.memory:
        _add(table, "memory", validation.memory)
    return table


def source_table(validation: Validation) -> Table:
    """Errors of step time by source, in per cent."""
    table = _table("Step time by source, per cent", "source", "configs", "median", "mean", "bias", "≤10 %", "≤20 %")
    for source, summary in validation.by_source.items():
        _add(table, source, summary)
    return table


def unseen_table(calibration: Calibration) -> Table:
    """Errors when a run's source is left out of the fit, beside the error with it, in per cent."""
    table = _table(
        "Leave one source out, per cent (as plan calibrate found it)",
        "",
        "configs",
        "median",
        "mean",
        "≤10 %",
        "≤20 %",
        "fitted",
        "ratio",
        "in range",
    )
    for a in calibration.accuracies:
        table.add_row(
            a.kind,
            str(a.configs),
            _percent(a.median_ape),
            _percent(a.mean_ape),
            f"{100 * a.within_10:.0f}",
            f"{100 * a.within_20:.0f}",
            _percent(a.fitted_median_ape),
            f"{a.median_ape / a.fitted_median_ape:.2f}",
            f"{100 * a.in_range:.0f}",
        )
    return table


def reliability_table(calibration: Calibration) -> Table:
    """Share of unseen runs inside the range of each confidence, in per cent."""
    table = _table("Unseen runs inside their range, per cent", "confidence", "coverage")
    for one in calibration.reliability:
        table.add_row(f"{100 * one.confidence:.0f}", f"{100 * one.coverage:.0f}")
    return table


def worst_table(rows: Iterable[RowPrediction]) -> Table:
    """The rows with the largest errors, in their own metric."""
    table = _table("Worst rows", "row", "measured", "predicted", "error, %")
    scored = [row for row in rows if row.error is not None and not row.row.excluded]
    for row in sorted(scored, key=lambda row: -abs(row.error or 0.0))[:WORST]:
        table.add_row(
            row.row.text["id"][:48],
            format_number(row.row.value),
            format_number(row.predicted or 0.0),
            _percent(row.error or 0.0, sign=True),
        )
    return table


def skipped_table(title: str, skipped: Mapping[str, int], of_what: str) -> Table:
    """Why so many configurations or rows were not predicted, the most frequent reason first."""
    table = _table(title, "reason", of_what)
    for reason, count in sorted(skipped.items(), key=lambda item: -item[1]):
        table.add_row(reason, str(count))
    return table


def validation_report(validation: Validation, calibration: Calibration | None) -> list[RenderableType]:
    """Everything that `plan validate` prints; the leave-one-out table only for the built-in runs."""
    parts: list[RenderableType] = [summary_table(validation), ""]
    if calibration:
        parts += [unseen_table(calibration), "", reliability_table(calibration), ""]
    parts += [source_table(validation), "", worst_table(validation.rows)]
    if validation.skipped:
        parts += ["", skipped_table("Not predicted", validation.skipped, "configs")]
    if validation.skipped_rows:
        parts += ["", skipped_table("Metrics not predicted", validation.skipped_rows, "rows")]
    parts += ["", *_notes(validation)]
    return parts


def _notes(validation: Validation) -> list[str]:
    notes = []
    if validation.above_reserved is not None:
        notes.append(
            f"{_percent(validation.above_reserved)} % of measured peaks exceed the memory that a plan reserves."
        )
    if validation.excluded:
        notes.append(
            f"{validation.excluded} configurations are predicted but not scored; the file says why (column `excluded`)."
        )
    return notes


def calibration_table(calibration: Calibration) -> Table:
    """The constants with the standard error of each fitted one."""
    table = _table("Constants", "constant", "value", "± %")
    for name, value in calibration.constants.items():
        error = calibration.standard_errors.get(name)
        table.add_row(name, f"{value:.4g}", "–" if error is None else f"{100 * error:.0f}")
    return table


def efficiency_table(calibration: Calibration) -> Table:
    """The efficiency of each accelerator's matrix products in training over its measured share of peak."""
    table = _table("Efficiency of matrix products in training", "accelerator", "factor", "± %", "runs")
    for e in calibration.efficiencies:
        table.add_row(e.accelerator, f"{e.factor:.3f}", f"{100 * e.standard_error:.0f}", str(e.runs))
    return table
