"""`plan whatif`: a table of best plans over one or two quantities."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click

from planner.cli.options import cache_option, calibration_option, set_option, workers_option
from planner.cli.output import Output, output_options
from planner.cli.reading import warn_of_phases
from planner.errors import ExitCode

if TYPE_CHECKING:
    from planner.explore.whatif import WhatIf
    from planner.problem.document import Document
    from planner.report.whatif import Shown


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@click.option(
    "--vary",
    "vary",
    multiple=True,
    required=True,
    metavar="KEY=VALUES",
    help="A key of the file and its values: LOW..HIGH:N at equal distances, LOW..HIGH:N:log at equal ratios, or A,B,C. "
    "May be given twice; up to a million cells, of which 20,000 that need a search are printed: --out writes more.",
)
@set_option
@calibration_option
@cache_option
@click.option(
    "--show",
    type=click.Choice(["cost", "time", "tokens", "gpus", "accelerator"]),
    help="What the cells of a table of two quantities show; default the objective.",
)
@workers_option
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Write a row per cell to FILE.csv or FILE.parquet and print nothing.",
)
@click.option("--part", metavar="i/N", help="With --out FILE.csv: one of N parts of the cells, for plan merge.")
@output_options("csv", "xlsx", "html")
def whatif(
    problem_file: str,
    vary: tuple[str, ...],
    sets: tuple[str, ...],
    show: str | None,
    workers: int | str | None,
    out: str | None,
    part: str | None,
    output: Output,
) -> None:
    """The proven best plan for every value of one key of a problem, or every combination of two.

    For example --vary limits.budget=1MUSD..5MUSD:9 --vary market.spot_price=×0.5..×2:5: any key that --set can set.
    Each cell is what `plan solve` answers with its --set, verified; layouts that cells share are evaluated once, and as
    many processes as there are processors share the work.
    Ctrl-C prints the cells that are done. Exit codes: 0 a table, 2 bad input, 3 no cell has a plan, 130 cells are
    missing.
    """
    from planner.problem.document import read_document

    if show and len(vary) == 1:
        raise click.UsageError("--show is for two quantities: a table of one shows everything")
    if part and not out:
        raise click.UsageError("--part needs --out FILE.csv")
    if out and (output != Output() or show):
        raise click.UsageError("--out prints nothing: leave out --json, --csv, --xlsx, --html and --show")
    document = read_document(problem_file, sets)
    if out is not None:
        return _write(document, vary, out, part, workers)
    from planner.explore.whatif import whatif as what_if
    from planner.report.results import whatif_result

    with _progress() as tell:
        found = what_if(document, vary, workers=workers, progress=tell)
    warn_of_phases(*(cell.problem for cell in found.flat))
    if found.stopped:
        _tell_missing(found)
    return output.show(whatif_result(found, cast("Shown | None", show)), _exit_code(found))


def _write(document: Document, vary: tuple[str, ...], out: str, part: str | None, workers: int | str | None) -> None:
    """Writes the cells, or a part of them, to a file, row by row."""
    from planner.explore.whatif import SweepPart, cells_of
    from planner.report.sweep_file import write_sweep

    chosen = SweepPart.parse(part) if part else SweepPart()
    with _progress() as tell:
        axes, numbers, cells = cells_of(document, vary, chosen, workers=workers, progress=tell)
        write_sweep(out, axes, cells, chosen if part else None, len(numbers))


def _exit_code(found: WhatIf) -> ExitCode:
    """What the shell is told."""
    if found.stopped:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if any(cell.plan for cell in found.flat) else ExitCode.INFEASIBLE


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr when that is a terminal; it needs no thread, which processes could not be forked beside."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("evaluating layouts", total=None)

        def tell(done: int, total: int) -> None:
            """Moves the bar."""
            bar.update(task, completed=done, total=total, description="cells" if done else None, refresh=True)

        yield tell


SHOWN_MISSING = 5
"""Missing cells that are named."""


def _tell_missing(found: WhatIf) -> None:
    """Says on stderr which cells are not there, and why."""
    named = [" ".join(cell.sets) for cell in found.missing]
    more = f", and {len(named) - SHOWN_MISSING} more" if len(named) > SHOWN_MISSING else ""
    fix = "; try --workers 1, which needs less memory" if found.stopped == "a process died" else ""
    shown = ", ".join(named[:SHOWN_MISSING])
    click.echo(f"{found.stopped}: {len(named)} of {len(found.flat)} cells are missing{fix}: {shown}{more}", err=True)
