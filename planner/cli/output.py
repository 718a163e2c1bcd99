"""Where answers go: text, JSON or comma-separated values on standard output, workbooks and pages in files.

The options are declared here, once; every command that has an answer of this kind takes them from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from planner.cli.ending import ending_with
from planner.cli.options import html_option, write_page, xlsx_option
from planner.errors import ExitCode

if TYPE_CHECKING:
    from planner.report.result import Result

Kind = Literal["csv", "xlsx", "html", "out"]


@dataclass(frozen=True)
class Output:
    """What was asked for."""

    as_json: bool = False
    as_csv: bool = False
    out: str | None = None
    xlsx: str | None = None
    html: str | None = None

    def show(self, found: Result, code: ExitCode = ExitCode.OK) -> None:
        """Writes the files, then prints the answer, and ends with the code. Raises InputError."""
        from planner.files import replace_whole, write_whole

        if self.out is not None:
            write_whole(self.out, found.to_json() + "\n")
        for path, write in ((self.xlsx, found.sheets), (self.html, found.page)):
            if path is not None and write is None:
                click.echo(f"there is no plan, so {path} was not written", err=True)
        if self.xlsx is not None and found.sheets is not None:
            replace_whole(Path(self.xlsx), found.to_xlsx())
        if found.page is not None:
            write_page(self.html, found.page)
        with ending_with(code):
            if self.as_json:
                click.echo(found.to_json())
            elif self.as_csv:
                click.echo(found.to_csv(), nl=False)
            else:
                found.prints()


def output_options(*kinds: Kind) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds `--json` and the named options; the command receives `output`, which shows a `Result`."""

    def with_output(command: Callable[..., Any]) -> Callable[..., Any]:
        """The command, given where its result goes."""

        @wraps(command)
        def run(*arguments: Any, as_json: bool, **options: Any) -> Any:  # noqa: ANN401
            """Runs it."""
            found = {name: options.pop(name) for name in map(_name, kinds)}
            if as_json and found.get("as_csv"):
                raise click.UsageError("--json and --csv exclude each other")
            return command(*arguments, output=Output(as_json=as_json, **found), **options)

        wrapped: Callable[..., Any] = run
        for kind in reversed(kinds):
            wrapped = _OPTIONS[kind](wrapped)
        return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(wrapped)

    return with_output


def _name(kind: Kind) -> str:
    """The field of `Output` that an option is."""
    return "as_csv" if kind == "csv" else kind


_OPTIONS: dict[Kind, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "out": click.option("--out", type=click.Path(), help="Write the JSON document to this file too."),
    "csv": click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values."),
    "xlsx": xlsx_option,
    "html": html_option,
}
