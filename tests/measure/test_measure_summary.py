"""What is read off samples, on samples whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.measure.grids import FULL, ProductShape
from planner.measure.products import product_case
from planner.measure.samples import KernelCase, Sample
from planner.measure.summary import fit_shape, summarise, summary_lines, work_seconds

UNITS = 132.0
RATE, ELEMENTS, LAUNCH = 700.0, 55.0, 6e-6


def product_sample(shape: ProductShape, *, factor: float = 1.0, precision: str = "bf16") -> Sample:
    """Time a product as the fitted form says, times `factor`."""
    case = product_case(shape, precision)
    seconds = LAUNCH + work_seconds([case], UNITS, ELEMENTS)[0] / (RATE * 1e12)
    return Sample(case, float(seconds) * factor)


def aligned_samples() -> list[Sample]:
    """Every aligned product of the full grid, on a device that follows the form."""
    return [product_sample(shape) for shape in FULL.products if shape.aligned]


def test_fit_recovers_the_constants() -> None:
    """Times that follow the form give its constants back."""
    fit = fit_shape(aligned_samples(), UNITS)
    assert fit is not None
    assert fit.tflops == pytest.approx(RATE, rel=1e-3)
    assert fit.elements == pytest.approx(ELEMENTS, rel=1e-2)
    assert fit.launch_seconds == pytest.approx(LAUNCH, rel=1e-2)
    assert fit.error < 1e-3


def test_fit_ignores_odd_kernels() -> None:
    """One kernel in ten taking twice as long moves the constants little."""
    samples = [
        replace(sample, seconds=sample.seconds * (2.0 if index % 10 == 0 else 1.0))
        for index, sample in enumerate(aligned_samples())
    ]
    fit = fit_shape(samples, UNITS)
    assert fit is not None
    assert fit.tflops == pytest.approx(RATE, rel=0.05)
    assert fit.error < 0.05


def test_fit_needs_eight_products() -> None:
    """Three constants are not fitted to a handful of shapes."""
    assert fit_shape(aligned_samples()[:7], UNITS) is None


def test_best_rate_comes_from_large_aligned_forward_products() -> None:
    """A small, a misaligned and a transposed product do not set the peak share, however fast they look."""
    fast = [
        product_sample(ProductShape("TN", 512, 512, 512), factor=0.01),
        product_sample(ProductShape("TN", 8192, 14400, 1800), factor=0.01),
        product_sample(ProductShape("NN", 16384, 16384, 16384), factor=0.01),
    ]
    summary = summarise(aligned_samples() + fast, int(UNITS))
    assert 0.9 * RATE < summary.matmul["bf16"].best <= RATE
    assert summary.matmul["bf16"].median <= summary.matmul["bf16"].best


def test_precisions_are_kept_apart() -> None:
    """8-bit products have their own rate and do not enter the shape fit."""
    low = [product_sample(shape, factor=0.6, precision="fp8") for shape in FULL.products if shape.layout == "TN"]
    summary = summarise(aligned_samples() + low, int(UNITS))
    assert summary.matmul["fp8"].best > 1.5 * summary.matmul["bf16"].best
    assert summary.shape is not None
    assert summary.shape.tflops == pytest.approx(RATE, rel=1e-3)


def test_scalings_are_compared_on_the_same_shapes() -> None:
    """Scales per row and exact sums are told beside a scale per tensor, which alone sets the share of the peak."""
    small, large = ProductShape("TN", 512, 8192, 8192), ProductShape("TN", 8192, 8192, 8192)
    samples = [
        Sample(case, case.flops / (rate * 1e12))
        for shape, backend, rate in (
            (small, "per_tensor", 1500.0),
            (large, "per_tensor", 1400.0),
            (large, "per_row", 1450.0),
            (large, "exact", 900.0),
        )
        for case in [product_case(shape, "fp8", backend=backend)]
    ]
    summary = summarise(samples, None)
    assert summary.scaled_tflops == pytest.approx({"per_tensor": 1400, "per_row": 1450, "exact": 900})
    assert summary.matmul["fp8"].best == pytest.approx(1400)


def test_sustained_rate_stands_beside_the_best() -> None:
    """A product over seconds, slower than in short batches, does not change the matmul share."""
    best = Sample(KernelCase("matmul_tn", "bf16", m=8192, n=8192, k=8192, flops=8e12), 1e-2)
    sustained = replace(best, case=replace(best.case, op="sustained"), seconds=1.25e-2)
    summary = summarise([best, sustained], None)
    assert summary.sustained_tflops == pytest.approx(640)
    assert summary.matmul["bf16"].best == pytest.approx(800)


def test_misaligned_products_are_compared_with_the_fit() -> None:
    """Widths that 64 does not divide, a third slower, are reported as a third slower."""
    slow = [product_sample(shape, factor=4 / 3) for shape in FULL.products if not shape.aligned]
    summary = summarise(aligned_samples() + slow, int(UNITS))
    assert summary.misaligned_slowdown == pytest.approx(4 / 3, rel=0.01)


def test_grouped_products_by_rows_per_expert() -> None:
    """Each pass and number of rows gets the median share of the best single product."""
    matmul = Sample(KernelCase("matmul_tn", "bf16", m=8192, n=8192, k=8192, flops=1e12), 1e-2)
    grouped = [
        Sample(KernelCase(op, "bf16", b=8, m=rows, n=2048, k=2048, flops=1e12), seconds)
        for op, rows, seconds in (
            ("grouped_forward", 64, 4e-2),
            ("grouped_forward", 64, 5e-2),
            ("grouped_forward", 64, 2e-2),
            ("grouped_wgrad", 64, 8e-2),
            ("grouped_forward", 1024, 1.25e-2),
        )
    ]
    assert summarise([matmul, *grouped], None).grouped_share == pytest.approx(
        {("grouped_forward", 64): 0.25, ("grouped_wgrad", 64): 0.125, ("grouped_forward", 1024): 0.8}
    )


def test_attention_counts_its_longer_sequences() -> None:
    """The rate of a kernel is its median over the longer half; kernels and passes stay apart."""
    matmul = Sample(KernelCase("matmul_tn", "bf16", m=8192, n=8192, k=8192, flops=1e12), 1e-2)
    forward = KernelCase(
        "attention_forward", "bf16", heads=32, head_dim=128, value_head_dim=128, backend="flash", flops=1e12
    )
    samples = [
        matmul,
        *(Sample(replace(forward, m=m), seconds) for m, seconds in ((1024, 1.0), (4096, 0.02), (8192, 0.02))),
        Sample(replace(forward, m=4096, op="attention_backward"), 0.04),
    ]
    rates = {(rate.op, rate.backend, rate.head_dim): rate.share for rate in summarise(samples, None).attention}
    assert rates == pytest.approx(
        {("attention_forward", "flash", 128): 0.5, ("attention_backward", "flash", 128): 0.25}
    )


def test_collectives_state_busbw_and_latency() -> None:
    """The best size gives the bandwidth, the smallest the latency."""
    samples = [
        Sample(KernelCase("all_reduce", "bf16", m=m, ranks=8, bytes=moved), seconds)
        for m, moved, seconds in ((2**15, 1e5, 2e-5), (2**25, 1e8, 5e-4), (2**29, 2e9, 5e-3))
    ]
    (rate,) = summarise(samples, None).collectives
    assert (rate.op, rate.ranks) == ("all_reduce", 8)
    assert rate.bus_gb_s == pytest.approx(400)
    assert rate.latency_seconds == pytest.approx(2e-5)


def test_nothing_measured_gives_an_empty_summary() -> None:
    """A run without a single sample says nothing and does not fail."""
    summary = summarise([], None)
    assert (summary.matmul, summary.shape, summary.launch_seconds) == ({}, None, None)
    assert summary_lines(summary) == ()


def test_every_finding_is_told() -> None:
    """Each part of the summary has its line, with its unit."""
    samples = [
        *(product_sample(shape) for shape in FULL.products),
        Sample(KernelCase("copy", "bf16", m=2**29, bytes=4e9), 1e-3),
        Sample(KernelCase("launch", "bf16", m=1), 4.5e-6),
        Sample(KernelCase("all_gather", "bf16", m=2**25, ranks=4, bytes=1e9), 1e-2),
    ]
    text = "\n".join(summary_lines(summarise(samples, int(UNITS))))
    for part in ("TFLOP/s at best", "tile quantisation", "64 does not divide", "copy: 4000 GB/s", "4.5 µs", "busbw"):
        assert part in text
