"""Matrix products: dense ones in 16 and 8 bit, and the grouped ones of experts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from planner.measure.bench import REFUSED, Bench, Recorder, TimedCall
from planner.measure.grids import ExpertShape, ProductShape
from planner.measure.samples import KernelCase

PER_TENSOR, PER_ROW, EXACT = "per_tensor", "per_row", "exact"
SCALINGS = (PER_TENSOR, PER_ROW, EXACT)
"""How 8-bit products are scaled and summed: a scale per tensor, per row, or per tensor with sums kept in fp32."""


def measure_products(recorder: Recorder, shapes: tuple[ProductShape, ...]) -> None:
    """Time each product in the device's 16-bit precision, with the operands laid out as training lays them."""
    bench = recorder.bench
    for shape in shapes:
        recorder.measure(product_case(shape, bench.half), partial(_half_work, bench, shape))


def measure_sustained(recorder: Recorder, shape: ProductShape) -> None:
    """Time one large product over seconds without a pause, as training runs it: power may lower the clock."""
    bench = recorder.bench
    case = replace(product_case(shape, bench.half), op="sustained")
    recorder.measure(case, partial(_half_work, bench, shape), sustained=True)


def measure_fp8_products(recorder: Recorder, shapes: tuple[ProductShape, ...]) -> None:
    """Time the aligned forward products in 8 bit, where the device has it.

    All with one scale per tensor and fast sums, those with the most rows with a scale per row and with exact sums too.
    """
    bench = recorder.bench
    try:
        kind = _fp8_type(bench)
    except REFUSED as error:
        recorder.refuse("matmul fp8", error)
        return
    usable = [shape for shape in shapes if shape.layout == "TN" and shape.aligned]
    most = max(shape.m for shape in usable)
    for shape in usable:
        for scaling in SCALINGS if shape.m == most else SCALINGS[:1]:
            case = product_case(shape, "fp8", backend=scaling)
            recorder.measure(case, partial(_fp8_work, bench, shape, kind, scaling))


def measure_experts(recorder: Recorder, shapes: tuple[ExpertShape, ...]) -> None:
    """Time grouped products, forward and weight gradient; batched products where there is no grouped kernel."""
    bench = recorder.bench
    backend = "grouped_mm" if _has_grouped(bench) else "bmm"
    for shape in shapes:
        for op in ("grouped_forward", "grouped_wgrad"):
            case = expert_case(op, shape, bench.half, backend)
            recorder.measure(case, partial(_expert_work, bench, case))


def product_case(shape: ProductShape, precision: str, *, backend: str = "") -> KernelCase:
    """2·m·n·k operations; the bytes are each operand and the result once (the result of fp8 in 16 bit)."""
    layout, m, n, k = shape
    width = 1 if precision == "fp8" else 2
    moved = width * (m * k + k * n) + 2 * m * n
    op = f"matmul_{layout.lower()}"
    return KernelCase(op, precision, m=m, n=n, k=k, backend=backend, flops=2.0 * m * n * k, bytes=moved)


def expert_case(op: str, shape: ExpertShape, precision: str, backend: str) -> KernelCase:
    """2·experts·rows·n·k operations; forward and weight gradient move the same bytes."""
    b, m, n, k = shape
    moved = 2 * b * (m * k + k * n + m * n)
    return KernelCase(op, precision, b=b, m=m, n=n, k=k, backend=backend, flops=2.0 * b * m * n * k, bytes=moved)


def _half_work(bench: Bench, shape: ProductShape) -> TimedCall:
    layout, m, n, k = shape
    copies = bench.copies(2.0 * (m * k + k * n + m * n))

    def operands() -> tuple[Any, Any]:
        left = bench.random(k, m).t() if layout == "NT" else bench.random(m, k)
        right = bench.random(n, k).t() if layout == "TN" else bench.random(k, n)
        return left, right

    return TimedCall(bench.torch.mm, [operands() for _ in range(copies)])


def _fp8_type(bench: Bench) -> Any:  # noqa: ANN401  (a torch.dtype)
    """Find the 8-bit type that the device multiplies in: e4m3fn, or AMD's e4m3fnuz."""
    usual, amd = bench.torch.float8_e4m3fn, bench.torch.float8_e4m3fnuz
    small = ProductShape("TN", 64, 64, 64)
    try:
        _call_once(_fp8_work(bench, small, usual, PER_TENSOR))
    except REFUSED:
        if not bench.torch.version.hip:
            raise
        _call_once(_fp8_work(bench, small, amd, PER_TENSOR))
        return amd
    return usual


def _call_once(work: TimedCall) -> None:
    work.call(*work.inputs[0])


def _fp8_work(bench: Bench, shape: ProductShape, kind: Any, scaling: str) -> TimedCall:  # noqa: ANN401  (a torch.dtype)
    _, m, n, k = shape
    torch = bench.torch
    rows, columns = ((m, 1), (1, n)) if scaling == PER_ROW else ((), ())
    scales = {f"scale_{side}": torch.ones(size, device=bench.device) for side, size in (("a", rows), ("b", columns))}

    def product(left: Any, right: Any) -> object:  # noqa: ANN401  (tensors)
        return torch._scaled_mm(  # noqa: SLF001  (PyTorch's only product of 8-bit tensors)
            left, right, **scales, out_dtype=torch.bfloat16, use_fast_accum=scaling != EXACT
        )

    copies = bench.copies(float(m * k + k * n + 2 * m * n))
    return TimedCall(product, [(bench.random(m, k).to(kind), bench.random(n, k).to(kind).t()) for _ in range(copies)])


def _has_grouped(bench: Bench) -> bool:
    try:
        _call_once(_grouped_work(bench, expert_case("grouped_forward", ExpertShape(2, 16, 64, 64), "", "")))
    except REFUSED:
        return False
    return True


def _expert_work(bench: Bench, case: KernelCase) -> TimedCall:
    return _grouped_work(bench, case) if case.backend == "grouped_mm" else _batched_work(bench, case)


def _grouped_work(bench: Bench, case: KernelCase) -> TimedCall:
    """Rows sorted by expert, and where each expert's rows end."""
    torch, copies = bench.torch, bench.copies(case.bytes)
    ends = case.m * torch.arange(1, case.b + 1, device=bench.device, dtype=torch.int32)
    rows = case.b * case.m

    def product(left: Any, right: Any) -> object:  # noqa: ANN401  (tensors)
        return torch._grouped_mm(left, right, offs=ends)  # noqa: SLF001  (public only since 2.10)

    def operands() -> tuple[Any, Any]:
        if case.op == "grouped_forward":
            return bench.random(rows, case.k), bench.random(case.b, case.n, case.k).transpose(1, 2)
        return bench.random(rows, case.n).t(), bench.random(rows, case.k)

    return TimedCall(product, [operands() for _ in range(copies)])


def _batched_work(bench: Bench, case: KernelCase) -> TimedCall:
    def operands() -> tuple[Any, Any]:
        rows = bench.random(case.b, case.m, case.k)
        if case.op == "grouped_forward":
            return rows, bench.random(case.b, case.n, case.k).transpose(1, 2)
        return bench.random(case.b, case.m, case.n).transpose(1, 2), rows

    return TimedCall(bench.torch.bmm, [operands() for _ in range(bench.copies(case.bytes))])
