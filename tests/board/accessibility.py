"""axe-core in the tests' browser: a copy that is there already, or the one that npm has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from served import ROOT, SECONDS

SCRIPT = Path("node_modules", "axe-core", "axe.min.js")


@cache
def axe_core() -> str:
    """The script of axe-core; skips where there is neither a copy (`AXE_CORE` may name one) nor npm with a network."""
    for path in (Path(os.environ.get("AXE_CORE", "")), ROOT / SCRIPT):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no axe-core: AXE_CORE names no axe.min.js, and there is no npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", folder, "axe-core"]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
        if done.returncode != 0:
            pytest.skip("no axe-core: npm cannot fetch it")
        return Path(folder, SCRIPT).read_text(encoding="utf-8")


def findings(browser: WebDriver) -> list[str]:
    """What axe-core has to say about the page as it stands, with everything opened."""
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.execute_script(axe_core())
    found = browser.execute_async_script("const done = arguments[0]; axe.run().then((one) => done(one.violations))")
    return [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}" for one in found]


def in_theme(browser: WebDriver, theme: str) -> None:
    """Shows the page light or dark; empty: as the browser likes."""
    features = [{"name": "prefers-color-scheme", "value": theme}] if theme else []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
