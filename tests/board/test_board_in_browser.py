"""The board in a real browser: controls, several people, undo, addresses, phone width, and a silent console."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from planner.problem.problem import load_problem

for library in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from accessibility import axe_core, findings, in_theme  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402
from served import PROBLEMS, Served, asked, served  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with its driver on this machine (Debian: chromium, chromium-driver)",
    ),
]
PROBLEM = PROBLEMS / "llama3_405b.yaml"
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
SECONDS = 120


@contextmanager
def chromium(profile: Path) -> Iterator[WebDriver]:
    """A browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the board is started."""
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Served]:
    """A board with two problems."""
    with served(asked(folder), str(PROBLEMS / "spot_heavy.yaml"), folder=folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """A browser for all tests."""
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def page(browser: WebDriver, board: Served) -> WebDriver:
    """The board's page, with the first problem as its file has it."""
    return opened_anew(browser, board)


def opened_anew(browser: WebDriver, board: Served) -> WebDriver:
    """The board's page with the file as it is, and nothing in the browser's log."""
    board.post("/api/open", {"fragment": ""})
    browser.get("about:blank")
    log(browser, "browser")
    browser.get(board.url)
    settled(browser)
    return browser


def wait(browser: WebDriver, condition: Callable[[WebDriver], object]) -> None:
    """Waits until something holds."""
    WebDriverWait(browser, SECONDS, poll_frequency=0.05).until(condition)


def settled(browser: WebDriver) -> None:
    """Waits until the page shows all of the newest answer."""
    script = """
        const {answered, done} = document.body.dataset;
        return done !== undefined && done === answered && !document.body.classList.contains("is-stale");
    """
    wait(browser, lambda driver: driver.execute_script(script))


def title(browser: WebDriver) -> str:
    """The headline."""
    return browser.find_element(By.ID, "title").text


def control(browser: WebDriver, key: str) -> WebElement:
    """The first field of the control of a key, in an open group."""
    row = browser.find_element(By.CSS_SELECTOR, f'[data-key="{key}"]')
    browser.execute_script(
        "for (let e = arguments[0]; e; e = e.parentElement) if (e.tagName === 'DETAILS') e.open = true", row
    )
    browser.execute_script("arguments[0].querySelectorAll('details').forEach((one) => { one.open = true; })", row)
    return row.find_element(By.CSS_SELECTOR, "input, select")


def type_into(browser: WebDriver, key: str, text: str) -> None:
    """Types a value into a control and waits for its answer."""
    field = control(browser, key)
    before = browser.execute_script("return document.body.dataset.done")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text or Keys.DELETE, Keys.ENTER)
    wait(browser, lambda driver: driver.execute_script("return document.body.dataset.done") != before)
    settled(browser)


def log(browser: WebDriver, kind: str) -> list[dict[str, str]]:
    """What the browser noted since it was last asked."""
    entries: list[dict[str, str]] = browser.execute("getLog", {"type": kind})["value"]
    return entries


def test_page_loads_without_errors_and_without_the_network(page: WebDriver, board: Served) -> None:
    """Charts and answer are there, the console is empty, and nobody but the board is asked for anything."""
    messages = [json.loads(entry["message"])["message"] for entry in log(page, "performance")]
    sent = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    urls = [one["request"]["url"] for one in sent if one["documentURL"].startswith(board.base)]
    assert log(page, "browser") == []
    assert urls
    assert [url for url in urls if not url.startswith((board.base, "data:", "about:"))] == []
    assert page.find_elements(By.CSS_SELECTOR, "#frontier svg")
    assert board.answer()["answer"]["title"] == title(page)
    assert page.find_elements(By.CSS_SELECTOR, '[data-key="limits.deadline"] .worth li')


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("limits.deadline", "100d"),
        ("limits.budget", "100MUSD"),
        ("limits.gpus", "12000"),
        ("risk.confidence", "95%"),
        ("training.phases[0].tokens", "14T"),
        ("market.spot_price", "×1.5"),
        ("limits.memory_headroom", "5%"),
        ("limits.growth", "1.1x"),
        ("risk.spare_nodes", "1%"),
        ("layout.tensor", "8"),
        ("layout.recompute", "none"),
    ],
)
def test_a_typed_value_is_answered(page: WebDriver, board: Served, key: str, text: str) -> None:
    """Every field takes a value with its unit, and the page shows that answer; its button takes it back."""
    type_into(page, key, text)
    found = board.answer()
    assert found["state"]["sets"] == {key: text}
    assert found["answer"]["title"] == title(page)
    page.find_element(By.CSS_SELECTOR, f'[data-key="{key}"] .reset').click()
    wait(page, lambda _: board.answer()["state"]["sets"] == {})


