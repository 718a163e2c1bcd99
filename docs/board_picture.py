"""Takes a picture of a file's board once its answer is painted: python docs/board_picture.py FILE OUT.png HEIGHT."""
# ruff: noqa: INP001  (a script beside documents)

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
IS_DONE = "return document.body.dataset.done !== undefined && !document.body.classList.contains('is-stale')"
SECONDS = 300


def picture(address: str, path: str, height: int) -> None:
    """Writes a PNG of the page at an address, as a laptop shows it."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--window-size=1400,{height}", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        with webdriver.Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver"))) as driver:
            driver.get(address)
            WebDriverWait(driver, SECONDS).until(lambda one: one.execute_script(IS_DONE))
            driver.save_screenshot(path)


def main(file: str, path: str, height: str) -> None:
    """Starts a board, takes its picture, and ends it."""
    command = [sys.executable, "-m", "planner", "board", "--no-browser", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as board:  # noqa: S603
        try:
            assert board.stdout is not None  # noqa: S101  (a pipe was asked for)
            picture(board.stdout.readline().strip(), path, int(height))
        finally:
            board.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main(*sys.argv[1:])
