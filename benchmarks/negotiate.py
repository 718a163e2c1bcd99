"""Measures what negotiation promises: sound proposals, exact frontiers, and how long they take.

`python benchmarks/negotiate.py --problems 200` checks every relaxation of so many generated problems without a plan.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

from planner.explore.frontier import frontier
from planner.explore.relaxations import relaxations
from planner.explore.whatif import whatif
from planner.problem.document import read_document
from planner.problem.problem import load_problem

ROOT: Final = Path(__file__).resolve().parent.parent
ANYWHERE: Final = ROOT / "problems" / "deepseek_v3_anywhere.yaml"


def soundness(count: int) -> None:
    """How many generated problems without a plan get a proposal that does not hold or is not the smallest."""
    sys.path.insert(0, str(ROOT / "tests" / "negotiate"))
    from negotiated_problems import faults, infeasible  # noqa: PLC0415  (from the tests' folder)

    wrong = {number: told for number in range(count) if (told := faults(infeasible(number)))}
    print(f"relaxations of {count} infeasible problems: {len(wrong)} wrong, must be 0")
    for number, told in wrong.items():
        print(f"  problem {number}: {'; '.join(told)}")


def explanation() -> None:
    """Seconds to explain why DeepSeek-V3 on the whole catalog has no plan."""
    problem = load_problem(ANYWHERE, ("limits.deadline=20d",))
    started, used = time.perf_counter(), time.process_time()
    found = relaxations(problem)
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    print(f"explanation in {len(found)} rows: {seconds:.1f} s ({busy:.1f} s busy), must be ≤ 5 s")


def trade_off() -> None:
    """Seconds for twenty points of the exact frontier of the same problem."""
    problem = load_problem(ANYWHERE)
    started, used = time.perf_counter(), time.process_time()
    found = frontier(problem, "cost", "time", 20)
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    print(f"frontier, {len(found.points)} of {found.total} points: {seconds:.1f} s ({busy:.1f} s busy), must be ≤ 10 s")


def table() -> None:
    """Seconds for the what-if table of 45 cells over budget and spot prices of the same problem."""
    document = read_document(ANYWHERE)
    started, used = time.perf_counter(), os.times()
    found = whatif(document, ("limits.budget=4MUSD..12MUSD:9", "market.spot_price=×0.5..×2:5"))
    seconds, now = time.perf_counter() - started, os.times()
    busy = sum(now[:4]) - sum(used[:4])
    print(f"what-if, {len(found.flat)} cells: {seconds:.1f} s ({busy:.1f} s busy), must be ≤ 45 s")


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=0, metavar="N", help="check the relaxations of N problems")
    arguments = parser.parse_args()
    explanation()
    trade_off()
    table()
    if arguments.problems:
        soundness(arguments.problems)


if __name__ == "__main__":
    main()
