"""Attention cores, forward and backward, with each of PyTorch's fused kernels apart."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from planner.measure.bench import Bench, Recorder, TimedCall
from planner.measure.grids import AttentionShape
from planner.measure.samples import KernelCase

GPU_KERNELS = {"flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION", "efficient": "EFFICIENT_ATTENTION"}
CPU_KERNELS = {"flash": "FLASH_ATTENTION", "math": "MATH"}


def measure_attention(recorder: Recorder, shapes: tuple[AttentionShape, ...]) -> None:
    """Time causal scaled-dot-product attention; a kernel that cannot run a shape is refused by PyTorch and noted."""
    bench = recorder.bench
    choice = importlib.import_module("torch.nn.attention")
    for backend, kernel in (GPU_KERNELS if bench.on_gpu else CPU_KERNELS).items():
        chosen = getattr(choice.SDPBackend, kernel, None)
        if chosen is None:
            recorder.refuse(f"attention {backend}", "this release of PyTorch does not have it")
            continue
        with choice.sdpa_kernel(chosen):
            for shape in shapes:
                forward, backward = attention_cases(shape, bench.half, backend)
                recorder.measure(forward, partial(_forward_work, bench, forward))
                recorder.measure(backward, partial(_backward_work, bench, backward))


def attention_cases(shape: AttentionShape, precision: str, backend: str) -> tuple[KernelCase, KernelCase]:
    """Forward and backward of one causal core, each score pair counted once.

    Forward: two products, 2·(d_qk + d_v) per pair and head. Backward: five, scores and two of their gradients
    with d_qk, the two of the values with d_v: 2·(3·d_qk + 2·d_v). Causal: s²/2 pairs. Source: Dao 2023.
    """
    b, s, heads, kv_heads, head, value = shape
    pairs = b * heads * s * s / 2

    def case(op: str, flops: float) -> KernelCase:
        return KernelCase(
            op, precision, b=b, m=s, n=s, heads=heads, kv_heads=kv_heads, head_dim=head, value_head_dim=value,
            causal=True, backend=backend, flops=flops,
        )  # fmt: skip

    return (
        case("attention_forward", pairs * 2 * (head + value)),
        case("attention_backward", pairs * 2 * (3 * head + 2 * value)),
    )


def _attend(bench: Bench, case: KernelCase) -> Any:  # noqa: ANN401  (a function from tensors to a tensor)
    grouped = case.kv_heads != case.heads
    attention = bench.torch.nn.functional.scaled_dot_product_attention
    return lambda q, k, v: attention(q, k, v, is_causal=case.causal, enable_gqa=grouped)


def _inputs(bench: Bench, case: KernelCase) -> tuple[Any, Any, Any]:
    """Query, key and value as a projection leaves them: the heads of a position beside each other."""
    shapes = (
        (case.b, case.m, case.heads, case.head_dim),
        (case.b, case.n, case.kv_heads, case.head_dim),
        (case.b, case.n, case.kv_heads, case.value_head_dim),
    )
    q, k, v = (bench.random(*shape).transpose(1, 2).requires_grad_() for shape in shapes)
    return q, k, v


def _copies(bench: Bench, case: KernelCase) -> int:
    return bench.copies(2.0 * case.b * case.m * (case.heads + case.kv_heads) * (case.head_dim + case.value_head_dim))


def _forward_work(bench: Bench, case: KernelCase) -> TimedCall:
    """Forward pass as training runs it, keeping what the backward pass needs."""
    return TimedCall(_attend(bench, case), [_inputs(bench, case) for _ in range(_copies(bench, case))])


def _backward_work(bench: Bench, case: KernelCase) -> TimedCall:
    attend, torch = _attend(bench, case), bench.torch

    def prepared() -> tuple[Any, ...]:
        inputs = _inputs(bench, case)
        out = attend(*inputs)
        return out, inputs, torch.randn_like(out)

    def gradients(out: Any, inputs: Any, gradient: Any) -> object:  # noqa: ANN401  (tensors)
        return torch.autograd.grad(out, inputs, gradient, retain_graph=True)

    return TimedCall(gradients, [prepared() for _ in range(_copies(bench, case))])
