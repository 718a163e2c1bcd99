"""Options that several commands share."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from planner.errors import InputError, Place
from planner.files import NO_CACHE
from planner.units import QuantityError

if TYPE_CHECKING:
    from planner.report.page.parts import Page

Value = TypeVar("Value")


class Subcommands(click.Group):
    """A group whose help shows the whole first sentence of each command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands; click itself cuts sentences off."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(LONGEST)) for name, one in self.commands.items()])


LONGEST: Final = 200
"""Characters of a sentence about a command."""


def quantity(parse: Callable[[object], Value]) -> Callable[[click.Context, click.Parameter, str | None], Value | None]:
    """An option's callback that reads its text with a parser of `planner.units`: `callback=quantity(parse_tokens)`.

    None stays None. The InputError that it raises names the option.
    """

    def read(_: click.Context, parameter: click.Parameter, text: str | None) -> Value | None:
        """The quantity in internal units."""
        try:
            return None if text is None else parse(text)
        except QuantityError as error:
            raise InputError(error.message, place=Place(parameter.opts[0]), fix=error.fix) from None

    return read


def set_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--set PATH=VALUE`, as often as wanted; the command receives `sets`."""
    text = "Override a key of the file, such as limits.budget=1.5MUSD; may be given several times."
    return click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help=text)(command)


def calibration_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--calibration FILE`, which the command receives among its `sets` as the key `calibration`."""
    text = "A calibration that plan learn or plan calibrate wrote, instead of the file's or the catalog's."

    @wraps(command)
    def with_calibration(*arguments: Any, calibration: Path | None, sets: tuple[str, ...], **options: Any) -> Any:  # noqa: ANN401
        """The command, with the calibration among what is set."""
        stated = () if calibration is None else (f"calibration={calibration.absolute()}",)
        return command(*arguments, sets=(*sets, *stated), **options)

    option = click.option("--calibration", type=click.Path(path_type=Path), metavar="FILE.toml", help=text)
    return option(with_calibration)


def cache_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--no-cache`: the command neither reads nor writes evaluated layouts on disk, whatever its processes."""
    text = "Evaluate every layout anew, without the layouts that are cached on disk."
    return click.option("--no-cache", is_flag=True, expose_value=False, callback=_without_cache, help=text)(command)


def _without_cache(context: click.Context, _: click.Parameter, is_set: bool) -> None:
    """Sets the variable that switches the cache off, which child processes inherit, until the command ends."""
    if is_set:
        before = os.environ.get(NO_CACHE)
        os.environ[NO_CACHE] = "1"
        context.call_on_close(lambda: _restore(before))


def _restore(value: str | None) -> None:
    if value is None:
        os.environ.pop(NO_CACHE, None)
    else:
        os.environ[NO_CACHE] = value


def workers_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--workers N|dask://HOST:PORT`; the command receives `workers`, None when it is not given."""
    text = "Processes, or a Dask scheduler whose workers have plan installed; the results are the same."
    option = click.option("--workers", callback=_workers, metavar="N|dask://HOST:PORT", help=text)
    return option(command)


MOST_WORKERS = 256
"""Most processes on this machine."""


def _workers(_: click.Context, __: click.Parameter, text: str | None) -> int | str | None:
    """A number of processes, or the address of a Dask scheduler. Raises InputError."""
    if text is None or re.fullmatch(r"dask://[A-Za-z0-9.\-]{1,200}:[0-9]{1,5}", text):
        return text
    if text.isdecimal() and 1 <= int(text[:4]) <= MOST_WORKERS:
        return int(text[:4])
    message = f"{text[:60]!r} is neither 1 to {MOST_WORKERS} processes nor a Dask scheduler"
    raise InputError(message, place=Place("--workers"), fix="write 4, or dask://localhost:8786")


def html_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--html FILE`; the command receives `html`, and InputError is raised at once when pages cannot be made."""
    text = "Write a self-contained HTML report (extra html)."
    return click.option("--html", type=click.Path(), metavar="FILE", callback=require_html, help=text)(command)


def require_html(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """An option's callback: its path, once what pages and pictures need is there. Raises InputError."""
    if path is not None:
        from planner.report.page.drawing import require_libraries

        require_libraries()
    return path


def xlsx_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--xlsx FILE`; the command receives `xlsx`, and InputError is raised at once when none can be made."""
    text = "Write a workbook that recomputes (extra xlsx)."
    return click.option("--xlsx", type=click.Path(), metavar="FILE", callback=_require_xlsx, help=text)(command)


def _require_xlsx(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """An option's callback: its path, once what workbooks need is there. Raises InputError."""
    if path is not None:
        from planner.report.sheets import require_workbooks

        require_workbooks()
    return path


def write_page(path: str | None, page: Callable[[], Page]) -> None:
    """Writes a page whole, when there is a path for it. Raises InputError."""
    if path is not None:
        from planner.files import write_whole
        from planner.report.page.render import rendered

        write_whole(path, rendered(page(), _made()))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Says on stderr what is being done, when that is a terminal, until it is done."""
    shown = sys.stderr.isatty()
    if shown:
        click.echo(f"{text}…", err=True, nl=False)
    try:
        yield
    finally:
        if shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def _made() -> str:
    """The command that is running, its version and today's date."""
    from planner import __version__
    from planner.clock import today

    return f"plan {__version__}, {today().isoformat()}: {shlex.join(['plan', *sys.argv[1:]])}"
