"""Time a real training step of a run file on one GPU, and print it beside the estimate, by part.

    python benchmarks/step.py benchmarks/runs/dense-4k.yaml --on my-gpu.toml --out steps.json

Needs PyTorch. Forward and backward pass of every micro-batch and a fused AdamW step, eager and compiled; the model is
the run's own, with random weights and tokens. Time is the median of steps from an idle device to an idle device,
memory the allocator's peak, parts are a profile of one step. `--on` takes the accelerator record instead of the run's.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # its cache does not know attention kernels apart

import numpy as np
from step_model import Model, build

from planner.catalog.calibration import load_calibration
from planner.estimator.estimate import estimate
from planner.estimator.resolve import Symbols, resolve, symbols_of
from planner.performance.attention import attention_core_seconds
from planner.performance.layer import elementwise_seconds, layer_products, linear
from planner.performance.pipeline import micro_batch_tokens, microbatches
from planner.performance.step import logits_seconds
from planner.problem.run import Run, load_run
from planner.units import GIB

torch: Any = importlib.import_module("torch")
WARM_UP, LONGEST = 3, 25
KERNELS = (
    ("elementwise", ("triton_",)),
    ("attention", ("flash", "fmha", "sdpa", "attention")),
    ("optimizer", ("adam",)),
    ("products", ("gemm", "nvjet", "cutlass", "cublas", "xmma", "splitk", "addmm", "aten::mm")),
)
"""Kinds of kernels by what their names contain, the first that fits; the others count as elementwise."""
ATTENTION = {"flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION"}
PARTS = ("products", "attention", "elementwise", "optimizer", "rest")


@dataclass(frozen=True)
class Step:
    """One step of a run, measured or estimated."""

    run: str
    how: str
    """`eager`, `compiled`, or `estimate`."""
    seconds: float
    parts: dict[str, float]
    """Seconds by kind of kernel; the rest is what the device idles, or what an estimate adds."""
    allocated_gib: float
    used_gib: float
    """What the driver shows, or what is expected to be shown."""
    note: str = ""
    kernels: tuple[tuple[str, float], ...] = ()
    """The longest kernels of the profiled step, with their seconds."""


def main() -> None:
    """Measure every run, eager and compiled, and print a table; results are kept after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--how", nargs="+", choices=("eager", "compiled"), default=["eager", "compiled"])
    parser.add_argument("--on", metavar="ACCELERATOR", help="accelerator record in place of the run's")
    parser.add_argument("--attention", choices=ATTENTION, help="one attention kernel; PyTorch's choice unless given")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sets = [f"cluster.accelerator={options.on}"] if options.on else []
    steps: list[Step] = []
    for path in options.runs:
        run = load_run(path, sets)
        steps.append(estimated(run, path.stem))
        with attention_kernel(options.attention):
            steps += [measured(run, path.stem, how, options.device, options.steps) for how in options.how]
        show(steps[-1 - len(options.how) :])
        if options.out:
            options.out.write_text(json.dumps([asdict(step) for step in steps], indent=1), encoding="utf-8")


def attention_kernel(name: str | None) -> AbstractContextManager[object]:
    """Let PyTorch choose this attention kernel only."""
    if name is None:
        return nullcontext()
    choice = importlib.import_module("torch.nn.attention")
    return choice.sdpa_kernel(getattr(choice.SDPBackend, ATTENTION[name]))  # type: ignore[no-any-return]


def show(steps: list[Step]) -> None:
    """Print one run's steps: seconds by part, memory, and how far each figure of the estimate is off, per cent."""
    estimate_, *others = steps
    print(f"{estimate_.run:12}{'':10}{'step':>9}" + "".join(f"{part:>12}" for part in PARTS) + "   allocated   used")
    for step in steps:
        parts = "".join(f"{step.parts.get(part, 0.0) * 1e3:9.1f} ms" for part in PARTS)
        memory = f"{step.allocated_gib:8.2f} {step.used_gib:8.2f} GiB"
        print(f"{'':12}{step.how:10}{step.seconds * 1e3:6.1f} ms{parts}{memory} {step.note}")
    for step in others:
        if step.seconds:
            off = [off_by(estimate_.parts[part], step.parts.get(part, 0.0)) for part in PARTS[:-1]]
            off += [off_by(estimate_.allocated_gib, step.allocated_gib), off_by(estimate_.used_gib, step.used_gib)]
            print(f"  estimate over {step.how}: {off_by(estimate_.seconds, step.seconds)} {' '.join(off)}", flush=True)


def off_by(estimate_: float, measured_: float) -> str:
    """Difference in per cent of what was measured."""
    return f"{(estimate_ / measured_ - 1) * 100:+.1f}%" if measured_ else "–"


def measured(run: Run, name: str, how: str, device: str, steps: int) -> Step:
    """Time steps; what PyTorch cannot run or compile is noted."""
    try:
        return timed(run, name, how, device, steps)
    except Exception as error:  # noqa: BLE001  (a compiler fails in many ways, and the other runs go on)
        return Step(run=name, how=how, seconds=0.0, parts={}, allocated_gib=0.0, used_gib=0.0, note=str(error)[:300])
    finally:
        torch.compiler.reset()
        gc.collect()
        if device != "cpu":
            torch.cuda.empty_cache()


