"""`plan alternatives`: plans of another kind that are nearly as good."""

from __future__ import annotations

import click

from planner.cli.options import cache_option, calibration_option, quantity, set_option, working
from planner.cli.output import Output, output_options
from planner.cli.reading import problem_of
from planner.errors import ExitCode
from planner.units import parse_share


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option(
    "--within",
    default="5%",
    callback=quantity(parse_share),
    metavar="SHARE",
    help="Largest difference from the optimum; default 5%.",
)
@output_options("csv", "xlsx", "html")
def alternatives(problem_file: str, sets: tuple[str, ...], within: float, output: Output) -> None:
    """Plans that differ in accelerator, cloud, purchase or scale, within a margin of the optimum.

    The best of every kind, in order; each is within all limits and verified. Exit code 3: no plan at all.
    """
    problem = problem_of(problem_file, sets)
    from planner.explore.alternatives import kinds
    from planner.report.results import alternatives_result

    with working("comparing kinds of plans"):
        found = kinds(problem, within)
    output.show(alternatives_result(problem, found), ExitCode.OK if found else ExitCode.INFEASIBLE)
