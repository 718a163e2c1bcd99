"""`plan estimate`: what one exact layout costs."""

from __future__ import annotations

import click

from planner.cli.options import calibration_option, set_option
from planner.cli.output import Output, output_options
from planner.cli.reading import run_of


@click.command()
@click.argument("run_file", metavar="RUN.YAML")
@set_option
@calibration_option
@output_options("out", "html")
def estimate(run_file: str, sets: tuple[str, ...], output: Output) -> None:
    """Parameters, FLOPs, memory, time, days and dollars of one exact layout.

    RUN.YAML is a run file (`plan schema run` states its keys), or - for standard input. A layout that does not fit
    into memory is estimated all the same, and the answer says so.
    """
    run = run_of(run_file, sets)
    from planner.catalog.calibration import calibration_from
    from planner.estimator.estimate import estimate as estimated
    from planner.report.estimate_result import estimate_result

    with run.at("calibration"):
        record = calibration_from(run.calibration, run.base_directory)
    output.show(estimate_result(estimated(run, record)))
