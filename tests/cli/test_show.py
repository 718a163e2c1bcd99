"""`plan show`: a saved answer prints and writes what `plan solve` did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main

PROBLEM = str(Path(__file__).resolve().parents[2] / "problems" / "spot_heavy.yaml")
FILES = ("--csv", "--markdown", "--html")


def run(*words: str) -> Result:
    """A command's end."""
    return CliRunner().invoke(main, list(words))


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which everything was written when it was solved, and what was printed."""
    folder = tmp_path_factory.mktemp("solved")
    files = [word for name in FILES for word in (name, str(folder / name))]
    done = run("solve", PROBLEM, "--out", str(folder / "answer.json"), *files)
    assert done.exit_code == 0
    return folder, done.stdout


def without_command(page: str) -> str:
    """A page up to the line that says which command made it."""
    return page.rpartition("<footer")[0]


def test_the_same_text_and_files(solved: tuple[Path, str], tmp_path: Path) -> None:
    """Text, bill, summary and page are those of the time when it was solved."""
    folder, printed = solved
    files = [word for name in FILES for word in (name, str(tmp_path / name))]
    done = run("show", str(folder / "answer.json"), *files)
    assert (done.exit_code, done.stdout) == (0, printed)
    for name in FILES[:2]:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    pages = [(place / "--html").read_text(encoding="utf-8") for place in (folder, tmp_path)]
    assert without_command(pages[0]) == without_command(pages[1])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"plan": None, "status": "infeasible"}, 3), ({"plan": None, "status": "unknown"}, 4), ({"problem": {}}, 2)],
)
def test_exit_codes(solved: tuple[Path, str], tmp_path: Path, change: dict[str, object], code: int) -> None:
    """Without a plan the shell is told as by `plan solve`; an answer that lacks figures is refused in words."""
    document = json.loads((solved[0] / "answer.json").read_text(encoding="utf-8"))
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document | change), encoding="utf-8")
    assert run("show", str(path)).exit_code == code
