"""`plan solve`: the best cluster and layout for a problem, proven."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from planner.cli.ending import ending_with, stopped_by_interrupts
from planner.cli.options import (
    cache_option,
    calibration_option,
    html_option,
    quantity,
    set_option,
    write_page,
    xlsx_option,
)
from planner.cli.reading import problem_of
from planner.cli.show import exit_code, page_of, write_files
from planner.errors import ExitCode, InputError
from planner.units import parse_duration, parse_share

if TYPE_CHECKING:
    from planner.clock import Clock
    from planner.explore.answer import Answer
    from planner.explore.surroundings import Surroundings
    from planner.plans.document import PlanDocument
    from planner.problem.problem import Problem
    from planner.session import Answered


FEW_CYCLES: Final = 1_000_000
"""Objects made between collections of garbage: a solve makes many that live on and hardly a cycle."""
TEXT_ENDINGS: Final = (".txt", ".textproto")
BINARY_ENDINGS: Final = (".pb",)
"""How the names of a model's files end."""


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option("--minimize", type=click.Choice(["cost", "time"]), help="Override the problem's objective.")
@click.option("--maximize", type=click.Choice(["tokens"]), help="Override the problem's objective.")
@click.option(
    "--time-limit",
    callback=quantity(parse_duration),
    metavar="DURATION",
    help="Stop searching after this time, such as 60s, with the best plan so far; sensitivity and relaxations use "
    "the remaining time.",
)
@click.option(
    "--within",
    default="1%",
    show_default=True,
    callback=quantity(parse_share),
    metavar="SHARE",
    help="Name plans that are worse than the best one by no more than this and much better otherwise.",
)
@click.option("--check", is_flag=True, help="Compare the optimum with an exhaustive enumeration; slow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--out", type=click.Path(), help="Write the JSON document to this file too.")
@click.option("--csv", "csv_file", type=click.Path(), help="Write the bill to this file as comma-separated values.")
@xlsx_option
@click.option("--markdown", type=click.Path(), help="Write a summary for a mail or a ticket to this file.")
@click.option(
    "--model",
    "model_file",
    type=click.Path(),
    help="Write the constraint model, with names, to this file: .txt or .textproto as text, .pb as binary.",
)
@html_option
def solve(
    problem_file: str,
    sets: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    time_limit: float | None,
    within: float,
    *,
    check: bool,
    as_json: bool,
    out: str | None,
    csv_file: str | None,
    xlsx: str | None,
    markdown: str | None,
    model_file: str | None,
    html: str | None,
) -> None:
    """The best accelerator, placement, layout and purchases for a training job, proven and verified.

    PROBLEM.YAML is a problem file (`plan init` writes one, `plan schema` states its keys), or - for standard input.
    Exit codes: 0 a plan, 2 bad input, 3 proven infeasible, 4 time limit without a plan, 130 interrupted.
    """
    import gc

    from planner.clock import Clock

    gc.set_threshold(FEW_CYCLES)
    if minimize and maximize:
        raise click.UsageError("--minimize and --maximize exclude each other")
    if model_file is not None:
        _check_model_file(model_file)
    clock, objective = Clock.of(time_limit), minimize or maximize
    problem = problem_of(problem_file, (*sets, *([f"objective={objective}"] if objective else [])))
    with stopped_by_interrupts(clock):
        found = _solved(problem, clock, within)
        if check:
            _compare(found.answer)
        write_files(found.document, csv_file, xlsx, markdown)
        if model_file is not None:
            _write_model(found.answer, model_file)
        _show(found, as_json=as_json, out=out, html=html)


def _solved(problem: Problem, clock: Clock, within: float) -> Answered:
    """The answer and what was asked around it; a plan that does not hold ends with 70 instead."""
    from planner.session import Session
    from planner.verify.check import FaultyPlanError

    try:
        return Session(problem, clock=clock, progress=_progress(), within=within).answered
    except FaultyPlanError as error:
        for fault in error.faults:
            click.echo(f"error: the plan failed its verification: {fault}", err=True)
        raise click.exceptions.Exit(ExitCode.FAILED_VERIFICATION) from None


