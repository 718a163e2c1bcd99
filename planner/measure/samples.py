"""What a measurement is: the case that was run, how long it took, and on what."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

COLUMNS = (
    "op", "precision", "b", "m", "n", "k", "heads", "kv_heads", "head_dim", "value_head_dim", "causal", "backend",
    "ranks", "seconds", "tflops", "gb_s",
)  # fmt: skip


@dataclass(frozen=True)
class KernelCase:
    """One thing to time. A dimension that an operation does not have is 0 and stays empty in the CSV."""

    op: str
    precision: str
    b: int = 0
    """Batch: sequences of an attention, experts of a grouped product."""
    m: int = 0
    """Rows of a product (of each expert), query positions, rows of a stream, elements of a message."""
    n: int = 0
    """Columns of a product, key positions, columns of a stream."""
    k: int = 0
    """Inner dimension of a product."""
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    value_head_dim: int = 0
    causal: bool = False
    backend: str = ""
    ranks: int = 0
    """Devices that take part in a collective."""
    flops: float = 0.0
    """Floating-point operations of one call, a causal mask counted half."""
    bytes: float = 0.0
    """Bytes read and written by one call; for a collective the bytes that busbw counts."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.op, self.precision, self.backend) if part)


@dataclass(frozen=True)
class Sample:
    """A case and the median time of one call."""

    case: KernelCase
    seconds: float

    @property
    def tflops(self) -> float:
        """Rate in TFLOP/s; 0 where the case counts no operations."""
        return self.case.flops / self.seconds / 1e12

    @property
    def gb_s(self) -> float:
        """Rate in GB/s (decimal); 0 where the case counts no bytes."""
        return self.case.bytes / self.seconds / 1e9


@dataclass(frozen=True)
class Refusal:
    """A case that the device or the library would not run."""

    case: str
    reason: str


@dataclass(frozen=True)
class DeviceFacts:
    """The machine that was measured, in its driver's words."""

    name: str
    memory_gib: float
    """Memory of one device as the driver reports it, GiB."""
    compute_units: int | None
    devices: int
    """Devices that took part in the collectives; 1 without any."""
    outside_gib: float
    """Memory in use outside PyTorch's allocator after the measurements: driver context, libraries, other processes."""
    software: str
    """Versions of PyTorch and of the driver."""


@dataclass(frozen=True)
class Measurements:
    """Everything that one run measured."""

    device: DeviceFacts
    samples: tuple[Sample, ...]
    refusals: tuple[Refusal, ...]


def csv_text(samples: tuple[Sample, ...]) -> str:
    """CSV of the samples with a header line: seconds per call, TFLOP/s and GB/s to six digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for sample in samples:
        fields = [getattr(sample.case, column) or "" for column in COLUMNS[:-3]]
        rates = [f"{number:.6g}" if number else "" for number in (sample.seconds, sample.tflops, sample.gb_s)]
        writer.writerow([int(field) if isinstance(field, bool) else field for field in fields] + rates)
    return out.getvalue()
