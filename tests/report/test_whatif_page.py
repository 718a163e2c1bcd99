"""The page of a what-if table has a cell for every combination, with its plan or the reason why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main

DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")
DEADLINES = "limits.deadline=20d,65d,90d"


@pytest.mark.parametrize("more", [[], ["--vary", "limits.gpus=1024,2048"]], ids=["one key", "two keys"])
def test_every_cell_has_its_card(more: list[str], tmp_path: Path) -> None:
    """As many marks in both widths, and as many cards, as there are cells; a cell without a plan says so."""
    path = tmp_path / "page.html"
    words = ["whatif", DEEPSEEK, "--vary", DEADLINES, *more, "--workers", "1", "--html", str(path), "--csv"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0
    text = path.read_text(encoding="utf-8")
    cells = len(done.stdout.splitlines()) - 1
    assert text.count('class="card"') == cells == 3 * (2 if more else 1)
    assert len(re.findall(r'class="mark[ "]', text)) == 2 * cells
    assert text.count("<h2") == cells
    assert text.count("No plan within the limits</h2>") == done.stdout.count(",infeasible,") > 0
    assert f'data-columns="{2 if more else 3}"' in text
