"""`plan portfolio`: what is printed, the JSON contract, and exit codes."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from planner.cli import main

TWO = """\
schema: plan-portfolio/1
name: two jobs
calendar: {start: 2027-01-01, end: 2027-06-30}
pools:
  - {name: own, gpus_per_node: 8, nodes: 4, price: $0.50/GPU-h}
  - {name: cloud, gpus_per_node: 8, nodes: 8, price: $4/GPU-h}
jobs:
  - {name: first, team: nlp, phases: [{name: all, modes: [{pool: own, nodes: 4, duration: 480h}]}]}
  - name: second
    team: vision
    deadline: 2027-01-31
    late: $1k/day
    phases: [{name: all, modes: [{pool: own, nodes: 3, duration: 500h}, {pool: cloud, nodes: 8, duration: 300h}]}]
"""


@pytest.fixture
def two(tmp_path: Path) -> str:
    """The path of a file of two jobs that want the same nodes."""
    path = tmp_path / "two.yaml"
    path.write_text(TWO, encoding="utf-8")
    return str(path)


def test_the_document_keeps_the_contract(two: str, tmp_path: Path) -> None:
    """Money as decimal strings, dates as YYYY-MM-DD, a bound that is never null, sums that add up."""
    out = tmp_path / "answer.json"
    done = CliRunner().invoke(main, ["portfolio", two, "--json", "--out", str(out)])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document == json.loads(out.read_text(encoding="utf-8"))
    assert document["status"] == "optimal"
    assert document["objective"]["name"] == "cost"
    assert Decimal(document["objective"]["bound"]) <= Decimal(document["objective"]["value"])
    money, late = Decimal(document["money_usd"]), Decimal(document["lateness_usd"])
    assert Decimal(document["objective"]["value"]) == money + late + Decimal(document["dropped_value_usd"])
    assert [job["name"] for job in document["jobs"]] == ["first", "second"]
    assert sum(Decimal(job["cost_usd"]) for job in document["jobs"]) == money
    assert {"name", "pool", "nodes", "start", "hours", "layout"} <= set(document["jobs"][0]["phases"][0])
    bill = document["bill"]
    assert sum(Decimal(row["total"]) for row in bill["teams"].values()) + Decimal(bill["unused"]["total"]) == money
    assert sum(map(Decimal, bill["pools"].values())) == sum(map(Decimal, bill["quarters"].values())) == money
    assert len(document["pools"][0]["months"]) == 6


def test_the_text_has_a_chart_and_a_bill(two: str) -> None:
    """People see who runs when and where, who pays, and who waits for what."""
    done = CliRunner().invoke(main, ["portfolio", two])
    assert done.exit_code == 0, done.output
    assert "two jobs: 2 of 2 jobs for $" in done.stdout
    assert "A own, B cloud; one column is 7 days" in done.stdout
    assert "first waits 21 days for room in own" in done.stdout
    assert "proven best within" in done.stdout


def test_overrides_name_pools_and_jobs(two: str) -> None:
    """An item of a list is set by its name."""
    words = ["portfolio", two, "--json", "--set", "pools[own].nodes=8", "--set", "jobs[second].deadline=2027-03-01"]
    done = CliRunner().invoke(main, words)
    assert all(not job["waits_for"] for job in json.loads(done.stdout)["jobs"])


@pytest.mark.slow
def test_mistakes_end_with_2_and_impossible_ones_with_3(two: str) -> None:
    """Bad input is told in a line; no plan ends with a proof."""
    done = CliRunner().invoke(main, ["portfolio", two, "--set", "jobs[second].after=[third]"])
    assert done.exit_code == 2
    assert "no job is called 'third'" in done.stderr
    hard = [
        "--set",
        "jobs[second].late=never",
        "--set",
        "jobs[first].deadline=2027-01-22",
        "--set",
        "pools[cloud].nodes=7",
    ]
    done = CliRunner().invoke(main, ["portfolio", two, *hard])
    assert done.exit_code == 3, done.output
    assert "no plan exists" in done.stdout


def test_check_says_what_a_file_asks_for(two: str) -> None:
    """`plan portfolio check` reads the file without solving it."""
    done = CliRunner().invoke(main, ["portfolio", "check", two])
    assert done.exit_code == 0
    assert "two jobs: 2 jobs of 2 teams, 0 of them optional, 2027-01-01 to 2027-06-30" in done.stdout


def solved(two: str, out: Path, *words: str) -> dict[str, Any]:
    """The document of an answer that is written to a file."""
    done = CliRunner().invoke(main, ["portfolio", two, "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return document


def test_a_table_and_a_calendar_hold_every_phase(two: str, tmp_path: Path) -> None:
    """CSV has a row per phase; iCalendar an event of whole days, which ends on the day after its last."""
    table, calendar = tmp_path / "plan.csv", tmp_path / "plan.ics"
    document = solved(two, tmp_path / "a.json", "--csv", str(table), "--ics", str(calendar))
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["job"] for row in rows] == ["first", "second"]
    assert rows[0]["start"] == document["jobs"][0]["start"]
    text = calendar.read_bytes().decode()
    assert text.count("BEGIN:VEVENT\r\n") == 2
    assert "DTSTART;VALUE=DATE:20270101\r\n" in text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_two_answers_are_compared(two: str, tmp_path: Path) -> None:
    """`plan diff` says which jobs moved and who pays more."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    solved(two, first)
    solved(two, second, "--set", "pools[own].nodes=8")
    done = CliRunner().invoke(main, ["diff", str(first), str(second)])
    assert done.exit_code == 0, done.output
    assert "~ first: 4 × own" in done.stdout
    assert "team nlp" in done.stdout or "objective" in done.stdout
    done = CliRunner().invoke(main, ["diff", str(first), str(first)])
    assert "every job runs where and when it did" in done.stdout