def test_lists_and_choices_are_answered(page: WebDriver, board: Served) -> None:
    """Boxes and menus change their keys too."""
    row = page.find_element(By.CSS_SELECTOR, '[data-key="market.purchase"]')
    control(page, "market.purchase")
    row.find_element(By.CSS_SELECTOR, 'input[value="spot"]').click()
    wait(page, lambda _: board.answer()["state"]["sets"] == {"market.purchase": "[on_demand, spot]"})
    control(page, "objective").send_keys("time")
    wait(page, lambda _: board.answer()["state"]["sets"].get("objective") == "time")
    settled(page)
    assert board.answer()["answer"]["title"] == title(page)


def test_a_slider_moves_with_the_keys(page: WebDriver, board: Served) -> None:
    """The arrow keys move a slider, its value is said in its unit, and the last of many moves is what holds."""
    slider = page.find_element(By.CSS_SELECTOR, '[data-key="limits.deadline"] input[type=range]')
    for _ in range(23):
        slider.send_keys(Keys.ARROW_RIGHT)
    shown = page.find_element(By.ID, "c-limits-deadline").get_attribute("value")
    assert slider.get_attribute("aria-valuetext") == shown
    wait(page, lambda _: board.answer()["state"]["sets"].get("limits.deadline") == shown)
    settled(page)
    assert board.answer()["answer"]["title"] == title(page)


def test_undo_and_redo_with_buttons_and_keys(page: WebDriver, board: Served) -> None:
    """A move is taken back with the button or Ctrl+Z, and made again."""
    before = title(page)
    type_into(page, "limits.gpus", "9000")
    after = title(page)
    assert after != before
    page.find_element(By.ID, "undo").click()
    wait(page, lambda driver: title(driver) == before)
    page.find_element(By.ID, "redo").click()
    wait(page, lambda driver: title(driver) == after)
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.CONTROL, "z")
    wait(page, lambda driver: title(driver) == before)
    assert board.answer()["state"]["sets"] == {}


def test_the_address_is_the_state(page: WebDriver, board: Served) -> None:
    """The address of a page opens the same state again, view included."""
    type_into(page, "limits.gpus", "9000")
    page.find_element(By.ID, "tab-finance").click()
    address, shown = page.current_url, title(page)
    assert "limits.gpus=9000" in address
    board.post("/api/open", {"fragment": ""})
    page.get("about:blank")
    page.get(address)
    wait(page, lambda driver: title(driver) == shown)
    assert page.find_element(By.ID, "tab-finance").get_attribute("aria-selected") == "true"


def test_what_is_wrong_is_said_and_changes_nothing(page: WebDriver, board: Served) -> None:
    """A value that cannot be read is answered with what to write instead."""
    before = title(page)
    field = control(page, "limits.deadline")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("soon", Keys.ENTER)
    wait(page, lambda driver: "soon" in driver.find_element(By.ID, "message").text)
    assert title(page) == before
    assert board.answer()["state"]["sets"] == {}


def test_when_nothing_fits_a_button_applies_a_relaxation(page: WebDriver, board: Served) -> None:
    """The smallest relaxations are buttons, and one of them leads to a plan."""
    type_into(page, "limits.deadline", "20d")
    assert page.find_element(By.ID, "answer").get_attribute("data-status") == "infeasible"
    page.find_element(By.CSS_SELECTOR, "#relaxation-list button").click()
    wait(page, lambda driver: driver.find_element(By.ID, "answer").get_attribute("data-status") == "optimal")
    settled(page)
    assert not page.find_element(By.ID, "relaxations").is_displayed()
    assert board.answer()["answer"]["title"] == title(page)


@pytest.mark.parametrize("view", ["research", "infrastructure", "finance"])
def test_views_show_their_own(page: WebDriver, view: str) -> None:
    """Each view has its tables and charts, and the arrow keys go from one to the next."""
    page.find_element(By.ID, f"tab-{view}").click()
    panel = page.find_element(By.ID, "view")
    words = {"research": "pipeline stages", "infrastructure": "Purchases", "finance": "Cost by month"}[view]
    assert words in panel.text
    if view == "infrastructure":
        wait(page, lambda _: "Replayed runs" in panel.text)
    assert len(panel.find_elements(By.TAG_NAME, "svg")) == {"research": 2, "infrastructure": 1, "finance": 2}[view]
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("aria-selected") == "true"
    assert log(page, "browser") == []


