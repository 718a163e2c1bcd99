"""What-if tables: every cell is what `plan solve` answers, whatever is varied and however it is computed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from small_documents import document

from planner.catalog.files import catalog_directory
from planner.cli import main
from planner.explore.answer import answer
from planner.explore.whatif import Cell, WhatIf, whatif
from planner.explore.workers import Task, gathered
from planner.layouts.fastest import best_layouts_on
from planner.plans.solution import Status
from planner.problem.document import with_overrides
from planner.verify.check import FaultyPlanError, violations

VARIED = (
    ("limits.budget=$60..$2000:4:log", "market.spot_price=×0.5..×2:3"),
    ("limits.deadline=5h..4d:4", "limits.gpus=2,4,16"),
    ("market.offers[0].on_demand=$0.5/GPU-h..$4/GPU-h:4", "market.purchase=[on_demand],[on_demand,spot]"),
    ("limits.memory_headroom=0%..60%:3", "training.phases[0].tokens=1B..9B:3"),
    ("risk.spare_nodes=0%,30%", "training.precision=bf16,fp16"),
    ("training.phases[0].global_batch=16,64", "market.offers[0].accelerator=L4,H100-80GB-SXM5"),
    ("objective=cost,time", "limits.deadline=12h,null"),
)


def faults(cell: Cell) -> Iterator[str]:
    """How a cell differs from the answer to its own problem."""
    expected = answer(cell.problem)
    if cell.status is not expected.status:
        yield f"{cell.sets}: {cell.status}, not {expected.status}"
    elif cell.plan and expected.plan and cell.value is not None and expected.value is not None:
        cents = 0.01 * len(expected.plan.purchases)
        if abs(cell.value - expected.value) > expected.outcome.error * expected.value + cents:
            yield f"{cell.sets}: {cell.value}, not {expected.value}"
        yield from violations(cell.problem, cell.plan)


@pytest.mark.slow
@pytest.mark.parametrize("vary", VARIED, ids=lambda vary: vary[0].partition("=")[0])
@pytest.mark.parametrize("seed", range(3))
def test_every_cell_is_the_answer_to_its_problem(seed: int, vary: tuple[str, ...]) -> None:
    """Status, value and plan are those of `plan solve` with the cell's settings, which shares nothing."""
    found = whatif(document(seed), vary, workers=1)
    assert [fault for cell in found.flat for fault in faults(cell)] == []
    assert any(cell.plan for cell in found.flat)


def test_own_devices_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Two records that call themselves alike but differ in memory are evaluated apart."""
    catalog = (catalog_directory() / "accelerators.toml").read_text("utf-8").split("[[accelerator]]")
    (record,) = [one for one in catalog if 'name = "L4"' in one]
    record = "[[accelerator]]" + re.sub("aliases = .*", "", record.replace('name = "L4"', 'name = "mine"'))
    files = [tmp_path / "small.toml", tmp_path / "large.toml"]
    for file, memory in zip(files, ("22.0", "70.0"), strict=True):
        file.write_text(re.sub("memory_usable_gib = .*", f"memory_usable_gib = {memory}", record), "utf-8")
    subject = with_overrides(document(1), ["limits.budget=null", "limits.deadline=null", "objective=time"])
    found = whatif(subject, [f"market.offers[0].accelerator={files[0]},{files[1]}"], workers=1)
    assert [fault for cell in found.flat for fault in faults(cell)] == []
    small, large = found.flat
    assert small.value != large.value


@pytest.mark.slow
def test_tokens_are_the_answer_too() -> None:
    """Under `objective: tokens` the cells are what the search finds."""
    found = whatif(document(5, "tokens"), ["limits.budget=$100..$400:2", "limits.gpus=4,8"], workers=1)
    assert [fault for cell in found.flat for fault in faults(cell)] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 28))
def test_a_larger_limit_is_never_worse(seed: int) -> None:
    """Along budget and deadline a cell with a plan is followed by cells with plans that are no worse."""
    found = whatif(document(seed), ["limits.budget=$30..$900:6:log", "limits.deadline=4h..4d:5:log"], workers=1)
    for lines in (found.cells, zip(*found.cells, strict=True)):
        for less, more in (pair for line in lines for pair in pairwise(line)):
            assert less.value is None or (more.value is not None and more.value <= less.value * (1 + 1e-9))


@pytest.mark.slow
def test_each_layout_table_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """45 cells over prices and limits evaluate every phase on every machine once."""
    evaluated: list[tuple[str, object]] = []

    def counted(workload: Any, phase: Any, space: Any, asked: Any) -> Any:  # noqa: ANN401
        evaluated.extend((phase.name, one.machine.key) for one in asked)
        return best_layouts_on(workload, phase, space, asked)

    monkeypatch.setattr("planner.plans.choices.best_layouts_on", counted)
    found = whatif(document(3), ["limits.budget=$40..$2000:9", "market.spot_price=×0.5..×2:5"], workers=1)
    assert len(found.flat) == 45
    assert len(evaluated) == len(set(evaluated)) > 0


def summary(found: WhatIf) -> list[tuple[Status, float | None]]:
    """What a table says."""
    return [(cell.status, cell.value) for cell in found.flat]


@pytest.mark.slow
@pytest.mark.parametrize("vary", [VARIED[0], VARIED[4]], ids=["one group", "several groups"])
def test_processes_change_nothing(vary: tuple[str, ...]) -> None:
    """Two processes find what one finds."""
    assert summary(whatif(document(1), vary, workers=2)) == summary(whatif(document(1), vary, workers=1))


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt_keeps_what_is_done(jobs: int) -> None:
    """Ctrl-C ends a table with the cells that are done; the others are unknown, not infeasible."""

    def interrupt(done: int, _: int) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    vary = ["limits.budget=$60..$2000:60", "market.spot_price=×0.5..×2:4"]
    found = whatif(document(0), vary, workers=jobs, progress=interrupt)
    assert found.stopped == "interrupted"
    assert 3 <= len(found.flat) - len(found.missing) < 100
    assert all(cell.plan is None for cell in found.missing)


def test_interrupt_before_the_first_cell_is_told() -> None:
    """Without a single cell there is no table."""

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        whatif(document(0), ["limits.gpus=2,4"], workers=1, progress=interrupt)


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


def command(*words: str, file: str = "-") -> Result:
    """What `plan whatif` prints for the small problem."""
    text = "\n".join(document(2, "cost").lines)
    return CliRunner().invoke(main, ["whatif", file, "--workers", "1", *words], input=text)


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


@pytest.mark.slow
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

    def stopped(_: object, workers: object, tell: Callable[[int], None]) -> tuple[dict[int, Any], str]:
        del workers, tell
        return {0: None}, "interrupted"

    monkeypatch.setattr("planner.explore.whatif.gathered_from", stopped)
    result = command(*TWO)
    assert result.exit_code == 130
    assert "? not reached (5 of 6 cells)" in result.stdout
    assert "interrupted: 5 of 6 cells are missing: limits.budget=$10 limits.gpus=8," in result.stderr
