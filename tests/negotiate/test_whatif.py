"""What-if tables: every cell is what `plan solve` answers, whatever is varied and however it is computed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.errors import InputError
from planner.formulation.outcome import Outcome, Status
from planner.layouts.best import best_layouts
from planner.negotiate.answer import FaultyPlanError, answer
from planner.negotiate.processes import Task, gathered
from planner.negotiate.varied import varied
from planner.negotiate.whatif import Cell, WhatIf, whatif
from planner.problem.document import Document, parse_document
from planner.verify.check import violations

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3_anywhere.yaml")
VARIED = (
    ("limits.budget=$60..$2000:4:log", "market.spot_price=×0.5..×2:3"),
    ("limits.deadline=5h..4d:4", "limits.gpus=2,4,16"),
    ("market.offers[0].on_demand=$0.5/GPU-h..$4/GPU-h:4", "market.purchase=[on_demand],[on_demand,spot]"),
    ("limits.memory_headroom=0%..60%:3", "training.phases[0].tokens=1B..9B:3"),
    ("risk.spare_nodes=0%,30%", "training.precision=bf16,fp16"),
    ("training.phases[0].global_batch=16,64", "market.offers[0].accelerator=L4,H100-80GB-SXM5"),
    ("objective=cost,time", "limits.deadline=12h,null"),
)


def document(seed: int, objective: str | None = None) -> Document:
    """A small job on own offers, every limit stated."""
    draw = Random(seed)  # noqa: S311  (a test's dice)
    phases = [
        {"name": f"phase {index}", "tokens": draw.choice(["2B", "5B", "9B"]), "sequence_length": 2048}
        | {"global_batch": draw.choice([16, 24, 64])}
        for index in range(draw.choice([1, 2]))
    ]
    data: dict[str, Any] = {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {"phases": phases},
        "market": {
            "clouds": [],
            "purchase": draw.choice([["on_demand", "spot"], ["on_demand", "spot", "reserved"]]),
            "offers": [_offer(draw, index) for index in range(draw.choice([1, 2, 3]))],
        },
        "limits": {"deadline": draw.choice(["1d", "4d"]), "budget": draw.choice(["$150", "$400", "$2000"]), "gpus": 8},
        "layout": {"context": 1, "recompute": ["none", "full"], "virtual_pipeline": 1, "micro_batch": "<=4"},
        "objective": objective or draw.choice(["cost", "time"]),
    }
    return parse_document(json.dumps(data), "small.yaml", Path())


def _offer(draw: Random, index: int) -> dict[str, Any]:
    return {
        "name": f"offer {index}",
        "accelerator": draw.choice(["A100-80GB-SXM4", "H100-80GB-SXM5", "L4"]),
        "gpus_per_node": draw.choice([1, 2, 4]),
        "network": "400 Gb/s",
        "on_demand": f"${draw.choice([1.0, 1.5, 2.25])}/GPU-h",
        "spot": f"${draw.choice([0.5, 1.2])}/GPU-h",
        "reserved": f"${draw.choice([0.8, 1.1])}/GPU-h",
        "nodes": draw.choice([2, 4, 8]),
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["80%", "100%"]),
    }


def faults(cell: Cell) -> Iterator[str]:
    """How a cell differs from the answer to its own problem."""
    expected = answer(cell.problem)
    if cell.status is not expected.status:
        yield f"{cell.sets}: {cell.status}, not {expected.status}"
    elif cell.plan and expected.plan and cell.value is not None and expected.value is not None:
        cents = 0.01 * len(expected.plan.purchases)
        if abs(cell.value - expected.value) > expected.outcome.error * expected.value + cents:
            yield f"{cell.sets}: {cell.value}, not {expected.value}"
        claims = Outcome(Status.OPTIMAL, claimed_seconds=cell.plan.wall_seconds, claimed_usd=float(cell.plan.cost_usd))
        yield from violations(cell.problem, cell.plan, claims)


@pytest.mark.parametrize("vary", VARIED, ids=lambda vary: vary[0].partition("=")[0])
@pytest.mark.parametrize("seed", range(3))
def test_every_cell_is_the_answer_to_its_problem(seed: int, vary: tuple[str, ...]) -> None:
    """Status, value and plan are those of `plan solve` with the cell's settings, which shares nothing."""
    found = whatif(document(seed), vary, jobs=1)
    assert [fault for cell in found.flat for fault in faults(cell)] == []
    assert any(cell.plan for cell in found.flat)


