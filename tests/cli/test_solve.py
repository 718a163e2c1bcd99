"""`plan solve`, `plan layouts`, `plan check`, `plan init`: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.explore import answer as answers
from planner.explore import enumeration
from planner.explore import job_modes as modes
from planner.plans.solution import Solution, Status
from planner.problem.problem import ProblemTraining

SMALL = """\
schema: plan/1
name: small
model: llama3.2-1b
training:
  phases:
    - {name: train, tokens: 5B, sequence_length: 2048, global_batch: 64}
market:
  clouds: []
  offers:
    - {name: own, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $3/GPU-h}
    - {name: old, accelerator: A100-80GB-SXM4, nodes: 4, on_demand: $2/GPU-h}
limits: {deadline: 2d, gpus: 32}
"""


def plan(*arguments: str, stdin: str | None = SMALL) -> Result:
    """What a command prints and how it ends."""
    return CliRunner().invoke(main, list(arguments), input=stdin)


def solved(*arguments: str) -> dict[str, Any]:
    """The JSON document of the small problem."""
    result = plan("solve", "-", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


NO_PARTS = {"total", "limit", "allocated", "reserve", "expected", "margin", "headroom", "fits", "fit_probability"}
"""What a plan says of memory beside the parts that add up."""


def test_json_keeps_its_promise() -> None:
    """Every key of the contract is there, money is text, and the figures add up."""
    document = solved()
    assert (document["format_version"], document["status"]) == (1, "optimal")
    assert document["objective"]["gap"] <= 1e-3
    found = document["plan"]
    assert found["cost_usd"] == document["objective"]["value"]
    bill = sum(float(one["cost_usd"]) for one in found["purchases"])
    assert bill == pytest.approx(float(found["cost_usd"]))
    (phase,) = found["phases"]
    product = phase["data"] * phase["tensor"] * phase["pipeline"] * phase["context"]
    assert product == phase["gpus"] == found["gpus"]
    assert phase["data"] * phase["micro_batch"] * phase["microbatches"] == 64
    parts = [value for name, value in phase["memory"].items() if name not in NO_PARTS]
    assert sum(parts) == pytest.approx(phase["memory"]["total"])
    memory = phase["memory"]
    assert memory["total"] <= memory["limit"]
    assert memory["allocated"] + memory["reserve"] == pytest.approx(memory["expected"])
    assert memory["expected"] + memory["margin"] == pytest.approx(memory["total"])
    assert memory["expected"] <= memory["limit"] - memory["headroom"]
    assert sum(phase["time"].values()) == pytest.approx(phase["step_seconds"])
    assert 0 < phase["mfu"] < 1
    assert [one["name"] for one in document["limits"]] == ["limits.deadline", "limits.gpus"]
    assert document["limits"][0]["slack"] == pytest.approx(172800 - found["wall_seconds"])
    (other,) = document["alternatives"]
    assert float(other["difference"]) >= 0
    assert document["solver"]["search_space"] > 1000
    assert document["catalog"]["date"]


def test_worth_of_money_names_the_next_plan() -> None:
    """More money's worth is what a step in proportion buys, and beside it the least amount that ends the job sooner."""
    document = solved("--set", "limits.budget=$50k")
    worth = {one["name"]: one["worth"] for one in document["limits"]}
    assert set(worth["limits.budget"]) == {"more", "gain", "unit", "next"}
    assert set(worth["limits.budget"]["next"]) == {"more", "gain", "unit"}
    assert set(worth["limits.gpus"]) == {"more", "gain", "unit"}
    assert document["left_out"] == []
    assert "(the next plan on the frontier)" in plan("solve", "-").stdout


def test_same_input_same_output() -> None:
    """Two runs print the same bytes, times aside."""

    def text() -> str:
        return re.sub(r'"search_seconds": [0-9.e-]+', "", plan("solve", "-", "--json").stdout)

    assert text() == text()


def test_text_tells_the_plan() -> None:
    """People see what to buy, the bill with its total, bars, limits, the runner-up and how sure it is."""
    result = plan("solve", "-")
    assert result.exit_code == 0
    total = f"${float(solved()['plan']['cost_usd']):,.2f}"
    parts = (
        "proven best",
        f"bill: {total}",
        "memory",
        "step",
        "limits.deadline",
        "other accelerators",
        "80% prediction interval",
    )
    assert all(part in result.stdout for part in parts)
    assert all(len(line) <= 160 for line in result.stdout.splitlines())


