"""`plan diff` names what changed and adds up the bill."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")

BROKEN = '{"plan": {"phases": [1], "purchases": [], "cost_usd": "much"}}'


SPOT_HEAVY = Path(__file__).resolve().parents[2] / "problems" / "spot_heavy.yaml"


def run(*words: str) -> Result:
    """A command's result."""
    return CliRunner().invoke(main, list(words))


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The plans of a loose and of a tight deadline, as files."""
    folder = tmp_path_factory.mktemp("plans")
    files = [str(folder / f"{days}.json") for days in (120, 60)]
    for file, days in zip(files, (120, 60), strict=True):
        assert run("solve", DEEPSEEK, "--set", f"limits.deadline={days}d", "--out", file).exit_code == 0
    return files[0], files[1]


def test_changes_and_bill_are_those_of_the_documents(plans: tuple[str, str]) -> None:
    """Every change is from the first document to the second, and the bill's lines add up to both totals."""
    old, new = (json.loads(Path(one).read_text(encoding="utf-8"))["plan"] for one in plans)
    found = json.loads(run("diff", *plans, "--json").stdout)
    changes = {one["key"]: (one["change"], one["from"], one["to"]) for one in found["changes"]}
    assert changes["gpus"] == ("~", old["gpus"], new["gpus"])
    assert changes["wall_seconds"] == ("~", old["wall_seconds"], new["wall_seconds"])
    assert "accelerator" not in changes
    for side, plan in (("from", old), ("to", new)):
        assert sum(Decimal(one[side]) for one in found["bill"]) == Decimal(plan["cost_usd"])


def test_text_shows_from_and_to(plans: tuple[str, str]) -> None:
    """A changed figure stands with both values, and the total with its difference."""
    lines = run("diff", *plans).stdout.splitlines()
    assert any(line.startswith("~ gpus ") and "→" in line for line in lines)
    assert any(line.startswith("~ total") for line in lines)


def test_a_plan_does_not_differ_from_itself(plans: tuple[str, str]) -> None:
    """The same file twice is the same plan."""
    assert "the same plan" in run("diff", plans[0], plans[0]).stdout


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """Endless, deep and missing files end in one line and exit code 2."""
    deep = tmp_path / "deep.json"
    deep.write_text('{"plan": ' + "[" * 100_000)
    told_of = {"/dev/zero": "larger than 16 MiB", str(deep): "not a plan in JSON", "no.json": "No such file"}
    for path, told in told_of.items():
        result = run("diff", path, DEEPSEEK)
        assert result.exit_code == 2
        assert told in result.stderr


def test_problems_are_solved(plans: tuple[str, str], tmp_path: Path) -> None:
    """A problem file stands for its plan; one without a plan ends with 3."""
    problem = tmp_path / "problem.yaml"
    text = Path(DEEPSEEK).read_text(encoding="utf-8")
    problem.write_text(text, encoding="utf-8")
    assert "the same plan" in run("diff", DEEPSEEK, str(problem)).stdout
    problem.write_text(text.replace("gpus: 2048", "gpus: 8"), encoding="utf-8")
    assert run("diff", plans[0], str(problem)).exit_code == 3


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"plan": 1}', '{"plan": {"phases": []}}', BROKEN])
def test_other_files_are_refused(plans: tuple[str, str], tmp_path: Path, text: str) -> None:
    """What is no plan is told with its file and never as a bug."""
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    assert run("diff", plans[0], str(file)).exit_code in {2, 3}


def test_two_problems_are_compared_in_what_they_ask_for(tmp_path: Path) -> None:
    """A key that one file has and a value that differs are told before the plans."""
    text = SPOT_HEAVY.read_text(encoding="utf-8")
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text, encoding="utf-8")
    new.write_text(text.replace("deadline: 21d", "deadline: 25d") + "risk: {confidence: 90%}\n", encoding="utf-8")
    said = CliRunner().invoke(main, ["diff", str(old), str(new)]).stdout
    assert said.startswith("asked\n")
    assert "~ limits.deadline  21d → 25d" in said
    assert "+ risk.confidence  90%" in said
    document = json.loads(CliRunner().invoke(main, ["diff", str(old), str(new), "--json"]).stdout)
    assert {one["key"] for one in document["asked"]} == {"limits.deadline", "risk.confidence"}
