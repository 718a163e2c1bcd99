"""`plan alternatives`: plans of another kind that are nearly as good."""

from __future__ import annotations

import json

import click

from planner.cli.options import cache_option, quantity, set_option
from planner.cli.reading import problem_of
from planner.errors import ExitCode
from planner.units import parse_share


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@cache_option
@click.option(
    "--within", default="5%", callback=quantity(parse_share), metavar="SHARE", help="How much worse; default 5%."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def alternatives(problem_file: str, sets: tuple[str, ...], within: float, *, as_json: bool) -> None:
    """Plans that differ in accelerator, cloud, purchase or scale, within a margin of the optimum.

    The best of every kind, in order; each is within all limits and verified. Exit code 3: no plan at all.
    """
    from planner.negotiate.kinds import kinds
    from planner.report.kinds import kinds_document, print_kinds

    problem = problem_of(problem_file, sets)
    found = kinds(problem, within)
    if as_json:
        click.echo(json.dumps(kinds_document(problem, found), indent=2, ensure_ascii=False))
    elif found:
        print_kinds(problem, found)
    else:
        click.echo(f"no plan exists; plan solve {problem_file} says what has to give")
    if not found:
        raise click.exceptions.Exit(ExitCode.INFEASIBLE)
