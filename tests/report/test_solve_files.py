"""Files to send recompute: the comma-separated bill by itself, the workbook by its formulas, Markdown by its sums."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of an answer."""
    pytest.importorskip("openpyxl")
    folder = tmp_path_factory.mktemp("files")
    names = {"--csv": "bill.csv", "--xlsx": "bill.xlsx", "--markdown": "mail.md"}
    options = [text for option, name in names.items() for text in (option, str(folder / name))]
    name = "market.offers[0].name==HYPERLINK(1)"
    result = CliRunner().invoke(main, ["solve", str(SPOT), *options, "--set", name])
    assert result.exit_code == 0, result.output
    return folder


def test_rows_recompute_to_the_cent(files: Path) -> None:
    """Every row of the bill is its nodes times devices times price times paid hours."""
    rows = list(csv.DictReader((files / "bill.csv").read_text("utf-8").splitlines()))
    assert rows
    for row in rows:
        devices = Decimal(row["nodes"]) * Decimal(row["GPUs per node"])
        product = devices * Decimal(row["USD per GPU-hour"]) * Decimal(row["paid hours"])
        assert abs(product - Decimal(row["USD"])) <= Decimal("0.0051")
        assert not row["offer"].startswith("=")


def test_the_workbook_holds_live_formulas(files: Path) -> None:
    """Amounts and total are formulas over the figures beside them, and no name becomes a formula."""
    book = pytest.importorskip("openpyxl").load_workbook(files / "bill.xlsx")
    sheet = book["Bill"]
    *lines, total = list(sheet.iter_rows(min_row=2, values_only=True))
    rows = list(csv.DictReader((files / "bill.csv").read_text("utf-8").splitlines()))
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), start=2):
        assert line[-1] == f"=ROUND(D{number}*E{number}*F{number}*G{number},2)"
        product = 1.0
        for figure in line[3:7]:
            assert isinstance(figure, int | float)
            product *= figure
        assert product == pytest.approx(float(row["USD"]), abs=0.006)
        assert not str(line[2]).startswith("=")
    assert total[-1] == f"=SUM(I2:I{len(lines) + 1})"
    assert book.sheetnames == ["Bill", "Phases", "Accelerators", "Assumed"]


def test_the_mail_adds_up(files: Path) -> None:
    """The summary has the bill with its total, the limits, and what is assumed."""
    text = (files / "mail.md").read_text("utf-8")
    amounts = [Decimal(one.replace(",", "")) for one in re.findall(r"\| \**\$([\d,.]+)\** \|$", text, re.MULTILINE)]
    assert sum(amounts[:-1]) == amounts[-1]
    assert "limits.deadline" in text
    assert "Assumed: precision bf16" in text
