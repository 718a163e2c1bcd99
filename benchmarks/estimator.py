"""How many layouts a second and core the estimator evaluates, and how long the commands take to start.

    python benchmarks/estimator.py

Prints processor time of this process (one core), the best of five, beside a reference in the same run: the time that
NumPy takes to add two arrays of as many numbers, and the start of the bare interpreter. Ratios tell on noisy machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from planner.catalog.accelerators import find_accelerator
from planner.catalog.calibration import load_calibration
from planner.catalog.models import find_model
from planner.catalog.precisions import find_precision
from planner.catalog.software import find_stack
from planner.performance.evaluate import constants_of, evaluate
from planner.performance.symbols import Architecture, Array, Device, Job, Layout, Software

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    "--help",
    "estimate problems/runs/deepseek-v3.yaml",
    "size deepseek-v3 --tokens 14.8T --days 60 --on H800-80GB",
    "validate",
)
DEGREES: dict[str, list[float]] = {
    "tensor": [1, 2, 4, 8],
    "pipeline": [1, 2, 4, 8, 16, 32],
    "virtual_pipeline": [1, 2, 4],
    "context": [1, 2],
    "expert": [1, 2, 4, 8, 16, 32, 64],
    "data": [8 * k for k in (1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 240, 320, 384)],
    "micro_batch": [1, 2, 4],
    "recompute": [0, 1, 2],
    "zero": [0, 1, 2, 3],
}


def grid() -> Layout:
    """Every combination of the degrees, each degree on an axis of its own."""
    count = len(DEGREES)
    axes = {
        name: np.asarray(values, dtype=np.float64).reshape([-1 if i == axis else 1 for i in range(count)])
        for axis, (name, values) in enumerate(DEGREES.items())
    }
    recompute = axes.pop("recompute")
    return Layout(
        **axes,
        expert_tensor=np.asarray(1.0),
        recompute_full=np.where(recompute == 2, 1.0, 0.0),
        recompute_selective=np.where(recompute == 1, 1.0, 0.0),
        shard=axes["data"] * axes["context"],
    )


def best_of(run: Callable[[], object], times: int = 5) -> float:
    """The least processor time of several runs, seconds."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def evaluation_seconds() -> tuple[int, float, float]:
    """Layouts in the grid, seconds to evaluate time and memory of them all, and seconds of one reference addition."""
    architecture = Architecture.of(find_model("deepseek-v3"))
    accelerator, precision = find_accelerator("H800-80GB", usual=True), find_precision("fp8")
    stack, calibration = find_stack("megatron").at(), load_calibration()
    device = Device.of(accelerator, precision, stack, efficiency=calibration.efficiency(accelerator))
    software, constants, layout = Software.of(stack, precision), constants_of(calibration), grid()

    def number(value: float) -> Array:
        return np.asarray(float(value))

    job = Job(
        sequence=number(4096), global_batch=number(15360), low_precision=number(1), cast_bytes=number(6),
        trains_base=number(1), adapter_rank=number(0), state_bytes=number(12),
    )  # fmt: skip

    def all_layouts() -> int:
        found = evaluate(architecture, device, software, job, layout, constants)
        return int(np.broadcast_shapes(found.time.total.shape, found.memory.expected.shape)[0])

    count = int(np.prod([len(values) for values in DEGREES.values()]))
    one, other = np.ones(count), np.ones(count)
    return count, best_of(all_layouts), best_of(lambda: one + other)


def wall_seconds(*command: str) -> float:
    """Median wall time of a command over seven runs, seconds."""
    taken = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)  # noqa: S603  (our own commands)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2]


def main() -> None:
    """Runs everything and prints it."""
    count, seconds, addition = evaluation_seconds()
    print(f"evaluated {count:,} layouts of DeepSeek-V3 on one accelerator in {seconds * 1e3:.0f} ms of one core:")
    print(f"  {count / seconds / 1e6:.1f} million a second; {seconds / addition:.0f} times adding as many numbers")
    bare = wall_seconds(sys.executable, "-c", "pass")
    plan = str(Path(sys.executable).with_name("plan"))
    print(f"start of the bare interpreter: {bare * 1e3:.0f} ms (median of 7)")
    for line in COMMANDS:
        arguments = line.split()
        taken = wall_seconds(plan, *arguments)
        print(f"  plan {' '.join(arguments[:2])}: {taken * 1e3:.0f} ms, {taken / bare:.0f} times the bare interpreter")


if __name__ == "__main__":
    main()
