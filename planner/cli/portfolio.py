"""`plan portfolio`: several jobs that share pools, a calendar and money."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from planner.cli.ending import ending_with, stopped_by_interrupts
from planner.cli.options import cache_option, quantity, set_option
from planner.errors import ExitCode
from planner.units import parse_duration, parse_share

if TYPE_CHECKING:
    from planner.clock import Clock
    from planner.explore.portfolio import PortfolioAnswer
    from planner.portfolio.instance import Portfolio


class _FileOrCommand(click.Group):
    """A group whose first argument may be a file, which is then solved."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that the first argument names; anything else is the file of `solve`."""
        if args and args[0] not in self.commands:
            args = ["solve", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options that stand before the file are those of `solve`."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["solve", *args]
        return super().parse_args(ctx, args)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--time-limit` and `--gap`."""
    time = "Stop searching after this time, such as 60s, with the best plan so far."
    gap = "Stop as soon as the plan is proven to be this close to the best, such as 1%; default 0.01%."
    command = click.option("--gap", callback=quantity(parse_share), metavar="SHARE", help=gap)(command)
    return click.option("--time-limit", callback=quantity(parse_duration), metavar="DURATION", help=time)(command)


@click.group(cls=_FileOrCommand, context_settings={"help_option_names": ["-h", "--help"]})
def portfolio() -> None:
    """Plan a year of jobs: `plan portfolio FILE`, or one of the commands below.

    Which job runs when, in which pool and on how many nodes, what to commit to, and who pays. FILE is a portfolio
    file (`plan schema portfolio` states its keys); options of `plan portfolio FILE` are those of `plan portfolio
    solve FILE`.
    """


@portfolio.command()
@click.argument("file", metavar="FILE")
@set_option
@cache_option
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--out", type=click.Path(), help="Write the JSON document to this file too.")
def solve(
    file: str,
    sets: tuple[str, ...],
    time_limit: float | None,
    gap: float | None,
    *,
    as_json: bool,
    out: str | None,
) -> None:
    """The best schedule of a portfolio, verified, with a bound that no schedule beats.

    Exit codes: 0 a plan, 2 bad input, 3 proven infeasible, 4 time limit without a plan, 130 interrupted before one.
    """
    from planner.clock import Clock
    from planner.files import write_whole
    from planner.report.portfolio_json import portfolio_document
    from planner.report.portfolio_text import print_portfolio

    clock = Clock.of(time_limit)
    numbers = portfolio_of(file, sets, clock)
    with stopped_by_interrupts(clock):
        found = solved(numbers, clock, gap)
    document = portfolio_document(found)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if out is not None:
        write_whole(out, text + "\n")
    with ending_with(exit_code(found)):
        if as_json:
            click.echo(text)
        else:
            print_portfolio(document)


@portfolio.command()
@click.argument("file", metavar="FILE")
@set_option
@cache_option
def check(file: str, sets: tuple[str, ...]) -> None:
    """Whether a portfolio file is right, and what it asks for, without solving it."""
    from planner.report.portfolio_check import check_lines

    numbers = portfolio_of(file, sets, None)
    with ending_with():
        for line in check_lines(numbers):
            click.echo(line)


def portfolio_of(file: str, sets: tuple[str, ...], clock: Clock | None) -> Portfolio:
    """The numbers of a portfolio file. Raises InputError with every issue."""
    from planner.portfolio.file import load_portfolio

    loaded = load_portfolio(file, sets)
    from planner.portfolio.compile import compiled

    return compiled(loaded, clock)


def solved(numbers: Portfolio, clock: Clock, gap: float | None) -> PortfolioAnswer:
    """The answer; one that does not hold ends with 70 instead."""
    from planner.explore.portfolio import DEFAULT_GAP, Stop, solve_portfolio
    from planner.verify.portfolio import FaultyScheduleError

    try:
        return solve_portfolio(numbers, Stop(clock, DEFAULT_GAP if gap is None else gap), progress=progress_line())
    except FaultyScheduleError as error:
        for fault in error.faults:
            click.echo(f"error: the plan failed its verification: {fault}", err=True)
        raise click.exceptions.Exit(ExitCode.FAILED_VERIFICATION) from None


def progress_line() -> Callable[[str], None] | None:
    """A line on stderr that is overwritten, when that is a terminal."""
    if not sys.stderr.isatty():
        return None

    def tell(text: str) -> None:
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    return tell


def exit_code(found: PortfolioAnswer) -> ExitCode:
    """What the shell is told."""
    from planner.plans.solution import Status

    if found.schedule is not None:
        return ExitCode.OK
    if found.status is Status.INFEASIBLE:
        return ExitCode.INFEASIBLE
    return ExitCode.INTERRUPTED if found.clock.is_interrupted else ExitCode.NO_PLAN_IN_TIME
