"""Presses generated problems with every limit set tight: `python benchmarks/limits.py --problems 2000 --laws 200`.

Each is answered by `plan solve` in this process, relaxations, page and all; what hangs, crashes or ends with 70 is
listed. With `--laws` as many more are held to their own figures: a budget of the bill and a deadline of the plan's time
must be enough. The problems are those of the tests, from other seeds.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from click.testing import CliRunner

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 30
"""Seconds after which an answer counts as one that does not come."""


class NoAnswerError(BaseException):
    """It took too long; no command catches it."""


def give_up(*_: object) -> None:
    """Ends what takes too long. Raises NoAnswerError."""
    raise NoAnswerError


def ending(seed: int) -> str:
    """How `plan solve` ends on a problem: its exit code, or what went wrong."""
    from tight_problems import document, pressed  # noqa: PLC0415  (in the tests)

    from planner.cli import main as plan  # noqa: PLC0415  (when its time counts)

    signal.alarm(2 * PATIENCE)
    try:
        limits = pressed(seed).limits
        tight = (f"budget=${limits.budget}", f"deadline={limits.deadline!r}s", f"gpus={limits.gpus}")
        sets = [part for text in tight for part in ("--set", f"limits.{text}") if "None" not in text]
        signal.alarm(PATIENCE)
        done = CliRunner().invoke(plan, ["solve", "-", "--json", *sets], input=json.dumps(document(seed)))
    except NoAnswerError:
        return f"no answer within {PATIENCE} s"
    finally:
        signal.alarm(0)
    if done.exit_code not in {0, 3}:
        return f"exit {done.exit_code}: {done.stderr.strip()[:200]}"
    return f"exit {done.exit_code}"


def press(first: int, count: int) -> None:
    """Prints how many problems end how, and each that ends badly."""
    seen: Counter[str] = Counter()
    started = time.process_time()
    for seed in range(first, first + count):
        told = ending(seed)
        seen[told.partition(":")[0]] += 1
        if told not in {"exit 0", "exit 3"}:
            print(f"seed {seed}: {told}", flush=True)
        if (seed - first) % 100 == 99:
            print(f"{seed - first + 1} answered: {dict(seen)}", file=sys.stderr, flush=True)
    print(f"{count} problems with every limit set tight: {dict(seen)}, {time.process_time() - started:.0f} s")


def hold(first: int, count: int) -> None:
    """Prints how many problems break a law of limits."""
    from tight_problems import faults  # noqa: PLC0415

    broken = [fault for seed in range(first, first + count) for fault in faults(seed)]
    print("\n".join(broken), end="\n" if broken else "")
    print(f"{count} problems held to their own figures: {len(broken)} faults, must be 0")


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=2000, help="how many are pressed")
    parser.add_argument("--laws", type=int, default=200, help="how many are held to their own figures")
    parser.add_argument("--first", type=int, default=100_000, metavar="SEED", help="the first of their seeds")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests" / "proofs"))
    signal.signal(signal.SIGALRM, give_up)
    press(arguments.first, arguments.problems)
    hold(arguments.first, arguments.laws)


if __name__ == "__main__":
    main()
