"""How good portfolio plans are, and how quickly: a row per file.

    python benchmarks/portfolio.py [--seconds 60] FILE.yaml …

Each file is solved in a process of its own. `cpu` is the processor time of that process and `wall` what a clock shows;
on a machine that others use too, the first says more.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def solved(path: str, seconds: float) -> tuple[dict[str, Any], float, float, float]:
    """The document of an answer, wall and processor seconds, and the most memory of any process so far, in MiB."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "planner", "portfolio", path, "--json", "--time-limit", f"{seconds}s"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), time.perf_counter() - started, cpu, after.ru_maxrss / 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit for each file")
    parser.add_argument("files", nargs="+", help="portfolio files")
    asked = parser.parse_args()
    print(f"{'file':<24}{'jobs':>6}{'first':>8}{'value':>14}{'bound':>14}{'gap':>8}{'wall':>8}{'cpu':>8}{'MiB':>7}")
    for path in asked.files:
        document, wall, cpu, memory = solved(path, asked.seconds)
        objective, first = document["objective"], document["solver"]["first_plan_seconds"]
        print(
            f"{Path(path).stem:<24}{len(document['jobs']):>6}{first or float('nan'):>8.2f}"
            f"{float(objective['value'] or 'nan'):>14,.0f}{float(objective['bound']):>14,.0f}"
            f"{objective['gap'] or 0:>8.2%}{wall:>8.1f}{cpu:>8.1f}{memory:>7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
