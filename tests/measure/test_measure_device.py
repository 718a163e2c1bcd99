"""The measurement itself: on processor tensors where PyTorch is installed, and what users are told where it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from planner.catalog.accelerators import read_accelerator
from planner.errors import InputError
from planner.measure import command, device
from planner.measure.bench import Bench, Recorder, TimedCall, load_torch
from planner.measure.device import driver_version, find_device, measure_device
from planner.measure.grids import TINY
from planner.measure.samples import KernelCase


def gpus(count: int) -> SimpleNamespace:
    """Stand in for a PyTorch that sees so many GPUs."""
    return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count))


def test_missing_torch_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch the user is told what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'plan-training\[measure\]'"):
        load_torch()


def test_cuda_alone_means_the_first_and_collectives_over_all() -> None:
    """`cuda` measures the first GPU and links between all, `cuda:1` that one alone."""
    assert find_device(gpus(8), "cuda") == (0, 8)
    assert find_device(gpus(8), "cuda:1") == (1, 1)
    assert find_device(gpus(0), "cpu") == (None, 2)


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:2", 2), ("tpu", 8), ("cuda:x", 8), ("", 8)])
def test_missing_device_is_refused(name: str, count: int) -> None:
    """A device that is not there, or not known, is one line of error."""
    with pytest.raises(InputError):
        find_device(gpus(count), name)


def test_unknown_device_name_asks_for_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that the catalog does not know by the driver's name needs --like."""
    fake = gpus(1)
    fake.cuda.get_device_name = lambda _: "NVIDIA Z9000"
    monkeypatch.setattr(command, "load_torch", lambda: fake)
    with pytest.raises(InputError, match="--like"):
        command.base_record("cuda", None)
    fake.cuda.get_device_name = lambda _: "NVIDIA H200"
    assert command.base_record("cuda", None).name == "H200-141GB-SXM"
    assert command.base_record("cuda", "A100-80GB-SXM4").name == "A100-80GB-SXM4"


def test_driver_version_is_read_where_there_is_one(tmp_path: Path) -> None:
    """The kernel module's report names the driver; without a report there is none."""
    report = tmp_path / "version"
    assert not driver_version(report)
    report.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.04  Tue Mar\n", encoding="utf-8")
    assert driver_version(report) == "driver 580.159.04"


def test_gpu_time_is_taken_from_events() -> None:
    """On a GPU the device's events are read, in milliseconds, after the queue has drained."""
    drained: list[str] = []

    class Event:
        """An event whose distance to the next is 6 ms."""

        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            """Mark the queue."""

        def elapsed_time(self, _: Event) -> float:
            """Milliseconds; only valid once the device is idle."""
            assert drained
            return 6.0

    torch = SimpleNamespace(cuda=SimpleNamespace(Event=Event, synchronize=drained.append))
    bench = Bench(torch, "cuda:0", TINY)
    calls: list[int] = []
    assert bench.elapsed_seconds(TimedCall(calls.append, [(1,), (2,)]), 3) == pytest.approx(6e-3)
    assert calls == [1, 2, 1]
    assert drained == ["cuda:0"]


def test_gpu_rests_before_it_is_timed() -> None:
    """The GPU waits before the first event while calls are queued, by the clock of its own waiting kernel.

    Every timed batch is preceded by a rest at least as long as the batch before it took.
    """
    queue: list[str] = []

    class Event:
        """Two events are always 2 ms apart."""

        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            """Mark the queue."""
            queue.append("event")

        def elapsed_time(self, _: Event) -> float:
            """Milliseconds."""
            return 2.0

    def wait(cycles: int) -> None:
        queue.append(f"wait {cycles}")

    bench = Bench(SimpleNamespace(cuda=SimpleNamespace(Event=Event, synchronize=id, _sleep=wait)), "cuda:0", TINY)
    assert bench.spin_hz == pytest.approx(1e9)
    queue.clear()
    assert bench.elapsed_seconds(TimedCall(lambda: queue.append("call")), 2, rest=0.005) == pytest.approx(2e-3)
    assert queue == ["wait 5000000", "event", "call", "call", "event"]
    queue.clear()
    assert bench.median_seconds(TimedCall(lambda: queue.append("call"))) == pytest.approx(2e-3)
    waits = [int(entry.removeprefix("wait ")) for entry in queue if entry.startswith("wait")]
    assert len(waits) == TINY.batches
    assert min(waits) >= 1_000_000


def test_refused_case_does_not_end_the_run() -> None:
    """A kernel that PyTorch refuses is noted with the first line of the reason."""
    recorder = Recorder(Bench(None, "cpu", TINY))

    def refuse() -> TimedCall:
        raise RuntimeError("No available kernel.\nDetails")

    recorder.measure(KernelCase("attention_forward", "bf16", backend="cudnn"), refuse)
    recorder.measure(KernelCase("nothing", "bf16"), lambda: TimedCall(lambda: None))
    assert [(refusal.case, refusal.reason) for refusal in recorder.refusals] == [
        ("attention_forward bf16 cudnn", "No available kernel.")
    ]
    assert [sample.case.op for sample in recorder.samples] == ["nothing"]


def test_processor_is_measured_from_end_to_end(tmp_path: Path) -> None:
    """Every part runs on processor tensors and ends in a valid record, a CSV and a summary."""
    pytest.importorskip("torch", reason="PyTorch is not installed (extra `measure`)")
    output, told = tmp_path / "cpu.toml", list[str]()
    command.run(output, "cpu", like="H100-80GB-SXM5", quick=True, progress=told.append)
    record = read_accelerator(output, shown="cpu.toml")
    assert 0 < record.matmul_share["bf16"] < 1
    rows = (tmp_path / "cpu.csv").read_text(encoding="utf-8").splitlines()
    assert {row.split(",")[0] for row in rows[1:]} >= {
        "launch", "copy", "add", "rms_norm", "softmax", "adamw", "matmul_tn", "matmul_nn", "matmul_nt", "sustained",
        "grouped_forward", "grouped_wgrad", "attention_forward", "attention_backward", "all_reduce", "all_gather",
        "reduce_scatter", "all_to_all", "send_recv",
    }  # fmt: skip
    assert told[-1] == f"wrote {output} and {tmp_path / 'cpu.csv'}"


def test_batched_products_stand_in_for_grouped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch has no grouped product, experts run as a batch, and the samples say so."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `measure`)")
    monkeypatch.delattr(torch, "_grouped_mm")
    monkeypatch.setattr(device, "measure_collectives", lambda *_, **__: None)
    experts = [s for s in measure_device("cpu", quick=True).samples if s.case.op.startswith("grouped")]
    assert len(experts) == 2 * len(TINY.experts)
    assert {sample.case.backend for sample in experts} == {"bmm"}
