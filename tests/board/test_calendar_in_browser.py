"""A portfolio's calendar in a real browser: days are dragged with the pointer, or moved with keys, and followed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from test_board_in_browser import browser, control, log, opened_anew, pytestmark, settled, title, wait

for library in ("starlette", "uvicorn", "httpx", "selenium"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
from accessibility import axe_core, findings, in_theme  # noqa: E402
from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from served import PROBLEMS, Served, served  # noqa: E402

__all__ = ["browser", "pytestmark"]
PORTFOLIO = PROBLEMS / "portfolio" / "research_year.yaml"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A board with the portfolio."""
    folder = tmp_path_factory.mktemp("board") / "portfolio"
    shutil.copytree(PORTFOLIO.parent, folder)
    with served(PORTFOLIO.name, folder=folder) as running:
        yield running


@pytest.fixture
def page(browser: WebDriver, board: Served) -> WebDriver:
    """The board's page, with the portfolio as its file has it."""
    return opened_anew(browser, board)


def dragged(page: WebDriver, words: str, pixels: int) -> None:
    """Drags the mark of the calendar that is described so."""
    mark = page.find_element(By.CSS_SELECTOR, f'#frontier svg [aria-label*="{words}"]')
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    ActionChains(page).move_to_element(mark).click_and_hold().move_by_offset(pixels, 3).release().perform()


def sets(board: Served) -> dict[str, str]:
    """What is changed."""
    found: dict[str, str] = board.answer()["state"]["sets"]
    return found


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("evaluation: release", "jobs[evaluation].release"),
        ("base-7b: deadline", "jobs[base-7b].deadline"),
        ("pool own h200: there from", "pools[own h200].from"),
        ("evaluation, all", "jobs[evaluation].fixed"),
    ],
)
def test_a_day_is_dragged(page: WebDriver, board: Served, words: str, key: str) -> None:
    """A triangle moves a release, a deadline or a pool's day, a bar fixes a start; the new schedule is painted."""
    dragged(page, words, 40)
    wait(page, lambda _: key in sets(board))
    settled(page)
    assert title(page) == board.answer()["answer"]["title"]
    assert "gap" in page.find_element(By.ID, "facts").text
    assert page.find_elements(By.CSS_SELECTOR, f'#frontier svg [aria-label*="{words}"]')
    assert log(page, "browser") == []


def test_a_day_is_moved_with_keys_and_taken_back(page: WebDriver, board: Served) -> None:
    """The slider of a day moves it by a day with an arrow key, its value is said, and one Ctrl+Z takes it all back."""
    control(page, "pools[own h200].from")
    slider = page.find_element(By.CSS_SELECTOR, '[data-key="pools[own h200].from"] input[type=range]')
    for _ in range(3):
        slider.send_keys(Keys.ARROW_RIGHT)
    wait(page, lambda _: sets(board) == {"pools[own h200].from": "2027-03-04"})
    assert slider.get_attribute("aria-valuetext") == "2027-03-04"
    assert "pools%5Bown+h200%5D.from=2027-03-04" in page.current_url
    settled(page)
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.CONTROL, "z")
    wait(page, lambda _: sets(board) == {})


def test_a_replay_arrives_and_a_move_ends_it(page: WebDriver, board: Served) -> None:
    """The infrastructure view tells how often deadlines hold; a move takes that away until it is found anew."""
    page.find_element(By.ID, "tab-infrastructure").click()
    wait(page, lambda driver: "Deadlines in the replay" in driver.find_element(By.ID, "view").text)
    board.post("/api/move", {"sets": {"pools[own h200].from": "2027-05-01"}})
    wait(page, lambda driver: "Deadlines in the replay" not in driver.find_element(By.ID, "view").text)
    wait(page, lambda driver: "Deadlines in the replay" in driver.find_element(By.ID, "view").text)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_accessible(page: WebDriver, theme: str) -> None:
    """axe-core has nothing to say about any view of a portfolio, light or dark."""
    axe_core()
    in_theme(page, theme)
    for view in ("research", "infrastructure", "finance"):
        page.find_element(By.ID, f"tab-{view}").click()
        if view == "infrastructure":
            wait(page, lambda driver: "Deadlines in the replay" in driver.find_element(By.ID, "view").text)
        assert findings(page) == []
    in_theme(page, "")


@pytest.mark.parametrize("width", [390, 820, 1400])
def test_nothing_sticks_out_at_any_width(page: WebDriver, width: int) -> None:
    """The calendar is as wide as its window on a phone, a tablet and a laptop."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.refresh()
    settled(page)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
