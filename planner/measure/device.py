"""One device measured from end to end."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.measure.attention import measure_attention
from planner.measure.bench import Bench, Progress, Recorder, load_torch
from planner.measure.collectives import measure_collectives
from planner.measure.grids import grid_for
from planner.measure.products import measure_experts, measure_fp8_products, measure_products, measure_sustained
from planner.measure.samples import DeviceFacts, Measurements
from planner.measure.streams import measure_copies, measure_launches, measure_optimizer, measure_streams

GIB = 2**30
CPU_RANKS = 2


def measure_device(device: str, *, quick: bool, progress: Progress = lambda _: None) -> Measurements:
    """Measure `cuda` (the first GPU, and collectives between all of them), `cuda:1` (that GPU alone) or `cpu`.

    `quick` takes a tenth of the shapes. A processor gets tiny shapes: they show that the code runs, not how fast
    training would be. Raises InputError when PyTorch or the device is missing.
    """
    torch = load_torch()
    index, ranks = find_device(torch, device)
    bench = Bench(torch, "cpu" if index is None else f"cuda:{index}", grid_for(device, quick=quick))
    if index is not None:
        torch.cuda.set_device(index)
    recorder, grid = Recorder(bench), bench.grid
    stages: tuple[tuple[str, Callable[[], None]], ...] = (
        ("kernel launches", lambda: measure_launches(recorder)),
        ("memory copies", lambda: measure_copies(recorder, grid.copy_bytes)),
        ("elementwise kernels", lambda: measure_streams(recorder, grid.streams)),
        ("the optimizer", lambda: measure_optimizer(recorder, grid.optimizer_parameters)),
        ("matrix products", lambda: measure_products(recorder, grid.products)),
        ("a sustained matrix product", lambda: measure_sustained(recorder, grid.sustained)),
        ("8-bit matrix products", lambda: measure_fp8_products(recorder, grid.products)),
        ("grouped matrix products", lambda: measure_experts(recorder, grid.experts)),
        ("attention", lambda: measure_attention(recorder, grid.attentions)),
    )
    for name, stage in stages:
        progress(f"measuring {name}")
        stage()
        bench.release()
    if ranks > 1:
        progress(f"measuring collectives over {ranks} devices")
        measure_collectives(recorder, grid.message_elements, ranks=ranks)
    return Measurements(device_facts(bench, ranks), tuple(recorder.samples), tuple(recorder.refusals))


def find_device(torch: Any, device: str) -> tuple[int | None, int]:  # noqa: ANN401  (a module)
    """Give the GPU's index (None for a processor) and how many devices take part in collectives.

    Raises InputError for anything but `cpu`, `cuda` or `cuda:N` with N there.
    """
    if device == "cpu":
        return None, CPU_RANKS
    known = re.fullmatch(r"cuda(?::(\d{1,3}))?", device)
    if not known:
        raise InputError(f"device {device[:40]!r} is not known", fix="use cuda, cuda:N or cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(known[1] or 0)
    if index >= count:
        raise InputError(f"PyTorch sees {count} GPUs, so there is no {device}", fix="check the driver with nvidia-smi")
    return index, 1 if known[1] else count


def device_name(torch: Any, device: str) -> str:  # noqa: ANN401  (a module)
    """Give the driver's name of the device. Raises InputError when it is missing."""
    index, _ = find_device(torch, device)
    return "processor" if index is None else str(torch.cuda.get_device_name(index))


def device_facts(bench: Bench, ranks: int) -> DeviceFacts:
    """Facts that the driver and PyTorch state about the device and themselves."""
    torch = bench.torch
    if not bench.on_gpu:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return DeviceFacts(device_name(torch, "cpu"), memory / GIB, None, ranks, 0.0, f"PyTorch {torch.__version__}")
    properties = torch.cuda.get_device_properties(bench.device)
    free, total = torch.cuda.mem_get_info(bench.device)
    runtime = f"ROCm {torch.version.hip}" if torch.version.hip else f"CUDA {torch.version.cuda}"
    versions = (f"PyTorch {torch.__version__}", runtime, driver_version(Path("/proc/driver/nvidia/version")))
    return DeviceFacts(
        name=properties.name,
        memory_gib=properties.total_memory / GIB,
        compute_units=properties.multi_processor_count,
        devices=ranks,
        outside_gib=(total - free - torch.cuda.memory_reserved(bench.device)) / GIB,
        software=", ".join(version for version in versions if version),
    )


def driver_version(report: Path) -> str:
    """`driver 580.159.04` from the kernel module's report; empty where there is none."""
    try:
        found = re.search(r"\d{3,}\.\d+(?:\.\d+)?", report.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return f"driver {found[0]}" if found else ""