def test_tokens_are_the_answer_too() -> None:
    """Under `objective: tokens` the cells are what the search finds."""
    found = whatif(document(5, "tokens"), ["limits.budget=$100..$400:2", "limits.gpus=4,8"], jobs=1)
    assert [fault for cell in found.flat for fault in faults(cell)] == []


@pytest.mark.parametrize("seed", range(20, 28))
def test_a_larger_limit_is_never_worse(seed: int) -> None:
    """Along budget and deadline a cell with a plan is followed by cells with plans that are no worse."""
    found = whatif(document(seed), ["limits.budget=$30..$900:6:log", "limits.deadline=4h..4d:5:log"], jobs=1)
    for lines in (found.cells, zip(*found.cells, strict=True)):
        for less, more in (pair for line in lines for pair in pairwise(line)):
            assert less.value is None or (more.value is not None and more.value <= less.value * (1 + 1e-9))


def test_each_layout_table_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """45 cells over prices and limits evaluate every phase on every machine once."""
    evaluated = []

    def counted(workload: Any, phase: Any, machine: Any, *others: Any, **options: Any) -> Any:  # noqa: ANN401
        evaluated.append((phase.name, machine.key))
        return best_layouts(workload, phase, machine, *others, **options)

    monkeypatch.setattr("planner.formulation.choices.best_layouts", counted)
    found = whatif(document(3), ["limits.budget=$40..$2000:9", "market.spot_price=×0.5..×2:5"], jobs=1)
    assert len(found.flat) == 45
    assert len(evaluated) == len(set(evaluated)) > 0


def summary(found: WhatIf) -> list[tuple[Status, float | None]]:
    """What a table says."""
    return [(cell.status, cell.value) for cell in found.flat]


@pytest.mark.parametrize("vary", [VARIED[0], VARIED[4]], ids=["one group", "several groups"])
def test_processes_change_nothing(vary: tuple[str, ...]) -> None:
    """Two processes find what one finds."""
    assert summary(whatif(document(1), vary, jobs=2)) == summary(whatif(document(1), vary, jobs=1))


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt_keeps_what_is_done(jobs: int) -> None:
    """Ctrl-C ends a table with the cells that are done; the others are unknown, not infeasible."""

    def interrupt(done: int, _: int) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    vary = ["limits.budget=$60..$2000:60", "market.spot_price=×0.5..×2:4"]
    found = whatif(document(0), vary, jobs=jobs, progress=interrupt)
    assert found.stopped == "interrupted"
    assert 3 <= len(found.flat) - len(found.missing) < 100
    assert all(cell.plan is None for cell in found.missing)


def test_interrupt_before_the_first_cell_is_told() -> None:
    """Without a single cell there is no table."""

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        whatif(document(0), ["limits.gpus=2,4"], jobs=1, progress=interrupt)


def _ends_with(number: int, end: Callable[[], object]) -> Task:
    def task() -> Iterator[tuple[int, int]]:
        yield number, number
        end()

    return task


