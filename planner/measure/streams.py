"""What memory bandwidth and the host decide: copies, elementwise kernels, the optimizer, kernel launches."""

from __future__ import annotations

import statistics
import time
from functools import partial

from planner.measure.bench import Bench, Recorder, TimedCall
from planner.measure.samples import KernelCase, Sample

ADAMW_BYTES = 28
"""Bytes per fp32 parameter: reads parameter, gradient and two moments, writes all but the gradient."""
LAUNCHES = 200
"""Kernels in a row when launches are timed: fewer than a GPU's queue holds, so that the host never waits."""


def measure_copies(recorder: Recorder, sizes: tuple[int, ...]) -> None:
    """Time copies inside the device's memory; bytes read and bytes written both count."""
    bench = recorder.bench
    for size in sizes:
        case = KernelCase("copy", bench.half, m=size // 2, bytes=2.0 * size)
        recorder.measure(case, partial(_copy_work, bench, case))


def measure_streams(recorder: Recorder, shapes: tuple[tuple[int, int], ...]) -> None:
    """Time an addition, an RMS norm and a softmax over rows; each tensor counts once, read or written."""
    bench = recorder.bench
    for rows, columns in shapes:
        for op, tensors in (("add", 3), ("rms_norm", 2), ("softmax", 2)):
            case = KernelCase(op, bench.half, m=rows, n=columns, bytes=2.0 * tensors * rows * columns)
            recorder.measure(case, partial(_stream_work, bench, case))


def measure_optimizer(recorder: Recorder, parameters: int, *, tensors: int = 16) -> None:
    """Time a fused AdamW step on fp32 parameters, gradients and moments."""
    bench = recorder.bench
    case = KernelCase("adamw", "fp32", m=parameters, bytes=float(ADAMW_BYTES * parameters))
    recorder.measure(case, partial(_optimizer_work, bench, parameters // tensors, tensors))


def measure_launches(recorder: Recorder) -> None:
    """Time what the host needs to launch one small kernel, the device's own time left out."""
    bench = recorder.bench
    number = bench.random(1)

    def issue_seconds() -> float:
        """Seconds of the host for one of many launches in a row."""
        bench.synchronise()
        start = time.perf_counter()
        for _ in range(LAUNCHES):
            number.neg_()
        return (time.perf_counter() - start) / LAUNCHES

    issue_seconds()
    seconds = statistics.median(issue_seconds() for _ in range(3 * bench.grid.batches))
    recorder.samples.append(Sample(KernelCase("launch", bench.half, m=1), seconds))


def _copy_work(bench: Bench, case: KernelCase) -> TimedCall:
    pairs = [(bench.random(case.m), bench.random(case.m)) for _ in range(bench.copies(case.bytes))]
    return TimedCall(lambda target, source: target.copy_(source), pairs)


def _stream_work(bench: Bench, case: KernelCase) -> TimedCall:
    torch, shape = bench.torch, (case.m, case.n)
    weight = bench.random(case.n)
    calls = {
        "add": torch.add,
        "rms_norm": lambda x: torch.nn.functional.rms_norm(x, (case.n,), weight),
        "softmax": lambda x: torch.nn.functional.softmax(x, dim=-1),
    }
    operands = 2 if case.op == "add" else 1
    copies = range(bench.copies(case.bytes))
    return TimedCall(calls[case.op], [tuple(bench.random(*shape) for _ in range(operands)) for _ in copies])


def _optimizer_work(bench: Bench, size: int, tensors: int) -> TimedCall:
    torch = bench.torch
    parameters = [torch.nn.Parameter(torch.randn(size, device=bench.device)) for _ in range(tensors)]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    return TimedCall(torch.optim.AdamW(parameters, lr=1e-4, fused=True).step)
