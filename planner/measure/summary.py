"""What the samples say: rates, shares and the constants of the estimator's own forms. Pure functions."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from planner.measure.samples import KernelCase, Sample
from planner.performance.matmul import tile_quantisation

Key = TypeVar("Key", bound=Hashable)
FORWARD_PRODUCT = "matmul_tn"
PRODUCTS = ("matmul_tn", "matmul_nn", "matmul_nt")
HALF = ("bf16", "fp16")
PLAIN = ("", "per_tensor")
"""Scalings of the products whose best rate is a precision's matmul share."""
STREAMS = ("copy", "add", "rms_norm", "softmax", "adamw")
LARGE_SHARE = 0.25
"""Largest products by operations, of which the best counts as what the device reaches."""
FEWEST_PRODUCTS = 8
"""Fewest aligned products to which three constants are fitted."""
OUTLIER = 0.05
"""Relative residual from which the fit counts a product less and less."""


@dataclass(frozen=True)
class Matmul:
    """Large aligned forward products in one precision, TFLOP/s."""

    best: float
    """What a large matrix product reaches: the convention of the catalog's `matmul_share`."""
    median: float


@dataclass(frozen=True)
class ShapeFit:
    """Constants of t = t₀ + 2·M·N·K/R · (1 + c·(1/M + 1/N + 1/K)) · q, with q the tile quantisation."""

    launch_seconds: float
    """t₀: start and drain of one product."""
    tflops: float
    """R: rate of an unboundedly large product."""
    elements: float
    """c: start-up and drain of the pipelines, in elements."""
    error: float
    """Median of |predicted/measured − 1| over the products fitted."""
    products: int


@dataclass(frozen=True)
class AttentionRate:
    """One fused attention kernel on its longer sequences."""

    op: str
    backend: str
    head_dim: int
    value_head_dim: int
    tflops: float
    share: float
    """Fraction of the best matrix product in the same precision."""


@dataclass(frozen=True)
class CollectiveRate:
    """One collective over the devices of a host."""

    op: str
    ranks: int
    bus_gb_s: float
    """Busbw of the best size, GB/s per device and direction."""
    latency_seconds: float
    """Time of the smallest message."""


@dataclass(frozen=True)
class Summary:
    """Everything that is read off the samples; what was not measured is empty or None."""

    matmul: dict[str, Matmul]
    """Matrix products by precision."""
    sustained_tflops: float | None
    """A large 16-bit product over seconds without a pause."""
    scaled_tflops: dict[str, float]
    """Best 8-bit product of those with most rows, by how it is scaled and summed."""
    shape: ShapeFit | None
    misaligned_slowdown: float | None
    """Time of products with a dimension that 64 does not divide, over the fit without that penalty."""
    grouped_share: dict[tuple[str, int], float]
    """Median rate of grouped products over the best single product, by pass and rows per expert."""
    attention: tuple[AttentionRate, ...]
    stream_gb_s: dict[str, float]
    """Best rate of each memory-bound kernel, bytes read and written."""
    launch_seconds: float | None
    """Host time per kernel launch."""
    collectives: tuple[CollectiveRate, ...]


def summarise(samples: Sequence[Sample], compute_units: int | None) -> Summary:
    """Read rates and constants off the samples of one device with so many multiprocessors (None: unknown)."""
    units = float(compute_units or 0)
    matmul = {
        precision: large_products(group)
        for precision, group in _grouped(samples, _forward_precision).items()
        if precision is not None
    }
    half = [sample for sample in samples if sample.case.op in PRODUCTS and sample.case.precision in HALF]
    shape = fit_shape([sample for sample in half if is_aligned(sample.case)], units)
    misaligned = [sample for sample in half if not is_aligned(sample.case)]
    launches = [sample.seconds for sample in samples if sample.case.op == "launch"]
    sustained = [sample.tflops for sample in samples if sample.case.op == "sustained"]
    return Summary(
        matmul=matmul,
        sustained_tflops=max(sustained, default=None),
        scaled_tflops=scaled_rates(samples),
        shape=shape,
        misaligned_slowdown=slowdown(misaligned, shape, units) if shape and misaligned else None,
        grouped_share=grouped_shares(samples, matmul),
        attention=attention_rates(samples, matmul),
        stream_gb_s={op: best for op in STREAMS if (best := _best_gb_s(s for s in samples if s.case.op == op))},
        launch_seconds=statistics.median(launches) if launches else None,
        collectives=collective_rates(samples),
    )


