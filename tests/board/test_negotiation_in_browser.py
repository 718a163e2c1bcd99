"""The negotiation of the worked example, held on the board: it ends in the same plan and the same problem file."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_board_in_browser import chromium, control, pytestmark, settled, title, type_into, wait

from planner.explore.answer import answer
from planner.problem.problem import load_problem

for library in ("starlette", "uvicorn", "httpx", "selenium"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from served import PROBLEMS, served  # noqa: E402

__all__ = ["pytestmark"]
PROBLEM = PROBLEMS / "deepseek_v3_anywhere.yaml"
AGREED = ("limits.deadline=75d", "limits.budget=$7M", "risk.counts=luck", "risk.confidence=95%")


@pytest.mark.slow
def test_the_negotiation_ends_as_in_the_worked_example(tmp_path: Path) -> None:
    """60 days for $7M: nothing fits, what would is offered; 75 days with 95% against bad luck are agreed and saved."""
    with served(str(PROBLEM), folder=tmp_path) as board, chromium(tmp_path / "profile") as browser:
        browser.get(board.url)
        settled(browser)
        for key, text in (("limits.deadline", "60d"), ("limits.budget", "$7M")):
            type_into(browser, key, text)
        assert browser.find_element(By.ID, "answer").get_attribute("data-status") == "infeasible"
        offered = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#relaxation-list button")]
        assert {words.split(":")[0] for words in offered} >= {"limits.deadline", "limits.budget", "all limits"}
        type_into(browser, "limits.deadline", "75d")
        control(browser, "risk.counts").send_keys("luck")
        type_into(browser, "risk.confidence", "95%")
        assert board.answer()["state"]["sets"] == dict(one.split("=") for one in AGREED)
        plan = answer(load_problem(PROBLEM, AGREED)).plan
        assert plan is not None
        found = board.answer()["answer"]
        assert found["title"] == title(browser)
        assert found["figures"] == {
            "cost_usd": str(plan.cost_usd),
            "wall_seconds": pytest.approx(plan.wall_seconds, rel=1e-12),
            "gpus": plan.gpus,
        }
        browser.find_element(By.ID, "save").click()
        browser.switch_to.active_element.send_keys(Keys.CONTROL, "a")
        browser.switch_to.active_element.send_keys("agreed.yaml", Keys.ENTER)
        wait(browser, lambda driver: "Saved agreed.yaml" in driver.find_element(By.ID, "message").text)
    assert repr(load_problem(tmp_path / "agreed.yaml")) == repr(load_problem(PROBLEM, AGREED))
