"""Every command with a picture writes a page: a mark for each card in both widths, and what made it at the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner import __version__
from planner.cli import main

pytest.importorskip("vl_convert", reason="pages need the extra html")
PROBLEM = """\
schema: plan/1
name: small <job>
model: llama3.2-1b
training:
  phases:
    - {name: train, tokens: 5B, sequence_length: 2048, global_batch: 64}
market:
  clouds: []
  purchase: [on_demand, spot]
  offers:
    - {name: own, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $3/GPU-h}
    - {name: old, accelerator: A100-80GB-SXM4, nodes: 4, on_demand: $2/GPU-h, spot: $0.9/GPU-h}
limits: {deadline: 4d, gpus: 32}
"""
RUN = """\
schema: run/1
model: llama3.2-1b
training: {precision: bf16, tokens: 5B, sequence_length: 2048, global_batch: 64}
cluster: {accelerator: H100-80GB-SXM5, gpus: 8, price: $2/GPU-h}
layout: {data: 8}
"""
COMMANDS = {
    "solve": ("solve", "problem.yaml"),
    "frontier": ("frontier", "problem.yaml"),
    "whatif": ("whatif", "problem.yaml", "--vary", "limits.gpus=8,16", "--vary", "limits.deadline=1d,4d"),
    "alternatives": ("alternatives", "problem.yaml", "--within", "60%"),
    "scale": ("scale", "problem.yaml", "--gpus", "8..32"),
    "estimate": ("estimate", "run.yaml"),
    "replay": ("replay", "a.json", "--runs", "30"),
    "diff": ("diff", "a.json", "b.json"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a problem, a run and two answers."""
    found = tmp_path_factory.mktemp("pages")
    (found / "problem.yaml").write_text(PROBLEM, encoding="utf-8")
    (found / "run.yaml").write_text(RUN, encoding="utf-8")
    for name, sets in {"a": [], "b": ["--set", "market.purchase=[on_demand]"]}.items():
        command = ["solve", str(found / "problem.yaml"), "--out", str(found / f"{name}.json"), *sets]
        assert CliRunner().invoke(main, command).exit_code == 0
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_is_whole(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks and cards belong together, text is escaped, and the end says command, version and date."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["plan", *COMMANDS[name]])
    done = CliRunner().invoke(main, [*COMMANDS[name], "--html", f"{name}.html"])
    assert done.exit_code == 0, done.output
    page = (folder / f"{name}.html").read_text("utf-8")
    cards, marks = len(re.findall(r'<article class="card"', page)), len(re.findall(r'class="mark[ "]', page))
    assert cards > 0
    assert marks in {0, 2 * cards}
    assert (marks == 0) == (name in {"solve", "estimate"})
    assert "<job>" not in page
    (made,) = re.findall(r'<p class="made">(.*?)</p>', page)
    assert made.startswith(f"plan {__version__}, {datetime.now(UTC).date()}: plan {name} ")


def test_an_answer_begins_with_its_verdict(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recommended, what it costs, when it ends, how sure that is, and what would change it, in this order."""
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(main, [*COMMANDS["solve"], "--html", "verdict.html"]).exit_code == 0
    page = (folder / "verdict.html").read_text("utf-8")
    verdict = page.partition('<dl class="verdict">')[2].partition("</dl>")[0]
    names = re.findall(r"<dt>(.*?)</dt>", verdict)
    assert names == ["recommended", "costs", "ends", "how sure", "what would change it"]