def is_aligned(case: KernelCase) -> bool:
    """Whether 64 divides every dimension of a product."""
    return case.m % 64 == case.n % 64 == case.k % 64 == 0


def large_products(samples: Sequence[Sample]) -> Matmul:
    """Best and median rate of the quarter of the aligned products with the most operations (at least one)."""
    by_size = sorted((s for s in samples if is_aligned(s.case)), key=lambda s: s.case.flops, reverse=True)
    large = by_size or list(samples)
    rates = [sample.tflops for sample in large[: max(1, round(LARGE_SHARE * len(large)))]]
    return Matmul(max(rates), statistics.median(rates))


def scaled_rates(samples: Sequence[Sample]) -> dict[str, float]:
    """Best rate of 8-bit products by scaling, over the shapes that were run with every scaling; TFLOP/s."""
    eight = [sample for sample in samples if sample.case.op == FORWARD_PRODUCT and sample.case.precision == "fp8"]
    most = max((sample.case.m for sample in eight), default=0)
    scalings = _grouped((sample for sample in eight if sample.case.m == most), lambda case: case.backend)
    return {scaling: max(sample.tflops for sample in group) for scaling, group in scalings.items()}


def work_seconds(cases: Sequence[KernelCase], units: float, elements: float) -> npt.NDArray[np.float64]:
    """Time of each product at 1 FLOP/s: FLOP · (1 + c·(1/M + 1/N + 1/K)) · tile quantisation, shape (cases,)."""
    m, n, k = (np.array([getattr(case, size) for case in cases], dtype=np.float64) for size in ("m", "n", "k"))
    quantisation = tile_quantisation(m, n, np.asarray(units))
    shape = 1 + elements * (1 / m + 1 / n + 1 / k)
    return np.asarray(2 * m * n * k * shape * quantisation, dtype=np.float64)


