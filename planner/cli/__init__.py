"""The `plan` command: its subcommands, each imported only when it runs, and what users see when something is wrong."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword

import click

from planner import __version__
from planner.cli.ending import BEGAN, ClosedOutput, nobody_reads, raise_on_interrupts, write_in_whole
from planner.errors import ExitCode, InputError, Issue, Place, did_you_mean

COMMANDS = {
    "solve": "Find the best cluster, layout and purchases for a training job, with proof.",
    "show": "Show a saved answer again, as text and as files to send.",
    "frontier": "Compute the exact trade-off between cost, time and GPUs.",
    "whatif": "Tabulate the best plans over one or two varied keys.",
    "merge": "Put the parts of a what-if table together that several machines made.",
    "board": "Open one live page on which any limit of a request is moved.",
    "portfolio": "Plan a year of jobs that share pools, a calendar and money.",
    "scale": "Show throughput, efficiency, time and cost by number of GPUs.",
    "alternatives": "List plans of another kind that are nearly as good.",
    "diff": "Compare two plans or problems and their bills.",
    "layouts": "List every feasible layout with its time, memory and cost.",
    "check": "Check a problem file without solving it.",
    "init": "Write a commented problem file to start from.",
    "replay": "Simulate a plan under node failures and spot preemptions.",
    "export": "Write files that start a plan: Megatron, torchtitan, Slurm, SkyPilot and others.",
    "import": "Write a run file from a launch file, for an estimate.",
    "trace": "Summarize recorded spot capacity.",
    "size": "Back-of-the-envelope GPUs, days and tokens: a lower bound and a typical figure.",
    "estimate": "Estimate step time, memory, days and dollars of one exact layout.",
    "model": "Show a model's parameters, FLOPs and memory by part.",
    "catalog": "List the accelerators, offers and models of the catalogs.",
    "prices": "Read price lists into a book of your own; show changes and ages.",
    "validate": "Compare predictions with published runs.",
    "calibrate": "Fit the estimator to published runs, or measure your GPU.",
    "learn": "Learn from measured steps of your own runs, for every other command.",
    "probe": "Name the short runs that are worth their money before deciding.",
    "track": "Compare a run under way with its plan: when it ends, and what would bring it back.",
    "schema": "Print the JSON schema of problem, run and portfolio files, and of answers.",
}
"""Subcommands and their one-line help; `planner.cli.NAME` has a command of that NAME, or `NAME_`."""


class Commands(click.Group):
    """A group that imports a subcommand when it is called, and prints every error the same way."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"planner.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from the table, importing none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; an unknown one is answered with the nearest known."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0][:80]!r}; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; whatever goes wrong is told in a few lines and ends with its exit code."""
        ctx.meta[BEGAN] = time.perf_counter()
        with _told_to_the_user(ctx):
            raise_on_interrupts()
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="plan")
def main() -> None:
    """Plan large training runs: which GPUs, how many, which layout, at what cost, and when it is done."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that NumPy starts cost more than its products here
    atexit.register(gc.freeze)  # a process that ends need not look through all that lives for garbage
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some reads about every installed package
    if sys.stderr is None:  # a shell may have closed it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (while the process lives)
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    write_in_whole()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextmanager
def _told_to_the_user(ctx: click.Context) -> Iterator[None]:
    """Turns what a command raises into a message on stderr and an exit code."""
    try:
        yield
    except (click.exceptions.Exit, click.ClickException):
        raise
    except InputError as error:
        _fail(ctx, error)
    except (KeyboardInterrupt, click.Abort):
        ctx.exit(ExitCode.INTERRUPTED)
    except OSError as error:
        _fail_on_files(ctx, error)
    except Exception as error:
        if os.environ.get("PLAN_DEBUG"):
            raise
        click.echo(f"internal error: {_one_line(error)}; set PLAN_DEBUG=1 to see where", err=True)
        ctx.exit(ExitCode.FAILED_VERIFICATION)


def _one_line(error: Exception) -> str:
    """An unexpected error in a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _fail(ctx: click.Context, error: InputError) -> None:
    """Prints every issue and ends."""
    for issue in error.issues:
        click.echo(describe(issue), err=True)
    ctx.exit(error.exit_code)


def _fail_on_files(ctx: click.Context, error: OSError) -> None:
    """A reader that went away is no error; any other trouble with a file is the user's to mend."""
    if error.filename is None:  # standard output, which is not tried again when the process ends
        nobody_reads()
    if isinstance(error, BrokenPipeError) or error.errno == errno.EPIPE:
        ctx.exit(ExitCode.OK)
    place = Place(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    _fail(
        ctx, InputError(error.strerror or str(error), place=place, fix="check the path, its rights and the space left")
    )


def describe(issue: Issue) -> str:
    """An issue for people: place and message, the offending line with a caret, and the fix."""
    place = f"{issue.place}: " if issue.place else ""
    lines = [f"error: {place}{issue.message}", *_marked_line(issue.place)]
    if issue.fix:
        lines.append(f"  fix: {issue.fix}")
    return "\n".join("".join(c if c.isprintable() else "�" for c in line) for line in lines)


def _marked_line(place: Place | None, width: int = 100) -> list[str]:
    """The offending line and a caret under the column; of a long line only what surrounds the column."""
    if place is None or place.text is None or place.column is None:
        return []
    start = max(0, place.column - 1 - width * 3 // 4) if len(place.text) > width else 0
    shown = place.text[start : start + width].rstrip()
    return [f"  | {shown}", f"  | {' ' * (place.column - 1 - start)}^"]
