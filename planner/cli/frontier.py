"""`plan frontier`: what each day, dollar or device buys."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from planner.cli.options import cache_option, calibration_option, set_option, working
from planner.cli.output import Output, output_options
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
@output_options("csv", "xlsx", "html")
def frontier(
    problem_file: str,
    sets: tuple[str, ...],
    x: str,
    y: str,
    points: int,
    output: Output,
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
    from planner.report.results import frontier_result

    with working("listing the frontier"):
        room = room_of(problem)
        found = exact_frontier(problem, cast("Axis", x), cast("Axis", y), points, room)
    output.show(frontier_result(found, room), ExitCode.OK if found.points else ExitCode.INFEASIBLE)
