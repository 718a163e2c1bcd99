"""How good portfolio plans are, and how quickly: a row per file.

    python benchmarks/portfolio.py [--seconds 60] [--gap 1%] FILE.yaml …

Each file is solved in a process of its own, up to the time limit or until it is as close to the best as `--gap`. `cpu`
is the processor time of that process from its start to the verified plan, `wall` what a clock shows; on a machine that
others use too, the first says more.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from planner.clock import Clock
from planner.explore.portfolio import Stop, solve_portfolio
from planner.portfolio.compile import compiled
from planner.portfolio.file import load_portfolio
from planner.units import parse_share


@dataclass(frozen=True)
class Solved:
    """What came of one file."""

    jobs: int
    first_seconds: float
    value: float
    bound: float
    gap: float
    cpu_seconds: float
    mebibytes: float


def solved(path: str, seconds: float, gap: float) -> Solved:
    """Solves one file in a process that has done nothing before."""
    clock = Clock.of(seconds)
    found = solve_portfolio(compiled(load_portfolio(path), clock), Stop(clock, gap))
    return Solved(
        jobs=len(found.portfolio.jobs),
        first_seconds=float("nan") if found.first_seconds is None else found.first_seconds,
        value=float("nan" if found.value is None else found.value),
        bound=found.bound,
        gap=found.gap or 0.0,
        cpu_seconds=time.process_time(),
        mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit for each file")
    parser.add_argument("--gap", type=parse_share, default=1e-4, help="how close to the best each file ends")
    parser.add_argument("files", nargs="+", help="portfolio files")
    asked = parser.parse_args()
    print(f"{'file':<24}{'jobs':>6}{'first':>8}{'value':>14}{'bound':>14}{'gap':>8}{'wall':>8}{'cpu':>8}{'MiB':>7}")
    for path in asked.files:
        started = time.perf_counter()
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            found = fresh.submit(solved, path, asked.seconds, asked.gap).result()
        print(
            f"{Path(path).stem:<24}{found.jobs:>6}{found.first_seconds:>8.2f}{found.value:>14,.0f}{found.bound:>14,.0f}"
            f"{found.gap:>8.2%}{time.perf_counter() - started:>8.1f}{found.cpu_seconds:>8.1f}{found.mebibytes:>7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
