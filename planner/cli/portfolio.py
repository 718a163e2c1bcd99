"""`plan portfolio`: several jobs that share pools, a calendar and money."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from planner.cli.ending import clock_of_command, ending_with, stopped_by_interrupts
from planner.cli.options import Subcommands, cache_option, html_option, quantity, set_option, workers_option, write_page
from planner.errors import ExitCode
from planner.units import parse_duration, parse_share

if TYPE_CHECKING:
    from planner.clock import Clock
    from planner.explore.portfolio import PortfolioAnswer
    from planner.portfolio.instance import Portfolio


class _FileOrCommand(Subcommands):
    """A group whose first argument may be a file, which is then solved."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name; anything else is the file of `solve`."""
        return super().get_command(ctx, cmd_name) or self.commands["solve"]

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
@click.option(
    "--replay",
    "draws",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Carry the plan out so many times, with estimates that are off, failures and late pools, and say how often "
    "each deadline and budget holds and whose slip breaks it.",
)
@click.option(
    "--delay",
    callback=quantity(parse_duration),
    default="14d",
    show_default=True,
    metavar="DURATION",
    help="With --replay: how late a pool that is yet to come arrives on average.",
)
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--out", type=click.Path(), help="Write the JSON document to this file too.")
@html_option
@click.option("--csv", "csv_file", type=click.Path(), help="Write a table with a row per phase to this file.")
@click.option("--ics", "ics_file", type=click.Path(), help="Write an iCalendar with an event per phase to this file.")
def solve(
    file: str,
    sets: tuple[str, ...],
    time_limit: float | None,
    gap: float | None,
    draws: int | None,
    delay: float,
    workers: int | str | None,
    *,
    as_json: bool,
    out: str | None,
    html: str | None,
    csv_file: str | None,
    ics_file: str | None,
) -> None:
    """Find the best schedule of a portfolio, verified, with a bound that no schedule beats.

    Exit codes: 0 a plan, 2 bad input, 3 proven infeasible, 4 time limit without a plan, 130 interrupted before one.
    """
    from planner.report.page.portfolio import portfolio_page
    from planner.report.portfolio_files import calendar_text, csv_text

    clock = clock_of_command(time_limit)
    numbers = portfolio_of(file, sets, clock)
    with stopped_by_interrupts(clock):
        found = solved(numbers, clock, gap)
        document = _document(found, clock)
    if draws and found.schedule is not None:
        document["replay"] = _replayed(found, draws, delay, workers)
    for path, text in ((out, _json), (csv_file, csv_text), (ics_file, calendar_text)):
        _write(path, text, document)
    write_page(html, lambda: portfolio_page(document))
    with ending_with(exit_code(found)):
        _show(document, as_json=as_json)


