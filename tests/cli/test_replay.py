"""`plan replay`: what it prints as text and as JSON, its picture, and what it answers to bad input."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.session import Session, load_problem

TEXT = """\
schema: plan/1
model: llama3.1-8b
training:
  phases: [{name: train, tokens: 50B, sequence_length: 8192, global_batch: 512}]
market:
  clouds: []
  purchase: [spot, on_demand]
  offers: [{name: ours, accelerator: H100-80GB-SXM5, nodes: 8, on_demand: $3.30/GPU-h, spot: $1.20/GPU-h}]
"""
SOLVED = Session(load_problem(TEXT)).solve().data()
"""A document with every key, whose plan the tests below state anew."""
PURCHASE = SOLVED["plan"]["purchases"][0] | {
    "phase": "train",
    "offer": "ours",
    "kind": "spot",
    "nodes": 8,
    "usd_per_gpu_hour": "1.2",
    "note": "",
}
PHASE = SOLVED["plan"]["phases"][0] | {
    "name": "train",
    "nodes": 8,
    "spare_nodes": 0,
    "gpus": 64,
    "data": 16,
    "steps": 50_000,
    "step_seconds": 6.0,
    "wall_seconds": 500_000.0,
    "checkpoint_seconds": 40.0,
    "restart_seconds": 650.0,
    "startup_seconds": 900.0,
}
PLAN: dict[str, Any] = SOLVED["plan"] | {
    "accelerator": "H100-80GB-SXM5",
    "policy": "wait",
    "gpus": 64,
    "nodes": 8,
    "wall_seconds": 500_000.0,
    "cost_usd": "8800.00",
    "failures_per_1000_node_days": 3.79,
    "spot": {
        "availability": 0.7,
        "preemptions_per_node_day": 4.0,
        "together": 0.94,
        "correlation": 0.95,
        "traced": True,
    },
    "prices": {"on_demand": "26.40", "spot": "9.60", "reserved": None},
    "purchases": [PURCHASE],
    "phases": [PHASE],
    "deadline_seconds": 8 * 86400.0,
}


def written(folder: Path, plan: dict[str, Any] | None = PLAN) -> str:
    """A plan's document in a file."""
    path = folder / "plan.json"
    path.write_text(json.dumps(SOLVED | {"plan": plan}), encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    """`plan replay` in this process, few runs."""
    return CliRunner().invoke(main, ["replay", "--runs", "60", *arguments], env={"COLUMNS": "100"})


def document(*arguments: str) -> dict[str, Any]:
    """Its JSON document."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_document(tmp_path: Path) -> None:
    """The contract: the plan's own policy at the top, every policy in the list, money as decimal strings."""
    found = document(written(tmp_path))
    assert found["format_version"] == 1
    assert found["policy"] == "wait"
    assert {one["policy"] for one in found["policies"]} == {"steady", "wait", "fallback", "elastic", "progress"}
    assert found["policies"][0]["days"] == found["days"]
    for one in found["policies"]:
        assert list(one["days"]) == ["mean", "p5", "p50", "p95"]
        assert one["days"]["p5"] <= one["days"]["p50"] <= one["days"]["p95"]
        assert isinstance(one["cost_usd"]["mean"], str)
        assert 0 <= one["probability_in_time"] <= 1
        assert set(one["waste"]) == {"checkpoint", "lost_work", "restart", "waiting", "reduced"}


def test_the_plan_lies_inside_the_replay(tmp_path: Path) -> None:
    """What the equations expect is what the runs come to; of `progress` they expect nothing."""
    found = document(written(tmp_path))
    for one in found["policies"]:
        if one["policy"] == "progress":
            assert one["expected"] is None
            continue
        assert one["expected"]["days"]["mean"] == pytest.approx(one["days"]["mean"], rel=0.08)
    assert float(found["on_demand_cheaper_above_usd_per_node_hour"]) > 9.6


@pytest.mark.slow
def test_the_same_seed_prints_the_same(tmp_path: Path) -> None:
    """Byte for byte; another seed prints something else."""
    path = written(tmp_path)
    first, again, other = (run(path, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first == again
    assert first != other


def test_processes_do_not_change_it(tmp_path: Path) -> None:
    """Byte for byte the same from two processes as from one."""
    path = written(tmp_path)
    assert run(path, "--json", "--workers", "2").stdout == run(path, "--json").stdout


def test_text(tmp_path: Path) -> None:
    """The verdict, both tables, waste, and the pictures."""
    shown = run(written(tmp_path)).stdout
    for part in ("in time for 8 d", "by equations", "lost on average", "work done over time", "single runs", "cheaper"):
        assert part in shown


@pytest.mark.slow
def test_svg(tmp_path: Path) -> None:
    """One self-contained picture that is well-formed and names the deadline, what runs did and every policy."""
    path = tmp_path / "replay.svg"
    assert run(written(tmp_path), "--svg", str(path)).exit_code == 0
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314  (our own file)
    assert root.tag.endswith("svg")
    assert "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    words = {element.text for element in root.iter() if element.tag.endswith("}text")}
    assert words >= {"deadline", "run 1", "waiting", "spot", "wait", "elastic", "steady"}


def test_recorded_capacity(tmp_path: Path) -> None:
    """Traces in both formats, several at once."""
    ticks, events = tmp_path / "ticks.json", tmp_path / "events.csv"
    ticks.write_text(json.dumps({"metadata": {"gap_seconds": 3600}, "data": [8, 8, 8, 8, 4, 0, 8, 8]}), "utf-8")
    events.write_text("0,add,a\n0,add,b\n36000000,remove,a\n43200000,add,c\n", encoding="utf-8")
    found = document(written(tmp_path), "--trace", str(ticks), "--trace", str(events))
    assert found["traces"] == [str(ticks), str(events)]
    assert found["preemptions"] > 0


def test_a_plan_without_spot_nodes(tmp_path: Path) -> None:
    """Only failures are left to happen."""
    plan = PLAN | {"policy": "steady", "spot": None, "purchases": [PURCHASE | {"kind": "on_demand"}]}
    found = document(written(tmp_path, plan))
    assert [one["policy"] for one in found["policies"]] == ["steady"]
    assert found["preemptions"] == 0
    assert found["on_demand_cheaper_above_usd_per_node_hour"] is None


def test_without_a_deadline_nothing_is_late(tmp_path: Path) -> None:
    """No probability, and no policy that needs a deadline."""
    found = document(written(tmp_path, PLAN | {"deadline_seconds": None}))
    assert found["probability_in_time"] is None
    assert "progress" not in {one["policy"] for one in found["policies"]}


BAD: dict[str, tuple[object, str]] = {
    "no plan": ({"plan": None}, "holds no plan"),
    "another document": ({"limits": {}}, "not a plan"),
    "a list": ([], "not a plan"),
    "policy": ({"plan": PLAN | {"policy": "hope"}}, "not a plan: plan.policy"),
    "no phases": ({"plan": PLAN | {"phases": []}}, "no phases"),
    "no work": ({"plan": PLAN | {"phases": [PHASE | {"steps": 0}]}}, "no work"),
    "endless": ({"plan": PLAN | {"wall_seconds": float("inf")}}, "not a plan"),
    "too large for a float": ({"plan": PLAN | {"phases": [PHASE | {"nodes": 10**400}]}}, "not a plan"),
    "text for a deadline": ({"plan": PLAN | {"deadline_seconds": "soon"}}, "not a plan"),
    "a dear node": ({"plan": PLAN | {"prices": {"on_demand": 1e300}}}, "not a plan"),
    "nothing ever there": ({"plan": PLAN | {"spot": {**PLAN["spot"], "availability": 0}}}, "not a plan"),
    "forever": ({"plan": PLAN | {"phases": [PHASE | {"steps": 1e11}]}}, "too many to replay"),
    "hardly any work": ({"plan": PLAN | {"phases": [PHASE | {"step_seconds": 1e-300}]}}, "no work"),
    "text for a number": ({"plan": PLAN | {"phases": [PHASE | {"steps": "many"}]}}, "not a plan"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_plans(name: str, tmp_path: Path) -> None:
    """Each is refused in a line or two, with exit code 2."""
    content, message = BAD[name]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(SOLVED | content if isinstance(content, dict) else content), encoding="utf-8")
    result = run(str(path))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "fix:" in result.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"schema: plan/1"])
def test_not_json(content: bytes, tmp_path: Path) -> None:
    """A problem file is no plan."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    result = run(str(path))
    assert result.exit_code == 2
    assert "not a plan" in result.stderr


def test_bad_usage(tmp_path: Path) -> None:
    """A missing file and no runs at all."""
    assert run(str(tmp_path / "nothing.json")).exit_code == 2
    assert run(written(tmp_path), "--runs", "0").exit_code == 2
    assert run(written(tmp_path), "--trace", str(tmp_path / "nothing")).exit_code == 2


def test_files_hold_the_same_figures(tmp_path: Path) -> None:
    """Comma-separated values have a row per policy; the workbook's quantiles are formulas over the runs in it."""
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    plan, book = written(tmp_path), tmp_path / "replay.xlsx"
    found = document(plan, "--runs", "50", "--xlsx", str(book))
    rows = list(csv.DictReader(run(plan, "--runs", "50", "--csv").stdout.splitlines()))
    assert [row["policy"] for row in rows] == [one["policy"] for one in found["policies"]]
    assert [float(row["days_p50"]) for row in rows] == [one["days"]["p50"] for one in found["policies"]]
    policies, runs, deadline = openpyxl.load_workbook(book).worksheets
    days = [row[1] for row in runs.iter_rows(min_row=2, values_only=True)]
    assert len(days) == 50
    assert sum(days) / 50 == pytest.approx(found["days"]["mean"])
    first = next(policies.iter_rows(min_row=2, values_only=True))
    assert first[2:4] == ("=AVERAGE(Runs!$B$2:$B$51)", "=PERCENTILE(Runs!$B$2:$B$51,0.05)")
    assert deadline["A2"].value == pytest.approx(found["deadline_days"])


def test_reserved_nodes_are_called_so(tmp_path: Path) -> None:
    """A run on reserved nodes is not drawn as one on demand, and prices are told as plan solve tells them."""
    spot = run(written(tmp_path), "--runs", "20").stdout
    assert "▓ on demand" in spot
    assert "/GPU-h of spot; the plan pays $1.20/GPU-h." in spot
    line = PURCHASE | {"kind": "reserved", "phase": "all"}
    reserved = written(tmp_path, PLAN | {"policy": "steady", "purchases": [line]})
    text = run(reserved, "--runs", "20").stdout
    assert "▓ reserved" in text
    assert "on demand  ×" not in text
