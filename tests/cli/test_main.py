"""The `plan` command itself: help without imports, and errors that people can act on."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from planner import cli
from planner.cli import main
from planner.cli.options import quantity, set_option
from planner.errors import InputError, Issue, Place
from planner.files import write_whole
from planner.units import parse_duration

RUN_PLAN = "import sys; from planner.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"


HEAVY = {"numpy", "pydantic", "rich", "ortools", "pandas", "ruamel.yaml", "scipy"}
"""Libraries that take long to import."""


def modules_after(*arguments: str, code: int = 0) -> set[str]:
    """The modules that a fresh process has imported when `plan` ends with an exit code."""
    command = [sys.executable, "-c", RUN_PLAN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, bool(done.stdout)) == (code, code == 0)
    return set(done.stderr.split())


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Result:
    """What `plan` does when its command raises an error."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: broken)
    monkeypatch.delenv("PLAN_DEBUG", raising=False)
    return CliRunner().invoke(main, ["schema"])


def test_help_imports_nothing_heavy() -> None:
    """`plan --help` lists every command without importing what any of them needs."""
    assert not modules_after("--help") & {*HEAVY, "planner.cli.schema"}


@pytest.mark.parametrize(
    "command",
    [
        ["alternatives", "missing.yaml"],
        ["check", "missing.yaml"],
        ["diff", "missing.json", "missing.yaml"],
        ["estimate", "missing.yaml"],
        ["frontier", "missing.yaml"],
        ["layouts", "missing.yaml"],
        ["scale", "missing.yaml"],
        ["whatif", "missing.yaml", "--vary", "limits.gpus=8,16"],
    ],
    ids=lambda command: command[0],
)
def test_a_missing_file_is_told_before_anything_heavy_is_imported(command: list[str]) -> None:
    """A mistyped path is answered at once."""
    assert not modules_after(*command, code=2) & HEAVY


def test_schema_imports_no_solver() -> None:
    """A command that does not solve imports neither the solver nor pandas."""
    assert not modules_after("schema") & {"ortools", "pandas", "rich", "scipy"}


def test_help_names_every_command() -> None:
    """The table of commands is what `--help` shows."""
    shown = CliRunner().invoke(main, ["--help"]).output
    assert all(f"\n  {name} " in shown for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_documented(name: str) -> None:
    """`plan NAME --help` works for each command of the table, and each of its options has a text."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    """A typo costs one more try, and exit code 2."""
    result = CliRunner().invoke(main, ["estimte"])
    assert result.exit_code == 2
    assert "no command 'estimte'; did you mean estimate?" in result.stderr


@pytest.mark.parametrize(("arguments", "key"), [(["schema"], "limits"), (["schema", "run"], "cluster")])
def test_schema_prints_the_json_schema(arguments: list[str], key: str) -> None:
    """Problem files are the default kind."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert key in json.loads(result.stdout)["properties"]


def test_schema_writes_a_file(tmp_path: Path) -> None:
    """`--out` writes the same text, whole, and prints nothing."""
    path = tmp_path / "schema.json"
    result = CliRunner().invoke(main, ["schema", "run", "--out", str(path)])
    assert (result.exit_code, result.output) == (0, "")
    assert path.read_text(encoding="utf-8") == CliRunner().invoke(main, ["schema", "run"]).stdout


def test_every_issue_is_told_with_its_line_and_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input exits with 2; stdout stays empty."""
    place = Place("p.yaml", 3, 5, "    tokns: 1T")
    issues = [Issue("unknown key tokns", place, "did you mean tokens?"), Issue("model is missing")]
    result = failing(monkeypatch, InputError(issues))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: p.yaml:3:5: unknown key tokns\n"
        "  |     tokns: 1T\n"
        "  |     ^\n"
        "  fix: did you mean tokens?\n"
        "error: model is missing\n"
    )


def test_a_long_line_is_cut_around_the_place_and_control_characters_are_not_echoed() -> None:
    """A line of a megabyte does not fill the terminal, and an escape sequence does not reach it."""
    text = "x" * 5000 + "\x1b[31mY" + "z" * 5000
    shown = cli.describe(Issue("bad \x1b[0m", Place("f", 1, 5006, text)))
    assert "\x1b" not in shown
    line, caret = shown.splitlines()[1:3]
    assert len(line) <= 110
    assert line[caret.index("^")] == "Y"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, ""),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "runs.csv"), 2, "error: runs.csv: No such file"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: No space left on device"),
        (
            RecursionError("maximum\nrecursion depth"),
            70,
            "internal error: RecursionError: maximum recursion depth; set",
        ),
        (MemoryError(), 70, "internal error: MemoryError"),
        (KeyError("x"), 70, "internal error: KeyError"),
    ],
)
def test_nothing_ends_in_a_traceback(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    """Interruption, files and our own mistakes each have an exit code and at most a few lines."""
    result = failing(monkeypatch, error)
    assert result.exit_code == code
    assert result.stderr.startswith(text)
    assert "Traceback" not in result.stderr


def test_our_own_mistakes_show_themselves_to_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    """PLAN_DEBUG lets the traceback through."""
    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: 1 / 0)
    monkeypatch.setenv("PLAN_DEBUG", "1")
    assert isinstance(CliRunner().invoke(main, ["schema"]).exception, ZeroDivisionError)


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error() -> None:
    """`plan schema | head -0` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-c", "from planner.cli import main; main()", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_options_read_quantities_and_name_themselves_when_they_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of a quantity arrives in internal units; a bad one is told under the option's name."""

    @click.command()
    @click.option("--within", callback=quantity(parse_duration))
    @set_option
    def echo(within: float | None, sets: tuple[str, ...]) -> None:
        click.echo(f"{within} {sets}")

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: echo)
    assert CliRunner().invoke(main, ["schema", "--within", "2h", "--set", "a=1"]).stdout == "7200.0 ('a=1',)\n"
    assert CliRunner().invoke(main, ["schema"]).stdout == "None ()\n"
    result = CliRunner().invoke(main, ["schema", "--within", "60"])
    assert result.exit_code == 2
    assert result.stderr == "error: --within: duration '60' has no unit\n  fix: write 60d or 1440h\n"


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails in the middle, the old file stays and nothing else is left."""
    path = tmp_path / "plan.json"
    write_whole(path, "old ×")
    assert path.read_bytes() == "old ×".encode()

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match=r"plan\.json: cannot write it: No space left on device"):
        write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "old ×"
    assert list(tmp_path.iterdir()) == [path]


def test_special_files_and_links_are_written_through(tmp_path: Path) -> None:
    """`--out /dev/null` does not replace the device, and a link keeps pointing at its file."""
    write_whole("/dev/null", "text")
    assert not Path("/dev/null").is_file()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"


@pytest.mark.slow
def test_a_closed_stderr_is_no_error() -> None:
    """A command that would draw its progress there answers all the same."""
    problem = Path(__file__).resolve().parents[2] / "problems" / "startup_7b.yaml"
    run = f'exec "$0" -c "from planner.cli import main; main()" solve {problem} --json 2>&-'
    done = subprocess.run(  # noqa: S603  (our own interpreter)
        ["/bin/sh", "-c", run, sys.executable], stdout=subprocess.PIPE, check=False
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "optimal"
