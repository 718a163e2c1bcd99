"""Workbooks hold live formulas over the bills in them, and recompute to what the commands print."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.report.sheets import Formula, Sheet, csv_text, workbook

openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
PROBLEM = """\
schema: plan/1
name: "=HYPERLINK(1)"
model: llama3.2-1b
training:
  phases:
    - {name: train, tokens: 5B, sequence_length: 2048, global_batch: 64}
market:
  clouds: []
  offers:
    - {name: own, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $3/GPU-h}
    - {name: =old, accelerator: A100-80GB-SXM4, nodes: 4, on_demand: $2/GPU-h}
limits: {deadline: 2d, gpus: 32}
"""
COMMANDS = {
    "frontier": (),
    "alternatives": ("--within", "80%"),
    "whatif": ("--vary", "limits.gpus=8,16,32", "--vary", "limits.deadline=1h,1d,2d"),
}


def run(folder: Path, name: str) -> tuple[Any, dict[str, Any]]:
    """The workbook of a command, and its document."""
    path = folder / f"{name}.xlsx"
    done = CliRunner().invoke(main, [name, "-", *COMMANDS[name], "--json", "--xlsx", str(path)], input=PROBLEM)
    assert done.exit_code == 0, done.stderr
    return openpyxl.load_workbook(path), json.loads(done.stdout)


def bills(book: Any) -> dict[int, float]:  # noqa: ANN401
    """What the formulas of the bills come to, by the number of their plan."""
    found: dict[int, float] = {}
    for row in book["Bill"].iter_rows(min_row=2, values_only=True):
        number, *_, amount = row
        places = re.fullmatch(r"=ROUND\(E(\d+)\*F\1\*G\1\*H\1,2\)", amount)
        assert places
        found[number] = found.get(number, 0.0) + round(row[4] * row[5] * row[6] * row[7], 2)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_costs_recompute_from_the_bills(tmp_path: Path, name: str) -> None:
    """Every plan's cost is the sum of its bill by a formula, and comes to what the document says."""
    book, document = run(tmp_path, name)
    (key,) = {"points", "alternatives", "cells"} & set(document)
    plans = [one["plan"] for one in document[key]]
    totals = bills(book)
    assert len(totals) > 1
    for number, plan in enumerate(plans, start=1):
        if plan is not None:
            assert totals[number] == pytest.approx(float(plan["cost_usd"]), abs=0.01)
    sheet = book["Cells" if name == "whatif" else name.title()]
    headings = [cell.value for cell in sheet[1]]
    column = headings.index("USD")
    for row, plan in zip(sheet.iter_rows(min_row=2, values_only=True), plans, strict=True):
        wanted = None if plan is None else f"=SUMIF(Bill!$A:$A,A{row[0] + 1},Bill!$J:$J)"
        assert row[column] == wanted


def test_the_request_of_a_frontier_can_be_moved(tmp_path: Path) -> None:
    """Whether a point keeps it is a formula over the sheet that states it."""
    book, _ = run(tmp_path, "frontier")
    assert [row[1] for row in book["Request"].iter_rows(min_row=2, values_only=True)] == [None, 2]
    column = [cell.value for cell in book["Frontier"][1]].index("keeps the request")
    formula = next(book["Frontier"].iter_rows(min_row=2, values_only=True))[column]
    assert formula == '=IF(AND(OR(Request!$B$2="",B2<=Request!$B$2),OR(Request!$B$3="",C2<=Request!$B$3)),"yes","no")'


def test_a_table_of_two_keys_takes_its_figures_from_the_cells(tmp_path: Path) -> None:
    """The first sheet is the table that people are shown."""
    book, document = run(tmp_path, "whatif")
    table = list(book.worksheets[0].iter_rows(values_only=True))
    assert list(table[0][1:]) == document["vary"][1]["values"]
    assert [row[0] for row in table[1:]] == document["vary"][0]["values"]
    assert table[2][1] == '=IF(Cells!E5="","",Cells!E5)'


def test_names_never_become_formulas(tmp_path: Path) -> None:
    """In workbooks and comma-separated values a name that looks like a formula stays a text."""
    book, _ = run(tmp_path, "alternatives")
    offers = {row[3] for row in book["Bill"].iter_rows(min_row=2, values_only=True)}
    assert "'=old" in offers
    assert next(csv.reader(io.StringIO(csv_text([("=1+1", 2)])))) == ["'=1+1", "2"]


def test_formulas_name_columns(tmp_path: Path) -> None:
    """A heading in brackets is the cell beside it, the one above, or the whole column."""
    rows = [(1, None), (2, Formula("=[a]/[^a]-MIN([:a])"))]
    path = tmp_path / "some.xlsx"
    path.write_bytes(workbook([Sheet("Some", ("a", "b"), rows, {"b": "0.0"})]))
    assert openpyxl.load_workbook(path)["Some"]["B3"].value == "=A3/A2-MIN($A$2:$A$3)"