def fit_shape(samples: Sequence[Sample], units: float) -> ShapeFit | None:
    """Fit launch time, rate and shape constant to aligned products; None for fewer than eight.

    Minimises the soft-L1 loss of predicted/measured − 1, so that odd kernels count little. Bounds: t₀ within
    0 … the fastest product, R within 0.2 … 5 times the best rate, c within 0 … 2000.
    """
    if len(samples) < FEWEST_PRODUCTS:
        return None
    cases = [sample.case for sample in samples]
    seconds = np.array([sample.seconds for sample in samples])
    best = max(sample.tflops for sample in samples)
    fastest = float(seconds.min())

    def residuals(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        predicted = x[0] * fastest + work_seconds(cases, units, float(100 * x[2])) / float(x[1] * best * 1e12)
        return np.asarray(predicted / seconds - 1)

    start, low, high = (0.1, 1.0, 0.5), (0.0, 0.2, 0.0), (1.0, 5.0, 20.0)
    found = least_squares(residuals, start, bounds=(low, high), loss="soft_l1", f_scale=OUTLIER)
    return ShapeFit(
        launch_seconds=float(found.x[0]) * fastest,
        tflops=float(found.x[1]) * best,
        elements=float(100 * found.x[2]),
        error=float(np.median(np.abs(residuals(found.x)))),
        products=len(samples),
    )


def slowdown(samples: Sequence[Sample], shape: ShapeFit, units: float) -> float:
    """Median of the measured time over the fit's."""
    work = work_seconds([sample.case for sample in samples], units, shape.elements)
    predicted = shape.launch_seconds + work / (shape.tflops * 1e12)
    return float(np.median(np.array([sample.seconds for sample in samples]) / predicted))


def grouped_shares(samples: Iterable[Sample], matmul: dict[str, Matmul]) -> dict[tuple[str, int], float]:
    """Median rate of grouped products over the best single one in the same precision, by pass and rows per expert."""
    experts = _grouped(
        (s for s in samples if s.case.op.startswith("grouped") and s.case.precision in matmul),
        lambda case: (case.op, case.m),
    )
    return {
        key: statistics.median(sample.tflops / matmul[sample.case.precision].best for sample in group)
        for key, group in experts.items()
    }


def attention_rates(samples: Iterable[Sample], matmul: dict[str, Matmul]) -> tuple[AttentionRate, ...]:
    """Median rate of each kernel and head size over the longer half of its sequence lengths."""
    kernels = _grouped(
        (sample for sample in samples if sample.case.op.startswith("attention") and sample.case.precision in matmul),
        lambda case: (case.op, case.precision, case.backend, case.head_dim, case.value_head_dim),
    )
    rates = []
    for (op, precision, backend, head_dim, value_head_dim), group in kernels.items():
        middle = statistics.median(sample.case.m for sample in group)
        tflops = statistics.median(sample.tflops for sample in group if sample.case.m >= middle)
        share = tflops / matmul[precision].best
        rates.append(AttentionRate(op, backend, head_dim, value_head_dim, tflops, share))
    return tuple(rates)


def collective_rates(samples: Iterable[Sample]) -> tuple[CollectiveRate, ...]:
    """Best busbw and smallest message of each collective."""
    groups = _grouped((sample for sample in samples if sample.case.ranks), lambda case: (case.op, case.ranks))
    return tuple(
        CollectiveRate(op, ranks, _best_gb_s(group), min(group, key=lambda sample: sample.case.m).seconds)
        for (op, ranks), group in groups.items()
    )


def summary_lines(summary: Summary) -> tuple[str, ...]:
    """Tell the summary to people, a finding a line."""
    lines = [
        f"{precision} matrix product: {rate.best:.4g} TFLOP/s at best, {rate.median:.4g} median of large shapes"
        for precision, rate in summary.matmul.items()
    ]
    if summary.sustained_tflops:
        lines.append(f"a product without rest, over seconds: {summary.sustained_tflops:.4g} TFLOP/s")
    lines += [f"fp8, {way.replace('_', ' ')}: {rate:.4g} TFLOP/s" for way, rate in summary.scaled_tflops.items()]
    if summary.shape:
        fit = summary.shape
        lines += [
            f"product time over {fit.products} shapes, median error {fit.error:.1%}:",
            (
                f"  {fit.launch_seconds * 1e6:.3g} µs + 2MNK/({fit.tflops:.4g} TFLOP/s)"
                f" × (1 + {fit.elements:.3g}(1/M + 1/N + 1/K)) × tile quantisation"
            ),
        ]
    if summary.misaligned_slowdown:
        lines.append(f"dimensions that 64 does not divide: ×{summary.misaligned_slowdown:.3g}")
    lines += [
        f"{op.replace('_', ' ')}, {rows} rows per expert: {share:.3g} of the best single product"
        for (op, rows), share in sorted(summary.grouped_share.items())
    ]
    lines += [
        f"{rate.op.replace('_', ' ')}, {rate.backend}, head {rate.head_dim}/{rate.value_head_dim}: "
        f"{rate.tflops:.4g} TFLOP/s, {rate.share:.3g} of the matrix product"
        for rate in summary.attention
    ]
    lines += [f"{op}: {rate:.4g} GB/s" for op, rate in summary.stream_gb_s.items()]
    if summary.launch_seconds:
        lines.append(f"kernel launch: {summary.launch_seconds * 1e6:.3g} µs of host time")
    lines += [
        f"{rate.op} over {rate.ranks}: {rate.bus_gb_s:.4g} GB/s busbw, {rate.latency_seconds * 1e6:.3g} µs at least"
        for rate in summary.collectives
    ]
    return tuple(lines)


def _forward_precision(case: KernelCase) -> str | None:
    return case.precision if case.op == FORWARD_PRODUCT and case.backend in PLAIN else None


def _best_gb_s(samples: Iterable[Sample]) -> float:
    return max((sample.gb_s for sample in samples), default=0.0)


def _grouped(samples: Iterable[Sample], key: Callable[[KernelCase], Key]) -> dict[Key, list[Sample]]:
    groups: dict[Key, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[key(sample.case)].append(sample)
    return dict(groups)
