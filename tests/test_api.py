"""The public Python API: what notebooks use gives what the commands print."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import planner
from planner.cli import main

ROOT = Path(__file__).resolve().parent.parent
FILE = str(ROOT / "problems" / "deepseek_v3.yaml")
TEXT = Path(FILE).read_text(encoding="utf-8")
SMALL = """\
schema: plan/1
model: llama3-8b
training: {phases: [{tokens: 100B, sequence_length: 8192, global_batch: 512}]}
market:
  clouds: []
  offers: [{name: ours, accelerator: H100-80GB-SXM5, on_demand: $2/GPU-h, nodes: 16}]
limits: {deadline: 30d}
"""


def without_seconds(text: str) -> dict[str, object]:
    """An answer's JSON without the time that the search took."""
    document: dict[str, object] = json.loads(text)
    solver = document["solver"]
    assert isinstance(solver, dict)
    return document | {"solver": {name: value for name, value in solver.items() if not name.endswith("_seconds")}}


def printed(*arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in {0, 3}, done.output
    return done.stdout


@pytest.fixture(scope="module")
def session() -> planner.Session:
    """A small problem's session."""
    return planner.Session(planner.load_problem(SMALL))


def test_solve_is_what_the_command_prints() -> None:
    """The document's JSON is that of `plan solve --json`, and its cost that of the plan."""
    document = planner.Session(planner.load_problem(FILE)).solve()
    command = json.loads(printed("solve", FILE, "--json"))
    assert without_seconds(document.to_json()) == without_seconds(json.dumps(command))
    assert document.plan is not None
    assert str(document.plan.cost_usd) == command["plan"]["cost_usd"]


def test_other_questions_are_what_the_commands_print(session: planner.Session, tmp_path: Path) -> None:
    """Frontier, alternatives, scaling, replay and estimate give the JSON of their commands."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    assert session.frontier("time", "gpus", 5).to_json() + "\n" == printed(
        "frontier", str(file), "--x", "time", "--y", "gpus", "--points", "5", "--json"
    )
    assert session.alternatives().to_json() + "\n" == printed("alternatives", str(file), "--json")
    assert session.scale("8..32").to_json() + "\n" == printed("scale", str(file), "--gpus", "8..32", "--json")
    answer = tmp_path / "answer.json"
    answer.write_text(session.solve().to_json(), encoding="utf-8")
    assert session.replay(runs=20).to_json() + "\n" == printed("replay", str(answer), "--runs", "20", "--json")
    run = str(ROOT / "problems" / "runs" / "gpt3-175b.yaml")
    assert planner.estimate(run).to_json() + "\n" == printed("estimate", run, "--json")


@pytest.mark.slow
def test_overrides_are_those_of_set() -> None:
    """`overrides` change what `--set` changes, and an infeasible problem has a document that says so."""
    problem = planner.load_problem(FILE, overrides={"limits.budget": "$1k", "limits.gpus": 1024})
    assert (problem.limits.budget, problem.limits.gpus) == (Decimal(1000), 1024)
    document = planner.Session(problem).solve()
    assert document.status == "infeasible"
    assert document.plan is None
    assert document.relaxations


@pytest.mark.slow
def test_a_changed_session_answers_like_a_new_one(session: planner.Session) -> None:
    """Other limits on layouts that are known give what a fresh session gives, to the byte."""
    session.solve()
    changes = {"limits.deadline": "20d"}, {"limits.gpus": 64}, {"limits.budget": "$40k"}, {"objective": "time"}
    for overrides in changes:
        fresh = planner.Session(planner.load_problem(SMALL, overrides)).solve()
        again = session.changed(overrides).solve()
        assert again.status == fresh.status
        assert again.plan == fresh.plan


def test_bad_input_names_its_place() -> None:
    """An unknown key is refused with its line."""
    with pytest.raises(planner.InputError, match=r"unknown key limits\.bugdet"):
        planner.load_problem(TEXT.replace("deadline:", "bugdet:"))


def test_notebooks_show_text_only(session: planner.Session) -> None:
    """What a notebook shows holds no markup of a problem's own."""
    problem = planner.load_problem(SMALL, {"name": "<script>alert(1)</script>"})
    assert "<script>" not in planner.Session(problem).solve()._repr_html_()
    assert "<pre>" in session.frontier()._repr_html_()


def test_the_public_names_are_listed() -> None:
    """Everything public is in `dir`, and nothing else is found."""
    assert {"Session", "load_problem", "estimate", "PlanDocument"} <= set(dir(planner))
    with pytest.raises(AttributeError, match="no attribute 'solve'"):
        planner.solve  # noqa: B018


def test_frames_have_the_rows_of_the_tables(session: planner.Session) -> None:
    """A frame of a frontier has the columns and rows of its CSV; that of an answer adds up to the bill."""
    frontier = session.frontier()
    frame = frontier.to_frame()
    lines = frontier.to_csv().splitlines()
    assert ",".join(frame.columns) == lines[0]
    assert len(frame) == len(lines) - 1
    answer = session.solve()
    assert answer.plan is not None
    assert sum(map(Decimal, answer.to_frame()["cost_usd"])) == Decimal(answer.plan.cost_usd)


def test_no_table_is_told(session: planner.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no table, and a machine without pandas, are said in words."""
    with pytest.raises(planner.InputError, match="nothing of this kind"):
        session.relaxations().to_frame()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(planner.InputError, match="pandas, which is not installed"):
        session.solve().to_frame()
