"""Measures what `plan solve` promises: time, memory, search space, rounding, and what its optima claim.

`python benchmarks/solve.py` prints every figure with its ratio to a yardstick of the same machine (importing OR-Tools,
or enumerating), so that a noisy or slow one still tells; `--claims` only what its optima claim. `--oracle N` does
something else: it compares N generated problems with brute force, those of the seeds from `--first` on, so that several
processes can share them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from planner.units import SECONDS_PER_HOUR

ROOT: Final = Path(__file__).resolve().parent.parent
PROBLEMS: Final = ROOT / "problems"
PLAN: Final = [sys.executable, "-c", "from planner.cli import main; main()"]
SOLVER: Final = [sys.executable, "-c", "import ortools.sat.python.cp_model"]


def run(command: list[str], cache: str = "") -> tuple[float, float, str]:
    """Processor seconds, MiB at the peak and standard output of a fresh process.

    Everything runs on one thread, so on an idle machine the processor's seconds are those on the wall. `cache`: the
    folder of what earlier commands evaluated; empty for none.
    """
    started = processor_seconds()
    there = {"XDG_CACHE_HOME": cache, "PLAN_NO_CACHE": "" if cache else "1"}
    there["PYTHONDONTWRITEBYTECODE"] = ""  # an installed package is compiled once, as the yardstick is
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | there
    )
    seconds = processor_seconds() - started
    if done.returncode not in {0, 2, 3}:
        raise SystemExit(f"{' '.join(command[-3:])} ended with {done.returncode}: {done.stderr}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.stdout


def processor_seconds() -> float:
    """Seconds that all processes started so far have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def solve(problem: Path, *options: str) -> list[str]:
    """The command that solves a problem."""
    return [*PLAN, "solve", str(problem), "--json", *options]


def line(what: str, value: str, must: str, aim: str = "") -> None:
    """One figure against what it must and should be."""
    print(f"{what:58} {value:>22}   must {must:12} aim {aim}")


def speed(times: int) -> None:
    """Whole-process processor times of the large problems, over importing OR-Tools in runs between them."""
    anywhere, missing = PROBLEMS / "deepseek_v3_anywhere.yaml", PROBLEMS / "no_such_file.yaml"
    free = PROBLEMS / "deepseek_v3_free_places.yaml"
    with tempfile.TemporaryDirectory() as folder:
        ten_phases = Path(folder, "ten_phases.yaml")
        ten_phases.write_text(TEN_PHASES, encoding="utf-8")
        commands = {
            "yardstick": (SOLVER, ""),
            "cold": (solve(anywhere), ""),
            "again": (solve(anywhere, "--set", "limits.deadline=70d"), str(Path(folder, "kept"))),
            "h800": (solve(PROBLEMS / "deepseek_v3.yaml"), ""),
            "missing": (solve(missing), ""),
            "help": ([*PLAN, "--help"], ""),
            "accelerators": (with_catalog(folder, "accelerators", MANY_ACCELERATORS), ""),
            "offers": (with_catalog(folder, "offers", MANY_OFFERS), ""),
            "gpus": (solve(anywhere, "--set", "limits.gpus=8192"), ""),
            "too dear": (solve(anywhere, "--set", "limits.budget=$1k"), ""),
            "too slow": (solve(anywhere, "--set", "limits.deadline=5d"), ""),
            "free": (solve(free), ""),
            "together": (solve(free, "--set", "market.together=true"), ""),
            "sure": (solve(ten_phases), ""),
        }
        _, memory, _ = run(solve(anywhere), str(Path(folder, "kept")))
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        texts: dict[str, str] = {}
        for _ in range(times):
            for name, (command, cache) in commands.items():
                took, _, texts[name] = run(command, cache)
                seconds[name].append(took)
    of = {name: median(values) for name, values in seconds.items()}
    of |= {f"why {name}": of[name] - of["cold"] for name in ("too dear", "too slow")}
    document = json.loads(texts["cold"])
    line("DeepSeek-V3 anywhere: combinations", f"{document['solver']['search_space']:.2e}", "≥ 1e9", "1e12")
    line("its memory at the peak", f"{memory:.0f} MiB", "≤ 700 MB")
    line("rounding error", f"{document['solver']['rounding_error']:.4%}", "≤ 0.1 %", "0.01 %")
    line("yardstick: importing ortools.sat.python.cp_model", f"{of['yardstick']:.2f} s", "")
    for name, what, over, must, aim in RATIOS:
        line(what, f"{of[name]:.2f} s = {of[name] / of[over]:.2f}×", must, aim)
    line("ten phases in free places, 90 % sure of the deadline", f"{of['sure']:.2f} s", "≤ 3 s", "1 s")
    layouts_a_second(document, of["cold"])