def test_a_dying_process_loses_nothing_that_is_done() -> None:
    """When a process is killed, the results of tasks that ended are there, and nothing waits for the rest."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    tasks = [_ends_with(0, int), _ends_with(1, int), _ends_with(2, die)]
    heard: list[int] = []
    found, stopped = gathered(tasks, 2, heard.append)
    assert stopped == "a process died"
    assert 2 not in found
    assert len(found) == len(heard)


def test_a_faulty_plan_in_a_process_is_told() -> None:
    """A plan that fails its verification somewhere else is as loud as here."""

    def fail() -> None:
        raise FaultyPlanError(("it is wrong", "twice"))

    with pytest.raises(FaultyPlanError) as caught:
        gathered([_ends_with(0, fail), _ends_with(1, int)], 2, lambda _: None)
    assert caught.value.faults == ("it is wrong", "twice")


RANGES = {
    "limits.budget=1MUSD..5MUSD:3": ["1MUSD", "3MUSD", "5MUSD"],
    "limits.budget=$500k..$2M:4": ["$500k", "$1M", "$1.5M", "$2M"],
    "limits.budget=$1,000,000..$2,000,000:3": ["$1,000,000", "$1500000", "$2,000,000"],
    "limits.budget=$100..$10000:3:log": ["$100", "$1000", "$10000"],
    "limits.deadline=20d..60d:3": ["20d", "40d", "60d"],
    "limits.deadline=12h..5d:4": ["12h", "2d", "3.5d", "5d"],
    "limits.deadline=1d 12h..3d:3": ["1d 12h", "2.25d", "3d"],
    "limits.gpus=512..2048:4:log": ["512", "813", "1290", "2048"],
    "limits.memory_headroom=0%..30%:3": ["0%", "15%", "30%"],
    "market.spot_price=×0.5..×2:3": ["×0.5", "×1.25", "×2"],
    "market.offers[0].on_demand=$1/GPU-h..$2/GPU-h:3": ["$1/GPU-h", "$1.5/GPU-h", "$2/GPU-h"],
    "training.phases[0].tokens=1T..10T:3:log": ["1T", "3.16228T", "10T"],
    "risk.spot_price=p50..p90:3": ["p50", "p70", "p90"],
    "layout.tensor=1,[2,4],<=8": ["1", "[2,4]", "<=8"],
    "limits.deadline=30d,null": ["30d", "null"],
}


@pytest.mark.parametrize(("text", "values"), RANGES.items())
def test_values_are_written_as_the_file_would(text: str, values: list[str]) -> None:
    """Ranges are linear or geometric, in the unit of the upper end and whole where the key is; lists are as given."""
    (axis,) = varied(document(0), [text])
    assert list(axis.values) == values


BAD = {
    "limits.budgt=1MUSD..5MUSD:3": "did you mean budget?",
    "limits.budget=-1MUSD,5MUSD": "must not be negative",
    "limits.budget=5MUSD..5MUSD:3": "is not below",
    "limits.budget=5MUSD..1MUSD:3": "is not below",
    "limits.budget=1MUSD..5MUSD:1": "from 2 to 100",
    "limits.budget=1MUSD..5MUSD:1000000000": "from 2 to 100",
    "limits.budget=1MUSD..5MUSD": "needs 2 to 100 different values",
    "limits.budget=1MUSD..5MUSD:3:cubic": "unknown scale",
    "limits.budget=1MUSD..5d:3": "has no currency",
    "limits.budget=1..5MUSD:3": "has no currency",
    "limits.memory_headroom=0%..30%:3:log": "cannot start at zero",
    "limits.deadline=1d 1h..2d 1h:3": "written in one unit",
    "limits.gpus=1..4:9": "ask for at most :4",
    "limits.gpus=1,1": "different values",
    "limits=1..5:3": "must be a mapping",
    "limits=1,5": "must be a mapping",
    "training.precision=bf16..fp8:3": "list its values",
    "training.precision=bf16,fp4": "leaves none",
    "model=llama3.2-1b,gpt-9": "unknown model",
    "market.offers[0].on_demand=$1/GPU-h..$9/node-h:3": "different kinds",
    "market.offers[9].nodes=1,2": "no item 9",
    "limits.budget": "not KEY=VALUES",
    "limits.gpus=[1,2": "needs 2 to 100 different values",
}


@pytest.mark.parametrize(("text", "told"), BAD.items())
def test_bad_input_names_the_vary(text: str, told: str) -> None:
    """Whatever a `--vary` has wrong is one message with its text and what to do."""
    with pytest.raises(InputError) as caught:
        whatif(document(0), [text], jobs=1)
    (issue, *_) = caught.value.issues
    assert told in f"{issue.message} {issue.fix}"
    assert f"--vary {text}" == str(issue.place) or text.partition("=")[0] in issue.message


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ((), "one or two quantities"),
        (("limits.gpus=1,2", "limits.deadline=1d,2d", "limits.budget=$1,$2"), "not 3"),
        (("limits.gpus=1,2", "limits.gpus=4,8"), "varied twice"),
        (("market.offers[0].nodes=1,2", "market.offers.0.nodes=4,8"), "varied twice"),
        (("limits.gpus=1..100:100", "limits.budget=$1..$90:90"), "9,000 cells"),
    ],
)
def test_bad_combinations_are_refused(texts: tuple[str, ...], told: str) -> None:
    """At most two different keys and 2,500 cells."""
    with pytest.raises(InputError, match=told):
        varied(document(0), texts)


def test_errors_of_the_file_stay_as_they_are() -> None:
    """A mistake that is there without any `--vary` is told at its own line."""
    wrong = parse_document('{"schema": "plan/1", "modl": "llama3.2-1b"}', "wrong.yaml", Path())
    with pytest.raises(InputError) as caught:
        whatif(wrong, ["limits.gpus=1,2"], jobs=1)
    assert {issue.place.file for issue in caught.value.issues if issue.place} == {"wrong.yaml"}
    assert not any("(with" in issue.message for issue in caught.value.issues)


def command(*words: str, file: str = "-") -> Result:
    """What `plan whatif` prints for the small problem."""
    text = "\n".join(document(2, "cost").lines)
    return CliRunner().invoke(main, ["whatif", file, "--jobs", "1", *words], input=text)


TWO = ("--vary", "limits.budget=$10..$2000:3", "--vary", "limits.gpus=4,8")


def test_text_json_and_csv_agree() -> None:
    """The three outputs have the same cells; money is text in JSON, and what cannot be done has no plan."""
    cells = json.loads(command(*TWO, "--json").stdout)["cells"]
    rows = list(csv.DictReader(io.StringIO(command(*TWO, "--csv").stdout)))
    assert [cell["set"] for cell in cells][:2] == [
        ["limits.budget=$10", "limits.gpus=4"],
        ["limits.budget=$10", "limits.gpus=8"],
    ]
    assert [cell["status"] for cell in cells] == [row["status"] for row in rows]
    assert {"optimal", "infeasible"} == {cell["status"] for cell in cells}
    for cell, row in zip(cells, rows, strict=True):
        assert (cell["plan"] or {"cost_usd": ""})["cost_usd"] == row["cost_usd"] == (cell["objective"]["value"] or "")
    assert "– proven: no plan within the limits (2 of 6 cells)" in command(*TWO).stdout


def test_one_quantity_tells_what_changes() -> None:
    """A line per value, with the difference from the line before; what is proven impossible is said."""
    result = command("--vary", "limits.deadline=1h,1d,20d")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[3].split()[:2] == ["1h", "–"]
    assert "no plan within the limits" in lines[3]
    assert all("$" in line for line in lines[4:6])


@pytest.mark.parametrize(("show", "seen"), [("cost", "$"), ("time", " h "), ("gpus", "4 L4"), ("accelerator", "  L4")])
def test_show_picks_the_figure(show: str, seen: str) -> None:
    """A table of two quantities shows what is asked for, and one of a single quantity needs no choice."""
    assert seen in command(*TWO, "--show", show).stdout
    assert command(*TWO[:2], "--show", show).exit_code == 2


def test_a_hundred_columns_are_all_there() -> None:
    """However wide a table is, no column is cut."""
    result = command("--vary", "limits.budget=$100,$200", "--vary", "market.spot_price=1..3:100")
    (heading,) = [line for line in result.stdout.splitlines() if "1.0202 " in line]
    assert len(heading.split()) == 100
    assert "…" not in result.stdout


def test_exit_codes() -> None:
    """3 when no cell has a plan, 2 for bad input with the text of the --vary, 0 for a table."""
    assert command("--vary", "limits.budget=$1,$2").exit_code == 3
    result = command("--vary", "limits.budget=-1MUSD..1MUSD:3")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: --vary limits.budget=-1MUSD..1MUSD:3" in result.stderr
    assert command(*TWO, "--json", "--csv").exit_code == 2


def test_missing_cells_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the table shows what is done, stderr names what is missing, and the exit code is 130."""

    def stopped(_: object, jobs: int, tell: Callable[[int], None]) -> tuple[dict[int, Any], str]:
        del jobs, tell
        return {0: None}, "interrupted"

    monkeypatch.setattr("planner.negotiate.whatif.gathered", stopped)
    result = command(*TWO)
    assert result.exit_code == 130
    assert "? not reached (5 of 6 cells)" in result.stdout
    assert "interrupted: 5 of 6 cells are missing: limits.budget=$10 limits.gpus=8," in result.stderr