def test_the_answer_says_what_kind_of_figure_it_is() -> None:
    """A plan is the best layout; what published runs reached, `plan size`'s figure, stands beside it."""
    told = plan("solve", "-").stdout
    pattern = r"(?s)\nThis is the best layout, at \S+% MFU. The median of \d+ published dense .*see plan size"
    assert re.search(pattern, told)
    adapters = plan("solve", "-", "--set", "training.method=lora").stdout
    assert "This is the best layout" in adapters
    assert "The median of" not in adapters


def test_objectives_by_option() -> None:
    """--minimize and --maximize override the file, and exclude each other."""
    cheap, fast = solved("--minimize", "cost"), solved("--minimize", "time")
    assert float(cheap["plan"]["cost_usd"]) <= float(fast["plan"]["cost_usd"])
    assert fast["plan"]["wall_seconds"] <= cheap["plan"]["wall_seconds"]
    assert solved("--maximize", "tokens")["objective"]["value"] > 5e9
    assert plan("solve", "-", "--minimize", "cost", "--maximize", "tokens").exit_code == 2


def test_check_agrees() -> None:
    """--check enumerates everything and says that it finds the same."""
    result = plan("solve", "-", "--check")
    assert result.exit_code == 0
    assert "the same within rounding" in result.stderr


def test_infeasible_ends_with_3() -> None:
    """A proof that nothing fits says why, accelerator by accelerator, and prints a document under --json."""
    result = plan("solve", "-", "--set", "limits.deadline=1s")
    assert result.exit_code == 3
    assert "no layout ends within" in result.stdout
    document = json.loads(plan("solve", "-", "--json", "--set", "limits.budget=$1").stdout)
    assert (document["status"], document["plan"]) == ("infeasible", None)
    huge = plan("solve", "-", "--set", "model=llama3.1-405b")
    assert huge.exit_code == 3
    assert "GiB a device" in huge.stdout


def test_no_time_ends_with_a_plan_or_with_4() -> None:
    """Without time for more than the first layouts the best of them is the answer, with an honest bound, or it is 4."""
    document = json.loads(plan("solve", "-", "--json", "--time-limit", "1ms").stdout)
    assert document["status"] == "feasible"
    assert float(document["objective"]["bound"]) <= float(solved()["objective"]["value"])
    assert float(document["objective"]["value"]) >= float(solved()["objective"]["value"])
    assert plan("solve", "-", "--time-limit", "1ms", "--set", "limits.budget=$1").exit_code == 4