def _json(document: dict[str, Any]) -> str:
    """The document as a file holds it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(path: str | None, text: Callable[[dict[str, Any]], str], document: dict[str, Any]) -> None:
    """Writes one form of the answer, when there is a path for it."""
    from planner.files import write_whole

    if path is not None:
        write_whole(path, text(document))


def _document(found: PortfolioAnswer, clock: Clock) -> dict[str, Any]:
    """The answer with what is asked around it, as far as there is time."""
    from planner.explore.portfolio_negotiation import relaxations_of, worth_of
    from planner.plans.solution import Status
    from planner.report.portfolio_json import portfolio_document

    is_proven, is_empty = found.status is Status.INFEASIBLE, found.schedule is None
    return portfolio_document(
        found,
        worth=() if is_empty or clock.is_over else worth_of(found, clock),
        relaxations=relaxations_of(found, clock) if is_proven or (is_empty and not clock.is_over) else (),
    )


def _replayed(found: PortfolioAnswer, draws: int, delay: float, workers: int | str | None) -> dict[str, Any]:
    """What happens when the plan is carried out."""
    from planner.explore.spread import spread_over
    from planner.report.portfolio_around import replay_document
    from planner.simulate.portfolio import replayed
    from planner.units import SECONDS_PER_DAY

    assert found.schedule is not None  # noqa: S101  (the caller has looked)
    days = delay / SECONDS_PER_DAY
    outcomes = replayed(found.portfolio, found.schedule, draws, days, spread_over(workers))
    return replay_document(found.portfolio, outcomes)


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    """Prints the answer."""
    from planner.report.console import wide_console
    from planner.report.portfolio_around import replay_parts
    from planner.report.portfolio_text import print_portfolio

    if as_json:
        return click.echo(_json(document), nl=False)
    print_portfolio(document)
    if "replay" in document:
        console = wide_console()
        console.print()
        for part in replay_parts(document["replay"]):
            console.print(part)
    return None


@portfolio.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--vary",
    required=True,
    metavar="KEY=VALUES",
    help="A key of the file and its values, such as 'pools[own h200].from=2027-03-01,2027-05-01', "
    "or budget.total=$8M..$12M:5.",
)
@set_option
@cache_option
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def whatif(
    file: str, vary: str, sets: tuple[str, ...], time_limit: float | None, gap: float | None, *, as_json: bool
) -> None:
    """Find the best schedule for each of several values of one key.

    Each starts from the schedule of the value before, so that more never makes a plan worse, and says when two are
    not told apart: when their difference is smaller than their gaps. --time-limit is for all of them together; without
    it the first takes 20 s at most and each other 8 s.
    Exit codes: 0 a plan for some value, 2 bad input, 3 none.
    """
    from planner.explore.portfolio import DEFAULT_GAP
    from planner.explore.portfolio_negotiation import solved_each
    from planner.explore.sweep_option import varied
    from planner.portfolio.compile import compiled
    from planner.portfolio.file import MOST_BYTES, PortfolioFile
    from planner.problem.document import read_document, with_overrides
    from planner.report.console import wide_console
    from planner.report.portfolio_around import whatif_rows, whatif_table

    clock = clock_of_command(time_limit)
    document = read_document(file, sets, most_bytes=MOST_BYTES)
    (key,) = varied(document, (vary,), PortfolioFile)
    numbers = [compiled(PortfolioFile.of(with_overrides(document, [one]))) for one in key.sets]
    share = None if time_limit is None else time_limit / len(numbers)
    with stopped_by_interrupts(clock):
        answers = list(solved_each(numbers, clock, DEFAULT_GAP if gap is None else gap, share or EACH))
    rows = whatif_rows(key.key, key.values, answers)
    with ending_with(ExitCode.OK if any(one.schedule for one in answers) else ExitCode.INFEASIBLE):
        if as_json:
            click.echo(json.dumps({"format_version": 1, "cells": rows}, indent=2, ensure_ascii=False))
        else:
            wide_console().print(whatif_table(key.key, rows))


EACH = 20.0
"""Seconds for each value when no limit is stated."""


@portfolio.command()
@click.argument("file", metavar="FILE")
@set_option
@cache_option
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reserve(file: str, sets: tuple[str, ...], time_limit: float | None, gap: float | None, *, as_json: bool) -> None:
    """Show cost against nodes committed: each term at several numbers of nodes, beside the plan's own.

    Exit codes are those of `plan portfolio solve`.
    """
    from planner.clock import Clock
    from planner.explore.portfolio_negotiation import reserve as reserved
    from planner.report.console import wide_console
    from planner.report.portfolio_around import reserve_rows, reserve_table

    clock = clock_of_command(time_limit)
    numbers = portfolio_of(file, sets, clock)
    with stopped_by_interrupts(clock):
        own = Clock.of(EACH if time_limit is None else time_limit / 3)
        found = solved(numbers, own, gap)
        rows = reserve_rows(reserved(found, clock), found) if found.schedule is not None else []
    with ending_with(exit_code(found)):
        if as_json:
            click.echo(json.dumps({"format_version": 1, "reserve": rows}, indent=2, ensure_ascii=False))
        elif rows:
            wide_console().print(reserve_table(rows))
        else:
            click.echo("nothing can be committed to" if found.schedule else "no plan to compare with")


@portfolio.command()
@click.argument("file", metavar="FILE")
@set_option
@cache_option
def check(file: str, sets: tuple[str, ...]) -> None:
    """Check a portfolio file and say what it asks for, without solving it."""
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
        """Overwrites the line."""
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
