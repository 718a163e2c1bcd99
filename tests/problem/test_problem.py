"""Problem files: what the design promises is read, and every bad file says what is wrong, where and what to write."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError, Issue
from planner.problem.document import parse_document
from planner.problem.pins import Pin
from planner.problem.problem import Problem, json_schema, load_problem
from planner.problem.run import Recompute, load_run
from planner.problem.yaml_tree import KeyPath, Plain
from planner.units import Price

BAD_FILES = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
SCHEMAS = Path(__file__).parents[2] / "schema"

DEEPSEEK = """\
schema: plan/1
name: DeepSeek-V3
model: deepseek-v3
training:
  precision: fp8
  optimizer: adamw
  phases:
    - {name: pretrain,   tokens: 14.8T, sequence_length: 4096,   global_batch: 15360}
    - {name: extend-32k, tokens: 63B,   sequence_length: 32768,  global_batch: 1920}
market:
  accelerators: [H800-80GB]
  purchase: [on_demand, spot]
  offers:
    - {name: ours, accelerator: H800-80GB, nodes: 512, on_demand: $2.00/GPU-h}
limits:
  deadline: 60d
  budget: 6 MUSD
  gpus: 2048
  memory_headroom: 10%
layout: {tensor: "<=8", pipeline: 16}
risk: {confidence: 95%, spare_nodes: 2%}
objective: cost
"""
SMALLEST = """\
schema: plan/1
model: llama3-8b
training: {phases: [{tokens: 1T, sequence_length: 8192, global_batch: 512}]}
"""


def problem(text: str, folder: Path, *sets: str) -> Problem:
    """The problem of a text, read from a file."""
    path = folder / "problem.yaml"
    path.write_text(text)
    return load_problem(path, sets)


def test_the_problem_of_the_design_is_read(tmp_path: Path) -> None:
    """Every key of the contract arrives in internal units."""
    read = problem(DEEPSEEK, tmp_path)
    assert [phase.tokens for phase in read.training.phases] == [14_800_000_000_000, 63_000_000_000]
    assert read.market.purchase == ("on_demand", "spot")
    assert read.market.offers[0].on_demand == Price(Decimal("2.00"), "GPU")
    assert (read.limits.deadline, read.limits.budget, read.limits.gpus) == (5_184_000.0, Decimal(6_000_000), 2048)
    assert read.layout.tensor == Pin(1, 8)
    assert read.layout.pipeline == Pin(16, 16, (16,))
    assert (read.risk.confidence, read.risk.spare_nodes) == (0.95, 0.02)
    assert read.base_directory == tmp_path


def test_what_is_left_out_has_the_stated_default(tmp_path: Path) -> None:
    """The smallest problem: everything in the catalogs, on demand, without limits, ten per cent of memory free."""
    read = problem(SMALLEST + "limits:\nmarket: {clouds: }\n", tmp_path)
    assert (read.training.precision, read.training.method, read.objective) == ("bf16", "full", "cost")
    assert (read.market.accelerators, read.market.clouds, read.market.purchase) == (None, None, ("on_demand",))
    assert (read.limits.deadline, read.limits.budget, read.limits.gpus) == (None, None, None)
    assert (read.limits.memory_headroom, read.limits.growth, read.market.spot_price) == (0.1, 1.0, 1.0)
    assert read.risk.confidence is None
    assert read.training.phases[0].name == "train"


def test_the_further_keys_of_the_design_are_read(tmp_path: Path) -> None:
    """Compression, growth, spot prices, LoRA, software and the whole of an own offer."""
    text = SMALLEST.replace("training: {", "training: {gradient_compression: int8, method: lora, rank: 8, ")
    text = text.replace("rank: 8, ", "rank: 8, software: {stack: megatron, release: 2026-03}, ")
    text += """\
limits: {growth: 2x}
risk: {spot_price: p90}
market:
  clouds: []
  purchase: [reserved, spot]
  spot_price: ×1.5
  offers:
    - name: ours
      accelerator: H100-80GB-SXM5
      gpus_per_node: 4
      network: 200 Gb/s
      on_demand: $16/node-h
      spot: $1.10/GPU-h
      reserved: $1.80/GPU-h
      nodes: 100
      spot_nodes: 50
      availability: 80%
      preemptions_per_node_day: 0.2