def test_what_if_never_gets_worse_with_more(two: str) -> None:
    """A table over one key; more nodes cost no more."""
    done = CliRunner().invoke(main, ["portfolio", "whatif", two, "--vary", "pools[own].nodes=4,6,8", "--json"])
    assert done.exit_code == 0, done.output
    cells = json.loads(done.stdout)["cells"]
    values = [Decimal(cell["objective_usd"]) for cell in cells]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)


def test_reserve_shows_cost_against_nodes(two: str) -> None:
    """Every level costs at least the plan's own cost."""
    term = "{name: 3m, term: 91d, price: $2/GPU-h, most: 8, starts: [2027-01-01]}"
    words = ["portfolio", "reserve", two, "--set", f"pools[cloud].commitments=[{term}]", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["reserve"]
    assert [row["nodes"] for row in rows][-1] == 8
    assert all(Decimal(row["difference_usd"]) >= Decimal("-0.02") for row in rows)


def test_a_replay_says_how_often_deadlines_hold(two: str, tmp_path: Path) -> None:
    """Stated times are certain, so that every draw is the plan."""
    document = solved(two, tmp_path / "a.json", "--replay", "5")
    assert document["replay"]["draws"] == 5
    holds = {job["name"]: job["deadline_holds"] for job in document["replay"]["jobs"]}
    assert set(holds) == {"first", "second"}
    assert holds["first"] == 1.0


def test_processes_do_not_change_a_replay(two: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws are the same wherever they are made."""
    monkeypatch.setattr("planner.simulate.portfolio.DRAWS_AT_ONCE", 4)
    alone = solved(two, tmp_path / "a.json", "--replay", "10")["replay"]
    assert solved(two, tmp_path / "b.json", "--replay", "10", "--workers", "2")["replay"] == alone


@pytest.mark.slow
def test_relaxations_give_a_plan_that_holds(two: str) -> None:
    """Where nothing fits, each smallest change alone gives a plan, and one step less does not."""
    hard = [
        "--set",
        "jobs[second].late=never",
        "--set",
        "jobs[first].deadline=2027-01-22",
        "--set",
        "pools[cloud].nodes=7",
    ]
    done = CliRunner().invoke(main, ["portfolio", two, "--json", *hard])
    relaxations = json.loads(done.stdout)["relaxations"]
    assert {row["limit"] for row in relaxations} >= {"jobs[first].deadline", "pools[own].nodes"}
    for row in relaxations:
        again = CliRunner().invoke(main, ["portfolio", two, *hard, "--set", row["set"][0]])
        assert again.exit_code == 0, row


@pytest.mark.slow
def test_the_page_stands_alone(two: str, tmp_path: Path) -> None:
    """A page has a bar for every phase and needs nothing from elsewhere."""
    pytest.importorskip("vl_convert")
    page = tmp_path / "plan.html"
    solved(two, tmp_path / "a.json", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert text.count('role="radio"') >= 2
    assert "first, all: 4 nodes of own" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
