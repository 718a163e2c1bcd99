"""Collectives between the devices of one host: a process per device, as in training."""

from __future__ import annotations

import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from planner.measure.bench import REFUSED, Recorder, load_torch
from planner.measure.samples import KernelCase, Sample

BUS_FACTOR: dict[str, Callable[[int], float]] = {
    "all_reduce": lambda ranks: 2 * (ranks - 1) / ranks,
    "all_gather": lambda ranks: (ranks - 1) / ranks,
    "reduce_scatter": lambda ranks: (ranks - 1) / ranks,
    "all_to_all": lambda ranks: (ranks - 1) / ranks,
    "send_recv": lambda _: 1.0,
}
"""Bytes that each device sends, per byte of the whole tensor. Source: NVIDIA nccl-tests, PERFORMANCE.md."""
WARM_UP_CALLS, CALLS, BATCHES = 3, 10, 5
GIVE_UP = timedelta(minutes=2)


def measure_collectives(recorder: Recorder, elements: tuple[int, ...], *, ranks: int) -> None:
    """Time each collective over `ranks` devices, for tensors of so many 16-bit elements.

    GPUs talk through NCCL (or RCCL), processes without one through Gloo.
    """
    multiprocessing = importlib.import_module("torch.multiprocessing")
    failures = (multiprocessing.ProcessRaisedException, multiprocessing.ProcessExitedException)
    with tempfile.TemporaryDirectory() as folder:
        try:
            multiprocessing.spawn(_run_rank, (ranks, folder, recorder.bench.on_gpu, elements), nprocs=ranks)
        except failures as error:
            recorder.refuse("collectives", str(error).strip().splitlines()[-1])
            return
        found = json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))
    recorder.samples += [Sample(KernelCase(**case), seconds) for case, seconds in found["samples"]]
    for case, reason in found["refusals"]:
        recorder.refuse(case, reason)


def collective_case(op: str, elements: int, ranks: int, backend: str) -> KernelCase:
    """Name a collective on a bf16 tensor of `elements` in all; its rate is busbw."""
    moved = 2.0 * elements * BUS_FACTOR[op](ranks)
    return KernelCase(op, "bf16", m=elements, backend=backend, ranks=ranks, bytes=moved)


def _run_rank(rank: int, ranks: int, folder: str, on_gpu: bool, elements: tuple[int, ...]) -> None:
    """Run every case on one device; rank 0 writes what it timed."""
    torch = load_torch()
    dist = torch.distributed
    backend, device = ("nccl", f"cuda:{rank}") if on_gpu else ("gloo", "cpu")
    if on_gpu:
        torch.cuda.set_device(rank)
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=ranks, timeout=GIVE_UP)
    samples: list[tuple[dict[str, Any], float]] = []
    refusals: list[tuple[str, str]] = []
    for op in BUS_FACTOR:
        for count in elements:
            case = collective_case(op, count - count % ranks, ranks, backend)
            try:
                samples.append((asdict(case), _median_seconds(torch, _call(torch, case, rank, device), device)))
            except REFUSED as error:
                refusals.append((str(case), str(error)))
                break
    if rank == 0:
        text = json.dumps({"samples": samples, "refusals": refusals})
        (Path(folder) / "result.json").write_text(text, encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def _call(torch: Any, case: KernelCase, rank: int, device: str) -> Callable[[], object]:  # noqa: ANN401  (a module)
    """One call of the collective on fresh tensors."""
    dist = torch.distributed
    whole, part = (torch.randn(size, device=device).to(torch.bfloat16) for size in (case.m, case.m // case.ranks))
    other = torch.empty_like(whole)
    all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # the name before 2.13
    reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    after, before = (rank + 1) % case.ranks, (rank - 1) % case.ranks

    def send_recv() -> None:
        sends = [dist.P2POp(dist.isend, whole, after), dist.P2POp(dist.irecv, other, before)]
        for request in dist.batch_isend_irecv(sends):
            request.wait()

    calls: dict[str, Callable[[], object]] = {
        "all_reduce": lambda: dist.all_reduce(whole),
        "all_gather": lambda: all_gather(whole, part),
        "reduce_scatter": lambda: reduce_scatter(part, whole),
        "all_to_all": lambda: dist.all_to_all_single(other, whole),
        "send_recv": send_recv,
    }
    return calls[case.op]


def _median_seconds(torch: Any, call: Callable[[], object], device: str) -> float:  # noqa: ANN401  (a module)
    """Seconds of one call, the median over batches; every rank makes the same number of calls."""

    def synchronise() -> None:
        """Waits for the device."""
        if device != "cpu":
            torch.cuda.synchronize()

    def batch(calls: int) -> float:
        """Seconds of one of so many calls."""
        torch.distributed.barrier()
        synchronise()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        synchronise()
        return (time.perf_counter() - start) / calls

    batch(WARM_UP_CALLS)
    return statistics.median(batch(CALLS) for _ in range(BATCHES))
