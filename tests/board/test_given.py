"""A problem file on the board: its changes become a command and a file that mean the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from planner.board.controls import check, completed, controls, fields_of, schema_of
from planner.board.given import Given
from planner.errors import InputError
from planner.problem.problem import Problem, load_problem

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
CHANGES = (
    {"limits.deadline": "75d", "limits.budget": "$7M", "risk.confidence": "95%"},
    {"limits.gpus": "null", "limits.deadline": "null"},
    {
        "market.accelerators": "[H800-80GB, H100-80GB-SXM5]",
        "market.clouds": "[aws]",
        "market.purchase": "[spot, on_demand]",
    },
    {"training.phases[0].tokens": "10T", "layout.tensor": "<=8", "layout.zero": "1", "objective": "time"},
    {"market.spot_price": "×1.5", "limits.memory_headroom": "5%", "limits.growth": "1.5x", "risk.spare_nodes": "2%"},
)


def given(name: str = "deepseek_v3.yaml") -> Given:
    """A file of the project."""
    return Given.read(str(PROBLEMS / name))


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_command_and_saved_file_ask_the_same(changes: dict[str, str], tmp_path: Path) -> None:
    """`--set` of the command and the written file lead to the problem that the board solves; comments stay."""
    file = given()
    words = shlex.split(file.command(changes))
    sets = [words[index + 1] for index, word in enumerate(words) if word == "--set"]
    saved = tmp_path / "saved.yaml"
    saved.write_text(file.written(changes, tmp_path), encoding="utf-8")
    asked = repr(file.problem(changes))
    assert repr(load_problem(words[2], sets)) == asked
    assert repr(load_problem(saved)) == asked
    assert "# " in saved.read_text(encoding="utf-8")


def test_a_reference_to_a_file_holds_from_another_folder(tmp_path: Path) -> None:
    """A model's relative path is rewritten when the problem is saved elsewhere."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "config.json").write_text("{}", encoding="utf-8")
    text = (PROBLEMS / "startup_7b.yaml").read_text(encoding="utf-8").replace("llama2-7b", "config.json")
    (tmp_path / "here" / "p.yaml").write_text(text, encoding="utf-8")
    written = Given.read(str(tmp_path / "here" / "p.yaml")).written({"limits.gpus": "32"}, tmp_path / "there")
    assert "model: ../here/config.json" in written
    assert "gpus: 32" in written


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "/etc/passwd"},
        {"market.offers": "[]"},
        {"market.accelerators": "[/etc/passwd]"},
        {"market.accelerators": "/etc/passwd"},
        {"market.clouds": "[nowhere]"},
        {"objective": "fun"},
    ],
    ids=str,
)
def test_only_what_has_a_control_is_changed(changes: dict[str, str]) -> None:
    """Other keys, and names that are on no list and might be paths, are refused."""
    file = given()
    with pytest.raises(InputError):
        check(changes, file, file.problem({}))


def test_every_control_is_a_key_of_the_schema() -> None:
    """Each control has a description from the schema, and its present value is the file's."""
    file = given()
    problem = file.problem({})
    shown = {one["key"]: one for one in controls(file, {}, problem, {})}
    assert set(shown) == {field.key for field in fields_of(problem)}
    for key, one in shown.items():
        assert schema_of(key)["description"] == one["description"] != ""
    assert shown["limits.deadline"]["value"] == "65d"
    assert shown["market.purchase"]["chosen"] == ["on_demand"]
    assert "spot" in shown["market.purchase"]["options"]


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    """A missing file and one that is no problem are refused with the place."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("schema: plan/1\nmodell: x\n", encoding="utf-8")
    for path in (tmp_path / "none.yaml", wrong):
        with pytest.raises(InputError):
            Given.read(str(path))
    assert isinstance(given().problem({}), Problem)


@pytest.mark.parametrize(
    ("unit", "typed", "written"),
    [
        ("US dollars", "7M", "$7M"),
        ("US dollars", "7,000,000", "$7000000"),
        ("US dollars", "7 MUSD", "7 MUSD"),
        ("days or hours", "60", "60d"),
        ("days or hours", "9 weeks", "9 weeks"),
        ("probability", "95", "95%"),
        ("probability", "0.95", "0.95"),
        ("of a GPU", "5", "5%"),
        ("GPUs at a time", "2,048", "2048"),
        ("tokens", "15T", "15T"),
        ("", "<=8", "<=8"),
    ],
)
def test_a_figure_without_its_unit_has_the_one_that_is_shown(unit: str, typed: str, written: str) -> None:
    """What is typed into a control beside its unit needs none; whatever else is left as it is."""
    assert completed(unit, typed) == written


def test_what_a_relaxation_sets_is_accepted() -> None:
    """Keys that a relaxation changes have a control, or may be set as it sets them."""
    file = given()
    offered = {"training.precision": "fp8", "market.capacity": "{aws: 256}", "limits.memory_confidence": "50%"}
    offered |= {"training.optimizer": "adamw-8bit", "training.offload": "[optimizer]", "training.fused_loss": "true"}
    check({**offered, "training.method": "qlora", "layout": "{}"}, file, file.problem({}))
    with pytest.raises(InputError):
        check({"layout": "{tensor: 8}"}, file, file.problem({}))
