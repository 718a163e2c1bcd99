"""The static board in a real browser, offline: its answers are those of solving."""

from __future__ import annotations

import random
from math import inf
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_board_in_browser import PROBLEM, browser, log, pytestmark, title

from planner.cli import main
from planner.explore.enumeration import best_mode
from planner.explore.evaluations import Evaluations
from planner.explore.job_modes import Bounds
from planner.explore.plan_table import merged
from planner.explore.room import with_bounds
from planner.problem.problem import load_problem

for library in ("starlette", "uvicorn", "httpx", "selenium"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from served import PROBLEMS  # noqa: E402

__all__ = ["browser", "pytestmark"]


@pytest.mark.parametrize("name", ["spot_heavy.yaml", "llama3_405b.yaml", "deepseek_v3.yaml"])
def test_a_static_board_equals_solving(browser: WebDriver, tmp_path: Path, name: str) -> None:
    """Offline, for limits drawn at random, a static board has the cost and time of solving, or finds nothing either."""
    path = tmp_path / "board.html"
    done = CliRunner().invoke(main, ["board", str(PROBLEMS / name), "--static", str(path)])
    assert done.exit_code == 0, done.output
    browser.get(path.as_uri())
    problem = load_problem(PROBLEMS / name)
    evaluated = Evaluations().of(problem)
    table = merged(*evaluated.tables().values())
    draw = random.Random(name)  # noqa: S311  (limits to try)
    for _ in range(340):
        row, other = draw.randrange(len(table)), draw.randrange(len(table))
        near = draw.choice((0.99, 1.0, 1.01))
        seconds = draw.choice((inf, float(table.kept_seconds[row]) * near))
        cents = draw.choice((inf, round(float(table.cents[other]) * near)))
        gpus = draw.choice((inf, float(table.devices[row]), float(table.devices[other]) + 4))
        limits = [None if one == inf else one for one in (seconds, cents, gpus)]
        found = browser.execute_script("return planBest(...arguments[0].map((one) => one ?? Infinity))", limits)
        bounds = Bounds(seconds, cents / 100, gpus)
        mode = best_mode(evaluated.choices_for(with_bounds(problem, bounds)), bounds)
        assert (found is None) == (mode is None), bounds
        if mode is not None:
            assert found[2] == round(100 * mode.cost_usd)
            assert found[1] == pytest.approx(mode.wall_seconds, rel=1e-12)
    assert log(browser, "browser") == []


def test_a_static_board_answers_what_is_typed(browser: WebDriver, tmp_path: Path) -> None:
    """Typing a limit changes the answer, and what cannot be read is said."""
    path = tmp_path / "board.html"
    assert CliRunner().invoke(main, ["board", str(PROBLEM), "--static", str(path)]).exit_code == 0
    browser.get(path.as_uri())
    before = title(browser)
    field = browser.find_element(By.ID, "limits-deadline")
    for text, words in (("10d", "No plan exists"), ("20 weeks", before), ("soon", before)):
        field.clear()
        field.send_keys(text)
        assert words in title(browser)
    assert "soon" in browser.find_element(By.ID, "message").text
    browser.get("about:blank")


def test_what_no_table_holds_is_refused(tmp_path: Path) -> None:
    """A static board of phases that may move, or of most tokens, is no file but an error that says what to set."""
    path = tmp_path / "board.html"
    tokens = tmp_path / "tokens.yaml"
    text = (PROBLEMS / "spot_heavy.yaml").read_text(encoding="utf-8")
    tokens.write_text(text.replace("objective: cost", "objective: tokens"), encoding="utf-8")
    for problem in (PROBLEMS / "deepseek_v3_free_places.yaml", tokens):
        found = CliRunner().invoke(main, ["board", str(problem), "--static", str(path)])
        assert found.exit_code == 2, found.output
        assert "market.together" in found.output
    assert not path.exists()