def test_a_scenario_is_pinned_and_used(page: WebDriver, board: Served) -> None:
    """Pinned scenarios stand side by side; one of them is gone on from."""
    page.find_element(By.ID, "pin").click()
    page.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    page.switch_to.active_element.send_keys("as asked", Keys.ENTER)
    wait(page, lambda driver: "as asked" in driver.find_element(By.ID, "tray").text)
    type_into(page, "limits.gpus", "9000")
    page.find_element(By.CSS_SELECTOR, '#tray button[aria-label="use as asked"]').click()
    wait(page, lambda _: board.answer()["state"]["sets"] == {})


def test_problem_is_saved_from_the_page(page: WebDriver, folder: Path) -> None:
    """Save asks for a name and writes the problem that is shown."""
    type_into(page, "limits.gpus", "9000")
    page.find_element(By.ID, "save").click()
    page.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    page.switch_to.active_element.send_keys("saved.yaml", Keys.ENTER)
    wait(page, lambda driver: "Saved saved.yaml" in driver.find_element(By.ID, "message").text)
    assert load_problem(folder / "saved.yaml").limits.gpus == 9000


def test_three_browsers_follow_each_other(page: WebDriver, board: Served, tmp_path: Path) -> None:
    """What one moves the others show, with the name of who moved it."""
    with chromium(tmp_path / "b") as second, chromium(tmp_path / "c") as third:
        for other in (second, third):
            other.get(board.url)
            settled(other)
        second.execute_script("localStorage.setItem('plan-board-name', 'Ada')")
        second.refresh()
        settled(second)
        type_into(second, "limits.gpus", "10000")
        shown = title(second)
        for other in (page, third):
            wait(other, lambda driver: title(driver) == shown)
            wait(other, lambda driver: "Ada GPUs: 16384 → 10000" in driver.find_element(By.ID, "log").text)
            assert "3 at the table" in other.find_element(By.ID, "people").text
            assert control(other, "limits.gpus").get_attribute("value") == "10000"


@pytest.mark.parametrize("width", [390, 820, 1400])
def test_nothing_sticks_out_at_any_width(page: WebDriver, width: int) -> None:
    """The page is as wide as its window on a phone, a tablet and a laptop."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.refresh()
    settled(page)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("request_", ["limits.deadline=100d", "limits.deadline=20d"], ids=["plan", "no plan"])
def test_every_view_is_accessible(page: WebDriver, board: Served, theme: str, request_: str) -> None:
    """axe-core has nothing to say about any view, light or dark, with a plan and without."""
    axe_core()
    in_theme(page, theme)
    board.post("/api/open", {"fragment": request_})
    board.post("/api/pin", {"name": "one"})
    page.refresh()
    settled(page)
    for view in ("research", "infrastructure", "finance"):
        page.find_element(By.ID, f"tab-{view}").click()
        if view == "infrastructure" and request_ == "limits.deadline=100d":
            wait(page, lambda driver: "Replayed runs" in driver.find_element(By.ID, "view").text)
        assert findings(page) == []
    in_theme(page, "")


def test_a_page_without_its_board_says_so(browser: WebDriver, tmp_path: Path) -> None:
    """When the board ends, the page keeps its figures and says that the line is broken."""
    with served(str(PROBLEM), folder=tmp_path) as running:
        browser.get(running.url)
        settled(browser)
        shown = title(browser)
    wait(browser, lambda driver: "broken" in driver.find_element(By.ID, "message").text)
    assert title(browser) == shown
    browser.get("about:blank")


def test_a_reader_can_look_and_not_touch(browser: WebDriver, tmp_path: Path) -> None:
    """A read-only page shows everything and has no control that works."""
    with served(str(PROBLEM), "--read-only", folder=tmp_path) as running:
        browser.get(running.url)
        settled(browser)
        fields = browser.find_elements(By.CSS_SELECTOR, "#controls input, #controls select")
        assert fields
        assert not any(one.is_enabled() for one in fields)
        browser.get("about:blank")