def _check_model_file(name: str) -> None:
    """Before anything is searched. Raises InputError for a name that says no format."""
    if not name.endswith((*TEXT_ENDINGS, *BINARY_ENDINGS)):
        endings = ", ".join((*TEXT_ENDINGS, *BINARY_ENDINGS))
        raise InputError(f"{name[:200]}: a model's file ends with {endings}", fix="write --model model.txt")


def _write_model(found: Answer, name: str) -> None:
    """Writes the model that proves the plan; of tokens, the cheapest plan with as many. Raises InputError."""
    from planner.cpsat.model_file import model_file
    from planner.explore.max_tokens import lasting
    from planner.files import write_whole

    choices = found.choices
    if not choices.purchase_options:
        click.echo(f"no offer has a layout for every phase, so there is no model and {name} was not written", err=True)
        return
    if choices.objective == "tokens":
        choices = lasting(choices, found.plan.phases[0].steps if found.plan else 1)
    write_whole(name, model_file(choices, is_text=name.endswith(TEXT_ENDINGS)))


def _show(found: Answered, *, as_json: bool, out: str | None, html: str | None) -> None:
    """Writes the files, prints the answer, says what was left out, and ends with the exit code."""
    from planner.files import write_whole

    document = found.document.to_json() if as_json or out is not None else ""
    try:  # files first: whoever reads the answer, such as head, may stop before its end
        if out is not None:
            write_whole(out, document + "\n")
        write_page(html, lambda: page_of(found.document))
    finally:
        _tell_left_out(found.answer, found.around)
        _tell_old_price(found.document)
        with ending_with(exit_code(found.answer.status.value, has_plan=found.answer.plan is not None)):
            if as_json:
                click.echo(document)
            else:
                _print(found.document)


def _print(document: PlanDocument) -> None:
    """The answer for people."""
    from planner.report.plan_text import print_answer

    print_answer(document)


def _tell_old_price(document: PlanDocument) -> None:
    """Says on stderr that the price which decides is old, and how far it may rise before another plan is best."""
    from planner.report.deciding_price import old_price_line

    if line := old_price_line(document.deciding_price):
        click.echo(f"warning: {line}", err=True)


def _tell_left_out(found: Answer, around: Surroundings) -> None:
    """Says on stderr what there was no time for."""
    why = "interrupted" if found.clock.is_interrupted else "time limit"
    if found.unsearched:
        click.echo(f"{why}: not searched to the end: {', '.join(found.unsearched)}", err=True)
    if around.left_out:
        about = "sensitivity" if found.plan else "relaxations"
        click.echo(f"{why}: {about} not computed for {', '.join(around.left_out)}", err=True)


def _progress() -> Callable[[str], None] | None:
    """A line on stderr that is overwritten, when that is a terminal."""
    if not sys.stderr.isatty():
        return None

    def tell(text: str) -> None:
        """Overwrites the line, or takes it away when there is nothing more to say."""
        click.echo(f"\r\x1b[K{text}…" if text else "\r\x1b[K", err=True, nl=False)

    return tell


def _compare(found: Answer) -> None:
    """Says on stderr how the optimum compares with every layout; a difference beyond rounding to cents ends with 70."""
    from planner.plans.choices import stays_together
    from planner.verify.oracle import best_value, confirms

    if found.problem.market.is_dated:
        return click.echo("check: enumeration knows no days; leave out those of the offers", err=True)
    if not stays_together(found.problem):
        return click.echo("check: enumeration keeps all phases in one place; set market.together=true", err=True)
    expected = best_value(found.problem)
    if confirms(found.problem, found.value, found.plan.cost_usd if found.plan else None, expected):
        return click.echo(f"check: enumeration finds {expected}, the same within rounding", err=True)
    click.echo(f"error: enumeration finds {expected}, the search {found.value}", err=True)
    raise click.exceptions.Exit(ExitCode.FAILED_VERIFICATION)
