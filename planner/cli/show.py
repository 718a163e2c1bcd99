"""`plan show`: a saved answer again, as text and as files to send, without solving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.ending import ending_with
from planner.cli.options import html_option, write_page
from planner.errors import ExitCode, InputError, Place

if TYPE_CHECKING:
    from planner.plans.document import PlanDocument
    from planner.report.page.parts import Page


@click.command()
@click.argument("answer", metavar="ANSWER.JSON")
@click.option("--csv", "csv_file", type=click.Path(), help="Write the bill to this file as comma-separated values.")
@click.option("--xlsx", type=click.Path(), help="Write a workbook whose bill recomputes to this file (extra xlsx).")
@click.option("--markdown", type=click.Path(), help="Write a summary for a mail or a ticket to this file.")
@html_option
def show(answer: str, csv_file: str | None, xlsx: str | None, markdown: str | None, html: str | None) -> None:
    """A saved answer as `plan solve` printed it, and as files to send; nothing is solved.

    ANSWER.JSON is what `plan solve --out` wrote, or - for standard input. Exit codes are those of `plan solve`.
    """
    from planner.files import ANSWER_FIX
    from planner.plans.document import PlanDocument
    from planner.report.plan_text import print_answer

    document = PlanDocument.given(answer)
    try:
        write_files(document, csv_file, xlsx, markdown)
        write_page(html, lambda: page_of(document))
        with ending_with(exit_code(document.status, has_plan=document.plan is not None)):
            print_answer(document)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, StopIteration):
        raise InputError("an answer with missing or changed figures", place=Place(answer), fix=ANSWER_FIX) from None


def write_files(document: PlanDocument, csv_file: str | None, xlsx: str | None, markdown: str | None) -> None:
    """Writes the files to send, where there is a plan to send. Raises InputError."""
    plan, wanted = document.plan, [one for one in (csv_file, xlsx, markdown) if one is not None]
    if plan is None:
        for one in wanted:
            click.echo(f"there is no plan, so {one} was not written", err=True)
        return
    if not wanted:
        return
    from pathlib import Path

    from planner.files import replace_whole, write_whole
    from planner.report.solve_files import csv_text, markdown_text, workbook

    if csv_file is not None:
        write_whole(csv_file, csv_text(plan))
    if markdown is not None:
        write_whole(markdown, markdown_text(document, plan))
    if xlsx is not None:
        replace_whole(Path(xlsx), workbook(document, plan))


def page_of(document: PlanDocument) -> Page:
    """The answer as a page."""
    from planner.report.page.answer import answer_page

    return answer_page(document)


def exit_code(status: str, *, has_plan: bool) -> ExitCode:
    """What the shell is told of an answer."""
    if has_plan:
        return ExitCode.OK
    return ExitCode.INFEASIBLE if status == "infeasible" else ExitCode.NO_PLAN_IN_TIME
