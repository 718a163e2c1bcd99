"""`plan alternatives`: plans of another kind that are nearly as good."""

from __future__ import annotations

import json

import click

from planner.cli.ending import ending_with
from planner.cli.options import cache_option, calibration_option, quantity, set_option, working
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def alternatives(problem_file: str, sets: tuple[str, ...], within: float, *, as_json: bool) -> None:
    """Plans that differ in accelerator, cloud, purchase or scale, within a margin of the optimum.

    The best of every kind, in order; each is within all limits and verified. Exit code 3: no plan at all.
    """
    problem = problem_of(problem_file, sets)
    from planner.explore.alternatives import kinds
    from planner.report.alternatives import alternatives_document, print_alternatives

    with working("comparing kinds of plans"):
        found = kinds(problem, within)
    with ending_with(ExitCode.OK if found else ExitCode.INFEASIBLE):
        if as_json:
            click.echo(json.dumps(alternatives_document(problem, found), indent=2, ensure_ascii=False))
        elif found:
            print_alternatives(problem, found)
        else:
            click.echo(f"no plan exists; plan solve {problem_file} shows the smallest relaxations")
