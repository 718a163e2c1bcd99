"""`plan portfolio`: what is printed, the JSON contract, and exit codes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

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
