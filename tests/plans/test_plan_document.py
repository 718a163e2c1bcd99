"""Answers as documents: read back as written, asked again, and refused when they are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.errors import InputError
from planner.plans.document import PlanDocument, answer_schema
from planner.problem.problem import load_problem

ROOT = Path(__file__).resolve().parents[2]
FILE = str(ROOT / "problems" / "deepseek_v3.yaml")


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `plan solve --out` writes."""
    path = tmp_path_factory.mktemp("answer") / "answer.json"
    done = CliRunner().invoke(main, ["solve", FILE, "--set", "limits.deadline=64d", "--out", str(path)])
    assert done.exit_code == 0
    return path


def test_a_document_reads_back(answer: Path) -> None:
    """Reading what was written and writing it again gives the same bytes."""
    text = answer.read_text(encoding="utf-8")
    assert PlanDocument.read(answer).to_json() + "\n" == text


def test_a_document_holds_its_problem(answer: Path) -> None:
    """The problem inside is the one that was asked, with its overrides; solving the answer asks it again."""
    again = answer.with_name("again.json")
    assert PlanDocument.read(answer).asked.model_dump() == load_problem(FILE, ["limits.deadline=64d"]).model_dump()
    assert CliRunner().invoke(main, ["solve", str(answer), "--out", str(again)]).exit_code == 0
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (answer, again))
    for document in (first, second):
        document["solver"].pop("search_seconds")
    assert first == second


def test_a_document_says_what_a_launch_needs(answer: Path) -> None:
    """Model, software, and for each phase sequence, batch, stages and checkpoints."""
    document = PlanDocument.read(answer)
    assert document.model.architecture["num_hidden_layers"] == 61
    assert document.model.parameters == 671_026_419_200
    assert document.software.stack == "dualpipe"
    assert document.plan is not None
    first = document.plan.phases[0]
    assert (first.sequence_length, first.global_batch) == (4096, 15360)
    assert first.layers_per_stage == -(-61 // first.pipeline)
    assert first.checkpoint_interval_seconds > first.checkpoint_seconds
    assert first.accelerator == document.plan.accelerator


def test_the_schema_describes_it(answer: Path) -> None:
    """An answer keeps to the schema that is shipped, and the schema is the one that the command prints."""
    shipped = json.loads((ROOT / "schema" / "answer.json").read_text(encoding="utf-8"))
    assert shipped == answer_schema()
    jsonschema.validate(json.loads(answer.read_text(encoding="utf-8")), shipped)


def changed(answer: Path, change: dict[str, Any]) -> str:
    """An answer with other keys."""
    return json.dumps(json.loads(answer.read_text(encoding="utf-8")) | change)


@pytest.mark.parametrize("change", [{"plan": 3}, {"status": "perhaps"}, {"problem": []}, {"objective": None}])
def test_other_documents_are_refused(answer: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    """A wrong part is named, with the file and what to give instead."""
    path = tmp_path / "bad.json"
    path.write_text(changed(answer, change), encoding="utf-8")
    with pytest.raises(InputError, match=rf"not a plan: {next(iter(change))}"):
        PlanDocument.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"format_version": 1}', "\x00", "1e999999"])
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the error is one line."""
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not a plan"):
        PlanDocument.read(path)
    done = CliRunner().invoke(main, ["solve", str(path)])
    assert done.exit_code == 2
