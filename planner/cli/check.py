"""`plan check`: whether a problem file can be read, and what it asks for."""

from __future__ import annotations

import click

from planner.cli.options import calibration_option, set_option
from planner.cli.reading import problem_of


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
def check(problem_file: str, sets: tuple[str, ...]) -> None:
    """Check a problem file without solving it: keys, quantities, names, and whether any offer is left.

    All errors are reported at once, each with file, line, column and a fix; the exit code is then 2.
    """
    problem = problem_of(problem_file, sets)
    from planner.layouts.workload import workload_of
    from planner.market.placements import placements
    from planner.report.problem_text import problem_lines

    workload, found = workload_of(problem), placements(problem)
    for line in problem_lines(problem, workload, found):
        click.echo(line)
