"""`plan frontier`: what each day, dollar or device buys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import click

from planner.cli.ending import ending_with
from planner.cli.options import cache_option, calibration_option, html_option, set_option, working, write_page
from planner.cli.reading import problem_of
from planner.errors import ExitCode

if TYPE_CHECKING:
    from planner.explore.frontier import Axis


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option("--x", type=click.Choice(["cost", "time"]), default="cost", help="Horizontal axis; default cost.")
@click.option(
    "--y", type=click.Choice(["time", "gpus", "cost", "tokens"]), default="time", help="Vertical axis; default time."
)
@click.option("--points", type=click.IntRange(2, 1000), default=20, help="Most points that are shown; default 20.")
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def frontier(
    problem_file: str,
    sets: tuple[str, ...],
    x: str,
    y: str,
    points: int,
    html: str | None,
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """The exact frontier between cost and time, cost and GPUs, time and GPUs, or either and tokens.

    No plan is better than a point in one axis without being worse in the other. Limits on cost and time are dropped
    where they are an axis (time up to four times the deadline), all others are kept; every plan is verified. Shows
    the knee, what changes from point to point, and where the request lies. With tokens, each point is the most
    tokens of the first phase for its cost or time, at even ratios from 1 % of the stated tokens to where a limit or
    four times the stated tokens end it. Exit code 3: no plan at all.
    """
    if x == y:
        raise click.UsageError("--x and --y must differ")
    problem = problem_of(problem_file, sets)
    from planner.explore.frontier import frontier as exact_frontier
    from planner.explore.frontier import room_of
    from planner.explore.per_accelerator import rivals
    from planner.report.frontier import frontier_document, print_csv, print_frontier
    from planner.report.page.frontier import frontier_page

    with working("listing the frontier"):
        room = room_of(problem)
        found = exact_frontier(problem, cast("Axis", x), cast("Axis", y), points, room)
    if found.points:
        write_page(html, lambda: frontier_page(found, rivals(found, room)))
    elif html:
        click.echo(f"there is no plan, so {html} was not written", err=True)
    with ending_with(ExitCode.OK if found.points else ExitCode.INFEASIBLE):
        if as_json:
            click.echo(json.dumps(frontier_document(found), indent=2, ensure_ascii=False))
        elif as_csv:
            print_csv(found)
        else:
            print_frontier(found)