TEN_PHASES: Final = json.dumps(
    {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {
            "phases": [
                {"name": f"phase {number}", "tokens": f"{6 + 3 * number}B", "sequence_length": 2048, "global_batch": 64}
                for number in range(10)
            ]
        },
        "market": {
            "clouds": [],
            "purchase": ["on_demand", "spot"],
            "offers": [
                {
                    "name": "own",
                    "accelerator": "H100-80GB-SXM5",
                    "nodes": 8,
                    "on_demand": "$3/GPU-h",
                    "spot": "$1/GPU-h",
                    "availability": "75%",
                    "preemptions_per_node_day": 6,
                }
            ],
        },
        "limits": {"deadline": "200h", "gpus": 64},
        "risk": {"confidence": "90%"},
        "objective": "cost",
    }
)
"""A job whose phases may each be bought in another way, with a chance of 90 % to be in time."""

RATIOS: Final = (
    ("cold", "DeepSeek-V3 anywhere, cold", "yardstick", "≤ 4.5×", "≤ 2.0×"),
    ("again", "  again with another deadline, layouts on disk", "yardstick", "≤ 2.0×", "≤ 1.0×"),
    ("h800", "DeepSeek-V3 on H800 only, cold", "yardstick", "≤ 1.6×", "≤ 1.0×"),
    ("missing", "a missing file", "yardstick", "≤ 0.3×", "≤ 0.2×"),
    ("help", "plan --help", "yardstick", "≤ 0.15×", ""),
    ("accelerators", "anywhere, 10× the accelerators, over anywhere", "cold", "≤ 3×", "≤ 2×"),
    ("offers", "anywhere, 10× the offers, over anywhere", "cold", "≤ 1.3×", "≤ 1.2×"),
    ("gpus", "anywhere, 4× the GPUs, over anywhere", "cold", "≤ 1.6×", "≤ 1.2×"),
    ("why too dear", "  what to relax where nothing is cheap enough, alone", "cold", "≤ 1.0×", "≤ 0.5×"),
    ("why too slow", "  what to relax where nothing is fast enough, alone", "cold", "≤ 1.0×", "≤ 0.5×"),
    ("free", "free places per phase, over the same job together", "together", "≤ 2.5×", "≤ 1.5×"),
)
"""Command, what it does, over which, what it must take at most, and what is aimed at."""


def layouts_a_second(document: dict[str, Any], seconds: float) -> None:
    """How many layouts were considered per second of the whole process, machines and placements aside."""
    rate = document["solver"]["layouts"] / seconds
    line("layouts enumerated per second, all phases", f"{rate:.3g}", "", "Calculon: 190 to 2,000")


def with_catalog(folder: str, name: str, change: str) -> list[str]:
    """The command that solves with another catalog."""
    script = Path(folder) / f"{name}.py"
    script.write_text(change, encoding="utf-8")
    return [sys.executable, str(script), "solve", str(PROBLEMS / "deepseek_v3_anywhere.yaml"), "--json"]


MANY_OFFERS: Final = """
from decimal import Decimal
import planner.catalog.offers as catalog
import planner.market.filters as filters
once = catalog.load_offers()
PRICES = ("on_demand", "spot", "reserved_1y", "reserved_3y", "block")
def again(offer, copy):
    prices = {f"{name}_usd_per_hour": getattr(offer, f"{name}_usd_per_hour") for name in PRICES}
    dearer = {name: price * (1 + Decimal("0.013") * copy) for name, price in prices.items() if price}
    return offer.model_copy(update={"region": f"{offer.region}-{copy}", **dearer})
many = tuple(again(offer, copy) for copy in range(10) for offer in once)
filters.load_offers = lambda: many
from planner.cli import main
main()
"""
"""Each catalog offer again in nine regions at other prices."""

MANY_ACCELERATORS: Final = """
from decimal import Decimal
import planner.catalog.accelerators as devices
import planner.catalog.offers as catalog
import planner.market.filters as filters
import planner.market.placements as placements
PRICES = ("on_demand", "spot", "reserved_1y", "reserved_3y", "block")
def name(one, copy):
    return f"{one}-{copy}" if copy else one
def device(one, copy):
    faster = one.memory_bandwidth_gb_s * 1.007**copy
    return one.model_copy(update={"name": name(one.name, copy), "memory_bandwidth_gb_s": faster})
def offer(one, copy):
    prices = {f"{kind}_usd_per_hour": getattr(one, f"{kind}_usd_per_hour") for kind in PRICES}
    dearer = {kind: price * Decimal("1.013") ** copy for kind, price in prices.items() if price}
    return one.model_copy(update={"accelerator": name(one.accelerator, copy), **dearer})
accelerators = tuple(device(one, copy) for copy in range(10) for one in devices.load_accelerators())
offers = tuple(offer(one, copy) for copy in range(10) for one in catalog.load_offers())
placements.load_accelerators, filters.load_offers = lambda: accelerators, lambda: offers
from planner.cli import main
main()
"""
"""Each accelerator and its offers nine times more, each with more memory bandwidth at a higher price."""