layout: {recompute: [none, {full_layers: 2}], zero: [1, 3], data: ">=4", context: 1}
"""
    read = problem(text, tmp_path)
    offer = read.market.offers[0]
    assert (read.training.rank, read.training.gradient_compression, read.limits.growth) == (8, "int8", 2.0)
    assert read.training.software is not None
    assert (read.training.software.stack, read.training.software.release) == ("megatron", "2026-03")
    assert (read.risk.spot_price, read.market.spot_price, read.market.clouds) == (0.9, 1.5, ())
    assert (offer.gpus_per_node, offer.network, offer.nodes, offer.spot_nodes) == (4, 25e9, 100, 50)
    assert (offer.availability, offer.preemptions_per_node_day) == (0.8, 0.2)
    assert read.layout.recompute == (Recompute(kind="none"), Recompute(kind="full", full_layers=2))
    assert read.layout.zero == Pin(1, 3, (1, 3))
    assert read.layout.data is not None
    assert read.layout.data.allows(4)
    assert not read.layout.data.allows(3)


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_bad_file_says_what_is_wrong_where_and_what_to_write(path: Path) -> None:
    """Each file in `bad/` begins with the errors that it must give, all of them at once and in order."""
    lines = path.read_text().splitlines()
    expected = [line.removeprefix("# error: ") for line in lines if line.startswith("# error: ")]
    with pytest.raises(InputError) as caught:
        (load_run if path.stem.startswith("run_") else load_problem)(path)
    issues = caught.value.issues
    assert [str(issue).removeprefix(f"{path}:").strip() for issue in issues] == [line.strip() for line in expected]
    for issue in issues:
        assert issue.fix
        assert issue.place is not None
        if issue.place.line:
            assert issue.place.text == lines[issue.place.line - 1]


def test_overrides_come_before_validation_and_are_the_place_of_their_errors(tmp_path: Path) -> None:
    """`--set` changes limits and mends or breaks a file like an edit would."""
    assert problem(DEEPSEEK, tmp_path, "limits.budget=1.5MUSD").limits.budget == 1_500_000
    assert problem(DEEPSEEK, tmp_path, "limits.budget=").limits.budget is None
    assert problem(DEEPSEEK, tmp_path, "layout.tensor=>=2").layout.tensor == Pin(2, 1_000_000)
    with pytest.raises(InputError) as caught:
        problem(DEEPSEEK, tmp_path, "limits.budgte=5", "training.phases[1].tokens=1Q")
    assert [str(issue.place) for issue in caught.value.issues] == [
        "--set training.phases[1].tokens=1Q",
        "--set limits.budgte=5",
    ]


def test_later_errors_get_the_place_of_their_key(tmp_path: Path) -> None:
    """What is found out only with the catalogs is still told at its line."""
    read = problem(SMALLEST, tmp_path)

    def look_up() -> None:
        raise InputError("unknown model", fix="did you mean llama3.1-8b?")

    with pytest.raises(InputError, match=r"problem\.yaml:2:8: unknown model"), read.at("model"):
        look_up()


@pytest.mark.parametrize("kind", ["problem", "run"])
def test_the_schema_files_are_current(kind: Literal["problem", "run"]) -> None:
    """`schema/` holds what `plan schema` prints."""
    assert json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")) == json_schema(kind)


@pytest.mark.parametrize("kind", ["problem", "run"])
def test_every_key_of_the_schema_is_described(kind: Literal["problem", "run"]) -> None:
    """Editors show what each key means, in which unit, and its default."""
    schema = json_schema(kind)
    for part in (schema, *schema["$defs"].values()):
        for name, key in part["properties"].items():
            assert key.get("description") or "$ref" in key, name
            assert name in part.get("required", []) or "$ref" in key or "default" in key, name


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("<=8"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab_ -.é", max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
DESIGN = parse_document(DEEPSEEK, "f.yaml", Path())


@given(st.sampled_from(sorted(DESIGN.marks, key=str)), VALUES)
def test_any_value_anywhere_is_read_or_refused_with_a_place(path: KeyPath, value: Plain) -> None:
    """Whatever stands at a key, the answer is a problem or errors with a place and a fix."""

    def replaced(data: Plain, steps: KeyPath) -> Plain:
        if not steps:
            return value
        if isinstance(data, list):
            return [replaced(item, steps[1:]) if index == steps[0] else item for index, item in enumerate(data)]
        assert isinstance(data, dict)
        return {key: replaced(item, steps[1:]) if key == steps[0] else item for key, item in data.items()}

    changed = replaced(DESIGN.data, path)
    issues: tuple[Issue, ...] = ()
    if isinstance(changed, dict):
        try:
            Problem.of(replace(DESIGN, data=changed))
        except InputError as error:
            issues = error.issues
    assert all(issue.fix and issue.place and "\n" not in str(issue) for issue in issues)
