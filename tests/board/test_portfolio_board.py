"""A portfolio on the board: days are moved, the schedule follows with its gap, and files say the same."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.board.checks import check_changes
from planner.board.given import GivenPortfolio, given_file
from planner.board.portfolio_controls import portfolio_fields
from planner.errors import InputError
from planner.portfolio.file import load_portfolio

for library in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
from served import PROBLEMS, Served, served  # noqa: E402

PORTFOLIO = PROBLEMS / "portfolio" / "research_year.yaml"
CHANGES = {
    "pools[own h200].from": "2027-04-01",
    "jobs[base-7b].deadline": "2027-07-31",
    "jobs[evaluation].fixed": '{pool: "own h100", nodes: 2, start: 2027-06-01}',
    "budget.teams[vision]": "$3M",
    "jobs[base-70b].late": "null",
}


def given() -> GivenPortfolio:
    """The worked example's file."""
    found = given_file(str(PORTFOLIO))
    assert isinstance(found, GivenPortfolio)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the board is started, beside the portfolio and its jobs."""
    found = tmp_path_factory.mktemp("board") / "portfolio"
    shutil.copytree(PORTFOLIO.parent, found)
    return found


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Served]:
    """A board with the portfolio and a problem."""
    with served(PORTFOLIO.name, str(PROBLEMS / "spot_heavy.yaml"), folder=folder) as running:
        yield running


def test_command_and_saved_file_ask_the_same(tmp_path: Path) -> None:
    """`--set` of the command and the written file lead to the portfolio that the board solves."""
    file = given()
    check_changes(CHANGES, file, {})
    words = shlex.split(file.command(CHANGES))
    assert words[:2] == ["plan", "portfolio"]
    sets = [words[index + 1] for index, word in enumerate(words) if word == "--set"]
    shutil.copytree(PORTFOLIO.parent / "jobs", tmp_path / "below" / "jobs")
    saved = PORTFOLIO.parent / "none.yaml"
    text = file.written(CHANGES, saved.parent)
    assert "file: jobs/base_7b.yaml" in text
    (tmp_path / "below" / "saved.yaml").write_text(text, encoding="utf-8")
    asked = file.portfolio(CHANGES)
    assert repr(load_portfolio(words[2], sets)) == repr(asked)
    assert repr(load_portfolio(tmp_path / "below" / "saved.yaml")) == repr(asked)
    with pytest.raises(InputError, match="jobs' files"):
        file.written(CHANGES, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs[moe].file": "/etc/passwd"},
        {"pools[own h100].accelerator": "/etc/passwd.toml"},
        {"jobs[moe].deadline ": "2027-01-01"},
        {"objective": "fun"},
        {"limits.deadline": "60d"},
    ],
    ids=str,
)
def test_only_what_has_a_control_is_changed(changes: dict[str, str]) -> None:
    """Other keys, which might name files, are refused."""
    with pytest.raises(InputError):
        check_changes(changes, given(), {})


def test_every_day_and_limit_has_a_control() -> None:
    """Each job has its release, deadline and fixed start, each pool its first and last day, with descriptions."""
    fields = {field.key: field for field in portfolio_fields(given().portfolio({}))}
    for job in ("ablation", "moe"):
        assert {f"jobs[{job}].{key}" for key in ("release", "deadline", "fixed")} <= set(fields)
    assert {"pools[block].from", "pools[block].to", "pools[spot].nodes", "budget.total"} <= set(fields)
    assert all(field.description for field in fields.values())


@pytest.mark.slow
def test_days_are_moved_and_the_schedule_follows(board: Served) -> None:
    """A pool that comes later and a job that is fixed hold in the next schedule, whose gap is told; undo takes back."""
    first = board.answer()["answer"]
    assert first["figures"]["gap"] < 0.1
    for key, day in (("pools[own h200].from", "2027-04-01"), ("jobs[evaluation].fixed", "")):
        text = day or '{pool: "own h100", nodes: 2, start: 2027-06-01}'
        assert board.post("/api/move", {"sets": {key: text}}).status_code == 200
    found = board.answer()
    starts = {row[0]: row[3] for row in found["around"]["others"]["rows"]}
    assert starts["moe"] >= "2027-04-01"
    assert starts["evaluation"] == "2027-06-01"
    assert float(found["answer"]["figures"]["value_usd"]) >= float(first["figures"]["value_usd"]) * (1 - 0.001)
    fragment = found["state"]["fragment"]
    board.post("/api/undo", {})
    assert "jobs[evaluation].fixed" not in board.answer()["state"]["sets"]
    assert board.post("/api/open", {"fragment": fragment}).json()["fragment"] == fragment
    board.post("/api/open", {"fragment": ""})


@pytest.mark.slow
def test_what_cannot_be_is_told_with_its_fix(board: Served) -> None:
    """A deadline before the fastest way to run a job names the first day that would do; a wrong day changes nothing."""
    board.post("/api/move", {"sets": {"jobs[adapters].deadline": "2027-02-01"}})
    assert "cannot end before" in board.answer()["failure"]["message"]
    board.post("/api/undo", {})
    response = board.post("/api/move", {"sets": {"jobs[ablation].deadline": "soon"}})
    assert response.status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["html", "xlsx", "md", "json", "yaml", "csv", "ics"])
def test_exports_hold_the_schedule(board: Served, kind: str) -> None:
    """Every export is a download with the jobs in it."""
    board.answer()
    response = board.get(f"/api/export/{kind}")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="plan.{kind}"'
    if kind == "json":
        assert json.loads(response.text)["kind"] == "portfolio"
    elif kind != "xlsx":
        assert "base-70b" in response.text


@pytest.mark.slow
def test_scenarios_of_both_kinds_are_pinned(board: Served, folder: Path) -> None:
    """A portfolio and a problem stand side by side in the tray; saving writes a portfolio that asks the same."""
    board.post("/api/pin", {"name": "the year"})
    board.answer()
    board.post("/api/choose", {"index": 1})
    pins = board.answer()["pins"]
    assert [one["name"] for one in pins] == ["the year"]
    assert "gap" in pins[0]["shown"]
    board.post("/api/choose", {"index": 0})
    board.post("/api/move", {"sets": {"jobs[moe].value": "$1M"}})
    board.post("/api/move", {"sets": {"pools[own h200].from": "2027-04-01"}})
    assert board.post("/api/save", {"name": "agreed.yaml"}).status_code == 200
    saved = load_portfolio(folder / "agreed.yaml")
    assert str(saved.pools[1].first) == "2027-04-01"
