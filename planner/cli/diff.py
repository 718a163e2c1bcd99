"""`plan diff`: what differs between two plans or two problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import cache_option, working
from planner.cli.output import Output, output_options
from planner.cli.reading import warn_of_phases
from planner.errors import ExitCode, InputError, Place

if TYPE_CHECKING:
    from planner.plans.document import PlanDocument
    from planner.report.diff import Dated


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@cache_option
@output_options("html")
def diff(old: str, new: str, output: Output) -> None:
    """What changes from A to B: `+` added, `~` changed, `-` removed, then the bill.

    A and B are each a plan that `plan solve --out` wrote, or a problem file, which is solved; of two problem files what
    they ask for is compared too. Or both are answers that `plan portfolio --out` wrote. Exit code 3: one of them has no
    plan.
    """
    from planner.files import ANSWER_FIX, LARGEST_ANSWER, read_given

    contents = [(path, read_given(path, LARGEST_ANSWER, fix=ANSWER_FIX)) for path in (old, new)]
    if portfolios := _portfolios(contents):
        return _diff_portfolios(portfolios[0], portfolios[1], output)
    (before, first), (after, second) = (_plan(*one) for one in contents)
    from planner.report.diff_result import diff_result

    return output.show(diff_result(before, after, None if first is None or second is None else (first, second)))


def _portfolios(contents: Sequence[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Both documents when both are answers of `plan portfolio`, else none. Raises InputError when only one is."""
    found = [_written(path, content) for path, content in contents if content.lstrip().startswith(b"{")]
    portfolios = [one for one in found if one.get("kind") == "portfolio"]
    if len(portfolios) == 1:
        fix = "give two answers of plan portfolio, or two plans"
        raise InputError("a portfolio beside something else", place=Place(contents[1][0]), fix=fix)
    return portfolios


def _diff_portfolios(before: dict[str, Any], after: dict[str, Any], output: Output) -> None:
    """Prints what differs between two answers of `plan portfolio`."""
    from planner.report.portfolio_diff import portfolio_diff, portfolio_diff_lines
    from planner.report.result import Result

    if not (before.get("jobs") and after.get("jobs")):
        click.echo("error: one of the portfolios has no plan; plan portfolio shows the smallest relaxations", err=True)
        raise click.exceptions.Exit(ExitCode.INFEASIBLE)
    try:
        found = portfolio_diff(before, after)
        lines = list(portfolio_diff_lines(before, after))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError):
        fix = "give files that plan portfolio --out wrote, as they were written"
        raise InputError("a portfolio with missing or changed figures", fix=fix) from None
    output.show(Result(found, lambda: click.echo("\n".join(lines))))


def _plan(path: str, content: bytes) -> tuple[Dated, dict[str, Any] | None]:
    """The plan that a file (`-`: standard input) holds or that a problem file asks for, and what that file says."""
    from planner.plans.document import PlanDocument
    from planner.report.diff import Dated

    is_answer = content.lstrip().startswith(b"{")
    document, asked = (PlanDocument.parsed(content, Place(path)), None) if is_answer else _solved(path, content)
    if document.plan is None:
        click.echo(f"error: {path}: no plan exists; plan solve {path} shows the smallest relaxations", err=True)
        raise click.exceptions.Exit(ExitCode.INFEASIBLE)
    return Dated(document.plan, document.catalog.date), asked


def _written(path: str, content: bytes) -> dict[str, Any]:
    """A JSON document. Raises InputError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        message = f"not a plan in JSON: {error}"
        raise InputError(message, place=Place(path), fix="give a file that plan solve --out wrote") from None
    return document if isinstance(document, dict) else {}


def _solved(path: str, content: bytes) -> tuple[PlanDocument, dict[str, Any]]:
    """The answer to a problem file, and what the file says."""
    from planner.problem.document import document_of

    document = document_of(content, path)
    from planner.explore.answer import answer
    from planner.market.names import named_problem
    from planner.report.document.answer import answer_document

    problem = named_problem(document)
    warn_of_phases(problem)
    with working(f"solving {path}"):
        return answer_document(answer(problem)), dict(document.data)