def test_faulty_plans_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that fails its verification ends with 70 and nothing on stdout."""

    def faults(*_: object) -> tuple[str, ...]:
        return ("it is wrong",)

    monkeypatch.setattr(modes, "violations", faults)
    result = plan("solve", "-")
    assert (result.exit_code, result.stdout) == (70, "")
    assert "it is wrong" in result.stderr


def test_a_difference_from_enumeration_ends_with_70(monkeypatch: pytest.MonkeyPatch) -> None:
    """--check tells an optimum that is none."""
    monkeypatch.setattr("planner.verify.oracle.best_value", lambda _: 1.0)
    result = plan("solve", "-", "--check")
    assert result.exit_code == 70


def test_output_files_are_whole(tmp_path: Path) -> None:
    """--out writes what --json prints; where it cannot, nothing is written and the exit code is 2."""
    out = tmp_path / "plan.json"
    assert plan("solve", "-", "--out", str(out)).exit_code == 0
    assert json.loads(out.read_text())["status"] == "optimal"
    assert plan("solve", "-", "--out", str(tmp_path / "missing" / "plan.json")).exit_code == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model=gpt-9", "unknown model"),
        ("market.accelerators=[Z1]", "unknown accelerator"),
        ("market.clouds=[nowhere]", "unknown cloud"),
        ("market.purchase=[spot]", "market.purchase leaves none"),
        ("training.precision=fp4", "training.precision leaves none"),
        ("training.phases[0].tokens=0", "more than zero"),
        ("training.phases[0].tokens=-1", "negative"),
        ("limits.deadline=0d", "more than zero"),
        ("limits.dedline=5d", "did you mean deadline?"),
        ("training.software={stack: megatrn}", "megatron"),
        ("objective=speed", "not one of"),
    ],
)
def test_bad_input_ends_with_2(change: str, told: str) -> None:
    """Whatever is wrong is said in a line with a fix, without a traceback."""
    result = plan("solve", "-", "--set", change)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_errors_of_a_model_name_line_and_column(tmp_path: Path) -> None:
    """What is wrong inside an inline model, or in a config that a problem names, is told where it stands."""
    model = "model:\n  hidden_size: -1\n  n_head: 8\n  intermediat_size: 2048\n  num_hidden_layers: 4\n  vocab_size: 9"
    inline = plan("check", "-", stdin=SMALL.replace("model: llama3.2-1b", model))
    assert inline.exit_code == 2
    assert inline.stderr == (
        "error: <stdin>:4:3: intermediate_size is missing\n"
        "  |   hidden_size: -1\n"
        "  |   ^\n"
        "  fix: add intermediate_size\n"
        "error: <stdin>:4:16: hidden_size must lie between 1 and 1,000,000\n"
        "  |   hidden_size: -1\n"
        "  |                ^\n"
        "error: <stdin>:6:3: unknown field 'intermediat_size' of an inline model\n"
        "  |   intermediat_size: 2048\n"
        "  |   ^\n"
        "  fix: did you mean intermediate_size?\n"
    )
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"hidden_size": -1, "num_hidden_layers": 2}, indent=1))
    named = plan("check", "-", "--set", f"model={config}")
    assert named.exit_code == 2
    assert f"error: {config}:2:17: hidden_size must lie" in named.stderr


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.05, 1.3])
def test_accelerators_that_the_estimate_cannot_tell_apart_are_called_equal(factor: float) -> None:
    """A runner-up that is worse by less than the estimate's error is a tie, in text and JSON; a clear one is not."""
    plain = solved()
    (other,) = plain["alternatives"]
    prices = {"A100-80GB-SXM4": ("old", 1, 2.0), "H100-80GB-SXM5": ("own", 0, 3.0)}
    _, index, price = prices[other["accelerator"]]
    worse = 1 + float(other["difference"]) / float(plain["plan"]["cost_usd"])
    change = ["--set", f"market.offers[{index}].on_demand=${price * factor / worse:.4f}/GPU-h"]
    document, text = solved(*change), plan("solve", "-", *change).stdout
    (other,) = document["alternatives"]
    difference = float(other["difference"]) / float(document["plan"]["cost_usd"])
    assert difference == pytest.approx(factor - 1, abs=0.02)
    assert other["within_error"] is (factor < 1.1)
    tie = f"{other['accelerator']} is {difference:.0%} more expensive, within the estimate's error (±16%)"
    assert (tie in text) is (factor < 1.1)


def test_devices_without_a_published_run_are_named() -> None:
    """Text and JSON say of the best plan and of the others whether published runs on their device stand behind them."""
    change = ["--set", "market.offers[1].accelerator=L4", "--set", "market.offers[1].nodes=16"]
    document = solved(*change, "--set", "limits.gpus=128", "--set", "limits.deadline=20d")
    (other,) = document["alternatives"]
    known = {document["plan"]["accelerator"]: document["estimate"], other["accelerator"]: other["estimate"]}
    assert known["H100-80GB-SXM5"]["published_runs_on_device"] is True
    assert known["L4"]["published_runs_on_device"] is False
    assert known["L4"]["log_deviation"] > known["H100-80GB-SXM5"]["log_deviation"]
    alone = plan("solve", "-", *change, "--set", "market.accelerators=[L4]", "--set", "limits.deadline=90d").stdout
    assert "No published training run on L4 was in the calibration: the estimate rests on its data sheet" in alone
    both = plan("solve", "-", *change, "--set", "limits.gpus=128", "--set", "limits.deadline=20d").stdout
    assert "Of the others, no published training run was in the calibration on L4" in both