def timed(run: Run, name: str, how: str, device: str, steps: int) -> Step:
    """Build the model, warm up, time, and profile one more step."""
    model = build(resolve(run).model, device, compiled=how == "compiled")
    step = training_step(model, run, device)
    start = time.perf_counter()
    for _ in range(WARM_UP):
        step()
    synchronise(device)
    note = f"(first steps {time.perf_counter() - start:.0f} s)"
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(step_seconds(step, device) for _ in range(steps))
    allocated, used = peak_memory(device)
    kernels = profile(step, device)
    parts: dict[str, float] = defaultdict(float)
    for kernel, busy in kernels.items():
        parts[kind_of(kernel)] += busy
    parts["rest"] = seconds - sum(parts.values())
    longest = sorted(kernels.items(), key=lambda kernel: -kernel[1])[:LONGEST]
    return Step(name, how, seconds, dict(parts), allocated, used, note, tuple(longest))


def training_step(model: Model, run: Run, device: str) -> Callable[[], None]:
    """One optimizer step on random tokens; gradients of the micro-batches are summed in place."""
    parameters = model.parameters
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
    shape = (run.layout.micro_batch, run.training.sequence_length)
    count = run.training.global_batch // run.layout.micro_batch
    tokens = torch.randint(model.record.vocab_size, (count + 1, *shape), device=device)

    def step() -> None:
        for index in range(count):
            (model(tokens[index], tokens[index + 1]) / count).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return step


def synchronise(device: str) -> None:
    """Wait for the device."""
    if device != "cpu":
        torch.cuda.synchronize()


def step_seconds(step: Callable[[], None], device: str) -> float:
    """Seconds of one step, from an idle device to an idle device."""
    synchronise(device)
    start = time.perf_counter()
    step()
    synchronise(device)
    return time.perf_counter() - start


def peak_memory(device: str) -> tuple[float, float]:
    """GiB that the allocator handed out at its peak, and what the driver shows as used."""
    if device == "cpu":
        return 0.0, 0.0
    free, total = torch.cuda.mem_get_info()
    return torch.cuda.max_memory_allocated() / GIB, (total - free) / GIB


def profile(step: Callable[[], None], device: str) -> dict[str, float]:
    """Seconds of one step's kernels by name."""
    profiler = importlib.import_module("torch.profiler")
    kind = profiler.ProfilerActivity.CPU if device == "cpu" else profiler.ProfilerActivity.CUDA
    with profiler.profile(activities=[kind]) as recorded:
        step()
        synchronise(device)
    micros = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
    return {event.key: getattr(event, micros) / 1e6 for event in recorded.key_averages()}


def kind_of(kernel: str) -> str:
    """Kind of a kernel by its name."""
    lower = kernel.lower()
    return next((kind for kind, marks in KERNELS if any(mark in lower for mark in marks)), "elementwise")


def estimated(run: Run, name: str) -> Step:
    """The estimate of the same step, by the same parts."""
    calibration = load_calibration()
    whole = estimate(run, calibration)
    parts = estimated_parts(symbols_of(whole.subject, calibration))
    parts["optimizer"] = whole.time["optimizer"]
    parts["rest"] = whole.step_seconds - sum(parts.values())
    memory = whole.memory
    return Step(name, "estimate", whole.step_seconds, parts, memory.allocated, memory.expected)


def estimated_parts(symbols: Symbols) -> dict[str, float]:
    """Seconds of all layers and the output projection, forward and backward, of one step's micro-batches."""
    s, moe = symbols, bool(np.any(symbols.architecture.experts > 0))
    tokens = micro_batch_tokens(s.job, s.layout)
    slow = s.constants.generic_stack**s.software.generic
    products = layer_products(s.architecture, s.device, s.layout, tokens, s.constants, moe=moe)
    head = linear(
        tokens, s.architecture.vocabulary, s.architecture.hidden, s.device, s.constants, flops_s=s.device.matmul_flops_s
    )
    core = attention_core_seconds(s.architecture, s.device, s.software, s.job, s.layout, s.constants)
    stream = elementwise_seconds(s.architecture, s.device, s.software, s.job, s.layout, s.constants, moe=moe)
    head_seconds = head.forward + head.data_gradient + head.weight_gradient
    logits = logits_seconds(s.architecture, s.device, s.job, s.layout, s.constants)
    layer = products.forward + products.data_gradient + products.weight_gradient
    layers, count = s.architecture.layers, float(microbatches(s.job, s.layout))
    return {
        "products": float(layers * slow * layer + head_seconds) * count,
        "attention": float(layers * slow * sum(core)) * count,
        "elementwise": float(layers * 3 * stream + logits - head_seconds) * count,
    }


if __name__ == "__main__":
    main()
