"""`plan estimate`: what one exact layout costs."""

from __future__ import annotations

import json

import click

from planner.cli.options import calibration_option, set_option
from planner.cli.reading import run_of


@click.command()
@click.argument("run_file", metavar="RUN.YAML")
@set_option
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--out", type=click.Path(), help="Write the JSON document to this file too.")
def estimate(run_file: str, sets: tuple[str, ...], *, as_json: bool, out: str | None) -> None:
    """Parameters, FLOPs, memory, time, days and dollars of one exact layout.

    RUN.YAML is a run file (`plan schema run` states its keys), or - for standard input. A layout that does not fit
    into memory is estimated all the same, and the answer says so.
    """
    run = run_of(run_file, sets)
    from planner.catalog.calibration import calibration_from
    from planner.estimator.estimate import estimate as estimated
    from planner.files import write_whole
    from planner.report.estimate_document import as_document

    with run.at("calibration"):
        record = calibration_from(run.calibration, run.base_directory)
    answer = estimated(run, record)

    document = json.dumps(as_document(answer), indent=2, ensure_ascii=False)
    if out is not None:
        write_whole(out, document + "\n")
    if as_json:
        return click.echo(document)
    from planner.report.console import print_report
    from planner.report.estimate import estimate_tables

    return print_report(*estimate_tables(answer))
