"""A page in a real browser: it draws itself, asks nobody for anything, and answers to pointer and keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.explore.frontier import Frontier, frontier
from planner.problem.problem import load_problem
from planner.units import format_money

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with its driver on this machine (Debian: chromium, chromium-driver)",
    ),
]
DEEPSEEK = str(Path(__file__).resolve().parents[2] / "problems" / "deepseek_v3.yaml")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)
POINTS = 6


@pytest.fixture(scope="module")
def found() -> Frontier:
    """The points that the page shows."""
    return frontier(load_problem(DEEPSEEK), "cost", "time", POINTS)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """Chromium with the frontier page open and a profile of its own."""
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "frontier.html"
    done = CliRunner().invoke(main, ["frontier", DEEPSEEK, "--points", str(POINTS), "--html", str(page)])
    assert done.exit_code == 0
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    try:
        driver.get(page.as_uri())
        yield driver
    finally:
        driver.quit()


def log(browser: WebDriver, kind: str) -> list[dict[str, str]]:
    """What the browser noted since it was last asked."""
    entries: list[dict[str, str]] = browser.execute("getLog", {"type": kind})["value"]
    return entries


def marks(browser: WebDriver) -> list[WebElement]:
    """The points of the chart that is shown, in order."""
    found = browser.find_elements(By.CSS_SELECTOR, ".drawing.wide .mark")
    return sorted(found, key=lambda mark: int(mark.get_attribute("data-card") or 0))


def shown_total(browser: WebDriver) -> str:
    """The total of the only bill that is to be seen."""
    cards = [card for card in browser.find_elements(By.CSS_SELECTOR, ".card") if card.is_displayed()]
    assert len(cards) == 1
    return cards[0].find_element(By.CSS_SELECTOR, ".bill .depth-0 td").text


def test_page_loads_without_errors_and_without_the_network(browser: WebDriver) -> None:
    """The console stays empty and nothing is asked for but the file itself."""
    asked = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    sent = [one["params"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    urls = [one["request"]["url"] for one in sent if one["documentURL"] == browser.current_url]
    assert log(browser, "browser") == []
    assert browser.current_url in urls
    assert [url for url in urls if url != browser.current_url and not url.startswith("data:")] == []
    assert len(marks(browser)) == POINTS


def test_click_shows_the_plan_behind_a_point(browser: WebDriver, found: Frontier) -> None:
    """A click on a point shows that plan's bill, and the pointer over it its figures."""
    for index in (0, POINTS - 1):
        webdriver.ActionChains(browser).move_to_element(marks(browser)[index]).click().perform()
        assert shown_total(browser) == format_money(found.points[index].plan.cost_usd)
        assert format_money(found.points[index].plan.cost_usd) in browser.find_element(By.CSS_SELECTOR, ".tip").text


def test_keys_go_from_point_to_point(browser: WebDriver, found: Frontier) -> None:
    """The arrow keys, Home and End choose, the focus goes with them, and the address remembers."""
    marks(browser)[0].click()
    for key, index in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_DOWN, 2), (Keys.ARROW_LEFT, 1), (Keys.END, POINTS - 1)):
        browser.switch_to.active_element.send_keys(key)
        assert shown_total(browser) == format_money(found.points[index].plan.cost_usd)
        assert browser.switch_to.active_element == marks(browser)[index]
        assert browser.current_url.endswith(f"#point-{index + 1}")


def test_a_row_of_the_table_shows_its_plan(browser: WebDriver, found: Frontier) -> None:
    """The rows of the table choose too."""
    rows = browser.find_elements(By.CSS_SELECTOR, "tr[data-card] a")
    rows[2].click()
    assert shown_total(browser) == format_money(found.points[2].plan.cost_usd)


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_sticks_out_on_phone_or_laptop(browser: WebDriver, width: int) -> None:
    """The page is as wide as its window, and one drawing is to be seen."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    drawings = browser.find_elements(By.CSS_SELECTOR, ".drawing")
    assert [one.is_displayed() for one in drawings] == [width > 620, width <= 620]
