"""The stop-watch: prepares inputs, warms up, times batches of calls and keeps what came out."""

from __future__ import annotations

import importlib
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from planner.errors import InputError
from planner.measure.grids import Grid
from planner.measure.samples import KernelCase, Refusal, Sample

Progress = Callable[[str], None]
"""Is told, in a line, what happens."""

REFUSED = (RuntimeError, ValueError, TypeError, AttributeError)
"""What PyTorch raises for a kernel, a precision or a size that the device or the release does not have."""
MOST_CALLS, MOST_COPIES = 500, 64
SPIN_CYCLES = 2_000_000
"""Cycles of the waiting kernel by which its clock is read."""
LONGEST_REST = 0.1
"""Most seconds that a GPU waits before a batch."""


def load_torch() -> Any:  # noqa: ANN401  (a module that need not be installed has no type)
    """Give the module `torch`.

    Raises InputError when PyTorch is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as missing:
        raise InputError(
            "measuring a device needs PyTorch, which is not installed", fix="run `pip install 'plan-training[measure]'`"
        ) from missing


class TimedCall(NamedTuple):
    """Something to time: a function and the inputs that its calls rotate over."""

    call: Callable[..., object]
    inputs: Sequence[tuple[Any, ...]] = ((),)


@dataclass(frozen=True)
class Bench:
    """A device and how it is timed: with its own events on a GPU, by the wall clock on a processor."""

    torch: Any
    device: str
    """`cpu` or `cuda:0`."""
    grid: Grid

    @property
    def on_gpu(self) -> bool:
        """Whether work is queued and timed on a GPU."""
        return self.device != "cpu"

    @property
    def half(self) -> str:
        """The 16-bit precision that the device multiplies in: bf16, or fp16 before Ampere."""
        torch = self.torch
        old = self.on_gpu and not torch.version.hip and torch.cuda.get_device_capability(self.device) < (8, 0)
        return "fp16" if old else "bf16"

    def random(self, *shape: int) -> Any:  # noqa: ANN401  (a tensor)
        """Draw a normal tensor in the half precision; never zeros, on which a GPU draws less power and runs faster."""
        types = {"bf16": self.torch.bfloat16, "fp16": self.torch.float16}
        return self.torch.randn(shape, device=self.device, dtype=types[self.half])

    def copies(self, size: float) -> int:
        """How many inputs of `size` bytes together exceed the cache."""
        return max(1, min(MOST_COPIES, math.ceil(self.grid.cache_bytes / size)))

    def synchronise(self) -> None:
        """Wait until the device has done what was queued."""
        if self.on_gpu:
            self.torch.cuda.synchronize(self.device)

    def release(self) -> None:
        """Give cached memory back to the device."""
        if self.on_gpu:
            self.torch.cuda.empty_cache()

    @cached_property
    def spin_hz(self) -> float:
        """Cycles per second of the kernel that only waits."""
        spin = TimedCall(lambda: self.torch.cuda._sleep(SPIN_CYCLES))  # noqa: SLF001  (PyTorch's only kernel that waits)
        self.elapsed_seconds(spin, 1)
        return SPIN_CYCLES / self.elapsed_seconds(spin, 1)

    def elapsed_seconds(self, work: TimedCall, calls: int, *, rest: float = 0.0) -> float:
        """Seconds of `calls` calls, one after another; a GPU waits for `rest` seconds first."""
        if not self.on_gpu:
            start = time.perf_counter()
            _repeat(work, calls)
            return time.perf_counter() - start
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        if rest:
            self.torch.cuda._sleep(int(rest * self.spin_hz))  # noqa: SLF001  (PyTorch's only kernel that waits)
        start.record()
        _repeat(work, calls)
        end.record()
        self.synchronise()
        return float(start.elapsed_time(end)) / 1e3

    def queueing_seconds(self, work: TimedCall, calls: int) -> float:
        """Seconds in which the host queues `calls` calls; a processor queues nothing."""
        self.synchronise()
        start = time.perf_counter()
        _repeat(work, calls)
        queued = time.perf_counter() - start
        self.synchronise()
        return queued if self.on_gpu else 0.0

    def median_seconds(self, work: TimedCall) -> float:
        """Seconds of one call: the median of batches that are long enough to time, after a warm-up.

        A GPU waits before each batch for as long as the batch takes, so that its power stays under the limit, as in
        training, where products alternate with lighter kernels; and for as long as the host needs to queue the batch,
        so that kernels shorter than their launch are timed by themselves.
        """
        self.elapsed_seconds(work, max(2, len(work.inputs)))
        once = self.elapsed_seconds(work, 2) / 2
        calls = max(1, min(MOST_CALLS, math.ceil(self.grid.batch_seconds / max(once, 1e-9))))
        rest = min(LONGEST_REST, max(calls * once, 1.25 * self.queueing_seconds(work, calls)))
        return statistics.median(self.elapsed_seconds(work, calls, rest=rest) / calls for _ in range(self.grid.batches))

    def sustained_seconds(self, work: TimedCall) -> float:
        """Seconds of one call when calls follow each other without rest, until power and heat limit the clock.

        The first half of the time warms the device up, the second is timed.
        """
        once = self.median_seconds(work)
        calls = max(1, math.ceil(self.grid.sustained_seconds / 2 / once))
        self.elapsed_seconds(work, calls)
        return self.elapsed_seconds(work, calls) / calls


def _repeat(work: TimedCall, calls: int) -> None:
    for index in range(calls):
        work.call(*work.inputs[index % len(work.inputs)])


@dataclass
class Recorder:
    """Times cases one by one; what the device refuses is noted and does not end the run."""

    bench: Bench
    samples: list[Sample] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def measure(self, case: KernelCase, prepare: Callable[[], TimedCall], *, sustained: bool = False) -> None:
        """Time one case, briefly or sustained; `prepare` makes its inputs."""
        seconds_of = self.bench.sustained_seconds if sustained else self.bench.median_seconds
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch warns about each kernel that it does not choose
                seconds = seconds_of(prepare())
        except REFUSED as error:
            self.refuse(str(case), error)
        else:
            self.samples.append(Sample(case, seconds))

    def refuse(self, case: str, error: Exception | str) -> None:
        """Note that a case could not be run, with the first line of the reason."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        self.refusals.append(Refusal(case, reason[:200]))
        self.bench.release()
