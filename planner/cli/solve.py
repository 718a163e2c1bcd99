"""`plan solve`: the best cluster and layout for a problem, proven."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import cache_option, html_option, quantity, set_option, write_page
from planner.cli.reading import problem_of
from planner.errors import ExitCode
from planner.units import parse_duration

if TYPE_CHECKING:
    from planner.negotiate.answer import Answer
    from planner.negotiate.patience import Patience
    from planner.negotiate.relaxations import Relaxation
    from planner.negotiate.room import Room
    from planner.negotiate.turning import TurningPoint
    from planner.negotiate.worth import Worth


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@cache_option
@click.option("--minimize", type=click.Choice(["cost", "time"]), help="Override the problem's objective.")
@click.option("--maximize", type=click.Choice(["tokens"]), help="Override the problem's objective.")
@click.option(
    "--time-limit",
    callback=quantity(parse_duration),
    metavar="DURATION",
    help="Stop searching after this time, such as 60s, with the best plan so far; what limits are worth, or what has "
    "to give, is asked in what is left of it.",
)
@click.option("--check", is_flag=True, help="Compare the optimum with an exhaustive enumeration; slow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--out", type=click.Path(), help="Write the JSON document to this file too.")
@html_option
def solve(
    problem_file: str,
    sets: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    time_limit: float | None,
    *,
    check: bool,
    as_json: bool,
    out: str | None,
    html: str | None,
) -> None:
    """The best accelerator, placement, layout and purchases for a training job, proven and verified.

    PROBLEM.YAML is a problem file (`plan init` writes one, `plan schema` states its keys), or - for standard input.
    Exit codes: 0 a plan, 2 bad input, 3 proven infeasible, 4 time limit without a plan, 130 interrupted.
    """
    from planner.files import write_whole
    from planner.negotiate.answer import answer
    from planner.negotiate.patience import Patience
    from planner.negotiate.room import Room
    from planner.negotiate.worth import prepared
    from planner.verify.check import FaultyPlanError

    if minimize and maximize:
        raise click.UsageError("--minimize and --maximize exclude each other")
    objective = minimize or maximize
    problem = problem_of(problem_file, (*sets, *([f"objective={objective}"] if objective else [])))
    patience = Patience(None if time_limit is None else time.perf_counter() + time_limit)
    try:
        room = Room(problem)
        found = answer(problem, time_limit=time_limit, progress=_progress(), prepare=lambda _: prepared(room))
        around = _negotiated(replace(room, patience=patience), found)
    except FaultyPlanError as error:
        for fault in error.faults:
            click.echo(f"error: the plan failed its verification: {fault}", err=True)
        raise click.exceptions.Exit(ExitCode.FAILED_VERIFICATION) from None
    if check:
        _compare(found)
    from planner.report.page.answer import answer_page

    document = ""
    if as_json or out is not None:
        document = json.dumps(_document(found, around, patience), indent=2, ensure_ascii=False)
    try:  # files first: whoever reads the answer, such as head, may stop before its end
        if out is not None:
            write_whole(out, document + "\n")
        write_page(html, lambda: answer_page(found, around.worth, around.gives, around.turning))
    finally:
        if as_json:
            click.echo(document)
        else:
            _print(found, around)
    if patience.left_out:
        about = "more is worth" if found.plan else "has to give"
        click.echo(f"time limit: of what {about}, left out: {', '.join(patience.left_out)}", err=True)
    if code := exit_code(found):
        raise click.exceptions.Exit(code)


@dataclass(frozen=True)
class _Around:
    """What was asked around an answer."""

    worth: Sequence[Worth] = ()
    gives: Sequence[Relaxation] = ()
    turning: TurningPoint | None = None


def _document(found: Answer, around: _Around, patience: Patience) -> dict[str, Any]:
    """The JSON document; `left_out` names what the time limit was too short to ask."""
    from planner.report.plan_json import answer_document
    from planner.report.relaxations import relaxation_documents
    from planner.report.turning import turning_document
    from planner.report.worth import limits_with_worth

    whole = answer_document(found)
    return whole | {
        "relaxations": relaxation_documents(around.gives),
        "limits": limits_with_worth(found.problem, whole["limits"], around.worth),
        "spot_turning_point": turning_document(around.turning),
        "left_out": patience.left_out,
    }


def _print(found: Answer, around: _Around) -> None:
    """The answer for people."""
    from planner.report.plan_text import print_answer
    from planner.report.relaxations import print_relaxations
    from planner.report.turning import turning_lines
    from planner.report.worth import worth_lines

    print_answer(found)
    for line in (*worth_lines(around.worth), *turning_lines(around.turning)):
        click.echo(line)
    if around.gives:
        print_relaxations(found.problem, around.gives)


def _negotiated(room: Room, found: Answer) -> _Around:
    """What a little more of each limit is worth and where spot turns, or what has to give; nothing on Ctrl-C."""
    from planner.formulation.outcome import Status
    from planner.negotiate.relaxations import relaxations
    from planner.negotiate.turning import turning_point
    from planner.negotiate.worth import worths

    try:
        if found.status is Status.INFEASIBLE:
            return _Around(gives=relaxations(found.problem, room.patience))
        if found.plan is None:
            return _Around()
        worth, plan, turning = worths(room, found.plan), found.plan, None
        if found.problem.objective == "cost" and "spot" in found.problem.market.purchase:
            turning = room.patience.ask("market.spot_price", lambda: turning_point(found.choices, plan))
        return _Around(worth=worth, turning=turning)
    except KeyboardInterrupt:
        click.echo("interrupted: what the limits are worth is left out", err=True)
        return _Around()


def exit_code(found: Answer) -> ExitCode:
    """What the shell is told."""
    from planner.formulation.outcome import Status

    if found.plan is not None:
        return ExitCode.OK
    if found.status is Status.INFEASIBLE:
        return ExitCode.INFEASIBLE
    return ExitCode.INTERRUPTED if found.outcome.interrupted else ExitCode.NO_PLAN_IN_TIME


def _progress() -> Callable[[str], None] | None:
    """A line on stderr that is overwritten, when that is a terminal."""
    if not sys.stderr.isatty():
        return None

    def tell(text: str) -> None:
        click.echo(f"\r\x1b[K{text}…" if text else "\r\x1b[K", err=True, nl=False)

    return tell


def _compare(found: Answer) -> None:
    """Says on stderr how the optimum compares with the enumeration; a difference beyond rounding ends with 70."""
    from planner.verify.oracle import agrees, best_value

    expected = best_value(found.problem)
    cents = 0.01 * len(found.plan.purchases) / max(float(found.plan.cost_usd), 0.01) if found.plan else 0.0
    if agrees(found.value, expected, found.outcome.error + cents):
        return click.echo(f"check: enumeration finds {expected}, the same within rounding", err=True)
    click.echo(f"error: enumeration finds {expected}, the search {found.value}", err=True)
    raise click.exceptions.Exit(ExitCode.FAILED_VERIFICATION)