MEASURED: Final = (
    ("175B on 64 A100", "gpt3-175b", "A100-80GB-SXM4", "bf16", 64, 2048, 64, 0.57),
    ("175B on 512 A100", "gpt3-175b", "A100-80GB-SXM4", "bf16", 512, 2048, 512, 0.57),
    ("175B on 1,024 A100", "gpt3-175b", "A100-80GB-SXM4", "bf16", 1024, 2048, 1536, 0.57),
    ("405B on 2,048 H100", "llama3.1-405b", "H100-80GB-SXM5", "bf16", 2048, 8192, 512, 0.53),
    ("405B on 8,192 H100", "llama3.1-405b", "H100-80GB-SXM5", "bf16", 8192, 8192, 2048, 0.43),
    ("Qwen3 235B on 256 H100", "qwen3-235b-a22b", "H100-80GB-SXM5", "fp8", 256, 4096, 8192, 0.1283),
    ("Qwen3 235B on 64 B200", "qwen3-235b-a22b", "B200-SXM", "mxfp8", 64, 4096, 1024, 0.1409),
    ("70B on 64 B200", "llama3-70b", "B200-SXM", "fp8", 64, 8192, 128, 0.3057),
)
"""Best model FLOPs utilisation that anyone measured: name, model, device, precision, devices, sequence, batch, MFU."""


STACKS: Final = ("typical", "megatron")
"""Stacks that are assumed: none stated, and the one that its vendor tunes."""


def curse() -> None:
    """What the optimum claims against the best that anyone measured: searches pick what the estimator flatters."""
    for stack in STACKS:
        for name, model, device, precision, gpus, sequence, batch, best in MEASURED:
            found = fastest(model, device, precision, gpus, sequence, batch, stack)
            mfu = found["plan"]["phases"][0]["mfu"]
            told = f"optimum's MFU, {name}, {stack} (measured {best})"
            line(told, f"{mfu:.3f} = {mfu / best:.2f}×", "≤ 1.10×", "≤ 1.0×")
    found = fastest("deepseek-v3", "H800-80GB", "fp8", 2048, 4096, 15360, "dualpipe")
    hours = (
        found["plan"]["gpus"] * found["plan"]["phases"][0]["step_seconds"] / SECONDS_PER_HOUR / (15360 * 4096) * 1e12
    )
    line("DeepSeek-V3 on 2,048 H800 (measured 180K)", f"{hours / 1e3:.0f}K = {180e3 / hours:.2f}×", "≤ 1.10×", "≤ 1.0×")


def fastest(
    model: str, device: str, precision: str, gpus: int, sequence: int, batch: int, stack: str = "typical"
) -> dict[str, Any]:
    """The answer for the fastest step on exactly so many devices."""
    text = f"""
schema: plan/1
model: {model}
training:
  precision: {precision}
  software: {{stack: {stack}}}
  phases: [{{tokens: 1T, sequence_length: {sequence}, global_batch: {batch}}}]
market:
  clouds: []
  offers: [{{name: cluster, accelerator: {device}, on_demand: $2/GPU-h, nodes: {gpus // 8}}}]
limits: {{gpus: {gpus}}}
objective: time
"""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.yaml"
        file.write_text(text, encoding="utf-8")
        document: dict[str, Any] = json.loads(run(solve(file))[2])
    return document


def oracle(first: int, count: int) -> None:
    """Generated problems solved both ways: which seeds differ, and how much longer brute force takes."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "cpsat")]
    compared, differ, search, enumeration = 0, 0, 0.0, 0.0
    for seed in range(first, first + count):
        told, seconds = _compared(seed)
        compared, differ = compared + 1, differ + bool(told)
        search, enumeration = search + seconds[0], enumeration + seconds[1]
        if told:
            print(f"seed {seed}: {told}", flush=True)
        if compared % 100 == 0:
            print(f"{compared} compared, {differ} different", file=sys.stderr, flush=True)
    line(f"{count} generated problems: different from enumeration", str(differ), "0")
    print(f"  search {search:.1f} s, enumeration {enumeration:.1f} s")


LONGEST: Final = 60.0
"""Seconds after which a search counts as one without a proof."""


def _compared(seed: int) -> tuple[str, tuple[float, float]]:
    """What differs between search and enumeration of one problem, empty when nothing does, and the seconds of both."""
    from generated_problems import generated  # noqa: PLC0415  (in the tests)
    from test_against_enumeration import solved  # noqa: PLC0415

    from planner.verify.oracle import best_value  # noqa: PLC0415

    problem = generated(seed)
    started = time.process_time()
    try:
        found = solved(problem, LONGEST)
    except AssertionError as failed:
        return f"no verified optimum within {LONGEST:g} s: {failed}", (time.process_time() - started, 0.0)
    halfway = time.process_time()
    agrees = found.agrees(problem)
    seconds = (halfway - started, time.process_time() - halfway)
    return "" if agrees else f"search {found.value}, enumeration {best_value(problem)}", seconds


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="runs of each timed command")
    parser.add_argument("--claims", action="store_true", help="only what the optima claim")
    parser.add_argument("--oracle", type=int, default=0, metavar="N", help="only compare N generated problems")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of their seeds")
    arguments = parser.parse_args()
    if arguments.oracle:
        return oracle(arguments.first, arguments.oracle)
    if not arguments.claims:
        speed(arguments.times)
    return curse()


if __name__ == "__main__":
    main()