def test_a_device_without_the_format_is_planned_in_the_one_it_has() -> None:
    """A bf16 job on devices that only have fp16 is said to run in fp16, in text, in JSON and by `plan check`."""
    change = ["--set", "market.offers[1].accelerator=T4", "--set", "market.offers[0].accelerator=V100-32GB-SXM2"]
    only = [*change, "--set", "limits.deadline=90d"]
    told = plan("solve", "-", *only)
    assert told.exit_code == 0, told.stderr
    assert re.search(r"^Precision: planned in fp16: \S+ has no bf16; needs loss scaling\.$", told.stdout, re.MULTILINE)
    document = json.loads(plan("solve", "-", "--json", *only).stdout)
    plans = [document["plan"], *(one["plan"] for one in document["alternatives"])]
    assert [phase["precision"] for one in plans for phase in one["phases"]] == ["fp16", "fp16"]
    checked = plan("check", "-", *change).stdout
    assert "\n  planned in fp16: T4, V100-32GB-SXM2 have no bf16; needs loss scaling\n" in checked
    assert "Precision" not in plan("solve", "-").stdout
    assert "planned in" not in plan("check", "-").stdout


def test_layouts_contain_the_optimum() -> None:
    """The least cost of all layouts within the deadline is the solver's, in the table of survivors too."""
    best = solved()["plan"]
    for options in ([], ["--undominated"]):
        rows = list(csv.DictReader(io.StringIO(plan("layouts", "-", "--csv", *options).stdout)))
        in_time = [row for row in rows if float(row["wall_days"]) <= 2]
        assert min(float(row["cost_usd"]) for row in in_time) == pytest.approx(float(best["cost_usd"]), rel=1e-4)
        assert all(float(row["memory_gib"]) < 80 for row in rows)
    assert len(rows) < 100


