"""`plan validate`: how far predictions are from published runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from planner.cli.options import workers_option, working
from planner.errors import InputError, Issue, Place

if TYPE_CHECKING:
    from planner.validation.validate import Validation


@click.command()
@click.argument("runs", required=False, type=click.Path(path_type=Path), metavar="[RUNS.csv]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: every row, and the summary.")
@click.option("--calibration", type=click.Path(path_type=Path), help="A calibration.toml instead of the catalog's.")
@workers_option
def validate(runs: Path | None, as_json: bool, calibration: Path | None, workers: int | str | None) -> None:
    """Predict every configuration of a file of published runs and print the errors.

    RUNS.csv has one row per metric; rows whose ids share the part before the slash are one configuration. Columns:
    id, model, gpu, metric and value are needed; source, date, framework, the shape (layers, hidden, ffn, heads,
    kv_heads, head_dim, vocab, seq, n_experts, top_k), the layout (n_gpus, tp, pp, vpp, cp, ep, dp, zero_or_fsdp,
    micro_batch, global_batch, recompute, precision), network_gbit_s and notes are used where they are given.

    Metrics: step_time (s), tokens_per_s_per_gpu and tokens_per_s_total (tokens/s), samples_per_s (sequences/s),
    model_tflops_per_gpu and hw_tflops_per_gpu (TFLOP/s), aggregate_pflops (PFLOP/s), mfu, hfu and pct_peak (fractions
    such as 0.42), mem_peak_gb (GB), mem_peak_gib and mem_reserved_gib (GiB). Any other is listed as not predicted.

    Without a file: the catalog's own published runs, with the error on sources that the fit had not seen.
    Exit code 2: the file is malformed, or nothing in it can be predicted; the reasons are said.
    """
    import json

    from planner.catalog.calibration import load_calibration, read_calibration
    from planner.explore.spread import spread_over
    from planner.validation.published import builtin_runs
    from planner.validation.validate import as_document
    from planner.validation.validate import validate as run

    record = read_calibration(calibration) if calibration else load_calibration()
    with working("comparing with published runs" if runs is None else "comparing with measured runs"):
        found = run(runs or builtin_runs(), record, spread_over(workers))
    if all(row.predicted is None for row in found.rows):
        _refuse(found, str(runs or builtin_runs()))
    if as_json:
        click.echo(json.dumps(as_document(found, record, builtin=runs is None), allow_nan=False))
        return
    from planner.report.console import print_report
    from planner.report.validation import validation_report

    print_report(*validation_report(found, None if runs else record))


def _refuse(found: Validation, name: str) -> NoReturn:
    """Raises InputError with each reason for which nothing is predicted, at the first row that it holds for."""
    first = {row.skipped: row.row.line for row in reversed(found.rows)}
    fix = "see the columns and metrics in plan validate --help"
    issues = [Issue(f"nothing can be predicted: {why}", Place(name, line), fix) for why, line in first.items()]
    raise InputError(sorted(issues, key=lambda issue: issue.place.line or 0 if issue.place else 0)[:50])
