"""The documentation is true: commands exist, figures are current, arithmetic adds up, links lead somewhere."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from planner.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def text_of(name: str) -> str:
    """A page."""
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands_in(text: str) -> Iterator[list[str]]:
    """Every `plan …` that a page shows, in code spans and blocks, as its words."""
    spans = re.findall(r"`(plan [^`\n]+)`", text)
    lines = re.findall(r"^(?:\$ )?(plan .+)$", "\n".join(fenced(text, "(?:console|sh)")), re.MULTILINE)
    installed = re.findall(r"\.venv/bin/(plan [^&\n]+)", text)
    for command in [*spans, *lines, *installed]:
        yield shlex.split(command)[1:]


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, through groups, and the words left over."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, found, words = command.resolve_command(click.Context(command), words)
        assert found is not None, f"no command {words[0]!r}"
        command = found
    return command, words


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_program_exist(name: str) -> None:
    """Every file or folder below `planner/` that a page names is there."""
    named = set(re.findall(r"\bplanner/[a-z_/]+(?:\.py)?", text_of(name)))
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist(name: str) -> None:
    """Every command that a page shows exists, with every option that it shows."""
    for words in commands_in(text_of(name)):
        if words[0] in {"…", "NAME"}:
            continue
        command, rest = resolved(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known, words


def test_readme_shows_every_command() -> None:
    """The README names every subcommand that `plan --help` lists."""
    assert set(COMMANDS) <= {words[0] for words in commands_in(text_of("README.md"))}


def test_readme_begins_with_the_two_commands() -> None:
    """The README's `sh` blocks are two lines: install and run the main job; install and pass the tests."""
    run, test = (block.strip() for block in fenced(text_of("README.md"), "sh"))
    assert "\n" not in run + test
    install = "python3 -m venv .venv && .venv/bin/pip install -q"
    assert re.fullmatch(rf"{re.escape(install)} \. && \.venv/bin/plan \S+ \S+", run)
    assert test == f"{install} '.[test]' && .venv/bin/pytest -m 'not long' -n auto"
    assert (ROOT / run.split()[-1]).is_file()


def test_the_workflow_on_pull_requests_is_one() -> None:
    """The example is a workflow in valid YAML, and the shell accepts its steps."""
    (text,) = fenced(text_of("docs/pull-requests.md"), "yaml")
    steps = yaml.safe_load(text)["jobs"]["difference"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert any("plan diff " in script for script in scripts)
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)  # noqa: S603, S607


@pytest.mark.slow
def test_python_examples_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of the page on the Python API run one after another, from the project's folder."""
    monkeypatch.chdir(ROOT)
    exec("\n".join(fenced(text_of("docs/api.md"), "python")), {})  # noqa: S102
    optimal, infeasible, *_ = capsys.readouterr().out.splitlines()
    assert optimal.startswith("optimal ")
    assert infeasible.startswith("infeasible ['limits.")


@pytest.mark.slow
def test_generated_blocks_are_current() -> None:
    """What commands print stands in the pages as they print it today; `python docs/generate.py` mends it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if fenced(text_of(name), "pycon")])
def test_arithmetic_adds_up(name: str) -> None:
    """Every line with `>>>` of a page gives what stands below it."""
    examples = doctest.DocTestParser().get_doctest("\n".join(fenced(text_of(name), "pycon")), {}, name, name, 0)
    told: list[str] = []
    failed, attempted = doctest.DocTestRunner(verbose=False).run(examples, out=told.append)
    assert attempted > 0
    assert failed == 0, "".join(told)


def test_the_negotiation_holds_what_a_finance_partner_asks_for() -> None:
    """The knife-edge with its price, the condition on capacity, and what each cause owes to another bill."""
    text = text_of("docs/negotiation.md")
    for told in ("Near the optimum: $", "needs 248 nodes in us: ask crusoe first", "why the bill differs"):
        assert told in text


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a page leads to a file of the project."""
    targets = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text_of(name)) if "://" not in link]
    assert [target for target in targets if target and not ((ROOT / name).parent / target).exists()] == []


def test_every_equation_is_listed() -> None:
    """docs/equations.md names every public function of the equations."""
    listed = set(re.findall(r"^\| `(\w+)` \|", text_of("docs/equations.md"), re.MULTILINE))
    for path in (one for room in ("performance", "availability") for one in (ROOT / "planner" / room).glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        functions = {node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
        assert functions <= listed, path.name


def test_every_page_is_reachable() -> None:
    """The README leads to every other page."""
    readme = text_of("README.md")
    assert [name for name in NAMES if name != "README.md" and f"({name})" not in readme] == []