def test_layouts_say_how_many_nodes_are_billed() -> None:
    """Nodes are whole and spares are bought on top, so the cost is that of the nodes and not of the GPUs alone."""
    options = ["--set", "risk.spare_nodes=30%", "--set", "limits.gpus=64"]
    rows = list(csv.DictReader(io.StringIO(plan("layouts", "-", "--csv", *options).stdout)))
    assert any(int(row["gpus"]) < 8 for row in rows)
    for row in rows:
        needed = -(-int(row["gpus"]) // 8)
        assert int(row["nodes"]) == needed + -(-needed * 3 // 10)
        if row["cost_usd"]:
            hours, price = float(row["wall_days"]) * 24, {"own": 3, "old": 2}[row["placement"]]
            assert float(row["cost_usd"]) == pytest.approx(int(row["nodes"]) * 8 * hours * price, rel=1e-3)
    assert " nodes " in plan("layouts", "-", "--top", "3").stdout


def test_nothing_feasible_ends_with_3() -> None:
    """Pins that no layout meets are told by every command that solves, without limits that could be blamed."""
    pinned = ["-", "--set", "layout.tensor=7", "--set", "limits={}"]
    for command in ("solve", "layouts", "frontier", "alternatives"):
        result = plan(command, *pinned)
        assert result.exit_code == 3, command
        assert "no plan exists" in result.stdout or "no layout is feasible" in result.stderr
    told = plan("solve", *pinned).stdout
    assert "small: no plan exists\n  A100-80GB-SXM4, H100-80GB-SXM5: train: no layout is valid under the pins\n" in told
    assert "No limit is binding" in told
    late = plan("solve", "-", "--set", "limits.deadline=1s").stdout
    assert "no layout ends within 1 s" in late


def test_another_kind_of_file_is_told() -> None:
    """A run file where a problem is wanted, and the other way round, is one error and not many."""
    run = "schema: run/1\nmodel: llama3.2-1b\ntraining: {tokens: 5B, sequence_length: 2048, global_batch: 64}\n"
    for command, stdin, told in (("solve", run, "this is a run file"), ("estimate", SMALL, "this is a problem file")):
        result = plan(command, "-", stdin=stdin)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: <stdin>:1:9: " + told)
        assert result.stderr.count("error:") == 1


def test_examples_in_errors_are_right(tmp_path: Path) -> None:
    """What an error proposes can be written as it stands."""
    lists = plan("check", "-", "--set", "market.accelerators=H100-80GB-SXM5").stderr
    assert "market.accelerators must be a list" in lists
    assert "accelerators: [H100-80GB-SXM5]" in lists
    plain = plan("check", "-", stdin=SMALL.replace("schema: plan/1\n", "")).stderr
    assert "schema is missing" in plain
    assert "add for example schema: plan/1" in plain
    one = plan("check", "-", "--set", "training.phases[3].tokens=1B").stderr
    assert "write training.phases[0]\n" in one
    assert "write training.phases[0].tokens\n" in plan("check", "-", "--set", "training.tokens=20T").stderr
    assert "did you mean accelerators?" in plan("check", "-", "--set", "market.accelerator=H100").stderr
    assert plan("solve", "-", "--out", "").exit_code == 2
    assert plan("solve", "-", "--out", str(tmp_path)).exit_code == 2


def test_layouts_for_people() -> None:
    """Without --csv the cheapest are shown as a table, as many as asked for."""
    every = len(plan("layouts", "-", "--csv").stdout.splitlines()) - 1
    for arguments, shown in (((), 20), (("--top", "3"), 3)):
        lines = plan("layouts", "-", *arguments).stdout.splitlines()
        assert sum("  $" in line for line in lines) == shown
        assert lines[-1] == f"{shown} of {every:,} layouts, the cheapest first; --top N shows more, --csv all"
    rows = list(csv.DictReader(io.StringIO(plan("layouts", "-", "--csv", "--top", "5").stdout)))
    costs = [float(row["cost_usd"]) for row in rows]
    assert costs == sorted(costs)
    assert len(costs) == 5


@pytest.mark.slow
def test_all_layouts_for_people() -> None:
    """Where all are shown, nothing is said of more."""
    every = len(plan("layouts", "-", "--csv").stdout.splitlines()) - 1
    assert "--csv all" not in plan("layouts", "-", "--top", str(every)).stdout


def test_check_tells_what_is_asked() -> None:
    """`plan check` sums a problem up, or reports its errors."""
    result = plan("check", "-")
    assert result.exit_code == 0
    assert "2 offers of 2 accelerators" in result.stdout
    assert plan("check", "-", "--set", "model=gpt-9").exit_code == 2


def test_init_writes_a_problem_that_is_right(tmp_path: Path) -> None:
    """`plan init` writes a file that `plan check` accepts, and overwrites none unless told to."""
    file = str(tmp_path / "problem.yaml")
    assert plan("init", file).exit_code == 0
    assert plan("check", file).exit_code == 0
    assert plan("init", file).exit_code == 2
    assert plan("init", file, "--force").exit_code == 0
    assert plan("init").stdout == Path(file).read_text()


def test_init_names_every_key_of_training() -> None:
    """Whatever the problem file lets people state of a training is in the comments of the file to start from."""
    written = plan("init").stdout
    missing = [name for name in ProblemTraining.model_fields if not re.search(rf"\b{name}: ", written + " ")]
    assert [name for name in missing if name != "phases"] == []


def test_interrupt_ends_with_130() -> None:
    """Ctrl-C before any plan ends with 130 and no traceback."""
    start = "from planner.cli import main; print('ready', flush=True); main()"
    command = [sys.executable, "-c", start, "solve", "-"]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in told


def test_two_methods_that_differ_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """When enumeration misses the best plan, or one where there is one, the solver finds it: a bug, not an answer."""
    monkeypatch.setattr(enumeration, "cheapest", lambda modes, _: max(modes, key=lambda one: one.cost_usd))
    assert plan("solve", "-").exit_code == 70
    monkeypatch.setattr(answers, "best_of_each", lambda *_: {})
    result = plan("solve", "-")
    assert (result.exit_code, result.stdout) == (70, "")
    assert "the solver finds" in result.stderr


def test_a_bound_that_a_plan_beats_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the solver proves that nothing is as good as the plan in hand, or that there is none, that is a bug."""
    for proven in (Solution(Status.OPTIMAL, bound=1e9), Solution(Status.INFEASIBLE)):
        monkeypatch.setattr("planner.cpsat.search.search", lambda *_, **__: proven)  # noqa: B023
        assert plan("solve", "-").exit_code == 70


@pytest.mark.slow
def test_out_is_written_though_nobody_reads_on(tmp_path: Path) -> None:
    """A reader such as `head` that ends before the answer does loses no file."""
    out = tmp_path / "p.json"
    command = [sys.executable, "-c", "from planner.cli import main; main()", "solve", "-", "--out", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin
        assert process.stdout
        process.stdout.close()
        process.stdin.write(SMALL)
        process.stdin.close()
        process.wait(timeout=60)
    assert json.loads(out.read_text(encoding="utf-8"))["status"] == "optimal"
