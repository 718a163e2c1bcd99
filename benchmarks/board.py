"""How quickly the board answers: start, slider to painted answer, relaxations, many moves, and memory.

    python benchmarks/board.py [problem.yaml …]
    python benchmarks/board.py --states 200      # answers at random states against those of plan solve

Needs Chromium with its driver and selenium. Times are wall seconds on an idle machine; of a slider, over the time of
an empty request, as the median of 15 moves.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from planner.errors import InputError
from planner.problem.problem import Problem, load_problem
from planner.session import Session

PROBLEMS = Path(__file__).resolve().parents[1] / "problems"
USUAL = ("llama3_405b.yaml", "deepseek_v3.yaml", "deepseek_v3_anywhere.yaml")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1400,900")
MOVES, SETTINGS = 1000, 20
MOVED = """
const [key, text, done] = arguments;
const field = document.querySelector(`[data-key="${key}"] input`);
const before = document.body.dataset.answered, begun = performance.now();
const look = () => {
  const {answered} = document.body.dataset;
  if (answered !== before && !document.body.classList.contains("is-stale")) done(performance.now() - begun);
  else requestAnimationFrame(look);
};
field.value = text;
field.dispatchEvent(new Event("change"));
requestAnimationFrame(look);
"""
EMPTY = """
const done = arguments[0], begun = performance.now();
const painted = () => requestAnimationFrame(() => done(performance.now() - begun));
fetch("/assets/icon.svg").then((one) => one.text()).then(painted);
"""


@contextmanager
def board(problem: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running board and its address."""
    command = [sys.executable, "-m", "planner", "board", "--no-browser", str(problem)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def browser() -> Iterator[WebDriver]:
    """A browser with a profile of its own."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver")))
        driver.set_script_timeout(120)
        try:
            yield driver
        finally:
            driver.quit()


class Table:
    """The server's side of a board."""

    def __init__(self, url: str) -> None:
        self.base, self.token = url.split("/?token=")
        self.client = httpx.Client(timeout=300, trust_env=False)

    def move(self, **sets: str | None) -> None:
        """Changes keys; dots are written as two underscores."""
        body = {"sets": {key.replace("__", "."): value for key, value in sets.items()}}
        found = self.client.post(f"{self.base}/api/move", params={"token": self.token}, json=body)
        if found.status_code == 429:
            time.sleep(1)
            self.move(**sets)
        elif found.status_code != 200:
            raise SystemExit(found.text)

    def at(self, sets: Mapping[str, str]) -> dict[str, Any] | None:
        """The figures at a state."""
        self.move(**{key.replace(".", "__"): value for key, value in sets.items()})
        figures: dict[str, Any] | None = self.answer()["answer"]["figures"]
        return figures

    def answer(self) -> dict[str, Any]:
        """The answer of the present state, once all of it is found."""
        found: dict[str, Any] = json.loads(
            self.client.get(f"{self.base}/api/answer", params={"token": self.token}).text
        )
        return found


def resident_mb(process: subprocess.Popen[str]) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def ready_seconds(problem: Path) -> float:
    """From the command to the first answer painted in a browser that is open already."""
    with browser() as driver:
        begun = time.perf_counter()
        with board(problem) as (url, _):
            driver.get(url)
            while driver.execute_script("return document.body.dataset.answered === undefined"):
                time.sleep(0.01)
            return time.perf_counter() - begun


def slider(url: str) -> tuple[float, float, float]:
    """Milliseconds of an empty request, and beyond it of a move of deadline and of GPUs: medians."""
    table = Table(url)
    table.answer()
    with browser() as driver:
        driver.get(url)
        while driver.execute_script("return document.body.dataset.done === undefined"):
            time.sleep(0.05)
        empty = median(float(driver.execute_async_script(EMPTY)) for _ in range(15))
        times = []
        for key, texts in (
            ("limits.deadline", [f"{80 + 3 * one}d" for one in range(15)]),
            ("limits.gpus", [str(1200 + 50 * one) for one in range(15)]),
        ):
            found = []
            for text in texts:
                found.append(float(driver.execute_async_script(MOVED, key, text)))
                time.sleep(0.4)
            times.append(median(found) - empty)
        return empty, times[0], times[1]


def relaxed(table: Table) -> tuple[float, float]:
    """Seconds until all relaxations of a request that nothing meets are there: the first time, and warm."""
    found = []
    for deadline in ("15d", "16d"):
        begun = time.perf_counter()
        table.move(limits__deadline=deadline, limits__budget="$1M")
        table.answer()
        found.append(time.perf_counter() - begun)
    return found[0], found[1]


def burst(table: Table) -> str:
    """What 23 moves in a row end in."""
    begun = time.perf_counter()
    for number in range(23):
        table.move(limits__deadline=f"{90 + number}d", limits__budget=None)
    seconds, state = time.perf_counter() - begun, table.answer()["state"]
    return f"23 moves in {seconds:.2f} s end in {state['sets']['limits.deadline']} (112d was the last)"


def states(count: int) -> None:
    """Prints at how many random states the board's answer is not that of plan solve."""
    draw, differ = random.Random(1), 0  # noqa: S311  (states to try)
    each = count // len(COMPARED)
    for name, choices in COMPARED.items():
        with board(PROBLEMS / name) as (url, _):
            table, asked = Table(url), 0
            while asked < each:
                sets = {key: draw.choice(values) for key, values in choices.items()}
                with suppress(InputError):  # values that do not go together are drawn again
                    problem = load_problem(PROBLEMS / name, [f"{key}={value}" for key, value in sets.items()])
                    found, expected = table.at(sets), solved(problem)
                    asked, differ = asked + 1, differ + (found != expected)
                    if found != expected:
                        print(f"  {name} {sets}: board {found}, plan solve {expected}")
        print(f"{name}: {each} states", flush=True)
    print(f"{differ} of {each * len(COMPARED)} states differ")


def solved(problem: Problem) -> dict[str, Any] | None:
    """The figures of plan solve."""
    plan = Session(problem).solve().plan
    if plan is None:
        return None
    return {"cost_usd": str(plan.cost_usd), "wall_seconds": plan.wall_seconds, "gpus": plan.gpus}


COMPARED: Final = {
    "llama3_405b.yaml": {
        "limits.deadline": ("50d", "60d", "75d", "100d", "null"),
        "limits.gpus": ("8192", "12000", "16384", "null"),
        "objective": ("cost", "time"),
        "training.phases[0].tokens": ("10T", "15.6T"),
    },
    "spot_heavy.yaml": {
        "limits.deadline": ("5d", "8d", "15d", "40d", "null"),
        "limits.budget": ("$300k", "$1M", "null"),
        "market.spot_price": ("×0.5", "×1", "×2"),
        "risk.confidence": ("90%", "null"),
        "risk.counts": ("luck", "everything"),
    },
    "deepseek_v3.yaml": {
        "limits.deadline": ("45d", "60d", "70d", "90d"),
        "limits.budget": ("$6M", "$7M", "null"),
        "limits.gpus": ("1024", "1536", "2048"),
        "objective": ("cost", "time"),
    },
    "own_cluster_until_march.yaml": {
        "limits.gpus": ("16", "32", "64"),
        "limits.budget": ("$40k", "$60k", "null"),
        "objective": ("cost", "time"),
    },
}
"""Files and values of the states that are compared."""


def memory(table: Table, process: subprocess.Popen[str]) -> list[float]:
    """Megabytes at the start, and after each fourth of 1,000 moves over 20 settings."""
    table.move(limits__deadline="90d", limits__budget=None)
    table.answer()
    found = [resident_mb(process)]
    for number in range(MOVES):
        table.move(limits__deadline=f"{60 + number % 97}d", limits__memory_headroom=f"{number % SETTINGS}%")
        table.answer()
        if (number + 1) % (MOVES // 4) == 0:
            found.append(resident_mb(process))
    return found


def main() -> None:
    """Prints a line for every figure."""
    if "--states" in sys.argv:
        return states(int(sys.argv[sys.argv.index("--states") + 1]))
    for problem in [Path(one) for one in sys.argv[1:]] or [PROBLEMS / name for name in USUAL]:
        print(f"{problem.name}: ready after {ready_seconds(problem):.2f} s", flush=True)
        with board(problem) as (url, process):
            empty, deadline, gpus = slider(url)
            print(
                f"  empty request {empty:.0f} ms; beyond it deadline {deadline:.0f} ms, GPUs {gpus:.0f} ms", flush=True
            )
            table = Table(url)
            print(f"  {burst(table)}", flush=True)
            first, warm = relaxed(table)
            print(f"  relaxations {first:.2f} s the first time, {warm:.2f} s warm", flush=True)
            if "--memory" in sys.argv or problem.name == USUAL[1]:
                shown = ", ".join(f"{one:.0f}" for one in memory(table, process))
                print(f"  {MOVES} moves over {SETTINGS} settings, MB: {shown}", flush=True)
    return None


if __name__ == "__main__":
    main()
