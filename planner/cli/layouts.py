"""`plan layouts`: every feasible layout with its evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from planner.cli.options import cache_option, calibration_option, set_option, working
from planner.cli.reading import problem_of
from planner.errors import ExitCode

if TYPE_CHECKING:
    from planner.explore.layout_table import LayoutTable
    from planner.plans.choices import Choices
    from planner.problem.problem import Problem

SHOWN = 20
"""Layouts of each phase that people are shown unless they ask for another number."""


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help=f"Number of layouts per phase, cheapest first; default {SHOWN}, with --csv all.",
)
@click.option("--undominated", is_flag=True, help="Only the layouts that the solver chooses from.")
@click.option(
    "--beyond",
    is_flag=True,
    help="Also layouts on more nodes than a cloud sells without a contract, marked; by default only where nothing else "
    "is feasible.",
)
def layouts(
    problem_file: str, sets: tuple[str, ...], *, as_csv: bool, top: int | None, undominated: bool, beyond: bool
) -> None:
    """Every feasible layout: degrees, GPUs, nodes, step time, memory, wall time and cost.

    Nodes are those that are billed: whole ones, spares included. Each layout is priced on the cheapest on-demand offer
    with room on its machine, exactly as `plan solve` does; the least cost in the column is the on-demand optimum.
    Deadline and budget are not applied. Exit code 3: no layout at all.
    """
    problem = problem_of(problem_file, sets)
    from planner.explore.layout_table import layout_tables
    from planner.market.capacity import Capacities
    from planner.report.layouts import cheapest, print_csv, print_table, without_limits

    count = 0
    with working("evaluating layouts"):
        choices = _choices(without_limits(problem), beyond=beyond)
        tables: Iterable[LayoutTable] = layout_tables(
            choices, undominated=undominated, capacities=Capacities.of(problem)
        )
        if top is not None or not as_csv:
            tables, count = cheapest(tables, top or SHOWN)
    shown = (print_csv if as_csv else print_table)(tables)
    if not as_csv and shown < count:
        of_each = " of each phase" if len(choices.phases) > 1 else ""
        click.echo(f"{shown:,} of {count:,} layouts, the cheapest{of_each} first; --top N shows more, --csv all")
    if not shown:
        click.echo(f"no layout is feasible; plan solve {problem_file} says why", err=True)
        raise click.exceptions.Exit(ExitCode.INFEASIBLE)


def _choices(problem: Problem, *, beyond: bool) -> Choices:
    """What is listed: of nodes that are sold, or of any number when asked for or when nothing less is feasible."""
    from planner.explore.capacity import ungranted
    from planner.plans.choices import choices_of

    wider = ungranted(problem)
    found = None if beyond and wider else choices_of(problem)
    return found if found and (found.purchase_options or wider is None) else choices_of(wider or problem)
